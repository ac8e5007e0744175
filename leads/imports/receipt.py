"""What the receipt of an import says: columns, options, what an undo did and left."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from leads.imports.agreed import agreed_day
from leads.imports.columns import FIELDS
from leads.models import Consent, LeadImport, LeadImportChange

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.utils.functional import _StrPromise

    from leads.models import ImportOptions


def left_leads(*, lead_import: LeadImport) -> QuerySet[LeadImportChange]:
    """Return what an undo left as it is, each with its lead and the reason."""
    return (
        LeadImportChange.objects.filter(client_id=lead_import.client_id, lead_import=lead_import)
        .exclude(left_reason="")
        .select_related("lead")
        .order_by("pk")
    )


def undo_lines(lead_import: LeadImport) -> list[tuple[str, int]]:
    """Return what an undo did and left, in words; empty without one."""
    counts = lead_import.undo_counts
    words = {"removed": _("Leads removed"), "restored": _("Leads with their values back")}
    words |= {
        value: _("Left as they are: %s") % str(label).lower()
        for value, label in LeadImportChange.LeftReason.choices
    }
    return [(label, counts[name]) for name, label in words.items() if counts.get(name)]


def meanings(lead_import: LeadImport) -> list[tuple[str, _StrPromise | str]]:
    """Return what each column that meant something was taken for."""
    header, mapping = lead_import.detected["header"], lead_import.mapping
    if not mapping:
        return []
    pairs: list[tuple[int, _StrPromise | str]] = [
        *((place, FIELDS.get(name, name)) for name, place in mapping["fields"].items()),
        *((place, f"{{{{{name}}}}}") for name, place in mapping["variables"].items()),
    ]
    return [
        (header[place] or str(place + 1), label)
        for place, label in sorted(pairs, key=lambda p: p[0])
    ]


def said_consent(lead_import: LeadImport, zone: str) -> list[str]:
    """Return what was said of the consent, in words: kind, whose day, where, word for word."""
    options = lead_import.options
    kind, is_by_row = options["consent_kind"], options["consent_by_row"]
    if not kind and not is_by_row:
        return [_("None stated")]
    day = agreed_day(cast("ImportOptions", options), ZoneInfo(zone))
    wording = options["consent_wording"]
    said = [
        str(Consent.Kind(kind or Consent.Kind.EXPRESS).label),
        _("on the day each row says") if is_by_row else date_format(day, "j M Y") if day else "",
        options["consent_source"],
        options.get("consent_seller", ""),
        f"“{wording}”" if wording else "",
    ]
    return [one for one in said if one]


def chosen_options(lead_import: LeadImport) -> list[str]:
    """Return the options of an import in words, for its receipt."""
    options = lead_import.options
    duplicates = {
        "first": _("of a number the first row"),
        "last": _("of a number the last row"),
        "merge": _("rows of a number merged"),
    }
    existing = {
        "fill": _("known leads filled in"),
        "overwrite": _("known leads overwritten"),
        "skip": _("known leads left alone"),
    }
    lines = {"landline": _("landlines"), "mobile": _("mobiles"), "voip": _("internet numbers")}
    return [
        _("numbers of %s") % options["country"],
        *([_("country codes without +")] if options.get("lost_plus") else []),
        duplicates[options["duplicates"]],
        existing[options["existing"]],
        *(
            [_("left out: %s") % ", ".join(lines[name] for name in options["refused_lines"])]
            if options["refused_lines"]
            else []
        ),
        *(
            _("{{%(name)s}} else “%(text)s”") % {"name": n, "text": t}
            for n, t in options["defaults"].items()
        ),
    ]
