"""An import taken back: what goes, what gets its values back, what stays and why."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accounts.models import Notification
from campaigns.models import Campaign, Enrolment
from campaigns.services.enrolment import enrol_lead
from convomono.lib.lane import run_bulk
from leads.imports import undo as undoing
from leads.imports.undo import undo_rows
from leads.imports.work import Pace, fail
from leads.models import Consent, Lead, LeadImport, LeadImportChange, MarkSet, Suppression
from leads.services import retention
from leads.services.imports import ImportMovedOn, cancel_import, undo_import
from tests.factories.accounts import NOW
from tests.factories.campaigns import make_draft
from tests.factories.leads import LeadFactory, SuppressionFactory, all_marks_known

FILE = "first name,company,phone\n" + "".join(f"P{n},Firm {n},21255501{n:02}\n" for n in range(90))


def undo(lead_import: LeadImport, actor, *, later=timedelta(0)) -> LeadImport:
    now = NOW + later
    undo_import(lead_import=lead_import, actor=actor, now=now, real_now=now)
    undo_rows(
        lead_import=LeadImport.objects.get(pk=lead_import.pk),
        pace=Pace(real_now=lambda: now, pause=lambda _seconds: None),
        now=now,
    )
    lead_import.refresh_from_db()
    return lead_import


def test_removes_every_lead_nobody_has_touched(imported, alice, target):
    done = undo(imported(FILE, campaign_id=target.campaign_id), alice)

    assert done.status == "undone"
    assert done.undo_counts == {"removed": 90, "phase": "done"}
    assert not Lead.objects.exists()
    assert not Consent.objects.exists()
    assert not target.enrolled
    assert done.undone_by_email == alice.email
    assert Notification.objects.filter(key=f"import.undone:{done.pk}").count() == 1


def test_leaves_what_was_dialled_or_changed_and_names_it(imported, alice, browse):
    done = imported(FILE)
    dialled, changed, noted = Lead.objects.order_by("phone_number")[:3]
    Lead.objects.filter(pk=dialled.pk).update(attempts_count=1, last_attempted_at=NOW)
    Lead.objects.filter(pk=changed.pk).update(
        first_name="Mended", updated_at=NOW + timedelta(hours=1)
    )
    Consent.objects.create(
        client=alice.client, lead=noted, kind="written", source="Call", given_at=NOW,
        recorded_by_email="x@x.test", created_at=NOW,
    )  # fmt: skip

    undo(done, alice)

    assert set(Lead.objects.values_list("pk", flat=True)) == {dialled.pk, changed.pk, noted.pk}
    reasons = dict(LeadImportChange.objects.values_list("lead_id", "left_reason"))
    assert reasons == {dialled.pk: "dialled", changed.pk: "changed", noted.pk: "changed"}
    assert done.undo_counts["removed"] == 87
    page = browse(alice).get(f"/app/imports/{done.pk}/left/").text
    assert "Mended" in page
    assert "Has been called" in page


def test_gives_known_leads_their_values_back(imported, acme, alice, target):
    lead = LeadFactory.create(
        client=acme,
        phone_number="+12125550100",
        first_name="Old",
        tags=["a"],
        consent_status="none",
    )
    before = Lead.objects.filter(pk=lead.pk).values().get()
    done = imported(FILE, campaign_id=target.campaign_id, existing="overwrite", tags=["new"])
    MarkSet.objects.filter(key=lead.marks_key).delete()  # as an erasure might
    lead.refresh_from_db()
    assert (lead.first_name, lead.tags, lead.consent_status) == ("P0", ["a", "new"], "given")

    undo(done, alice)

    after = Lead.objects.filter(pk=lead.pk).values().get()
    # The factory's search text is not the product's.
    moving = {"updated_at", "score", "search_text"}
    kept = [
        {name: value for name, value in row.items() if name not in moving}
        for row in (before, after)
    ]
    assert kept[0] == kept[1]
    assert all_marks_known()
    assert not Consent.objects.exists()
    assert done.undo_counts == {"removed": 89, "restored": 1, "phase": "done"}


def test_leaves_a_known_lead_that_was_changed_since(imported, acme, alice):
    lead = LeadFactory.create(client=acme, phone_number="+12125550100", company="")
    done = imported(FILE)
    Lead.objects.filter(pk=lead.pk).update(company="Newer", updated_at=NOW + timedelta(hours=1))

    undo(done, alice)

    lead.refresh_from_db()
    assert lead.company == "Newer"
    assert done.undo_counts["changed"] == 1


def test_never_undoes_a_do_not_call_or_a_consent_taken_back(imported, acme, alice):
    lead = LeadFactory.create(client=acme, phone_number="+12125550100", consent_status="none")
    done = imported(FILE)
    SuppressionFactory.create(client=acme, phone_number="+12125550101")
    Consent.objects.filter(lead=lead).update(revoked_at=NOW)
    Lead.objects.filter(pk=lead.pk).update(consent_status="revoked")

    undo(done, alice)

    lead.refresh_from_db()
    assert lead.consent_status == "revoked"
    assert Consent.objects.get(lead=lead).revoked_at == NOW
    assert Suppression.objects.filter(phone_number="+12125550101").exists()


@pytest.mark.parametrize("kills", [(0,), (1,), (2, 0, 1), (1, 1, 1, 1)])
def test_ends_the_same_when_it_is_killed(imported, acme, alice, target, kills):
    LeadFactory.create(client=acme, phone_number="+12125550100", first_name="Old")
    done = imported(FILE, campaign_id=target.campaign_id, existing="overwrite")
    undo_import(lead_import=done, actor=alice, now=NOW, real_now=NOW)

    class Killed(BaseException):
        pass

    for after in (*kills, 10**6):
        left = [after]

        def pause(_seconds, left=left):
            left[0] -= 1
            if left[0] < 0:
                raise Killed

        try:
            undo_rows(
                lead_import=LeadImport.objects.get(pk=done.pk),
                pace=Pace(real_now=lambda: NOW, pause=pause),
                now=NOW,
            )
        except Killed:
            continue

    done.refresh_from_db()
    assert done.undo_counts == {"removed": 89, "restored": 1, "phase": "done"}
    assert Lead.objects.get().first_name == "Old"


def test_takes_back_what_a_stopped_commit_had_imported(
    imported, alice, run_jobs, django_capture_on_commit_callbacks
):
    done = imported(FILE)
    LeadImport.objects.filter(pk=done.pk).update(status="committing")
    done.refresh_from_db()

    with django_capture_on_commit_callbacks(execute=True):
        cancel_import(lead_import=done, keep=False, actor=alice, now=NOW, real_now=NOW)
    run_jobs()

    done.refresh_from_db()
    assert done.status == "undone"
    assert not Lead.objects.exists()


def test_can_be_undone_once_and_for_30_days(imported, alice):
    done = imported(FILE)
    LeadImport.objects.filter(pk=done.pk).update(finished_at=NOW)
    done.refresh_from_db()

    with pytest.raises(ImportMovedOn):
        undo(done, alice, later=timedelta(days=31))
    undo(done, alice, later=timedelta(days=29))
    with pytest.raises(ImportMovedOn):
        undo(done, alice)


def test_keeps_that_a_lead_was_changed_and_not_what_stood_there_before(
    imported, acme, browse, mia, monkeypatch
):
    monkeypatch.setattr(retention, "_AT_ONCE", 2)
    numbers = [f"+1212555010{n}" for n in range(5)]
    for number in numbers:
        LeadFactory.create(client=acme, phone_number=number, company="Old Firm")
    imported("phone\n+12125550109\n")
    met = Lead.objects.get(phone_number="+12125550109")
    lines = [f"{number},Firm {number[-1]}" for number in numbers] + ["+12125550109,"]
    done = imported("\n".join(["phone,company", *lines]), existing="overwrite")
    changes = LeadImportChange.objects.filter(lead_import=done)
    assert changes.filter(before__company="Old Firm").count() == 5
    assert retention.purge_import_files(now=done.finished_at + timedelta(days=29)) == 0
    assert changes.filter(before__company="Old Firm").count() == 5

    after = done.finished_at + timedelta(days=31)
    assert [retention.purge_import_files(now=after) for _twice in range(2)] == [2, 0]

    assert changes.count() == 6
    assert "Old Firm" not in str(list(changes.values_list("before", flat=True)))
    lead = Lead.objects.get(phone_number=numbers[0])
    browser = browse(mia)
    assert "Changed by an import" in browser.get(f"/app/leads/{lead.pk}/").text
    assert "Found again by an import" in browser.get(f"/app/leads/{met.pk}/").text


def test_goes_on_forgetting_earlier_values_where_it_was_killed(imported, acme, monkeypatch):
    monkeypatch.setattr(retention, "_AT_ONCE", 1)
    for n in range(3):
        LeadFactory.create(client=acme, phone_number=f"+1212555010{n}", company="Old Firm")
    done = imported(FILE, existing="overwrite")
    after = done.finished_at + timedelta(days=31)

    def killed(_block):
        raise KeyboardInterrupt

    def killed_in_the_second(block):
        return next(runs)(block)

    runs = iter([run_bulk, killed])
    monkeypatch.setattr(retention, "run_bulk", killed_in_the_second)

    with pytest.raises(KeyboardInterrupt):
        retention.purge_import_files(now=after)
    left = LeadImportChange.objects.filter(before__company="Old Firm")
    assert left.count() == 2
    monkeypatch.setattr(retention, "run_bulk", run_bulk)
    assert retention.purge_import_files(now=after) == 1

    assert not left.exists()


def test_removes_leads_from_a_campaign_that_was_archived_since(imported, alice, acme):
    campaign = make_draft(acme)
    done = imported(FILE, campaign_id=campaign.pk)
    assert Enrolment.objects.filter(campaign=campaign).count() == 90
    Campaign.objects.filter(pk=campaign.pk).update(status="archived")

    assert undo(done, alice).undo_counts == {"removed": 90, "phase": "done"}
    assert not Enrolment.objects.exists()
    assert not Lead.objects.exists()


def test_removes_leads_that_a_later_import_met_and_left_as_they_were(imported, alice, acme):
    first = imported(FILE)
    campaign = make_draft(acme)
    later = imported(FILE, campaign_id=campaign.pk, consent=None)
    assert LeadImportChange.objects.filter(lead_import=later).count() == 90
    Enrolment.objects.all().delete()  # taken out of the campaign by somebody

    assert undo(first, alice).undo_counts == {"removed": 90, "phase": "done"}
    assert not Lead.objects.exists()


def test_leaves_other_campaigns_alone_when_the_import_had_none(imported, alice, acme):
    done = imported(FILE)
    campaign = make_draft(acme)
    lead = Lead.objects.order_by("pk")[0]
    enrol_lead(campaign=campaign, lead=lead, dynamic_vars={}, now=NOW)

    assert undo(done, alice).undo_counts["enrolled"] == 1
    assert Enrolment.objects.get().lead == lead


@pytest.mark.usefixtures("at_that_time")
def test_takes_back_what_a_failed_commit_had_imported(imported, alice, browse):
    done = imported(FILE)
    LeadImport.objects.filter(pk=done.pk).update(status="committing", finished_at=None)
    done.refresh_from_db()
    fail(done, reason="The disk is full.", now=NOW)
    done.refresh_from_db()
    assert "Undo this import" in browse(alice).get(f"/app/imports/{done.pk}/").text

    undo(done, alice)

    assert done.status == "undone"
    assert not Lead.objects.exists()


@pytest.mark.parametrize("way", ["fail", "cancel"])
def test_offers_no_undo_of_a_dry_run(imported, alice, way):
    done = imported(FILE, commit=False)
    if way == "fail":
        LeadImport.objects.filter(pk=done.pk).update(status="checking")
        fail(done, reason="The file is gone.", now=NOW)
    else:
        cancel_import(lead_import=done, actor=alice, now=NOW)
    done.refresh_from_db()

    with pytest.raises(ImportMovedOn):
        undo(done, alice)


def test_reverts_when_the_commit_began_after_the_page_was_read(imported, alice):
    done = imported(FILE, commit=False)
    LeadImport.objects.filter(pk=done.pk).update(status="committing", rows_done=40)

    cancel_import(lead_import=done, keep=False, actor=alice, now=NOW, real_now=NOW)

    assert LeadImport.objects.get(pk=done.pk).status == "undoing"


def test_goes_on_with_an_undo_that_failed_half_way(imported, alice, monkeypatch):
    monkeypatch.setattr(undoing, "BATCH", 30)
    done = imported(FILE)
    kept = Lead.objects.order_by("pk").first()
    assert kept is not None
    Lead.objects.filter(pk=kept.pk).update(attempts_count=1, last_attempted_at=NOW)
    undo_import(lead_import=done, actor=alice, now=NOW, real_now=NOW)
    done.refresh_from_db()
    pace = Pace(real_now=lambda: NOW, pause=lambda _seconds: None)
    undoing._batch(done, undoing._Created.look, pace=pace, now=NOW)
    fail(done, reason="Something went wrong.", now=NOW)
    assert Lead.objects.count() == 61

    done = undo(LeadImport.objects.get(pk=done.pk), alice)

    assert done.status == "undone"
    assert done.undo_counts == {"removed": 89, "dialled": 1, "phase": "done"}
    assert LeadImportChange.objects.get().left_reason == "dialled"
    assert Lead.objects.get() == kept
