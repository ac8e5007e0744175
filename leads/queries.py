"""Reads for the screens of the leads room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from leads.models import Lead, LeadImport, Suppression

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from django.db.models import QuerySet

    from accounts.models import Client, User

SORTS = {
    "newest": ("-created_at", "-pk"),
    "oldest": ("created_at", "pk"),
    "name": ("last_name", "first_name", "pk"),
    "attempts": ("-attempts_count", "pk"),
    "last_call": ("-last_attempted_at", "-pk"),
}
LEAD_COLUMNS = (
    "lead_id",
    "phone_number",
    "first_name",
    "last_name",
    "email",
    "company",
    "country",
    "region",
    "postal_code",
    "time_zone",
    "external_id",
    "tags",
    "status",
    "consent_status",
    "last_outcome",
    "attempts_count",
    "last_attempted_at",
    "created_at",
)


def leads_matching(*, viewer: User, filters: dict[str, Any]) -> QuerySet[Lead]:
    """
    Return the leads this person may see that match, sorted.

    `filters` is a valid LeadFilters' data: q, status, tag, consent, lead_import, sort; empty
    values match all. Words of `q` may stand in any order; a number may be written in any way.
    """
    rows = Lead.objects.visible_to(viewer)
    for word in str(filters.get("q") or "").casefold().split()[:6]:
        digits = "".join(filter(str.isdecimal, word))
        is_number = digits and not any(map(str.isalpha, word)) and "@" not in word
        rows = rows.filter(search_text__contains=digits if is_number else word)
    for name, column in (("status", "status"), ("consent", "consent_status")):
        if value := filters.get(name):
            rows = rows.filter(**{column: value})
    if tag := filters.get("tag"):
        rows = rows.filter(search_text__contains=f"#{tag} ".casefold())
    if import_id := filters.get("lead_import"):
        rows = rows.filter(lead_import_id=import_id)
    return rows.order_by(*SORTS[filters.get("sort") or "newest"])


def lead_lines(rows: QuerySet[Lead]) -> Iterator[list[object]]:
    """Yield the heading and each lead's cells for an export, a few hundred at a time."""
    yield list(LEAD_COLUMNS)
    for lead in rows.iterator(chunk_size=500):
        values = {"lead_id": lead.pk, "tags": ", ".join(lead.tags)}
        yield [
            _text(values[name] if name in values else getattr(lead, name)) for name in LEAD_COLUMNS
        ]


def _text(value: Any) -> object:
    return value.isoformat(timespec="seconds") if hasattr(value, "isoformat") else value


def suppressions_matching(*, client: Client, q: str) -> QuerySet[Suppression]:
    """Return the client's own do-not-call entries, newest first; `q` is a part of the number."""
    rows = Suppression.objects.filter(client=client)
    if digits := "".join(filter(str.isdecimal, q)):
        rows = rows.filter(phone_number__contains=digits)
    return rows.order_by("-created_at", "-pk")


def import_choices(*, client_id: UUID) -> list[tuple[str, str]]:
    """Return the client's latest imports for a filter: id, and file with its day."""
    rows = LeadImport.objects.filter(
        client_id=client_id, status=LeadImport.Status.COMMITTED
    ).order_by("-created_at", "-pk")
    return [
        (str(pk), _("%(file)s, %(day)s") % {"file": name, "day": at.strftime("%d %b")})
        for pk, name, at in rows.values_list("pk", "file_name", "created_at")[:25]
    ]
