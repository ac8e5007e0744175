"""The list of leads: which match, in what order, and what of them leaves as a file."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from leads.doors import campaigns
from leads.models import Lead, SavedView, zone_mark

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date

    from django.db.models import QuerySet
    from django.utils.functional import _StrPromise

    from accounts.models import User, Viewer

# Each begins with the client in an index, but for the attempts: few lists are sorted by them.
SORTS: dict[str, tuple[str, ...]] = {
    "newest": ("-created_at", "-pk"),
    "oldest": ("created_at", "pk"),
    "score": ("-score", "-created_at", "-pk"),
    "name": ("last_name", "first_name", "pk"),
    "attempts": ("-attempts_count", "-pk"),
    "last_call": ("-last_attempted_at", "-pk"),
}
# What the table may show besides the name: column and heading, in the order they stand.
COLUMNS: dict[str, _StrPromise] = {
    "number": _("Number"),
    "status": _("Status"),
    "outcome": _("Last outcome"),
    "score": _("Score"),
    "consent": _("Consent"),
    "tags": _("Tags"),
    "attempts": _("Attempts"),
    "last_call": _("Last called"),
    "next_call": _("Next call"),
    "email": _("E-mail"),
    "zone": _("Time zone"),
    "added": _("Added"),
}
USUAL_COLUMNS = ("number", "status", "score", "consent", "tags", "attempts", "last_call")
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
    "other_numbers",
    "tags",
    "status",
    "consent_status",
    "last_outcome",
    "score",
    "attempts_count",
    "last_attempted_at",
    "next_attempt_at",
    "created_at",
)
_SAME = {"status": "status", "consent": "consent_status", "outcome": "last_outcome"}
_WHOLE_NUMBER = 7  # digits from which on blanks between them are no gaps
_MANY = 3  # "3 and more" attempts


def leads_matching(*, viewer: Viewer, filters: Mapping[str, Any]) -> QuerySet[Lead]:
    """
    Return the leads this person may see that match, in no order (see `SORTS`).

    `filters` are a valid LeadFilters' data as JSON keeps them (`LeadFilters.active()`); empty values
    match all. Words of `q` may stand in any order; a number may be written in any way.
    """
    rows = Lead.objects.visible_to(viewer).filter(_condition(filters))
    if campaign_id := filters.get("campaign"):
        client_id = viewer.client_id
        rows = rows.filter(
            campaigns().leads_in(client_id=client_id, campaign_id=UUID(str(campaign_id)))
            if client_id
            else Q(pk__in=[])
        )
    return rows


def _condition(filters: Mapping[str, Any]) -> Q:
    erased = Lead.Status.ERASED
    wanted = Q() if filters.get("status") == erased else ~Q(status=erased)
    for word in _words(str(filters.get("q") or "").casefold()):
        digits = "".join(filter(str.isdecimal, word))
        is_number = digits and not any(map(str.isalpha, word)) and "@" not in word
        wanted &= Q(search_text__contains=digits if is_number else word)
    for name, column in _SAME.items():
        if value := filters.get(name):
            wanted &= Q(**{column: value})
    if tag := filters.get("tag"):
        wanted &= Q(search_text__contains=f"#{tag} ".casefold())
    if zone := filters.get("zone"):
        wanted &= Q(search_text__contains=zone_mark(str(zone)))
    if import_id := filters.get("lead_import"):
        wanted &= Q(lead_import_id=import_id)
    if least := filters.get("score_from"):
        wanted &= Q(score__gte=int(least))
    if attempts := filters.get("attempts"):
        number = int(attempts)
        wanted &= Q(attempts_count__gte=number) if number >= _MANY else Q(attempts_count=number)
    return wanted & _days(filters)


def _words(asked: str) -> list[str]:
    """Return what is looked for, at most six words; a number typed in groups is one."""
    digits = "".join(filter(str.isdecimal, asked))
    is_number = len(digits) >= _WHOLE_NUMBER and not any(map(str.isalpha, asked))
    return [digits] if is_number and "@" not in asked else asked.split()[:6]


def _days(filters: Mapping[str, Any]) -> Q:
    """Return the condition on dates, which are days of the client's calendar (`filters["zone_of_days"]`)."""
    wanted = Q()
    zone = ZoneInfo(str(filters.get("zone_of_days") or "UTC"))
    for name, column in (("added", "created_at"), ("called", "last_attempted_at")):
        if day := filters.get(f"{name}_from"):
            wanted &= Q(**{f"{column}__gte": _midnight(day, zone)})
        if day := filters.get(f"{name}_to"):
            wanted &= Q(**{f"{column}__lt": _midnight(day, zone, after=1)})
    return wanted


def _midnight(day: str | date, zone: ZoneInfo, *, after: int = 0) -> datetime:
    found = datetime.fromisoformat(str(day)).date() + timedelta(days=after)
    return datetime.combine(found, time(), zone).astimezone(UTC)


def order_of(filters: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns that the list is sorted by, the key last."""
    return SORTS[str(filters.get("sort") or "newest")]


def saved_views(user: User, of_list: str = SavedView.List.LEADS) -> list[SavedView]:
    """Return the views of a list that this person kept, and those all of the client's people share, by name."""
    rows = SavedView.objects.visible_to(user).filter(Q(user=user.pk) | Q(user=None))
    rows = rows.filter(of_list=of_list)
    return list(rows.order_by("name", "pk")[:50])


def lead_lines(rows: Iterable[Lead]) -> Iterator[list[object]]:
    """Yield the heading and each lead's cells for an export."""
    yield list(LEAD_COLUMNS)
    for lead in rows:
        values: dict[str, object] = {
            "lead_id": lead.pk,
            "tags": ", ".join(lead.tags),
            "other_numbers": ", ".join(lead.other_numbers),
        }
        yield [
            _text(values[name] if name in values else getattr(lead, name)) for name in LEAD_COLUMNS
        ]


def _text(value: Any) -> object:
    return value.isoformat(timespec="seconds") if hasattr(value, "isoformat") else value
