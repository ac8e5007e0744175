"""Two people for large movements: one asks, another approves, and then it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import Notification
from accounts.notifications import notify
from audit import actions
from audit.services import record
from billing.ledger import KeyReused, Overtaken, once
from billing.models import CreditRequest, Payment, Transaction
from billing.services import payments
from billing.services.refunds import refund_call
from billing.services.repayments import repay
from billing.services.wallets import adjust
from convomono.lib.db import run_atomic

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import Client, User
    from billing.models import GrantRun

Kind, Status = CreditRequest.Kind, CreditRequest.Status


class OwnRequest(Exception):
    """Somebody tried to approve what they had asked for themselves."""


class RequestDecided(Exception):
    """Somebody decided the other way before."""


def ask_credit(
    *,
    client: Client,
    kind: str,
    seconds: int,
    key: UUID,
    actor: User,
    now: datetime,
    amount_micros: int = 0,
    details: dict[str, Any] | None = None,
) -> CreditRequest:
    """
    Ask for a movement that is above the limit; the same key again returns the first request.

    :raises KeyReused: if the key has asked for something else
    """
    asked = {"kind": kind, "seconds": seconds, "amount_micros": amount_micros}
    wanted = {**asked, "client_id": client.pk, "details": details or {}}

    def find() -> CreditRequest | None:
        first = CreditRequest.objects.filter(pk=key).first()
        if first and any(getattr(first, name) != value for name, value in wanted.items()):
            raise KeyReused("This form has asked for something else.")
        return first

    def block() -> CreditRequest:
        row = CreditRequest.objects.create(
            id=key,
            asked_by_id=actor.pk,
            asked_by_email=actor.email,
            asked_at=now,
            **wanted,
        )
        record(actions.CREDIT_ASKED, resource=row, actor=actor, now=now, details=asked)
        said = {"asker": actor.email, "what": row.get_kind_display(), "client": client}
        _tell(row, _("%(asker)s asks for a second person: %(what)s, %(client)s") % said, now)
        return row

    return once(find=find, block=block)


def approve_credit(*, request_id: UUID, actor: User, now: datetime) -> CreditRequest:
    """
    Approve a request of somebody else and make its movement, in one block. Twice is once.

    What the movement itself refuses (too little available, a reference that is taken) leaves the
    request waiting.

    :raises OwnRequest: if it is the asker who approves
    :raises RequestDecided: if it was refused
    """

    def block() -> CreditRequest:
        row = CreditRequest.objects.select_related("client__wallet").get(pk=request_id)
        if row.asked_by_id == actor.pk:
            raise OwnRequest
        if row.status == Status.APPROVED:
            return row
        decide(row, Status.APPROVED, actor=actor, now=now)
        _make(row, actor=actor, now=now)
        record(actions.CREDIT_APPROVED, resource=row, actor=actor, now=now)
        _tell_decision(
            row, _("%(by)s approved what %(asker)s asked for: %(what)s, %(client)s"), now
        )
        return row

    return run_atomic(block)


def refuse_credit(*, request_id: UUID, actor: User, now: datetime) -> CreditRequest:
    """
    Refuse a request; who asked may take it back that way. Twice is once.

    :raises RequestDecided: if it was approved
    """

    def block() -> CreditRequest:
        row = CreditRequest.objects.select_related("client").get(pk=request_id)
        if row.status == Status.REFUSED:
            return row
        decide(row, Status.REFUSED, actor=actor, now=now)
        record(actions.CREDIT_REFUSED, resource=row, actor=actor, now=now)
        _tell_decision(row, _("%(by)s refused what %(asker)s asked for: %(what)s, %(client)s"), now)
        return row

    return run_atomic(block)


def decide(
    row: CreditRequest | GrantRun, status: str, *, actor: User, now: datetime, **more: object
) -> None:
    """
    Decide on what waits for a second person, once, with `more` columns; inside the caller's transaction.

    :raises RequestDecided: if it was decided otherwise
    :raises Overtaken: if somebody has just decided on it
    """
    if row.status != Status.WAITING:
        raise RequestDecided
    decision = {"status": status, "decided_by_email": actor.email, "decided_at": now, **more}
    mine = type(row).objects.filter(pk=row.pk, status=Status.WAITING)
    if not mine.update(**decision):
        raise Overtaken
    for name, value in decision.items():
        setattr(row, name, value)


def _tell_decision(row: CreditRequest, title: str, now: datetime) -> None:
    said = {"by": row.decided_by_email, "asker": row.asked_by_email}
    _tell(row, title % {**said, "what": row.get_kind_display(), "client": row.client}, now)


def _tell(row: CreditRequest, title: str, now: datetime) -> None:
    tell_agency(title, key=f"request:{row.pk}:{row.status}", now=now)


def tell_agency(title: str, *, key: str, now: datetime) -> None:
    """Tell the agency of a request, inside the caller's block; once per `key`."""
    notify(
        client=None,
        level=Notification.Level.INFO,
        title=title[:200],
        body=_("Large movements are made when somebody other than the asker approves them."),
        url=reverse("agency-billing:request-list"),
        key=key,
        now=now,
    )


def _make(row: CreditRequest, *, actor: User, now: datetime) -> None:
    said = row.details
    by: dict[str, Any] = {"actor": actor, "now": now}
    if row.kind == Kind.SELL:
        # A payment that is still to come brings its minutes when it was paid, not when two agree.
        sell = payments.await_payment if said.get("is_pending") else payments.purchase
        sell(
            client=row.client,
            seconds=row.seconds,
            amount_micros=row.amount_micros,
            method=said["method"],
            reference=said["reference"],
            key=row.pk,
            valid_days=said.get("valid_days"),
            **by,
        )
    elif row.kind == Kind.GRANT:
        key = UUID(said["grant_key"])
        payments.grant(
            clients=[row.client],
            seconds=row.seconds,
            reason=said["reason"],
            key=key,
            valid_days=said.get("valid_days"),
            **by,
        )
    elif row.kind == Kind.ADJUST:
        number = said.get("corrects_number")
        corrects = Transaction.objects.of(row.client).get(seq=number) if number else None
        correction = {"reason": said["reason"], "corrects": corrects, "key": str(row.pk)}
        adjust(client=row.client, seconds=row.seconds, **correction, **by)
    elif row.kind == Kind.REFUND:
        refund_call(
            client_id=row.client_id,
            call_id=UUID(said["call_id"]),
            seconds=row.seconds,
            reason=said["reason"],
            **by,
        )
    else:
        payment = Payment.objects.get(pk=UUID(said["payment_id"]), client_id=row.client_id)
        if said.get("is_part"):
            part = {"seconds": -row.seconds, "reason": said["reason"], "key": row.pk}
            repay(payment=payment, **part, **by)
        else:
            payments.refund_payment(payment=payment, reason=said["reason"], **by)
