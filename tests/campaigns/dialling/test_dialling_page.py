"""The page on which a campaign's retries and its circuit breaker are set."""

from __future__ import annotations

import pytest
from django.urls import reverse

from audit.models import AuditLog
from campaigns.dialling.breaking import Safety
from campaigns.forms.dialling import DiallingForm, initial_of
from campaigns.services.policies import Dialling, dialling_of, set_dialling
from tests.factories.campaigns import NOW, TESTS, make_draft

pytestmark = pytest.mark.django_db

TYPED = {
    "callback_hours": "12",
    "failed_percent": "40",
    "opted_out_percent": "5",
    "negative_percent": "100",
    "window_calls": "60",
    "least_calls": "10",
    "missed_disclosures": "3",
    "talk_minutes_per_hour": "90",
    "calls_per_minute": "30",
    "is_other_time_of_day": "on",
    "voicemail_reached_most": "1",
    "dial_busy_minutes": "10",
}
MEANT = Dialling(
    dispositions={
        "dial_busy": {"most": 0, "delay_seconds": 600},
        "voicemail_reached": {"most": 1, "delay_seconds": None},
    },
    is_other_time_of_day=True,
    callback_delay_seconds=12 * 3600,
    safety=Safety(
        failed_percent=40,
        opted_out_percent=5,
        negative_percent=100,
        window_calls=60,
        least_calls=10,
        missed_disclosures=3,
        talk_minutes_per_hour=90,
    ),
    calls_per_minute=30,
)


@pytest.fixture
def campaign(acme):
    return make_draft(acme)


def address(campaign) -> str:
    return reverse("campaigns:campaign-dialling", args=[campaign.pk])


def test_saves_what_was_typed_once(client, mia, campaign):
    client.force_login(mia)

    for _ in range(2):
        answer = client.post(address(campaign), TYPED, follow=True)

    assert "Saved" in answer.content.decode()
    assert dialling_of(campaign) == MEANT
    rows = AuditLog.objects.filter(action="campaign.changed")
    assert [row.details["changed"] for row in rows] == [
        [
            "callback_delay_seconds",
            "calls_per_minute",
            "dispositions",
            "is_other_time_of_day",
            "safety",
        ]
    ]


def test_shows_what_is_set(client, mia, campaign):
    set_dialling(campaign=campaign, dialling=MEANT, actor=TESTS, now=NOW)
    client.force_login(mia)

    page = client.get(address(campaign)).content.decode()

    assert 'value="90"' in page
    form = DiallingForm(initial_of(MEANT))
    assert form.is_valid()
    assert form.dialling() == MEANT


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("failed_percent", "0"),
        ("failed_percent", "101"),
        ("least_calls", "61"),
        ("window_calls", "4"),
        ("dial_busy_minutes", "1"),
        ("voicemail_reached_most", "11"),
        ("callback_hours", ""),
        ("talk_minutes_per_hour", "-1"),
    ],
)
def test_refuses_nonsense_and_keeps_what_was_typed(client, mia, campaign, field, value):
    client.force_login(mia)

    answer = client.post(address(campaign), TYPED | {field: value})

    assert answer.status_code == 422
    assert dialling_of(campaign) == Dialling()
    assert 'value="30"' in answer.content.decode()


def test_is_for_the_clients_own_managers(client, vera, charlie, campaign):
    client.force_login(vera)
    assert client.get(address(campaign)).status_code == 403
    client.force_login(charlie)
    assert client.get(address(campaign)).status_code == 404
    assert client.post(address(campaign), TYPED).status_code == 404
