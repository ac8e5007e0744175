"""The lead score: what it adds up, who keeps it, and that a client's weights are its own."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from campaigns.models import Enrolment
from campaigns.services.enrolment import enrol_lead
from convomono.lib.jobs import queue_lengths
from leads.imports.undo import undo_rows
from leads.imports.work import Pace
from leads.jobs import resume_scoring, score_leads, work_on_operation
from leads.models import Lead, LeadImport
from leads.scoring import WEIGHTS, points_of, score_of, weights_with
from leads.services import LeadFields, create_lead, record_summary
from leads.services.consents import revoke_consent
from leads.services.imports import undo_import
from leads.services.operations import start_operation, undo_operation
from leads.services.people import change_conversion, change_lead
from leads.services.scoring import weighing_of
from leads.services.summaries import LeadBook
from leads.services.weights import change_weights
from tests.factories.accounts import NOW
from tests.factories.campaigns import make_draft
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


@given(
    fields=st.fixed_dictionaries(
        {
            "consent_status": st.sampled_from(["none", "given"]),
            "email": st.sampled_from(["", "a@x.test"]),
            "time_zone": st.sampled_from(["", "America/New_York"]),
            "status": st.sampled_from(["new", "reached", "converted"]),
            "last_outcome": st.sampled_from(["", "machine", "no_contact"]),
            "attempts_count": st.integers(0, 40),
            "tags": st.lists(st.sampled_from(["vip", "x"]), max_size=2),
        }
    )
)
def test_is_the_same_without_its_reasons(fields):
    told = score_of(lead(**fields), weights=USUAL, tag="vip")

    assert points_of(lead(**fields), weights=USUAL, tag="vip") == told.points
    assert told.points == min(max(sum(one.points for one in told.reasons), 0), 100)


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


def test_follows_an_import_and_its_undo_and_so_does_the_line(acme, alice, imported):
    lead = LeadFactory.create(client=acme, phone_number="+12125550101", consent_status="none")
    score_leads(client_id=acme.pk)
    waiting = wait_in_line(lead)

    done = imported("first name,last name,email,phone\nAda,Byron,ada@x.test,2125550101\n")

    assert score_and_place(lead, waiting) == (30 + 15 + 5 + 5,) * 2

    undo_import(lead_import=done, actor=alice, now=NOW, real_now=NOW)
    calm = Pace(real_now=lambda: NOW, pause=lambda _seconds: None)
    undo_rows(lead_import=LeadImport.objects.get(), pace=calm, now=NOW)
    assert score_and_place(lead, waiting) == (30, 30)


def test_follows_an_edit_and_so_does_the_line(acme, alice):
    lead = LeadFactory.create(client=acme)
    waiting = wait_in_line(lead)

    change_lead(lead=lead, fields=LeadFields(email="a@x.test"), tags=[], actor=alice, now=NOW)
    assert score_and_place(lead, waiting) == (50, 50)

    revoke_consent(lead=lead, how="mail", actor=alice, now=NOW)
    assert score_and_place(lead, waiting) == (35, 35)


def test_follows_the_tag_that_counts(acme, alice, browse, run_jobs):
    lead = LeadFactory.create(client=acme)
    change_weights(client=acme, weights=USUAL, tag="vip", actor=alice, now=NOW)
    score_leads(client_id=acme.pk)
    waiting = wait_in_line(lead)
    operation = start_operation(
        client=acme, kind="tag", params={"tag": "vip", "ids": [str(lead.pk)]}, total=1,
        actor=alice, now=NOW, real_now=NOW,
    )  # fmt: skip

    work_on_operation(operation_id=operation.pk)
    assert score_and_place(lead, waiting) == (65, 65)

    operation.refresh_from_db()
    undo_operation(operation=operation, actor=alice, now=NOW, real_now=NOW)
    work_on_operation(operation_id=operation.pk)
    assert score_and_place(lead, waiting) == (45, 45)


def test_leaves_the_place_in_line_alone_after_a_call(acme):
    lead = LeadFactory.create(client=acme)
    waiting = wait_in_line(lead)

    record_summary(lead_id=lead.pk, now=NOW, status="called", attempts_count=1)

    assert score_and_place(lead, waiting) == (40, 0)


def wait_in_line(lead) -> Enrolment:
    enrol_lead(campaign=make_draft(lead.client), lead=lead, dynamic_vars={}, now=NOW)
    return Enrolment.objects.get(lead=lead)


def score_and_place(lead, enrolment) -> tuple[int, int]:
    lead.refresh_from_db()
    enrolment.refresh_from_db()
    return lead.score, enrolment.priority


def test_counts_again_what_a_lost_job_left(acme, mia, run_jobs, django_capture_on_commit_callbacks):
    lead = LeadFactory.create(client=acme)
    change_weights(client=acme, weights={"base": 77}, tag="", actor=mia, now=NOW)  # the job is lost

    with django_capture_on_commit_callbacks(execute=True):
        assert resume_scoring() == 1
    run_jobs()

    lead.refresh_from_db()
    assert lead.score >= 77
    assert resume_scoring() == 0


def test_counts_a_client_once_however_long_it_waits(acme, mia):
    change_weights(client=acme, weights={"base": 77}, tag="", actor=mia, now=NOW)

    waiting = (queue_lengths() or {})["imports"]

    assert [resume_scoring() for _look in range(3)] == [1, 0, 0]

    assert (queue_lengths() or {})["imports"] == waiting + 1


@pytest.mark.parametrize("by_book", [True, False])
def test_follows_a_conversion_at_once_and_back(acme, by_book):
    won = LeadFactory.create(client=acme, status="reached", attempts_count=1)
    Lead.objects.filter(pk=won.pk).update(score=weighing_of(acme.pk).points(won))

    if by_book:
        book = LeadBook([won.pk])
        book.convert(won.pk, now=NOW)
        book.write()
    else:
        change_conversion(lead_id=won.pk, is_converted=True, now=NOW)

    assert_scored(won, "converted")
    change_conversion(lead_id=won.pk, is_converted=False, now=NOW)
    assert_scored(won, "reached")


def assert_scored(lead: Lead, status: str) -> None:
    lead.refresh_from_db()
    assert (lead.status, lead.score) == (status, weighing_of(lead.client_id).points(lead))
