"""
What a campaign has come to, by the product's own checks: `python -m bench.rig.looking state`.

`viewer` makes somebody who may see it, and prints the session.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import django

django.setup()

from django.conf import settings  # noqa: E402 # the apps are loaded first

from accounts.models import User  # noqa: E402
from accounts.services import Rights, add_client_user  # noqa: E402
from bench.rig.ringing import session_of  # noqa: E402
from billing.invariants import audit_ledger  # noqa: E402
from campaigns.enrolments import completeness  # noqa: E402
from campaigns.models import BatchCall  # noqa: E402
from convomono.lib import clock  # noqa: E402
from telephony.models import Call  # noqa: E402
from webhooks.models import WebhookEvent  # noqa: E402


def viewer() -> dict[str, Any]:
    batch_call = BatchCall.objects.get()
    user = add_client_user(
        client=batch_call.client,
        email="viewer@bench.test",
        name="Viewer",
        rights=Rights("viewer", can_launch=False),
        actor=User.objects.get(email="bench@convomono.test"),
        now=clock.now(),
    )
    return {
        "session": session_of(user),
        "cookie": settings.SESSION_COOKIE_NAME,
        "campaign_id": str(batch_call.campaign_id),
    }


def state() -> dict[str, Any]:
    batch_call = BatchCall.objects.get()
    events = WebhookEvent.objects
    unsettled = Call.objects.filter(outcome_class="").count()
    waiting = events.exclude(status__in=("applied", "ignored")).count()
    wrong = [str(one) for one in audit_ledger()]
    if not completeness(batch_call.pk).holds:
        wrong.append("The leads don't add up.")
    if batch_call.status == "finished" and (unsettled or waiting):
        wrong.append(f"{unsettled} calls are unsettled, {waiting} events wait.")
    return {
        "status": batch_call.status,
        "calls": Call.objects.count(),
        "events": events.count(),
        "unsettled": unsettled,
        "waiting": waiting,
        "wrong": wrong[:5],
    }


if __name__ == "__main__":
    print(json.dumps({"viewer": viewer, "state": state}[sys.argv[1]]()))
