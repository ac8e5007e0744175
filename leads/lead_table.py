"""The list of leads: which match, in what order, and what of them leaves as a file."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from convomono.lib.db import is_subquery_read_once
from convomono.lib.keys import beside
from convomono.lib.pages import COUNT_LIMIT, capped_count, is_token, keyset_page, written_count
from leads.doors import ENROLLED_KEY, campaigns
from leads.met import met_by_key, met_in_order
from leads.models import Lead, SavedView, tag_mark, zone_mark
from leads.services.marks import keys_with

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from datetime import date

    from django.db.models import QuerySet
    from django.utils.functional import _StrPromise

    from accounts.models import User, Viewer
    from convomono.lib.pages import KeysetPage, Order

# Each is the end of an index that begins with the client.
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
    "line_type",
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
_TEXTS = ("q", "tag", "zone")  # looked for in `search_text`
# Up to so many leads of a status, and of a campaign, are named one by one.
FEW = 1000
FEW_ENROLLED = 5000
# So many of a campaign are gone through for those who match, in 1.5 µs each, and put in another order, in 2 µs each.
MOST_GONE_THROUGH, MOST_PUT_IN_ORDER = 100_000, 40_000
_BY_KEY = {SORTS["newest"]: ("-pk",), SORTS["oldest"]: ("pk",)}
_NO_CONDITIONS = {"sort", "zone_of_days"}
_WHOLE_NUMBER = 7  # digits from which on blanks between them are no gaps
_MANY = 3  # "3 and more" attempts


def leads_matching(*, viewer: Viewer, filters: Mapping[str, Any]) -> QuerySet[Lead]:
    """
    Return the leads this person may see that match, in no order (see `SORTS`), to go through all of them.

    `filters` are a valid LeadFilters' data as JSON keeps them (`LeadFilters.active()`); empty values
    match all. Words of `q` may stand in any order; a number may be written in any way.
    """
    rows = _matching(Lead.objects.visible_to(viewer), viewer, filters)
    import_id = filters.get("lead_import")
    return rows.filter(met_in_order(import_id=UUID(import_id))) if import_id else rows


def leads_named(
    *, viewer: Viewer, keys: Collection[UUID | str], filters: Mapping[str, Any]
) -> QuerySet[Lead]:
    """Return those of these leads that this person may see and whose own columns match."""
    mine = _by_key(Lead.objects.visible_to(viewer), viewer)
    return mine.filter(_condition(filters), pk__in=keys)


def leads_to_show(*, viewer: Viewer, filters: Mapping[str, Any]) -> QuerySet[Lead]:
    """Return the same, to count them."""
    return _found(viewer, filters, most=MOST_GONE_THROUGH)[0]


def _found(
    viewer: Viewer, filters: Mapping[str, Any], *, most: int
) -> tuple[QuerySet[Lead], str | None]:
    """
    Return the same, and the column in whose order those of an import or a campaign are found at once.

    They may be the last in the list, and a page in its order would ask everybody before whether they are in it.
    """
    mine = Lead.objects.visible_to(viewer)
    if import_id := filters.get("lead_import"):
        met = met_by_key(import_id=UUID(import_id), among=mine)
        if met is not None:
            return _matching(_by_key(mine, viewer), viewer, filters).filter(met), "pk"
    elif (enrolled := _enrolled(viewer, filters, most=most)) is not None:
        return enrolled, ENROLLED_KEY
    return leads_matching(viewer=viewer, filters=filters), None


def _enrolled(viewer: Viewer, filters: Mapping[str, Any], *, most: int) -> QuerySet[Lead] | None:
    """
    Return the leads of the campaign that match, found from their enrolments; None if none is asked for, or it has more.

    If nothing else is asked for, each is found at once, however many they are.
    """
    campaign_id, client_id = filters.get("campaign"), viewer.client_id
    if not campaign_id or client_id is None or not is_subquery_read_once():
        return None
    door, asked = campaigns(), {"client_id": client_id, "campaign_id": UUID(campaign_id)}
    others = {**filters, "campaign": ""}
    is_narrowed = any(others[name] for name in others.keys() - _NO_CONDITIONS)
    if (is_narrowed or most < MOST_GONE_THROUGH) and door.number_in(**asked, most=most + 1) > most:
        return None
    mine = _by_key(Lead.objects.visible_to(viewer), viewer)
    return door.enrolled_of(_matching(mine, viewer, others), **asked)


def lead_page(*, viewer: Viewer, filters: Mapping[str, Any], token: str | None) -> KeysetPage[Lead]:
    """
    Return the page of the list that the token names (see `keyset_page`), in the order of the filters.

    A text is looked for once, in an index that holds it: page and count are of whom that found. Up to a
    thousand are put in order by their keys; of more, any order soon comes upon fifty. The newest of a
    campaign or an import are those with the highest keys, which are made as leads are added.
    """
    order, total = order_of(filters), None
    by_key = _BY_KEY.get(order)
    most = MOST_GONE_THROUGH if by_key else MOST_PUT_IN_ORDER
    rows, key = _found(viewer, filters, most=most)
    if by_key and _goes_by_key(rows, key, token, order):
        order, key = by_key, key or "pk"
    else:
        key = "pk"
    # Further pages in the order of that index go on in it where the last one ended.
    if filters.get("q") and not (token and order[0].lstrip("-") in ("created_at", "pk")):
        keys = list(rows.values_list("pk", flat=True)[: COUNT_LIMIT + 1])
        total = written_count(len(keys))
        if len(keys) <= COUNT_LIMIT:
            rows, key = _by_key(Lead.objects.visible_to(viewer), viewer).filter(pk__in=keys), "pk"
    if total is None and filters.get("campaign"):  # a thousand are soon found in no order
        total = capped_count(leads_to_show(viewer=viewer, filters=filters))
    return keyset_page(rows, order=order, token=token, total=total, key=key)


def _goes_by_key(rows: QuerySet[Lead], key: str | None, token: str | None, order: Order) -> bool:
    """Tell whether a page is in the order of the keys: as the page before, whoever was added meanwhile."""
    if token and is_token(rows, order=_BY_KEY[order], token=token):
        return True
    return key is not None and not (token and is_token(rows, order=order, token=token))


def _matching(rows: QuerySet[Lead], viewer: Viewer, filters: Mapping[str, Any]) -> QuerySet[Lead]:
    """Return those of `rows` that match all filters but an import."""
    campaign_id = filters.get("campaign")
    if campaign_id and viewer.client_id is None:
        return rows.none()
    mine = Lead.objects.visible_to(viewer)
    keys = _few(mine, viewer.client_id, filters)
    if keys is not None:
        rows = _by_key(mine, viewer).filter(pk__in=keys)
    rows = rows.filter(_condition(filters))
    if campaign_id and viewer.client_id is not None:
        door = campaigns()
        rows = rows.filter(door.leads_in(client_id=viewer.client_id, campaign_id=UUID(campaign_id)))
    return rows


def _few(
    mine: QuerySet[Lead], client_id: UUID | None, filters: Mapping[str, Any]
) -> list[UUID] | None:
    """
    Return the keys of those who can match, if an index tells that few can; one query for each filter.

    Else what else is asked for, a text mostly, would be looked for in every lead.
    """
    if (campaign_id := filters.get("campaign")) and client_id is not None:
        door = campaigns()
        keys = door.some_in(
            client_id=client_id, campaign_id=UUID(campaign_id), most=FEW_ENROLLED + 1
        )
        if len(keys) <= FEW_ENROLLED:
            return keys
    if (attempts := filters.get("attempts")) and attempts != "0":
        # Who was called stands last in a list of newest first, and no index has them in its order.
        keys = list(mine.filter(_attempts(attempts)).values_list("pk", flat=True)[: FEW + 1])
        if len(keys) <= FEW:
            return keys
    if not any(filters.get(name) for name in _TEXTS):
        return None  # then an index has what is asked for, and its order
    conditions = [
        Q(**{column: filters[name]}) for name, column in _SAME.items() if filters.get(name)
    ]
    if client_id is not None and (marks := _marks(filters)):
        sets = keys_with(marks, client_id=client_id)
        conditions += [Q(marks_key__in=sets)] if sets is not None else []
    for condition in conditions:
        keys = list(mine.filter(condition).values_list("pk", flat=True)[: FEW + 1])
        if len(keys) <= FEW:
            return keys
    return None


def _marks(filters: Mapping[str, Any]) -> list[str]:
    """Return the marks of the tag and the zone that are asked for."""
    tag, zone = filters.get("tag"), filters.get("zone")
    return ([tag_mark(str(tag))] if tag else []) + ([zone_mark(str(zone))] if zone else [])


def _by_key(mine: QuerySet[Lead], viewer: Viewer) -> QuerySet[Lead]:
    """Return the same leads, to be found by their keys: of one client SQLite would go through all others too."""
    client_id = viewer.client_id
    if client_id is None or viewer.is_agency_staff:
        return mine
    return Lead.objects.filter(beside(client_id=client_id))


def _condition(filters: Mapping[str, Any]) -> Q:
    wanted = Q() if _tells_living(filters) else ~Q(status=Lead.Status.ERASED)
    for word in _words(str(filters.get("q") or "").casefold()):
        digits = "".join(filter(str.isdecimal, word))
        is_number = digits and not any(map(str.isalpha, word)) and "@" not in word
        wanted &= Q(search_text__contains=digits if is_number else word)
    for name, column in _SAME.items():
        if value := filters.get(name):
            wanted &= Q(**{column: value})
    for mark in _marks(filters):
        wanted &= Q(search_text__contains=mark)
    if least := filters.get("score_from"):
        wanted &= Q(score__gte=int(least))
    if attempts := filters.get("attempts"):
        wanted &= _attempts(attempts)
    return wanted & _days(filters)


def _attempts(asked: str) -> Q:
    number = int(asked)
    return Q(attempts_count__gte=number) if number >= _MANY else Q(attempts_count=number)


def _tells_living(filters: Mapping[str, Any]) -> bool:
    """
    Tell whether no erased lead can match anyway, or such are asked for: of one nothing is left but zeros.

    A condition less is one column less to look at, and an index that lacks the status serves alone.
    """
    consents = {Lead.ConsentStatus.GIVEN, Lead.ConsentStatus.REVOKED}
    names = (*_TEXTS, "status", "outcome")
    return filters.get("consent") in consents or any(filters.get(name) for name in names)


def _words(asked: str) -> list[str]:
    """Return what is looked for, at most six words; a number typed in groups is one."""
    digits = "".join(filter(str.isdecimal, asked))
    is_number = len(digits) >= _WHOLE_NUMBER and not any(map(str.isalpha, asked))
    return [digits] if is_number and "@" not in asked else asked.replace("#", "").split()[:6]


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
