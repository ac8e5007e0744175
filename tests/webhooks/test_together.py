"""Events applied together come to what they come to one by one: every row, every column."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import F

from billing.invariants import audit_ledger
from billing.ledger import Overtaken
from billing.models import CallHold, CreditLot, Transaction, Wallet
from billing.services import purchase
from campaigns.enrolments import completeness
from campaigns.models import Attempt, BatchCall, Enrolment, FollowUp, FollowUpRule
from campaigns.services.dialling import AttemptMovedOn
from convomono.lib.bulk import insert_rows
from convomono.lib.db import IntegrityError, run_atomic
from convomono.lib.ids import uuid7
from leads.models import Lead
from leads.services.summaries import LeadMovedOn
from telephony.models import Call, CallDetail
from telephony.rules import OUTCOMES
from telephony.services.books import CallBook
from telephony.services.calls import CallMovedOn
from tests.factories.billing import TESTS, open_wallet
from tests.factories.telephony import CallFactory
from tests.factories.webhooks import delivery
from tests.webhooks.conftest import ANALYSIS, Ringing, deliver
from webhooks.drain import Drain
from webhooks.handlers.retell import handle
from webhooks.handlers.together import Together
from webhooks.models import WebhookEvent
from webhooks.payloads import call_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from accounts.models import Client

PLAIN = ("user_hangup", "dial_busy", "voicemail_reached", "dial_no_answer", "agent_hangup")
# Keys that are made anew, and the order in which lines of one wallet were posted.
MADE = {"id", "seq", "revision", "rule_id", "seal"}
TABLES = (
    "telephony.Call", "telephony.CallDetail", "telephony.CallLookup", "billing.Transaction", "billing.CallHold",
    "billing.Reservation", "billing.Wallet", "campaigns.Attempt", "campaigns.Enrolment",
    "campaigns.BatchCall", "leads.Lead", "leads.Suppression", "reporting.DailyStat",
    "webhooks.WebhookEvent", "telephony.PhoneNumber", "accounts.ClientEvent", "campaigns.FollowUp",
)  # fmt: skip


def everything() -> dict[str, list[dict[str, Any]]]:
    """Return all that events may change, in an order that doesn't depend on theirs."""
    found = {}
    for table in TABLES:
        model = apps.get_model(table)
        made = MADE if table != "billing.Wallet" else {"id"}
        rows = [
            {name: value for name, value in row.items() if name not in made}
            for row in model.objects.values()
        ]
        found[table] = sorted(rows, key=repr)
    return found


class Undone(Exception):
    """Ends a run whose outcome was looked at."""


def outcome_of(run: Callable[[], None]) -> dict[str, list[dict[str, Any]]]:
    """Return what a run leaves behind, and undo it."""
    seen = []

    def block() -> None:
        run()
        seen.append(everything())
        raise Undone

    with pytest.raises(Undone):
        run_atomic(block)
    return seen[0]


def drain_all(now: datetime) -> None:
    drain = Drain()
    while drain.step(now=now):
        pass


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each event was plain, in turn."""
    answers: list[bool] = []
    take = Together.take

    def noted(self: Together, event: Any, *, now: datetime) -> bool:
        answers.append(take(self, event, now=now))
        return answers[-1]

    monkeypatch.setattr(Together, "take", noted)
    return answers


def transfers(call: Ringing, rng: random.Random) -> list[bytes]:
    """Return what Retell tells of some transfers, or none."""
    about: dict[str, Any] = {"call_id": call.call_id, "attempt_id": call.attempt.pk}
    return [
        delivery(
            f"transfer_{rng.choice(('started', 'cancelled', 'bridged', 'ended'))}",
            **about,
            event_ms=rng.randrange(1, 10**12),
            transfer_destination=rng.choice(("+14155550199", "sip:desk@example.com", "")),
        )
        for _number in range(rng.choice((0, 0, 0, 3)))
    ]


def lives(calls: list[Ringing], rng: random.Random, reasons: tuple[str, ...]) -> list[bytes]:
    """Return the events of calls, some twice and some analyses surprising, in random order."""
    told: list[bytes] = []
    for number, call in enumerate(calls):
        reason = reasons[number % len(reasons)]
        found: dict[str, Any] = {}
        if rng.random() < 0.4:
            converted = {"converted": rng.random() < 0.7}
            analysis = {**ANALYSIS, "custom_analysis_data": converted}
            found = {"call_analysis": {**analysis, "in_voicemail": rng.random() < 0.3}}
        if rng.random() < 0.3:
            words = [{"word": "Hi.", "start": 0.25, "end": 0.5}]
            found |= {
                "transcript_object": [
                    {"role": "agent", "content": "Hi.", "words": words[: rng.randrange(2)]},
                    {"role": "user", "content": "Yes."},
                ]
            }
            found |= {"knowledge_base_retrieved_contents_url": "https://retell.invalid/found"}
        for body in call.says(reason, seconds=rng.choice((0, 5, 30, 61)), **found).values():
            told += [body] * rng.choice((1, 1, 1, 2))
        told += transfers(call, rng)
    rng.shuffle(told)
    return told


def make_rules(
    client: Client, now: datetime, outcomes: Iterable[str] = tuple(FollowUpRule.Outcome)
) -> None:
    """Have a follow-up made after every kind of call, or some."""
    for outcome in outcomes:
        FollowUpRule.objects.create(
            client=client,
            outcome=outcome,
            delay_seconds=60,
            note=str(outcome),
            created_at=now - timedelta(days=400),
        )


def store(bodies: list[bytes], now: datetime) -> None:
    """Put bodies into the inbox in their order, whatever came before."""
    for number, body in enumerate(bodies):
        key = f"{number}:{hash(body)}"
        row = deliver(body, created_at=now + timedelta(milliseconds=number), next_try_at=now)
        WebhookEvent.objects.filter(pk=row.pk).update(key=key)


@pytest.mark.sqlite_only("MongoDB has no savepoints")
class TestEquals:
    @pytest.mark.parametrize("seed", [1, 2, 3])
    @pytest.mark.parametrize("reasons", [PLAIN, tuple(OUTCOMES)], ids=["plain", "all"])
    def test_one_by_one(
        self,
        launched: Callable[[int], list[Ringing]],
        now: datetime,
        acme: Client,
        monkeypatch: pytest.MonkeyPatch,
        seed: int,
        reasons: tuple[str, ...],
    ):
        rng = random.Random(seed)  # noqa: S311 - no secret: a story that can be told again
        calls = launched(12)
        make_rules(acme, now)
        mixed = tuple(rng.sample(reasons, len(reasons)))
        store(lives(calls, rng, mixed), now)
        before = everything()
        at_once = outcome_of(lambda: drain_all(now))
        with monkeypatch.context() as patch:
            patch.setattr(Together, "take", lambda *_args, **_more: False)
            alone = outcome_of(lambda: drain_all(now))
        assert at_once != before
        assert alone["campaigns.FollowUp"]
        for table, rows in alone.items():
            assert at_once[table] == rows, table

    def test_where_the_hold_is_too_small(
        self, launched: Callable[[int], list[Ringing]], now: datetime, taken: list[bool]
    ):
        for call in launched(3):
            deliver(call.says("user_hangup", seconds=3000)["ended"], created_at=now)
        drain_all(now)
        assert taken == [False] * 3
        assert list(audit_ledger()) == []


class TestPlain:
    def test_is_the_usual_life_of_a_call(
        self, launched: Callable[[int], list[Ringing]], now: datetime, taken: list[bool]
    ):
        """Else the price of each event is that of the longer way, and nobody notices."""
        calls = launched(5)
        for number, call in enumerate(calls):
            for body in call.says(PLAIN[number]).values():
                deliver(body, created_at=now)
        drain_all(now)
        assert taken
        assert all(taken)
        assert set(WebhookEvent.objects.values_list("status", flat=True)) == {"applied"}
        assert list(audit_ledger()) == []
        assert completeness(BatchCall.objects.get().pk).holds

    def test_promises_what_rules_ask_for_with_the_news(
        self,
        launched: Callable[[int], list[Ringing]],
        now: datetime,
        acme: Client,
        monkeypatch: pytest.MonkeyPatch,
    ):
        """Whoever is killed after the commit loses none of them: `conclude` never runs here."""
        monkeypatch.setattr("webhooks.drain.conclude", lambda **_later: None)
        monkeypatch.setattr("webhooks.drain.handle", None)  # the longer way isn't gone
        make_rules(acme, now)
        found = {**ANALYSIS, "custom_analysis_data": {"converted": True}}
        calls = launched(2)
        for call, reason in zip(calls, ("user_hangup", "dial_busy"), strict=True):
            deliver(call.says(reason)["ended"], created_at=now)
        drain_all(now)
        deliver(calls[0].says("user_hangup", call_analysis=found)["analyzed"], created_at=now)
        drain_all(now)
        made = FollowUp.objects.values_list("rule__outcome", "call_id")
        spoken, busy = (Call.objects.get(provider_call_id=call.call_id).pk for call in calls)
        assert set(made) == {("human", spoken), ("converted", spoken), ("no_contact", busy)}
        assert len(made) == 3
        assert set(WebhookEvent.objects.values_list("status", flat=True)) == {"applied"}

    def test_promises_nothing_again_that_was_taken_away(
        self, launched: Callable[[int], list[Ringing]], now: datetime, acme: Client
    ):
        """Of somebody who was erased a replay must not make a follow-up anew."""
        make_rules(acme, now)
        event = call_event(launched(1)[0].says("user_hangup")["ended"])
        run_atomic(lambda: handle(event=event, now=now))
        assert FollowUp.objects.all().delete()[0] == 1
        run_atomic(lambda: handle(event=event, now=now))
        assert not FollowUp.objects.exists()

    def test_stays_it_beside_a_test_call(
        self,
        launched: Callable[[int], list[Ringing]],
        now: datetime,
        acme: Client,
        taken: list[bool],
    ):
        trial = CallFactory.create(client=acme, attempt_id=uuid7(), enrolment_id=None, lead_id=None)
        (call,) = launched(1)
        said = replace(call, call_id=trial.provider_call_id).says("user_hangup")
        for body in (said["ended"], call.says("user_hangup")["ended"]):
            deliver(body, created_at=now)
        drain_all(now)
        assert sorted(taken) == [False, True]

    @pytest.mark.parametrize(("rules", "is_plain"), [(3, True), (4, False)])
    def test_is_no_call_that_many_rules_ask_about(
        self,
        launched: Callable[[int], list[Ringing]],
        now: datetime,
        acme: Client,
        taken: list[bool],
        rules: int,
        is_plain: bool,
    ):
        """A slice has room for so many rows of a call."""
        for _number in range(rules):
            make_rules(acme, now, outcomes=("human",))
        make_rules(acme, now, outcomes=("machine",))
        deliver(launched(1)[0].says("user_hangup")["ended"], created_at=now)
        drain_all(now)
        assert taken == [is_plain]
        assert FollowUp.objects.count() == rules

    def test_spends_the_minutes_that_expire_first(
        self, launched: Callable[[int], list[Ringing]], now: datetime, acme: Any
    ):
        """The lots stayed as they were: calls that were billed together passed them by."""
        open_wallet(acme, seconds=6000, now=now)
        purchase(
            client=acme,
            seconds=70,
            amount_micros=0,
            method="bank",
            reference="SOON",
            valid_days=30,
            actor=TESTS,
            now=now,
        )
        for call in launched(4):
            deliver(call.says("user_hangup")["ended"], created_at=now)
        drain_all(now)
        lot = CreditLot.objects.get()
        assert (lot.available_seconds, lot.spent_seconds) == (0, 70)  # of 4 x 30
        assert list(audit_ledger()) == []

    def test_needs_few_queries_whatever_the_number(
        self,
        launched: Callable[[int], list[Ringing]],
        now: datetime,
        django_assert_max_num_queries: Any,
    ):
        for call in launched(20):
            deliver(call.says("user_hangup")["ended"], created_at=now)
        drain = Drain()
        drain._fitting = 24.0
        # MongoDB writes row by row; what is read is read together on both.
        with django_assert_max_num_queries(61 if connection.vendor == "sqlite" else 160):
            drain.step(now=now)
        assert set(Call.objects.values_list("billed_seconds", flat=True)) == {30}


def moved_call() -> None:
    Call.objects.update(revision=F("revision") + 1)


def other_details() -> None:
    CallDetail.objects.create(call_id=Call.objects.get().pk, stamps={})


def expired_hold() -> None:
    CallHold.objects.update(status="expired")


def indebted_wallet() -> None:
    Wallet.objects.update(debt_seconds=1)


def moved_attempt() -> None:
    Attempt.objects.update(disconnection_reason="somebody was quicker")


def moved_enrolment() -> None:
    Enrolment.objects.update(attempts_count=F("attempts_count") + 1)


def stopped_launch() -> None:
    BatchCall.objects.update(status="cancelled")


def changed_lead() -> None:
    Lead.objects.update(updated_at=F("created_at") - timedelta(days=1))


def made_follow_up() -> None:
    rule, attempt = FollowUpRule.objects.get(outcome="human"), Attempt.objects.get()
    FollowUp.objects.create(
        client_id=rule.client_id,
        lead_id=attempt.lead_id,
        due_at=rule.created_at,
        note=rule.note,
        key=f"rule:{rule.pk}:{attempt.pk}",
        created_at=rule.created_at,
    )


CHANGES = (
    moved_call, other_details, expired_hold, indebted_wallet, moved_attempt,
    moved_enrolment, stopped_launch, changed_lead, made_follow_up,
)  # fmt: skip


MOVED_ON = (CallMovedOn, Overtaken, AttemptMovedOn, LeadMovedOn, IntegrityError)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_notices_what_changed_since_it_read(
    ringing: Ringing, now: datetime, change: Callable[[], None], acme: Client
):
    make_rules(acme, now)
    event = call_event(
        ringing.says("dial_busy" if change is other_details else "user_hangup")["ended"]
    )
    book = Together([event])
    assert book.take(event, now=now)
    change()
    with pytest.raises(MOVED_ON):
        run_atomic(lambda: book.write(now=now))
    call = Call.objects.get()
    assert (call.billed_seconds, call.outcome_class) == (0, "")
    assert CallHold.objects.exclude(posted_seconds=0).count() == 0


def test_a_wallet_that_moves_while_its_lines_are_written_undoes_them(
    ringing: Ringing, now: datetime, monkeypatch: pytest.MonkeyPatch
):
    """As MongoDB shows it: what was read inside the block is old by the time it is compared."""
    book = Together([event := call_event(ringing.says("user_hangup")["ended"])])
    assert book.take(event, now=now)

    def slow(rows: Any) -> None:
        insert_rows(rows)
        Wallet.objects.update(seq=F("seq") + 5)

    monkeypatch.setattr("billing.ledger.insert_rows", slow)
    with pytest.raises(Overtaken):
        run_atomic(lambda: book.write(now=now))
    assert not Transaction.objects.filter(type="consume").exists()


@pytest.mark.django_db(transaction=True)
def test_falls_back_to_one_by_one_where_somebody_else_was_quicker(
    launched: Callable[[int], list[Ringing]], now: datetime, monkeypatch: pytest.MonkeyPatch
):
    """Another drain applies a call's end after it was read here, and before it is written."""
    calls = launched(4)
    for call in calls:
        deliver(call.says("user_hangup")["ended"], created_at=now)
    quicker = call_event(calls[1].says("user_hangup")["ended"])
    read = CallBook.__init__

    def overtaken(self: Any, events: Any) -> None:
        read(self, events)
        run_atomic(lambda: handle(event=quicker, now=now))

    monkeypatch.setattr(CallBook, "__init__", overtaken)
    drain_all(now)
    assert set(WebhookEvent.objects.values_list("status", flat=True)) == {"applied"}
    assert list(Call.objects.values_list("billed_seconds", flat=True)) == [30] * 4
    assert list(audit_ledger()) == []
    assert completeness(BatchCall.objects.get().pk).holds
