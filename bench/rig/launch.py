"""
Launches one campaign through the product's own services: `python -m bench.rig.launch --leads 600`.

It runs in the environment of the benchmark's other processes, whose sandbox gives it an agent.
"""

from __future__ import annotations

import argparse
import time
import uuid
from dataclasses import replace
from itertools import cycle, islice
from typing import TYPE_CHECKING

import django

django.setup()

from accounts.models import User  # noqa: E402 # the apps are loaded first
from accounts.services import change_client  # noqa: E402
from bench.rig.copies import an_id, copy  # noqa: E402
from billing.clients.services import open_account  # noqa: E402
from billing.services import purchase  # noqa: E402
from campaigns import jobs  # noqa: E402
from campaigns.calling_rules.places import area_codes  # noqa: E402
from campaigns.models import Attempt, BatchCall, Enrolment  # noqa: E402
from campaigns.services.authoring import CampaignContent, create_campaign  # noqa: E402
from campaigns.services.enrolment import enrol_lead  # noqa: E402
from campaigns.services.launching import open_batch_call  # noqa: E402
from campaigns.services.preparing import request_agent  # noqa: E402
from campaigns.starters import BUSINESS, fill_in  # noqa: E402
from convomono.lib import clock  # noqa: E402
from leads.models import Lead  # noqa: E402
from leads.services.people import ConsentStatement, LeadFields, create_lead  # noqa: E402
from telephony.models import PhoneNumber  # noqa: E402
from telephony.retell import retell_gateway  # noqa: E402
from telephony.services.health import set_number_limits  # noqa: E402
from telephony.services.numbers import assign_number, buy_number  # noqa: E402

if TYPE_CHECKING:
    from accounts.models import Client
    from campaigns.models import Campaign

AREAS = (212, 213, 312, 415, 206, 303, 404, 512, 602, 702, 305, 617, 713, 214, 503, 619, 408, 510)
# Every area code there is: 10,000 people need a hundred of them.
LEAD_AREAS = (*AREAS, *(int(code) for code in area_codes() if int(code) not in AREAS))
NUMBERS_PER_AREA = 100  # 555-0100 to 555-0199
CALLER_NUMBERS = (
    5  # at least; one in some hundred calls has its number marked as spam, which then rests
)
LINES_A_NUMBER = 20
MINUTES = 1_000_000
SMALL_LEADS = 5
SMALL_SAYS = "small_client_first_call_s="
SMALL_WAITS_SECONDS = 60


def client_with_minutes(actor: User, *, concurrency: int, name: str = "Bench") -> Client:
    """Open an account that neither money nor its own share of the lines will stop."""
    now = clock.now()
    client = open_account(
        name=name,
        time_zone="America/New_York",
        contact_email="bench@example.com",
        price_per_minute_micros=250_000,
        actor=actor,
        now=now,
    )
    change_client(
        client=client,
        name=client.name,
        time_zone=client.time_zone,
        contact_email=client.contact_email,
        concurrency_limit=concurrency,
        actor=actor,
        now=now,
    )
    purchase(
        client=client,
        seconds=MINUTES * 60,
        amount_micros=MINUTES * 250_000,
        method="grant",
        reference=f"bench {name}",
        actor=actor,
        now=now,
    )
    return client


def content_of(*, concurrency: int) -> CampaignContent:
    """Return what is said, once to everybody, at any hour."""
    return CampaignContent(
        name="Check-up reminder",
        script_raw="Remind {{first_name}} of the check-up and ask whether the day still suits.",
        # Nothing that the circuit breaker would stop it for.
        opening_line=f"Hello {{{{first_name}}}}, the AI assistant of {BUSINESS} here. This call is recorded.",
        voice_id=retell_gateway().list_voices()[0].voice_id,
        concurrency_limit=concurrency,
        is_any_hour=True,
        max_attempts=1,
    )


def ready_campaign(client: Client, actor: User, content: CampaignContent) -> Campaign:
    """Write a campaign and get its agent, as the job would."""
    now = clock.now()
    content = replace(content, opening_line=fill_in(content.opening_line, business=client.name))
    campaign = create_campaign(client=client, content=content, actor=actor, now=now)
    request_agent(campaign=campaign, actor=actor, now=now)
    jobs.prepare_agent(campaign_id=str(campaign.pk))
    campaign.refresh_from_db()
    if campaign.status != campaign.Status.READY:
        raise SystemExit(f"The campaign is {campaign.status}: {campaign.prepare_error}")
    return campaign


def enrol(campaign: Campaign, actor: User, *, leads: int, start: int = 0) -> None:
    """Put people with fictional numbers in line."""
    for number in range(start, start + leads):
        area, last = LEAD_AREAS[number // NUMBERS_PER_AREA], number % NUMBERS_PER_AREA
        enrol_one(campaign, actor, name=f"Lead {number}", phone_number=f"+1{area}55501{last:02}")


def enrol_one(
    campaign: Campaign, actor: User, *, name: str, phone_number: str, country: str = "US"
) -> None:
    """Put a person who asked to be called in line."""
    now = clock.now()
    lead = create_lead(
        client=campaign.client,
        phone_number=phone_number,
        country=country,
        fields=LeadFields(first_name=name),
        consent=ConsentStatement("express", "benchmark", "They asked to be called.", now),
        actor=actor,
        now=now,
    )
    enrol_lead(campaign=campaign, lead=lead, dynamic_vars={}, now=now)


def wait_behind(campaign: Campaign, *, leads: int) -> None:
    """Put so many copies of the last person in line behind all others, with numbers that nobody dials."""
    last = Enrolment.objects.filter(campaign=campaign).order_by("-pk")[0]
    numbers = range(1, leads + 1)
    number, lead = "'+1' || (9000000000 + n)", an_id("e")
    copy(Lead, last.lead_id.hex, numbers, _id=lead, phone_number=number)
    copy(
        Enrolment,
        last.pk.hex,
        numbers,
        _id=an_id("f"),
        lead_id=lead,
        phone_number=number,
    )


def lend_number(client: Client, actor: User, *, area: int) -> None:
    """Buy a number for a client without its warm-up: here nobody's carrier has to get used to it."""
    now = clock.now()
    order = buy_number(
        gateway=retell_gateway(), key=uuid.uuid4(), area_code=area, actor=actor, now=now
    )
    number = PhoneNumber.objects.get(phone_number=order.phone_number)
    assign_number(number=number, client=client, actor=actor, now=now)
    set_number_limits(
        number=number,
        daily_cap=0,
        concurrency_limit=0,
        warms_up=False,
        rent_micros=number.rent_micros,
        actor=actor,
        now=clock.now(),
    )


def launch(
    campaign: Campaign, actor: User, *, seconds: int, mode: str = BatchCall.Mode.DISPATCHER
) -> BatchCall:
    """Launch everybody who is in line, with so many seconds reserved."""
    batch_call = open_batch_call(
        campaign=campaign,
        launch_key=uuid.uuid4(),
        seconds=seconds,
        mode=mode,
        actor=actor,
        now=clock.now(),
    )
    jobs.attach_leads(batch_call_id=str(batch_call.pk))
    return batch_call


def launch_small() -> None:
    """Launch a few leads of another client, and print the launch's id and the moment (real time)."""
    actor = User.objects.get(email="bench@convomono.test")
    client = client_with_minutes(actor, concurrency=SMALL_LEADS, name="Small")
    lend_number(client, actor, area=646)
    campaign = ready_campaign(client, actor, content_of(concurrency=SMALL_LEADS))
    # Other people than the large client's: a person is called by one of them at a time.
    last = len(LEAD_AREAS) * NUMBERS_PER_AREA - SMALL_LEADS
    enrol(campaign, actor, leads=SMALL_LEADS, start=last)
    batch_call = launch(campaign, actor, seconds=MINUTES)
    began = time.time()
    while time.time() < began + SMALL_WAITS_SECONDS:
        first = (
            Attempt.objects.filter(batch_call_id=batch_call.pk, sends_count__gt=0)
            .order_by("created_at")
            .first()
        )
        if first is not None:
            print(f"{SMALL_SAYS}{time.time() - began:.3f}", flush=True)
            return
        time.sleep(0.05)
    raise SystemExit("The small client's first call didn't start.")


def tell_standstill() -> None:
    """Print which launch doesn't run any more, and why: a benchmark of one that stands says nothing."""
    for launch in BatchCall.objects.exclude(status=BatchCall.Status.RUNNING):
        why = launch.pause_reason or launch.waiting_reason
        print(f"The launch is {launch.status}: {why} {launch.waiting_facts}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, default=0)
    parser.add_argument("--behind", type=int, default=0, help="leads that wait behind these")
    parser.add_argument("--concurrency", type=int, default=0)
    parser.add_argument("--mode", default="dispatcher", help="or retell_batch")
    parser.add_argument("--small", action="store_true", help="a client with a few leads, beside it")
    parser.add_argument("--why", action="store_true", help="say why a launch stands still")
    options = parser.parse_args()
    if options.why:
        tell_standstill()
        return
    if options.small:
        launch_small()
        return
    actor = User.objects.create_superuser(email="bench@convomono.test", password=None, name="Bench")
    client = client_with_minutes(actor, concurrency=options.concurrency)
    for area in islice(cycle(AREAS), max(CALLER_NUMBERS, options.concurrency // LINES_A_NUMBER)):
        lend_number(client, actor, area=area)
    campaign = ready_campaign(client, actor, content_of(concurrency=options.concurrency))
    enrol(campaign, actor, leads=options.leads)
    if options.behind:
        wait_behind(campaign, leads=options.behind)
    launch(campaign, actor, seconds=MINUTES * 30, mode=options.mode)


if __name__ == "__main__":
    main()
