"""Every address of ours, asked by every member of the cast; a new address without a row fails."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from datetime import date
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.urls import NoReverseMatch, URLPattern, get_resolver, reverse

from accounts.api_keys import create_api_key
from accounts.models import User
from billing.models import Difference, GrantRun, Invoice, Reconciliation
from billing.services import ask_credit, ask_statement, current_rate, open_wallet, purchase
from campaigns.models import (
    AutomationRule,
    Experiment,
    FollowUp,
    FollowUpRule,
    LaunchRequest,
    TrialCall,
)
from campaigns.services.call_shares import share_call
from campaigns.services.knowledge import add_text, create_knowledge
from campaigns.services.questions import keep_question
from campaigns.services.templates import Offer, TemplateContent, create_template
from convomono.lib import clock
from convomono.lib.db import atomic
from convomono.lib.ids import uuid7
from leads.models import AgencyListing, LeadOperation, SavedView, Suppression
from reporting.models import Report
from telephony.models import Call, NumberOrder, PhoneNumber
from tests.architecture.routes import FOREIGN, ROUTES
from tests.factories.campaigns import campaign_content, enrol, make_ready
from tests.factories.leads import ConsentFactory, LeadFactory, upload
from tests.factories.webhooks import EndpointDeliveryFactory, EndpointFactory
from webhooks.models import ReplayRun, WebhookEvent

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from django.test import Client as Browser

NO_ENTRY = {403}
# What a person with the right gets: a page, a redirect, or a refusal of the empty request itself.
ENTRY = {200, 201, 202, 204, 302, 400, 404, 405, 409, 411, 422}
# What addresses take besides ids.
WORDS = {
    "token": "forged",
    "change": "hold",
    "verdict": "new",
    "row_number": 2,
    "part_key": uuid7(),
    "step": "script",
    "number": 1,
    "kind": "text",
}
CAST = ("nobody", "vera", "mia", "alice", "charlie", "bob", "granted", "root")


def _addresses(patterns, namespace: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            yield f"{namespace}{pattern.name}", pattern
        else:
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from _addresses(pattern.url_patterns, inner)


OURS = {
    name: pattern
    for name, pattern in _addresses(get_resolver().url_patterns)
    if not name.startswith(FOREIGN) and not name.endswith(":None") and name != "None"
}


def test_has_a_row_for_each_address():
    assert set(OURS) == set(ROUTES)


@pytest.fixture
def ids(acme, rival, root, alice, vera, now):
    """One row of acme's for each kind of id that an address may take."""
    for client in (acme, rival):
        open_wallet(client=client, price_per_minute_micros=250_000, actor=root, now=now)
    campaign = make_ready(acme)
    experiment = Experiment.objects.create(
        client=acme,
        campaign=campaign,
        part="script",
        live_key="one",
        control=campaign.versions.get(),
        created_by_email="alice@acme.test",
        created_at=now,
    )
    base = create_knowledge(client=acme, name="Prices", actor=alice, now=now)
    source = add_text(base=base, title="Hours", text="8 to 18", actor=alice, now=now)
    # A number of its own: the factory's 178th is the one of the enrolment below.
    lead = LeadFactory.create(client=acme, phone_number="+12025550111")
    call = Call.objects.create(client=acme, provider_call_id="call_1", created_at=now)
    share = share_call(call=call, shows=["transcript"], days=1, actor=alice, now=clock.real_now())
    trial = TrialCall.objects.create(
        client=acme, campaign=campaign, version_id=uuid7(), key=uuid7(), created_at=now
    )
    question = keep_question(base=base, text="When?", actor=alice, now=now)
    lead_import = upload(alice, "Phone,Name\n(212) 555-0101,Ada\n")
    suppression = Suppression.objects.create(
        level="client",
        client=acme,
        phone_number="+12125550100",
        scope_key=f"client:{acme.pk}:+12125550100",
        source="person",
        created_at=now,
    )
    entry = Suppression.objects.create(
        level="agency", phone_number="+12125550109", scope_key="agency:+12125550109",
        source="person", created_at=now,
    )  # fmt: skip
    listing = AgencyListing.objects.create(
        country="US", reason="x", progressed_at=now, created_at=now
    )
    operation = LeadOperation.objects.create(
        client=acme, kind="tag", params={"tag": "x"}, progressed_at=now, created_at=now
    )
    consent = ConsentFactory.create(lead=lead, proof_stored="gone.bin", proof_name="x")
    follow_up = FollowUp.objects.create(
        client=acme, lead=lead, due_at=now, note="x", key="k", created_at=now
    )
    follow_up_rule = FollowUpRule.objects.create(
        client=acme, outcome="human", delay_seconds=0, note="x", created_at=now
    )
    view = SavedView.objects.create(client=acme, name="Mine", query="", created_at=now)
    report = Report.objects.create(
        client=acme, kind="csv", requested_by_email=vera.email, created_at=now
    )
    number = PhoneNumber.objects.create(phone_number="+12025550110", created_at=now)
    order = NumberOrder.objects.create(
        key=uuid7(), carrier="twilio", status="paid", phone_number="+12025550112", created_at=now
    )
    event = WebhookEvent.objects.create(
        key="k", event_type="call_ended", body="{}", next_try_at=now, created_at=now
    )
    line = purchase(
        client=acme,
        seconds=60,
        amount_micros=1,
        method="bank",
        reference="INV-1",
        actor=root,
        now=now,
    )
    asked = ask_credit(
        client=acme,
        kind="adjust",
        seconds=60,
        details={"reason": "Typo"},
        key=uuid7(),
        actor=root,
        now=now,
    )
    api_key, _secret = create_api_key(
        client=acme, name="CRM", scope="read", expires_at=None, actor=alice, now=now
    )
    endpoint = EndpointFactory.create(client=acme)
    delivery = EndpointDeliveryFactory.create(endpoint=endpoint)
    run = Reconciliation.objects.create(
        key="k", window_from=now, window_until=now, next_from=now, asked_at=now
    )
    grant = GrantRun.objects.create(
        seconds=60, reason="x", asked_by_id=root.pk, asked_by_email=root.email, asked_at=now
    )
    difference = Difference.objects.create(
        reconciliation=run, kind="missing_here", provider_call_id="call_9", sentence="x"
    )
    automation = AutomationRule.objects.create(
        client=acme, name="Tag", action="tag", created_by_email=alice.email, created_at=now
    )
    return WORDS | {
        "automation_id": automation.pk,
        "run_id": run.pk,
        "grant_id": grant.pk,
        "replay_id": ReplayRun.objects.create(kind="again", asked_by_email="", created_at=now).pk,
        "difference_id": difference.pk,
        "endpoint_id": endpoint.pk,
        "api_key_id": api_key.pk,
        "delivery_id": delivery.pk,
        "campaign_id": campaign.pk,
        "invoice_id": Invoice.objects.get().pk,
        "statement_id": ask_statement(client=acme, month=date(2026, 10, 1), now=now).pk,
        "payment_id": line.payment_id,
        "request_id": asked.pk,
        "template_id": create_template(
            offer=Offer("Recall", ""),
            content=TemplateContent(campaign_content()),
            source=None,
            actor=root,
            now=now,
        ).pk,
        "launch_request_id": LaunchRequest.objects.create(
            client=acme,
            campaign=campaign,
            live_key="none",
            fingerprint="",
            version_number=1,
            leads_count=1,
            seconds=1,
            asked_by_email="",
            asked_at=now,
        ).pk,
        "rate_id": current_rate(client=acme, now=now).pk,
        "lead_id": lead.pk,
        "call_id": call.pk,
        "share_id": share.pk,
        "trial_id": trial.pk,
        "question_id": question.pk,
        "import_id": lead_import.pk,
        "operation_id": operation.pk,
        "view_id": view.pk,
        "consent_id": consent.pk,
        "follow_up_id": follow_up.pk,
        "follow_up_rule_id": follow_up_rule.pk,
        "suppression_id": suppression.pk,
        "entry_id": entry.pk,
        "listing_id": listing.pk,
        "report_id": report.pk,
        "client_id": acme.pk,
        "user_id": vera.pk,
        "number_id": number.pk,
        "order_id": order.pk,
        "event_id": event.pk,
        "enrolment_id": enrol(campaign, start=77)[0].pk,
        "rule_id": "us.fl.hours",
        "reason": "provider_payment",
        "voice_id": "no-such-voice",
        "base_id": base.pk,
        "experiment_id": experiment.pk,
        "source_id": source.pk,
    }


@pytest.fixture
def cast(vera, mia, alice, charlie, bob, root):
    granted = User.objects.create_user(
        email="granted@convomono.test",
        password=None,
        role="admin",
        manage_clients=True,
        manage_campaigns=True,
        manage_phone_numbers=True,
        manage_billing=True,
        view_finance=True,
    )
    people = {"vera": vera, "mia": mia, "alice": alice, "charlie": charlie}
    return people | {"bob": bob, "granted": granted, "root": root, "nobody": None}


CLIENT_GATES = {"viewer", "manager", "launcher", "owner"}
STAFF, CLIENTS = {"bob", "granted", "root"}, {"vera", "mia", "alice", "charlie"}
LET_IN = {
    "public": set(CAST),
    "anyone": STAFF | CLIENTS,
    "viewer": CLIENTS,
    "manager": CLIENTS - {"vera"},
    "launcher": {"alice", "charlie"},
    "owner": {"alice", "charlie"},
    "staff": STAFF,
}


def _lets_in(gate: str, who: str) -> bool:
    """Tell whether the gate opens for this member of the cast, were the row their own."""
    return who in LET_IN.get(gate, {"granted", "root"})


def _gate(name: str, method: str) -> str:
    """Viewers of the API read; what they may not write is refused before the method is looked at."""
    gate = ROUTES[name]
    return "manager" if (gate, method, name[:4]) == ("viewer", "post", "api-") else gate


def _ask(browser: Browser, name: str, ids: dict[str, object], method: str) -> int:
    names = OURS[name].pattern.converters
    address = reverse(name, kwargs={key: ids[key] for key in names})
    kind = "application/json" if name.startswith("api-") else None
    send = getattr(browser, method)
    arguments = {"content_type": kind} if kind and method == "post" else {}
    status: int = send(address, **arguments).status_code
    return status


@contextmanager
def _undone() -> Iterator[None]:
    """Take back what is written inside, so that one making of the rows serves many addresses."""
    if settings.ON_MONGODB:
        yield  # a request would end the transaction
        return
    with suppress(Undone), atomic():
        yield
        raise Undone


class Undone(Exception):
    """Ends a block whose writes are not wanted."""


def _rooms() -> list[str]:
    return sorted({name.rpartition(":")[0] for name in set(OURS) & set(ROUTES)})


def _together() -> list[list[str]]:
    """Rooms whose rows are made once: on the slow test server all, elsewhere each has its own test."""
    return [_rooms()] if settings.ON_MONGODB else [[room] for room in _rooms()]


@pytest.mark.slow
@pytest.mark.parametrize("rooms", _together(), ids=lambda rooms: rooms[0])
def test_opens_to_whom_it_should_and_to_nobody_else(rooms, ids, cast, browse, client_rows):
    wrong = []
    for name in sorted(name for name in ROUTES if name.rpartition(":")[0] in rooms):
        for who in _callers(name, client_rows):
            with _undone():
                browser = browse(cast[who])
                browser.raise_request_exception = False
                for method in ("get", "post"):
                    status = _ask(browser, name, ids, method)
                    if status not in _expected(name, who, method, client_rows):
                        wrong.append(f"{method.upper()} {name} as {who}: {status}")
    assert wrong == []


def _callers(name: str, client_rows: set[str]) -> Collection[str]:
    """Everybody; on MongoDB, where nothing can be taken back, whom each row of a client answers 404."""
    if not settings.ON_MONGODB:
        return CAST
    is_of_a_client = name in OURS and set(OURS[name].pattern.converters) & client_rows
    return {"charlie"} if is_of_a_client and _lets_in(_gate(name, "get"), "charlie") else ()


def _expected(name: str, who: str, method: str, client_rows: set[str]) -> set[int]:
    if not _lets_in(_gate(name, method), who):
        return {405, 302, 401, 403} if who == "nobody" else {405, *NO_ENTRY}
    if who == "charlie" and set(OURS[name].pattern.converters) & client_rows:
        return {404, 405}
    return ENTRY


@pytest.fixture
def client_rows():
    """The ids that name a row of one client."""
    return {
        "endpoint_id",
        "api_key_id",
        "delivery_id",
        "campaign_id",
        "launch_request_id",
        "lead_id",
        "call_id",
        "share_id",
        "trial_id",
        "import_id",
        "operation_id",
        "view_id",
        "consent_id",
        "follow_up_id",
        "follow_up_rule_id",
        "suppression_id",
        "report_id",
        "invoice_id",
        "statement_id",
        "enrolment_id",
    }


@pytest.mark.parametrize("room", _rooms())
def test_answers_404_for_an_id_that_nobody_has(room, cast, browse):
    wrong = []
    staff, owner = browse(cast["root"]), browse(cast["alice"])
    for name in sorted(name for name in ROUTES if name.rpartition(":")[0] == room):
        names = OURS[name].pattern.converters
        if not any(key.endswith("_id") for key in names):
            continue
        browser = owner if ROUTES[name] in CLIENT_GATES else staff
        nobody = {key: uuid7() if key.endswith("_id") else WORDS[key] for key in names}
        for method in ("get", "post"):
            status = _ask(browser, name, nobody, method)
            if status not in {404, 405}:
                wrong.append(f"{method.upper()} {name}: {status}")
    assert wrong == []


def test_knows_no_address_by_another_name():
    for name in ROUTES:
        try:
            reverse(name)
        except NoReverseMatch:
            assert OURS[name].pattern.converters, name
