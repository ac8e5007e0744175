"""Imports whose people, or whose own place, move between the reading and the writing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from audit.services import System
from campaigns.models import Enrolment
from campaigns.services.enrolment import enrol_lead
from convomono.lib.lane import run_bulk
from leads.imports import commit, undo
from leads.imports.commit import commit_rows
from leads.imports.work import Pace
from leads.models import Consent, Lead, LeadImport, LeadImportChange, Suppression
from leads.services.erasure import erase_lead
from leads.services.imports import cancel_import
from leads.services.suppressions import suppress
from tests.factories.accounts import NOW
from tests.factories.campaigns import make_draft
from tests.factories.leads import LeadFactory
from tests.leads.test_import_slices import CALM, Killed, fresh, ready, taken_back

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.models import Client, User

KNOWN = 60
FILE = "first name,phone\n" + "".join(
    f"N{n},{212 + n // 100}55501{n % 100:02}\n" for n in range(300)
)


def make_known(client: Client, **values: Any) -> list[Lead]:
    """Make leads of the file's first people."""
    return [
        LeadFactory.create(client=client, phone_number=f"+121255501{n:02}", **values)
        for n in range(KNOWN)
    ]


def commit_beside(lead_import: LeadImport, act: Callable[[], object], *, before: int) -> None:
    """Commit the import; `act` before the transaction of that number, which is ready by then."""
    left = [before]

    def pause(_seconds: float) -> None:
        left[0] -= 1
        if left[0] == 0:
            act()

    commit_rows(lead_import=lead_import, pace=Pace(lambda: NOW, pause), now=NOW)


def die() -> None:
    raise Killed


@pytest.fixture
def behind(alice: User, acme: Client) -> LeadImport:
    """An import of known people as a worker sees it that is behind the one that began to write them."""
    make_known(acme, first_name="Old")
    lead_import = ready(alice, FILE, existing="overwrite")
    with pytest.raises(Killed):
        commit_beside(fresh(lead_import), die, before=2)
    assert 0 < fresh(lead_import).rows_done < 300
    return lead_import


def test_steps_aside_where_another_worker_has_written_known_people(behind: LeadImport) -> None:
    there = fresh(behind).rows_done

    commit_rows(lead_import=behind, pace=CALM, now=NOW)

    done = fresh(behind)
    assert (done.status, done.rows_done, done.error) == ("committing", there, "")


def test_steps_aside_where_somebody_takes_it_back(behind: LeadImport, alice: User) -> None:
    cancel_import(lead_import=fresh(behind), keep=False, actor=alice, now=NOW)

    commit_rows(lead_import=behind, pace=CALM, now=NOW)

    assert (fresh(behind).status, fresh(behind).error) == ("undoing", "")


def test_fails_nothing_when_the_answer_to_a_commit_is_lost(
    alice: User, acme: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_known(acme, first_name="Old")
    lead_import, lost = ready(alice, FILE, existing="overwrite"), [1]

    def run(*args: Any, **how: Any) -> Any:
        done = run_bulk(*args, **how)
        return run_bulk(*args, **how) if lost and lost.pop() else done

    monkeypatch.setattr(commit, "run_bulk", run)
    commit_rows(lead_import=lead_import, pace=CALM, now=NOW)
    assert fresh(lead_import).status == "committing"
    commit_rows(lead_import=fresh(lead_import), pace=CALM, now=NOW)  # as the next minute does

    done = fresh(lead_import)
    assert (done.status, done.counts["update"], done.counts["new"]) == ("committed", KNOWN, 240)
    assert Consent.objects.count() == Lead.objects.count() == 300


@pytest.mark.parametrize("person", [60, 90])
def test_imports_nobody_who_is_listed_while_they_wait(
    alice: User, acme: Client, monkeypatch: pytest.MonkeyPatch, person: int
) -> None:
    monkeypatch.setattr(commit, "is_slice_over", lambda: True)
    number = f"+121255501{person}"
    lead_import = ready(alice, FILE)

    def list_them() -> None:
        suppress(
            level=Suppression.Level.CLIENT,
            client_id=acme.pk,
            campaign_id=None,
            phone_number=number,
            source=Suppression.Source.PERSON,
            reason="",
            actor=System("tests"),
            now=NOW,
        )

    commit_beside(lead_import, list_them, before=2)

    counts = fresh(lead_import).counts
    assert (counts["new"], counts["suppressed_client"]) == (299, 1)
    assert not Lead.objects.filter(phone_number=number).exists()


def test_enrols_nobody_who_is_erased_while_they_wait(alice: User, acme: Client) -> None:
    campaign = make_draft(acme)
    lead = make_known(acme, first_name="Ada", consent_status="given")[5]
    lead_import = ready(alice, FILE.replace("N", "Ada"), campaign_id=campaign.pk)

    def erase() -> None:
        later = NOW + timedelta(seconds=1)
        assert erase_lead(lead=lead, reason="Asked for it.", actor=alice, now=later)

    commit_beside(lead_import, erase, before=1)

    assert fresh(lead_import).status == "committed"
    assert Enrolment.objects.count() == 299
    assert not Enrolment.objects.filter(lead=lead).exists()
    assert not Enrolment.objects.filter(phone_number="+12125550105").exists()
    assert not LeadImportChange.objects.filter(lead=lead).exists()


def test_leaves_whom_somebody_enrols_while_they_wait_to_them(
    alice: User, acme: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit, "is_slice_over", lambda: True)
    campaign, lead = (
        make_draft(acme),
        make_known(acme, first_name="Ada", consent_status="given")[-1],
    )
    lead_import = ready(alice, FILE.replace("N", "Ada"), campaign_id=campaign.pk)

    def enrol() -> None:
        assert enrol_lead(campaign=campaign, lead=lead, dynamic_vars={}, now=NOW)

    commit_beside(lead_import, enrol, before=3)
    counts = fresh(lead_import).counts
    assert (counts["update"], counts["dup_campaign"], counts["new"]) == (KNOWN - 1, 1, 240)

    taken_back(fresh(lead_import), alice)

    assert list(Enrolment.objects.values_list("lead_id", flat=True)) == [lead.pk]


def test_calls_nobody_who_takes_their_consent_back_while_they_wait(
    alice: User, acme: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit, "is_slice_over", lambda: True)
    campaign, lead = make_draft(acme), make_known(acme, first_name="N", consent_status="given")[-1]
    lead_import = ready(alice, FILE, campaign_id=campaign.pk)

    def revoke() -> None:
        Lead.objects.filter(pk=lead.pk).update(
            consent_status="revoked", updated_at=NOW + timedelta(seconds=1)
        )

    commit_beside(lead_import, revoke, before=3)

    assert fresh(lead_import).counts["no_consent"] == 1
    assert not Enrolment.objects.filter(lead=lead).exists()
    assert not Consent.objects.filter(lead=lead).exists()


@pytest.mark.django_db(transaction=True)
def test_counts_no_lead_as_restored_that_is_deleted(imported, alice, acme, monkeypatch):
    leads = make_known(acme, first_name="Ada", consent_status="none")
    done = imported("first name,phone\n" + "".join(f"Ada,{one.phone_number}\n" for one in leads))
    look = undo._Changed.look

    def looking(*args: Any) -> Any:
        seen = look(*args)
        for model in (LeadImportChange, Consent):
            model.objects.filter(lead=leads[1]).delete()
        Lead.objects.filter(pk=leads[1].pk).delete()
        return seen

    monkeypatch.setattr(undo._Changed, "look", looking)

    assert taken_back(done, alice) == {"restored": KNOWN - 1}
