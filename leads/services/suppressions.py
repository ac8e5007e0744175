"""The do-not-call lists: who is on them, putting a number on, taking it off."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from accounts.models import Client
from audit import actions
from audit.services import record
from convomono.lib.crypto import keyed_hashes
from convomono.lib.db import IntegrityError, atomic, in_transaction
from convomono.lib.keys import beside
from convomono.lib.reading import is_any_between, rows_where_in
from leads.doors import campaigns
from leads.models import Lead, Suppression
from leads.services.scoring import rescore, weighing_of
from leads.services.statuses import Cause, Why, move_leads

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from audit.services import Actor

Level = Suppression.Level
_LEVELS = (Level.CAMPAIGN, Level.CLIENT, Level.AGENCY)  # a later one wins
_HASHES = ("#", "$")  # what stands in place of an erased person's number is between them


def scope_key(
    *, level: str, client_id: UUID | None, campaign_id: UUID | None, phone_number: str
) -> str:
    """Return the unique key of a number on one list."""
    scope = {Level.AGENCY: "agency", Level.CLIENT: f"client:{client_id}"}.get(
        Level(level), f"campaign:{campaign_id}"
    )
    return f"{scope}:{phone_number}"


def hashed_numbers(phone_number: str) -> list[str]:
    """
    Return what may stand on a list in place of an erased person's number: "#" and 15 hex digits.

    One for each key in use, the first for writing.
    """
    return [f"#{one[:15]}" for one in keyed_hashes(phone_number)]


@dataclass(frozen=True)
class Listed:
    """The widest list that a person is on, and by which of their numbers."""

    level: Suppression.Level
    phone_number: str


def numbers_of(lead: Lead) -> list[str]:
    """Return all numbers that are known of a person, the one that is called first."""
    return [lead.phone_number, *lead.other_numbers]


def listed_among(numbers: Iterable[str], found: Mapping[str, Suppression.Level]) -> Listed | None:
    """
    Return what `suppressed_numbers` found of one person's numbers; the first of several on one list.

    Who asked under any of their numbers not to be called isn't called under another one either.
    """
    listed = [Listed(found[one], one) for one in numbers if one in found]
    return max(listed, key=lambda one: _LEVELS.index(one.level), default=None)


def suppressed_numbers(
    *,
    client_id: UUID,
    campaign_id: UUID | None,
    phone_numbers: Iterable[str],
    are_few: bool = False,
) -> dict[str, Suppression.Level]:
    """
    Return those of the numbers that must not be called, with the widest list each is on.

    One query for each 900 numbers. Those of erased people are found by their hash, if there are any:
    that is asked last, since an erasure puts the hash in place of the number. Where they `are_few`,
    hashing them costs less than that question, and one query asks for both.
    """
    found: dict[str, Suppression.Level] = {}
    scope = (client_id, campaign_id)
    numbers = list(phone_numbers)
    if are_few:
        words = {word: one for one in numbers for word in (one, *hashed_numbers(one))}
        _look_up(words, scope, found)
        return found
    _look_up({one: one for one in numbers}, scope, found)
    if numbers and is_any_between(Suppression, "phone_number", *_HASHES):
        _look_up({word: one for one in numbers for word in hashed_numbers(one)}, scope, found)
    return found


def _look_up(
    stands_for: dict[str, str],
    scope: tuple[UUID, UUID | None],
    found: dict[str, Suppression.Level],
) -> None:
    """Add to `found` what is listed under these words, each of which stands for a number."""
    client_id, campaign_id = scope
    columns = ("phone_number", "level", "client_id", "campaign_id")
    for word, name, of_client, of_campaign in rows_where_in(
        Suppression, "phone_number", list(stands_for), columns
    ):
        if of_client not in {None, client_id}:
            continue
        level = Level(name)
        if level == Level.CAMPAIGN and (campaign_id is None or of_campaign != campaign_id):
            continue
        number = stands_for[word]
        known = found.get(number)
        if known is None or _LEVELS.index(level) > _LEVELS.index(known):
            found[number] = level


def erased_entries() -> QuerySet[Suppression]:
    """Return the entries that hold a hash in place of a number; they all begin with "#"."""
    least, below = _HASHES
    return Suppression.objects.filter(phone_number__gte=least, phone_number__lt=below)


def is_erased(*, client_id: UUID, phone_number: str) -> bool:
    """Tell whether whoever has this number was erased by the client: the hash on its list says so."""
    return Suppression.objects.filter(
        beside(client_id=client_id, source=Suppression.Source.ERASURE),
        phone_number__in=hashed_numbers(phone_number),
    ).exists()


def suppress(  # noqa: PLR0913  # who, where, why and from what: each is kept
    *,
    level: str,
    client_id: UUID | None,
    campaign_id: UUID | None,
    phone_number: str,
    source: str,
    reason: str,
    call_id: UUID | None = None,
    actor: Actor,
    now: datetime,
) -> Suppression:
    """
    Put a number in E.164 on a do-not-call list; it takes effect at once and doesn't expire.

    A second time returns the row that is there; one that a list or a bulk change had put there is this
    person's own wish from now on, which no undo takes off. May stand inside the caller's atomic block.
    """
    key = scope_key(
        level=level, client_id=client_id, campaign_id=campaign_id, phone_number=phone_number
    )
    if there := Suppression.objects.filter(scope_key=key).first():
        return _asked_for(there, source, reason, call_id, actor, now)
    row = Suppression(
        level=level,
        client_id=None if level == Level.AGENCY else client_id,
        campaign_id=campaign_id if level == Level.CAMPAIGN else None,
        phone_number=phone_number,
        scope_key=key,
        source=source,
        reason=reason[:200],
        call_id=call_id,
        added_by_email=actor.actor_email,
        created_at=now,
    )
    try:
        _insert(row, actor=actor, now=now)
    except IntegrityError:
        # Somebody was quicker. Inside the caller's block MongoDB has ended the transaction.
        if in_transaction():
            raise
        return _asked_for(
            Suppression.objects.get(scope_key=key), source, reason, call_id, actor, now
        )
    return row


def new_entries(
    numbers: Iterable[str], *, like: Suppression, now: datetime
) -> tuple[dict[str, Suppression], list[str]]:
    """
    Return an entry by number for those that aren't on the list yet, and the keys of those that are.

    `like` says which list, why, by whom and of what import; empty numbers and doubles are left out. One query.
    """
    keys = {
        number: scope_key(
            level=like.level,
            client_id=like.client_id,
            campaign_id=like.campaign_id,
            phone_number=number,
        )
        for number in numbers
        if number
    }
    there = Suppression.objects.filter(scope_key__in=list(keys.values()))
    listed = set(there.values_list("scope_key", flat=True))
    names = ("level", "client_id", "campaign_id", "reason", "operation_id", "added_by_email")
    same = {name: getattr(like, name) for name in names}
    entries = {
        number: Suppression(
            **same,
            phone_number=number,
            scope_key=key,
            source=Suppression.Source.IMPORT,
            created_at=now,
        )
        for number, key in keys.items()
        if key not in listed
    }
    return entries, sorted(listed)


def keep_listed(*, scope_keys: Iterable[str], operation_id: UUID | None) -> None:
    """
    Note that one more list names numbers which an earlier one put there: an undo of neither takes them off.

    At most 200 at once, inside the caller's atomic block; a list that has no undo is no operation.
    """
    rows = Suppression.objects.filter(scope_key__in=list(scope_keys), operation_id__isnull=False)
    if operation_id is not None:
        rows = rows.exclude(operation_id=operation_id)
    rows.update(operation_id=None)


@atomic
def _asked_for(
    row: Suppression,
    source: str,
    reason: str,
    call_id: UUID | None,
    actor: Actor,
    now: datetime,
) -> Suppression:
    """Take an entry out of the list that added it: an undo of that list leaves it then."""
    if row.operation_id is None:
        return row
    columns = {
        "operation_id": None,
        "source": source,
        "reason": reason[:200],
        "call_id": call_id,
        "added_by_email": actor.actor_email,
    }
    mine = Suppression.objects.filter(pk=row.pk, operation_id=row.operation_id)
    if mine.update(**columns):
        for name, value in columns.items():
            setattr(row, name, value)
        _record(row, actor=actor, now=now)
    return row


@atomic
def _insert(row: Suppression, *, actor: Actor, now: datetime) -> None:
    row.save(force_insert=True)
    if row.level == Level.CLIENT and row.client_id is not None:
        mark_leads(
            client_id=row.client_id,
            phone_numbers=[row.phone_number],
            cause=Cause(why=Why.LISTED, by_email=actor.actor_email, at=now),
        )
    _record(row, actor=actor, now=now)


def _record(row: Suppression, *, actor: Actor, now: datetime) -> None:
    record(
        actions.NUMBER_SUPPRESSED,
        resource=row,
        actor=actor,
        now=now,
        details={"level": row.level, "source": row.source, "reason": row.reason},
    )


def is_listed(lead: Lead) -> bool:
    """Tell whether the client or the agency has one of a lead's numbers on its list."""
    return bool(
        suppressed_numbers(
            client_id=lead.client_id, campaign_id=None, phone_numbers=numbers_of(lead)
        )
    )


def mark_leads(*, client_id: UUID, phone_numbers: Iterable[str], cause: Cause) -> None:
    """Show leads with these numbers, at most 200, as suppressed; inside the caller's atomic block."""
    rows = Lead.objects.filter(client_id=client_id, phone_number__in=list(phone_numbers))
    move_leads(rows, to=Lead.Status.SUPPRESSED, cause=cause, updated_at=cause.at)


def free_leads(*, client_id: UUID, phone_numbers: Iterable[str], cause: Cause) -> None:
    """
    Give leads whose numbers have come off the list the status that their calls say, and its score.

    At most 200, inside the caller's atomic block; who is on another list, or on one by another of
    their numbers, stays marked.
    """
    leads = _marked([client_id], set(phone_numbers))
    asked = {number for lead in leads for number in numbers_of(lead)}
    listed = suppressed_numbers(client_id=client_id, campaign_id=None, phone_numbers=asked)
    free = [lead for lead in leads if not listed_among(numbers_of(lead), listed)]
    attempts = {lead.pk: lead.attempts_count for lead in free}
    standing = campaigns().standing(list(attempts))
    by_status: dict[str, list[UUID]] = defaultdict(list)
    for pk, count in attempts.items():
        usual = Lead.Status.CALLED if count else Lead.Status.NEW
        by_status[standing.get(pk, usual)].append(pk)
    for status, pks in by_status.items():
        move_leads(Lead.objects.filter(pk__in=pks), to=status, cause=cause, updated_at=cause.at)
    rescore(leads=Lead.objects.filter(pk__in=list(attempts)), weighing=weighing_of(client_id))


def marked_clients(phone_numbers: Sequence[str]) -> list[UUID]:
    """Return the clients of whose leads one with these numbers, at most 200, is marked as suppressed."""
    # The clients are named, as numbers are found by client and number.
    everybody = list(Client.objects.values_list("pk", flat=True))
    return sorted({lead.client_id for lead in _marked(everybody, set(phone_numbers))})


def _marked(client_ids: Sequence[UUID], numbers: set[str]) -> list[Lead]:
    """Return leads marked as suppressed who have one of these numbers, the first or a further one."""
    theirs = Lead.objects.filter(client_id__in=client_ids).only(
        "client_id", "phone_number", "other_numbers", "attempts_count"
    )
    found = list(theirs.filter(beside(status=Lead.Status.SUPPRESSED), phone_number__in=numbers))
    # No index finds a further number; few who are marked have one.
    with_more = (
        theirs.filter(status=Lead.Status.SUPPRESSED)
        .exclude(other_numbers=[])
        .exclude(phone_number__in=numbers)
    )
    return found + [lead for lead in with_more.iterator() if numbers & set(lead.other_numbers)]


@atomic
def lift_suppression(*, suppression: Suppression, reason: str, actor: Actor, now: datetime) -> bool:
    """Take a number off its list, with the reason; return False if it was off already."""
    deleted, _ = Suppression.objects.filter(pk=suppression.pk).delete()
    if not deleted:
        return False
    number = suppression.phone_number
    concerned: list[UUID] = []
    if suppression.level == Level.AGENCY:
        concerned = marked_clients([number])
    elif suppression.level == Level.CLIENT and suppression.client_id is not None:
        concerned = [suppression.client_id]
    cause = Cause(why=Why.LIFTED, by_email=actor.actor_email, at=now)
    for client_id in concerned:
        free_leads(client_id=client_id, phone_numbers=[number], cause=cause)
    record(
        actions.SUPPRESSION_LIFTED,
        resource=suppression,
        actor=actor,
        now=now,
        details={"level": suppression.level, "reason": reason},
    )
    return True
