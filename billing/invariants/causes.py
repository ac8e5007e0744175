"""Every charge has its dial and its call, every purchase its payment, and the other way round."""

from __future__ import annotations

from contextlib import suppress
from itertools import batched
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import Count, Sum

from billing.models import CallHold, Payment, Repayment, Transaction
from convomono.lib.keys import beside
from telephony.models import Call

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from django.db.models import QuerySet

    from billing.invariants.lines import Finding
    from billing.models import Wallet

CHUNK = 500
type _Charge = tuple[str, str, UUID | None]
"""The key of a charge, its attempt as it stands on the line, and its call."""


def check_charges(wallet: Wallet) -> Iterator[Finding]:
    """Yield charges without their hold, holds without their charge, and refunds above the charge."""
    mine = Transaction.objects.filter(client=wallet.client_id)
    # Whole rows would take three times as long: most of it is spent on columns nobody looks at.
    charges = mine.filter(type=Transaction.Type.CONSUME)
    told = charges.values_list("key", "reference_id", "call_id")
    for some in batched(told.iterator(chunk_size=CHUNK), CHUNK):
        yield from _check_dials(wallet, some)
    posted = CallHold.objects.filter(
        client=wallet.client_id, status=CallHold.Status.POSTED, posted_seconds__gt=0
    ).values_list("call_id", "attempt_id", "posted_seconds")
    for holds in batched(posted.iterator(chunk_size=CHUNK), CHUNK):
        keys = {f"consume:{call_id}": (attempt, seconds) for call_id, attempt, seconds in holds}
        found = dict(mine.filter(key__in=keys).values_list("key", "reserved_delta"))
        for key, (attempt, seconds) in keys.items():
            if -found.get(key, 0) < seconds:
                yield "L4", f"hold of attempt {attempt} posted more than line {key} says"
    yield from _check_refunds(mine)


def _check_refunds(mine: QuerySet[Transaction]) -> Iterator[Finding]:
    sums = (
        mine.filter(type=Transaction.Type.REFUND)
        .values("call_id")
        .annotate(total=Sum("seconds"), micros=Sum("amount_micros"))
        .order_by()
    )
    for some in batched(sums.iterator(chunk_size=CHUNK), CHUNK):
        charges = mine.filter(
            beside(type=Transaction.Type.CONSUME), call_id__in=[row["call_id"] for row in some]
        )
        sums_ = charges.order_by().values_list("call_id")
        billed = {
            call_id: (total, micros)
            for call_id, total, micros in sums_.annotate(t=Sum("seconds"), m=Sum("amount_micros"))
        }
        for row in some:
            most = billed.get(row["call_id"], (0, 0))
            if row["total"] > most[0] or row["micros"] > most[1]:
                yield "L13", f"call {row['call_id']} was refunded {row['total']} s of {most[0]}"


def check_payments(wallet: Wallet) -> Iterator[Finding]:
    """Yield payments and their lines that don't match one to one, each by the payment's status."""
    mine = Transaction.objects.filter(client=wallet.client_id)
    payments = Payment.objects.filter(client=wallet.client_id)
    backs = 0
    for some in batched(payments.iterator(chunk_size=CHUNK), CHUNK):
        parts: dict[UUID, list[Repayment]] = {paid.pk: [] for paid in some}
        for part in Repayment.objects.filter(client=wallet.client_id, payment__in=list(parts)):
            parts[part.payment_id].append(part)
        keys = [f"{kind}:{paid.pk}" for paid in some for kind in ("purchase", "reverse")]
        keys += [part.line_key for rows in parts.values() for part in rows]
        found = {line.key: line for line in mine.filter(key__in=keys)}
        backs += sum(line.type == Transaction.Type.REVERSE for line in found.values())
        for paid in some:
            if not _is_told(paid, parts[paid.pk], found):
                yield "L1", f"payment {paid.reference} is not what the ledger says of it"
    brought = payments.filter(status__in=(Payment.Status.PAID, Payment.Status.REFUNDED)).count()
    kinds = (Transaction.Type.PURCHASE, Transaction.Type.REVERSE)
    counts = dict(
        mine.filter(type__in=kinds).order_by().values_list("type").annotate(lines=Count("pk"))
    )
    sales, reverses = (counts.get(kind, 0) for kind in kinds)
    if sales != brought:
        yield "L1", f"{sales} purchases stand against {brought} payments"
    if reverses != backs:
        yield "L1", f"{reverses} lines pay back, and {backs} payments or parts say so"


def _is_told(paid: Payment, parts: list[Repayment], found: dict[str, Transaction]) -> bool:
    """Tell whether a payment's lines are those of its status, each of its own figures."""
    sold, back = found.get(f"purchase:{paid.pk}"), found.get(f"reverse:{paid.pk}")
    whole = (paid.seconds, paid.amount_micros)
    if {_figures(line) for line in (sold, back) if line} - {whole}:
        return False
    if any(_figures(found.get(part.line_key)) != _figures(part) for part in parts):
        return False
    repaid = (sum(part.seconds for part in parts), sum(part.amount_micros for part in parts))
    status = Payment.Status(paid.status)
    if status == Payment.Status.REFUNDED:  # at once, or the last part of it
        return bool(sold) and (not parts if back else repaid == whole)
    if repaid != (paid.repaid_seconds, paid.repaid_micros) or back:
        return False
    if status == Payment.Status.PAID:
        return bool(sold) and repaid[0] < paid.seconds
    return not sold and not parts


def _figures(row: Transaction | Repayment | None) -> tuple[int, int] | None:
    return (row.seconds, row.amount_micros) if row else None


def _check_dials(wallet: Wallet, charges: tuple[_Charge, ...]) -> Iterator[Finding]:
    attempts = list(_uuids(reference for _key, reference, _call_id in charges))
    rows = CallHold.objects.filter(beside(client_id=wallet.client_id), attempt_id__in=attempts)
    told = rows.values_list("attempt_id", "call_id")
    holds = {(str(attempt_id), call_id) for attempt_id, call_id in told}
    for key, reference, call_id in charges:
        if (reference, call_id) not in holds:
            yield "L4", f"line {key} has no dial that was billed for it"
    calls = Call.objects.filter(pk__in=[call_id for _key, _reference, call_id in charges])
    for call_id in calls.exclude(client=wallet.client_id).values_list("pk", flat=True):
        yield "L14", f"call {call_id} is billed here but is another client's"


def _uuids(texts: Iterable[str]) -> Iterator[UUID]:
    """Yield what is a key; a changed line may hold anything."""
    for text in texts:
        with suppress(ValueError):
            yield UUID(text)
