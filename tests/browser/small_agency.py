"""
Fills an empty site with rows for every page: `python -m tests.browser.small_agency IDS_FILE`.

The demonstration's agency with one past campaign, one that is ready and one draft, and a
spreadsheet in each stage of its import. Writes the ids that addresses name as JSON.
"""

from __future__ import annotations

import io
import json
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django

if TYPE_CHECKING:
    from datetime import datetime

    from campaigns.models import Campaign
    from convomono.demo.agency import Agency
    from leads.models import LeadImport

FILE = "First Name,Mobile,Service\nAda,(212) 555-0171,check-up\nBob,555 01,\nCid,(212) 555-0172,\n"


def furnish() -> dict[str, str]:
    """Make the rows and return the id of one of each kind."""
    from accounts.models import Client
    from campaigns.models import Campaign, Experiment
    from convomono.demo import history
    from convomono.demo.agency import make_agency
    from convomono.demo.campaigns import make_ready, upload, write_campaign
    from convomono.demo.people import people
    from convomono.lib import clock
    from leads.models import Suppression
    from leads.services.suppressions import suppress
    from telephony.models import Call, PhoneNumber
    from webhooks.models import WebhookEvent

    now = clock.now()
    agency = make_agency(now=now - timedelta(days=40), minutes=1_000)
    history.LAUNCHES, history._NAMES = ((4, 12),), ("Autumn recall",)
    list(history.write_history(agency=agency, now=now))
    past = Campaign.objects.get()
    ready = write_campaign(client=agency.acme, name="Winter check-ups", actor=agency.alice, now=now)
    draft = write_campaign(client=agency.acme, name="Spring offer", actor=agency.alice, now=now)
    rows = people(20, areas=(212, 305, 415), seed=3)
    done = upload(campaign=ready, rows=rows, actor=agency.alice, now=now, real_now=clock.real_now())
    suppress(
        level="client",
        client_id=agency.acme.pk,
        campaign_id=None,
        phone_number=rows[3].phone_number,
        source="person",
        reason="Asked at the front desk",
        actor=agency.alice,
        now=now,
    )
    make_ready(campaign=ready, actor=agency.alice, now=now)
    _wait_until_ready(ready)
    call = Call.objects.filter(outcome_class=Call.OutcomeClass.HUMAN).order_by("pk")[0]
    found = {
        "client": agency.acme,
        "user": agency.alice,
        "past": past,
        "ready": ready,
        "draft": draft,
        "mapping": _begin(agency, ready, now),
        "checked": _begin(agency, ready, now, is_checked=True),
        "imported": done,
        "call": call,
        "lead": call.lead_id,
        "suppression": Suppression.objects.order_by("pk")[0],
        "number": PhoneNumber.objects.filter(client=agency.acme).order_by("pk")[0],
        "event": WebhookEvent.objects.order_by("pk")[0],
        "rival": Client.objects.get(name="Rival Roofing"),
        "experiment": Experiment.objects.get(campaign=past),
        "template": _template(ready, agency, now),
        "launch_request": _declined(ready, agency, now),
        **_of_every_kind(agency, past, now),
    }
    return {name: str(getattr(row, "pk", row)) for name, row in found.items()}


def _wait_until_ready(campaign: Campaign) -> None:
    """Its knowledge is indexed first, by the sandbox and by the site's own workers."""
    until = time.monotonic() + 60
    while campaign.status != "ready" and time.monotonic() < until:
        time.sleep(0.2)
        campaign.refresh_from_db()


def _template(ready: Campaign, agency: Agency, now: datetime) -> object:
    from campaigns.services import templates

    return templates.create_template(
        offer=templates.Offer("Recall", "Calls people who are due."),
        content=templates.content_from(ready),
        source=ready,
        actor=agency.root,
        now=now,
    )


def _declined(ready: Campaign, agency: Agency, now: datetime) -> object:
    from accounts.models import User
    from campaigns.services.lifecycle import ask_for_launch, decline_launch
    from convomono.lib.ids import uuid7

    row = ask_for_launch(
        campaign=ready,
        request_id=uuid7(),
        starts_at=None,
        note="Before the holidays, please",
        actor=User.objects.get(email="mia@acme.test"),
        now=now,
        is_sandbox=True,
    )
    decline_launch(request=row, reason="Wait for Monday", actor=agency.alice, now=now)
    row.refresh_from_db()
    return row


def _of_every_kind(agency: Agency, past: Campaign, now: datetime) -> dict[str, object]:
    """Make one row for each page that the past campaign leaves empty."""
    from accounts.models import ClientEvent
    from accounts.outbox import publish_client_event
    from billing import jobs as billing_jobs
    from billing.models import Invoice, Payment
    from billing.services import ask_grant, ask_statement
    from billing.services.reconciliation import ask_reconciliation
    from billing.services.statements import last_month
    from campaigns.services import knowledge
    from campaigns.services.follow_ups import create_follow_up
    from convomono.lib import clock
    from convomono.lib.ids import uuid7
    from leads.jobs import work_on_operation
    from leads.models import Lead
    from leads.services.operations import start_operation
    from webhooks.models import EndpointDelivery, ReplayRun
    from webhooks.outgoing import put_in_line
    from webhooks.services.endpoints import add_endpoint

    by: dict[str, Any] = {"actor": agency.alice, "now": now}
    acme = agency.acme
    statement = ask_statement(client=acme, month=last_month(client=acme, now=now), now=now)
    billing_jobs.make_statement(statement_id=str(statement.pk))
    books = ask_reconciliation(since=now - timedelta(days=1), until=now, **by)
    billing_jobs.reconcile(run_id=str(books.pk))
    many = ask_grant(
        client_ids=[acme.pk],
        seconds=60,
        reason="Outage",
        valid_days=None,
        needs_approval=False,
        key=uuid7(),
        actor=agency.root,
        now=now,
    )
    base = knowledge.create_knowledge(client=acme, name="Opening hours", **by)
    source = knowledge.add_text(base=base, title="Hours", text="We open at 8.", **by)
    endpoint = add_endpoint(
        client=acme,
        url="https://hooks.example.com/calls",
        description="Our CRM",
        kinds=["call.ended"],
        **by,
    )
    told = {"call_id": str(uuid7()), "duration_seconds": 30}
    publish_client_event(client_id=acme.pk, kind="call.ended", key="small", data=told, now=now)
    event = ClientEvent.objects.get(key="small")
    put_in_line(endpoint=endpoint, event=event, now=now + timedelta(days=9))
    lead = Lead.objects.filter(client=acme, attempts_count__gt=0).order_by("pk")[0]
    tagged = start_operation(
        client=acme,
        kind="tag",
        params={"ids": [str(lead.pk)], "tag": "vip"},
        total=1,
        real_now=clock.real_now(),
        **by,
    )
    work_on_operation(operation_id=tagged.pk)
    follow_up = create_follow_up(
        lead=lead,
        due_at=now + timedelta(hours=3),
        note="Ask again",
        assignee=None,
        key=uuid7(),
        **by,
    )
    replay = ReplayRun.objects.create(
        kind="again", status="finished", asked_by_email=agency.alice.email, created_at=now
    )
    return {
        "statement": statement,
        "books": books,
        "grant": many,
        "base": base,
        "source": source,
        "endpoint": endpoint,
        "delivery": EndpointDelivery.objects.get(),
        "operation": tagged,
        **_agency_list(by),
        "follow_up": follow_up,
        "replay": replay,
        "invoice": Invoice.objects.filter(client=acme).order_by("pk")[0],
        "payment": Payment.objects.filter(client=acme).order_by("pk")[0],
    }


def _agency_list(by: dict[str, Any]) -> dict[str, object]:
    """Put a list on the agency's do-not-call list, one line of it without a number."""
    from convomono.lib import clock
    from leads.jobs import work_on_listing
    from leads.models import Suppression
    from leads.services.agency_list import start_agency_listing

    listing = start_agency_listing(
        stream=io.BytesIO(b"212 555 0198\nnobody\n"),
        country="US",
        reason="The state's list, November",
        real_now=clock.real_now(),
        **by,
    )
    work_on_listing(listing_id=listing.pk)
    return {"listing": listing, "entry": Suppression.objects.get(operation_id=listing.pk)}


def _begin(
    agency: Agency, campaign: Campaign, now: datetime, *, is_checked: bool = False
) -> LeadImport:
    """Upload a spreadsheet, and go no further than the columns or the check."""
    from convomono.lib import clock
    from leads import jobs
    from leads.services.imports import check_import, start_import

    row = start_import(
        client=agency.acme,
        campaign_id=campaign.pk,
        file_name="walk-ins.csv",
        stream=io.BytesIO(FILE.encode()),
        consent=None,
        actor=agency.alice,
        now=now,
    )
    if is_checked:
        check_import(
            lead_import=row,
            mapping={
                "fields": {"first_name": 0, "phone_number": 1},
                "variables": {"first_name": 0, "service": 2},
            },
            options=row.options,
            now=now,
            real_now=clock.real_now(),
        )
        jobs.check_import(import_id=row.pk)
    return row


if __name__ == "__main__":
    django.setup()
    Path(sys.argv[1]).write_text(json.dumps(furnish()))
