"""The versions of a campaign, and what is different between two of them, line by line."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, Literal

from django.utils.translation import gettext as _

from campaigns.blanks import blanks_of
from campaigns.launch_requests import wants_two_people
from campaigns.models import BatchCall, Campaign, CampaignVersion, KnowledgeBase, KnowledgeSource
from campaigns.services.preparing import adopting
from campaigns.settings_schema import with_defaults
from campaigns.transfers import target_words
from campaigns.variables import KINDS, read_rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

    from campaigns.variables import VariableRule

type Kind = Literal["same", "added", "removed"]
MOST_VERSIONS = 200
# Above this many lines a text is shown as replaced whole: comparing takes the square of it.
MOST_LINES = 2_000


@dataclass(frozen=True)
class DiffLine:
    """One line of a text that stayed, came or went."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class TextDiff:
    """A text of both versions, line by line."""

    title: str
    lines: list[DiffLine]

    @property
    def is_changed(self) -> bool:
        return any(line.kind != "same" for line in self.lines)


@dataclass(frozen=True)
class ValueDiff:
    """A setting that is different."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class VersionDiff:
    """All that is different between two versions."""

    texts: list[TextDiff]
    values: list[ValueDiff]

    @property
    def is_empty(self) -> bool:
        return not self.values and not any(text.is_changed for text in self.texts)


@dataclass(frozen=True)
class VersionRow:
    """One line of the list: a version, and the launches that call with it now."""

    version: CampaignVersion
    is_published: bool
    live_launches: int


def version_rows(campaign: Campaign) -> list[VersionRow]:
    """Return the versions, newest first; two queries."""
    versions = CampaignVersion.objects.filter(client_id=campaign.client_id, campaign=campaign)
    live = BatchCall.objects.filter(
        client_id=campaign.client_id,
        campaign=campaign,
        status__in=(BatchCall.Status.SCHEDULED, BatchCall.Status.RUNNING, BatchCall.Status.PAUSED),
    ).values_list("version_id", flat=True)
    used = list(live)
    return [
        VersionRow(row, row.number == campaign.published_version, used.count(row.pk))
        for row in versions.order_by("-number")[:MOST_VERSIONS]
    ]


def find_version(campaign: Campaign, number: int) -> CampaignVersion | None:
    """Return the version with this number."""
    return CampaignVersion.objects.filter(
        client_id=campaign.client_id, campaign=campaign, number=number
    ).first()


@dataclass(frozen=True)
class Waiting:
    """Running launches that could use a published version: how many, and what keeps them from it."""

    launches: int
    for_second_person: bool
    names: list[str]  # the variables that nobody in some of them fills


def launches_waiting_for(version: CampaignVersion, campaign: Campaign) -> Waiting | None:
    """
    Tell of running launches that go on without the published version; None if there are none.

    They wait for a second person, or for values of a variable that is new; a handful of queries.
    """
    is_published = (
        version.number == campaign.published_version and campaign.status == Campaign.Status.READY
    )
    if not is_published or not (count := adopting(version).count()):
        return None
    strict = wants_two_people(client_id=campaign.client_id)
    return Waiting(count, strict, blanks_of(campaign, version).names)


def diff_versions(before: CampaignVersion | None, after: CampaignVersion) -> VersionDiff:
    """Compare two versions; without an earlier one everything is new."""
    facts = _facts([version for version in (before, after) if version is not None])
    texts = [
        _text(_("Opening line"), before.opening_line if before else "", after.opening_line),
        _text(_("Script"), before.script_raw if before else "", after.script_raw),
        _text(
            _("Facts of this campaign"),
            facts.get(before.knowledge_base_id, "") if before else "",
            facts.get(after.knowledge_base_id, ""),
        ),
    ]
    old, new = _values(before), _values(after)
    if before is None or None not in (before.variable_rules, after.variable_rules):
        old |= _rules(before)
        new |= _rules(after)
    values = [
        ValueDiff(name, old.get(name, "–"), new.get(name, "–"))
        for name in new | old
        if old.get(name) != new.get(name)
    ]
    return VersionDiff([text for text in texts if text.lines], values)


def diff_text(before: str, after: str) -> list[DiffLine]:
    """Return the lines of both texts in reading order, those that went before those that came."""
    old, new = before.splitlines(), after.splitlines()
    if max(len(old), len(new)) > MOST_LINES:
        return [*(DiffLine("removed", one) for one in old), *(DiffLine("added", o) for o in new)]
    found: list[DiffLine] = []
    for tag, a, b, c, d in SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if tag == "equal":
            found += [DiffLine("same", line) for line in old[a:b]]
            continue
        found += [DiffLine("removed", line) for line in old[a:b]]
        found += [DiffLine("added", line) for line in new[c:d]]
    return found


def _text(title: str, before: str, after: str) -> TextDiff:
    return TextDiff(title, diff_text(before, after))


def _facts(versions: Iterable[CampaignVersion]) -> Mapping[UUID | None, str]:
    ids = [version.knowledge_base_id for version in versions if version.knowledge_base_id]
    rows = KnowledgeSource.objects.filter(
        knowledge_base_id__in=ids, kind=KnowledgeSource.Kind.TEXT
    ).order_by("created_at", "pk")
    return {row.knowledge_base_id: row.text for row in rows}


def _values(version: CampaignVersion | None) -> dict[str, str]:
    """Return what isn't a text, as people read it."""
    if version is None:
        return {}
    settings: dict[str, Any] = dict(with_defaults(version.settings))
    shown = {name.replace("_", " "): _shown(value) for name, value in settings.items()}
    bases = KnowledgeBase.objects.in_bulk(
        [version.shared_base_id] if version.shared_base_id else []
    )
    base = next(iter(bases.values()), None)
    shared = f"{base.name}, v{base.number}" if base else "–"
    return {
        _("Name"): version.name,
        _("Voice"): version.voice_name or version.voice_id,
        _("Knowledge base"): shared,
        **shown,
    }


def _rules(version: CampaignVersion | None) -> dict[str, str]:
    """Return what is said of each variable, as people read it."""
    kept = version.variable_rules if version else None
    return {f"{{{{{rule.name}}}}}": _rule(rule) for rule in read_rules(kept or ())}


def _rule(rule: VariableRule) -> str:
    needed = _("a call needs it") if rule.is_required else _("may stay empty")
    longest = _("at most %(n)d characters") % {"n": rule.max_chars}
    parts = [str(KINDS[rule.kind][0]), needed, longest]
    if rule.default:
        parts.append(_("else “%(default)s”") % {"default": rule.default})
    return "; ".join(parts)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        parts = (_shown_row(one) if isinstance(one, dict) else str(one) for one in value)
        return "; ".join(parts) or "–"
    return str(value) or "–"


def _shown_row(row: Mapping[str, Any]) -> str:
    return _question(row) if "kind" in row else target_words(row)


def _question(asked: Mapping[str, Any]) -> str:
    """Return a question of the analysis in words, with all that may be different about it."""
    kinds = {"boolean": _("yes or no"), "string": _("words"), "number": _("a number")}
    one_of = _("one of %(choices)s") % {"choices": ", ".join(asked.get("choices", ()))}
    details = [kinds.get(asked["kind"], one_of)]
    if asked.get("required"):
        details.append(_("must be answered"))
    if examples := asked.get("examples"):
        details.append(_("such as %(examples)s") % {"examples": " / ".join(examples)})
    if condition := asked.get("condition"):
        details.append(_("asked if: %(condition)s") % {"condition": condition})
    return f"{asked['name']}: {asked['description']} ({'; '.join(details)})"
