"""The lead score: what it adds up, who keeps it, and that a client's weights are its own."""

from __future__ import annotations

import pytest

from leads.jobs import score_leads
from leads.models import Lead
from leads.scoring import WEIGHTS, score_of, weights_with
from leads.services import LeadFields, create_lead, record_summary
from leads.services.scoring import weighing_of
from leads.services.weights import change_weights
from tests.factories.accounts import NOW
from tests.factories.leads import CONSENT, LeadFactory

USUAL = weights_with({})


def lead(**fields) -> Lead:
    return Lead(**{"consent_status": "none", "tags": [], **fields})


def test_is_the_sum_of_its_reasons():
    told = score_of(
        lead(consent_status="given", first_name="Ada", last_name="Byron", attempts_count=2),
        weights=USUAL,
    )

    assert told.points == 30 + 15 + 5 - 10 == sum(one.points for one in told.reasons)


@pytest.mark.parametrize(("weight", "points"), [(100, 100), (-100, 0)])
def test_stays_between_0_and_100(weight, points):
    assert score_of(lead(attempts_count=3), weights={**USUAL, "attempt": weight}).points == points


def test_counts_the_clients_tag_in_any_case():
    tagged = lead(tags=["VIP"])

    plain, counted = (score_of(tagged, weights=USUAL, tag=tag).points for tag in ("", "vip"))

    assert counted - plain == WEIGHTS["tag"].usual


def test_takes_no_weight_that_is_no_whole_number():
    assert weights_with({"consent": "9", "email": True, "base": 7}) == {**USUAL, "base": 7}


def test_is_kept_when_a_lead_is_added_and_when_it_was_called(acme, alice):
    row = create_lead(
        client=acme,
        phone_number="(212) 555-0101",
        country="US",
        fields=LeadFields(first_name="Ada"),
        consent=CONSENT,
        actor=alice,
        now=NOW,
    )
    assert row.score == 45

    record_summary(lead_id=row.pk, now=NOW, status="called", attempts_count=1)

    row.refresh_from_db()
    assert row.score == 40


def test_is_computed_anew_for_this_client_alone_when_the_weights_change(
    acme, rival, alice, run_jobs, django_capture_on_commit_callbacks
):
    ours, theirs = LeadFactory.create(client=acme), LeadFactory.create(client=rival)
    score_leads(client_id=acme.pk)
    score_leads(client_id=rival.pk)

    with django_capture_on_commit_callbacks(execute=True):
        change_weights(client=acme, weights={**USUAL, "base": 70}, tag="x", actor=alice, now=NOW)
    run_jobs()

    ours.refresh_from_db()
    theirs.refresh_from_db()
    assert (ours.score, theirs.score) == (85, 45)
    assert weighing_of(acme.pk).tag == "x"
    assert score_leads(client_id=acme.pk) == 0
