"""Ids of another client's rows in query strings and bodies: they find nothing, change nothing, tell nothing."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns.models import BatchCall, Enrolment
from leads.models import Lead, LeadImport, Suppression
from reporting.models import Report
from tests.campaigns.test_live_pages import make_call
from tests.factories.billing import open_wallet
from tests.factories.campaigns import enrol, launch, make_ready, run_batch
from tests.leads.test_import_pages import CONSENT, a_file

SECRETS = ("55501", "Of acme alone", "Person 0")


@pytest.fixture
def theirs(equipped, rival) -> dict[str, Any]:
    """A running campaign of acme with a call, and a wallet of rival."""
    open_wallet(rival)
    campaign = make_ready(equipped, name="Of acme alone")
    enrolment = enrol(campaign)[0]
    call = make_call(run_batch(launch(campaign, seconds=600)), enrolment)
    return {"campaign": campaign.pk, "call": call.pk, "lead": call.lead_id, "client": equipped.pk}


@pytest.mark.parametrize(
    "path",
    [
        "/app/calls/?campaign={campaign}",
        "/app/leads/?campaign={campaign}&q=Person",
        "/app/leads/?campaign={campaign}&client={client}&sort=score",
        "/app/billing/?campaign={campaign}",
        "/app/billing/ledger.csv?campaign={campaign}&client_id={client}",
        "/app/campaigns/?q=acme&client={client}",
        "/api/v1/client/calls/?campaign_id={campaign}&client_id={client}",
        "/api/v1/client/leads/?campaign_id={campaign}",
        "/api/v1/client/transactions/?campaign_id={campaign}&client_id={client}",
        "/api/v1/client/transactions/?call_id={call}",
    ],
)
def test_show_nothing_in_a_query_string(browse, charlie, theirs, path):
    answer = browse(charlie).get(path.format(**theirs))

    assert answer.status_code == 200
    shown = answer.getvalue().decode() if answer.streaming else answer.content.decode()
    assert not [secret for secret in SECRETS if secret in shown]
    if answer.streaming:
        assert str(theirs["campaign"]) not in shown
    if "/api/" in path:
        assert answer.json()["results"] == []


def test_change_nothing_in_a_body(browse, charlie, theirs, rival):
    browser = browse(charlie)
    body = {"phone_number": "+12125550142", "campaign_id": str(theirs["campaign"])}

    enrolled = browser.post("/api/v1/client/leads/", body, content_type="application/json")
    uploaded = browser.post(
        f"/app/imports/new/?campaign={theirs['campaign']}", {"file": a_file(), **CONSENT}
    )
    reported = browser.post(f"/app/campaigns/{theirs['campaign']}/report/files/", {"kind": "csv"})
    launched = browser.post(
        f"/api/v1/client/campaigns/{theirs['campaign']}/launch/",
        {"launch_key": str(BatchCall.objects.get().launch_key)},
        content_type="application/json",
    )

    answers = (enrolled, uploaded, reported, launched)
    assert [answer.status_code for answer in answers] == [404, 404, 404, 404]
    assert Enrolment.objects.count() == 1
    assert not Lead.objects.filter(client=rival).exists()
    assert not LeadImport.objects.exists()
    assert not Report.objects.exists()


def test_suppress_only_for_oneself(browse, charlie, theirs, rival):
    browser = browse(charlie)

    calls = browser.post(f"/app/calls/{theirs['call']}/suppress/")
    leads = browser.post(f"/app/leads/{theirs['lead']}/suppress/")

    assert (calls.status_code, leads.status_code) == (404, 404)
    assert not Suppression.objects.exists()
