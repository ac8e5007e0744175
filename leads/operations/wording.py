"""What changes to many leads say to people: the question before, and why a lead was left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _, ngettext_lazy

from leads.models import LeadOperation
from leads.operations import kinds

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

Kind = LeadOperation.Kind
_QUESTIONS = {
    Kind.TAG: ngettext_lazy("Tag %(n)d lead", "Tag %(n)d leads", "n"),
    Kind.UNTAG: ngettext_lazy("Remove a tag from %(n)d lead", "Remove a tag from %(n)d leads", "n"),
    Kind.ENROL: ngettext_lazy("Enrol %(n)d lead", "Enrol %(n)d leads", "n"),
    Kind.SUPPRESS: ngettext_lazy(
        "Never call %(n)d lead again", "Never call %(n)d leads again", "n"
    ),
    Kind.DELETE: ngettext_lazy("Delete %(n)d lead", "Delete %(n)d leads", "n"),
    Kind.EXPORT: ngettext_lazy("Export %(n)d lead", "Export %(n)d leads", "n"),
}
_NOTES: dict[str, _StrPromise] = {
    kinds.HAD_TAG: _("Had the tag already."),
    kinds.TAGS_FULL: _("Has as many tags as a lead may have."),
    kinds.HAD_NO_TAG: _("Didn't have the tag."),
    kinds.ENROLLED: _("Was in the campaign already."),
    kinds.VARIABLE: _("Lacks something that the script says."),
    kinds.LISTED: _("Was on the do-not-call list already."),
    kinds.IN_USE: _("Was called, waits in a launch, or has a follow-up: its history stays."),
    kinds.EDITED: _("Was changed since; kept as it is."),
    kinds.GONE: _("Was taken away since."),
    kinds.NO_NUMBER: _("No number that could be called stands here, so none is listed."),
    kinds.ASKED: _("Was asked for again since, or taken off by somebody: left as it is."),
    kinds.ERASED: _("The person was erased."),
    kinds.IN_LAUNCH: _("Is in a launch by now; kept there."),
    kinds.NUMBER_AGAIN: _("The number is in the list again; that lead is kept."),
}


def question(kind: str, total: int) -> str:
    """Return the change with its number of leads, for the heading and the button."""
    return str(_QUESTIONS[Kind(kind)] % {"n": total})


def note_sentence(note: str) -> str:
    """Say why a lead was left alone."""
    return str(_NOTES.get(note, note))
