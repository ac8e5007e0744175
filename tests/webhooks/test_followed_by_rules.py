"""The end of a call is followed at once by what its client's rules ask for, and by no other client's."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from campaigns.models import Attempt, FollowUp, FollowUpRule
from leads.models.people import NOBODY
from tests.factories.accounts import ClientFactory
from tests.webhooks.conftest import deliver
from webhooks.drain import step

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import Client
    from tests.webhooks.conftest import Ringing

pytestmark = pytest.mark.django_db


def ask_for(client: Client, now: datetime) -> None:
    FollowUpRule.objects.create(
        client=client,
        outcome="human",
        delay_seconds=3600,
        note=f"Thank them for {client.name}",
        created_at=now - timedelta(days=1),
    )


def test_follows_the_rules_of_the_calls_client_once(ringing: Ringing, now: datetime):
    mine = ringing.attempt.client
    ask_for(mine, now)
    ask_for(ClientFactory.create(), now)

    for body in ringing.says("user_hangup").values():
        deliver(body, created_at=now, next_try_at=now)
        step(now=now)

    row = FollowUp.objects.get()
    assert (row.client_id, row.lead_id) == (mine.pk, ringing.attempt.lead_id)
    assert row.note == f"Thank them for {mine.name}"


def test_follows_nothing_without_a_rule(ringing: Ringing, now: datetime):
    for body in ringing.says("user_hangup").values():
        deliver(body, created_at=now, next_try_at=now)
    step(now=now)

    assert not FollowUp.objects.exists()


def test_promises_nothing_of_a_person_who_was_erased_before_the_news(
    ringing: Ringing, now: datetime
):
    ask_for(ringing.attempt.client, now)
    # As an erasure leaves it: the number is a word.
    Attempt.objects.update(phone_number=f"{NOBODY}123456789")

    for body in ringing.says("user_hangup").values():
        deliver(body, created_at=now, next_try_at=now)
        step(now=now)

    assert not FollowUp.objects.exists()
