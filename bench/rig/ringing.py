"""
Makes calls that ring: `python -m bench.rig.ringing --calls 4000` prints how to see them.

Rows as the dispatcher leaves them behind: leads in a launch, attempts that were placed, minutes held.
"""

from __future__ import annotations

import argparse
import json
import uuid
from datetime import timedelta
from itertools import batched

import django

django.setup()

from django.conf import settings  # noqa: E402 # the apps are loaded first
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402

from accounts.models import User  # noqa: E402
from accounts.services import Rights, add_client_user  # noqa: E402
from bench.rig.launch import client_with_minutes  # noqa: E402
from billing.ledger import move_reservation  # noqa: E402
from billing.models import CallHold, Reservation  # noqa: E402
from campaigns.models import Attempt, BatchCall, Campaign, Enrolment  # noqa: E402
from campaigns.services import preparing  # noqa: E402
from campaigns.services.authoring import CampaignContent, create_campaign  # noqa: E402
from campaigns.services.launching import open_batch_call  # noqa: E402
from convomono.lib import clock  # noqa: E402
from convomono.lib.bulk import insert_rows  # noqa: E402
from convomono.lib.db import atomic  # noqa: E402
from convomono.lib.ids import uuid7  # noqa: E402
from leads.models import Lead  # noqa: E402
from telephony.models import Call  # noqa: E402

LONGEST_SECONDS = 120
CHUNK = 200


def launch(actor: User, *, calls: int) -> BatchCall:
    """Open a launch of a campaign whose agent nobody asks Retell for."""
    client = client_with_minutes(actor, concurrency=calls, name=f"Bench {uuid7().hex[:12]}")
    now = clock.now()  # not before the client's price holds
    content = CampaignContent(
        name="Burst", script_raw="Say hello.", opening_line="Hello.", voice_id="11labs-Adrian"
    )
    campaign = create_campaign(client=client, content=content, actor=actor, now=now)
    preparing.request_agent(campaign=campaign, actor=actor, now=now)
    agent = preparing.find_or_make_agent(campaign=campaign, now=now)
    agent.provider_agent_id = "agent_bench"
    agent.save()
    campaign = Campaign.objects.select_related("client").get(pk=campaign.pk)
    prep = preparing.Preparation(campaign, agent, "http://127.0.0.1/hook", "America/New_York")
    preparing.mark_ready(prep=prep, agent_version=0, fingerprint="bench", now=now)
    campaign.refresh_from_db()
    first = Lead.objects.create(
        client=client, phone_number="+12125550100", created_at=now, updated_at=now
    )
    Enrolment.objects.create(  # nobody launches for nobody
        client=client, campaign=campaign, lead=first, phone_number=first.phone_number,
        next_attempt_at=now, created_at=now,
    )  # fmt: skip
    return open_batch_call(
        campaign=campaign, launch_key=uuid.uuid4(), seconds=calls * 180, actor=actor, now=now
    )


def ring(batch_call: BatchCall, *, start: int, count: int) -> None:
    """Let so many leads ring; their calls are numbered as the deliveries are."""
    now = clock.now()
    owner = {"client_id": batch_call.client_id, "created_at": now}
    leads = [
        Lead(
            phone_number=f"+1213{n % 10_000_000:07}",
            first_name=f"Lead {n}",
            updated_at=now,
            **owner,
        )
        for n in range(start, start + count)
    ]
    enrolments, attempts, calls = [], [], []
    for number, lead in enumerate(leads, start):
        enrolment = Enrolment(
            campaign_id=batch_call.campaign_id, lead=lead, batch_call=batch_call, status="in_call",
            phone_number=lead.phone_number, attempt_number=1, next_attempt_at=now, **owner,
        )  # fmt: skip
        ours = {
            "campaign_id": batch_call.campaign_id,
            "batch_call_id": batch_call.pk,
            "lead_id": lead.pk,
            **owner,
        }
        call = Call(
            pk=uuid7(), provider_call_id=f"call_{number:032x}", enrolment_id=enrolment.pk,
            to_number=lead.phone_number, **ours,
        )  # fmt: skip
        attempt = Attempt(
            enrolment=enrolment, number=1, version_id=uuid7(), phone_number=lead.phone_number,
            status="placed", provider_call_id=call.provider_call_id, call_id=call.pk, **ours,
        )  # fmt: skip
        call.attempt_id = attempt.pk
        enrolments.append(enrolment)
        attempts.append(attempt)
        calls.append(call)
    reservation = Reservation.objects.get(batch_call_id=batch_call.pk)
    holds = [
        CallHold(
            client_id=batch_call.client_id,
            attempt_id=attempt.pk,
            reservation=reservation,
            seconds=LONGEST_SECONDS,
            created_at=now,
            expires_at=now + timedelta(hours=1),
        )
        for attempt in attempts
    ]
    for rows in (leads, enrolments, attempts, calls, holds):
        for some in batched(rows, CHUNK):
            with atomic():
                insert_rows(some)
    held = count * LONGEST_SECONDS
    with atomic():
        move_reservation(reservation.pk, only_open=True, free=-held, held=held)


def bench_user() -> User:
    """Return who does everything here."""
    email = "bench@convomono.test"
    known = User.objects.filter(email=email).first()
    return known or User.objects.create_superuser(email=email, password=None, name="Bench")


def ring_launch(actor: User, *, start: int, calls: int) -> BatchCall:
    """Open a launch all of whose leads ring."""
    batch_call = launch(actor, calls=calls)
    ring(batch_call, start=start, count=calls)
    BatchCall.objects.filter(pk=batch_call.pk).update(
        tasks_count=calls, in_call_count=calls, attached_at=clock.now()
    )
    return batch_call


def session_of(user: User) -> str:
    """Sign somebody in and return the session's key."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return str(session.session_key)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--start", type=int, required=True)
    parser.add_argument("--calls", type=int, required=True)
    options = parser.parse_args()
    actor = bench_user()
    batch_call = ring_launch(actor, start=options.start, calls=options.calls)
    viewer = add_client_user(
        client=batch_call.client,
        email=f"viewer-{batch_call.pk}@bench.test",
        name="Viewer",
        rights=Rights("viewer", can_launch=False),
        actor=actor,
        now=clock.now(),
    )
    print(json.dumps({"session": session_of(viewer)}))


if __name__ == "__main__":
    main()
