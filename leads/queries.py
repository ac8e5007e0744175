"""Reads for the screens of the leads room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from leads.doors import campaigns
from leads.models import LeadImport, Suppression

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from uuid import UUID

    from django.db.models import QuerySet

    from accounts.models import Client


SUPPRESSION_COLUMNS = ("phone_number", "level", "campaign_id", "source", "reason", "created_at")


def suppressions_matching(
    *, client: Client, q: str = "", source: str = ""
) -> QuerySet[Suppression]:
    """Return the client's own do-not-call entries, in no order; `q` is a part of the number."""
    return _narrowed(Suppression.objects.filter(client=client), q=q, source=source)


def _narrowed(rows: QuerySet[Suppression], *, q: str, source: str) -> QuerySet[Suppression]:
    if source:
        rows = rows.filter(source=source)
    if digits := "".join(filter(str.isdecimal, q)):
        # Not a part of an erased person's hash.
        rows = rows.filter(phone_number__startswith="+", phone_number__contains=digits)
    return rows


def entries_matching(*, q: str = "", source: str = "", level: str = "") -> QuerySet[Suppression]:
    """Return the entries of all three lists, in no order; for the agency alone."""
    rows = Suppression.objects.all()
    return _narrowed(rows.filter(level=level) if level else rows, q=q, source=source)


def with_campaigns(rows: Iterable[Suppression], *, client: Client) -> list[tuple[Suppression, str]]:
    """Return each entry with the name of the campaign it is for; empty if for all."""
    entries = list(rows)
    if not any(entry.campaign_id for entry in entries):
        return [(entry, "") for entry in entries]
    names = dict(campaigns().choices(client.pk))
    gone = _("An archived campaign")
    return [
        (entry, names.get(str(entry.campaign_id), gone) if entry.campaign_id else "")
        for entry in entries
    ]


def with_lists(rows: Iterable[Suppression]) -> list[tuple[Suppression, str]]:
    """Return each entry with the name of its list, and of the client whose it is."""
    return [(entry, _list_name(entry)) for entry in rows]


def _list_name(entry: Suppression) -> str:
    level = str(entry.get_level_display())
    return f"{level} · {entry.client.name}" if entry.client else level


def suppression_lines(rows: QuerySet[Suppression]) -> Iterator[list[object]]:
    """Yield the heading and each number of a do-not-call list; erased people have none any more."""
    yield list(SUPPRESSION_COLUMNS)
    for entry in rows.iterator(chunk_size=500):
        if not entry.is_erased:
            yield [
                *(getattr(entry, name) or "" for name in SUPPRESSION_COLUMNS[:-1]),
                entry.created_at.isoformat(timespec="seconds"),
            ]


def import_choices(*, client_id: UUID) -> list[tuple[str, str]]:
    """Return the client's latest imports for a filter: id, and file with its day."""
    rows = LeadImport.objects.filter(
        client_id=client_id, status=LeadImport.Status.COMMITTED
    ).order_by("-created_at", "-pk")
    return [
        (str(pk), _("%(file)s, %(day)s") % {"file": name, "day": at.strftime("%d %b")})
        for pk, name, at in rows.values_list("pk", "file_name", "created_at")[:25]
    ]
