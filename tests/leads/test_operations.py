"""Changes to many leads: what each does, that it goes on where it was killed, and its undo."""

from __future__ import annotations

import csv
import io
import sqlite3
from datetime import timedelta
from typing import TYPE_CHECKING

import openpyxl
import pytest
from django.db import connection

from audit.models import AuditLog
from campaigns.models import Enrolment
from campaigns.services.enrolment import enrol_lead
from convomono.lib import files
from leads import lead_table
from leads.imports.work import Pace
from leads.jobs import purge_operation_rows
from leads.models import (
    UNDO_FOR,
    Consent,
    Lead,
    LeadNote,
    LeadOperation,
    LeadOperationRow,
    Suppression,
)
from leads.operations import export, work
from leads.operations.kinds import change_of
from leads.services import LeadFields, retention
from leads.services.consents import record_consent
from leads.services.erasure import erase_lead
from leads.services.notes import add_note
from leads.services.operations import start_operation
from leads.services.people import ConsentStatement, change_lead
from tests.factories.accounts import NOW
from tests.factories.campaigns import make_draft
from tests.factories.leads import ConsentFactory, LeadFactory, SuppressionFactory, all_marks_known

if TYPE_CHECKING:
    from leads.models.operations import OperationParams

LIST = "/app/leads/change/"


@pytest.fixture
def change(browse, mia, run_jobs, django_capture_on_commit_callbacks):
    """Do something with many leads as a manager would, jobs included; return the operation."""

    def do(kind, leads=(), user=mia, **fields) -> LeadOperation:
        data = {"kind": kind, "scope": "chosen", "lead": [lead.pk for lead in leads], **fields}
        with django_capture_on_commit_callbacks(execute=True):
            answer = browse(user).post(LIST, {"confirmed": "1", **data})
        assert answer.status_code == 302, answer.text
        run_jobs()
        return LeadOperation.objects.latest("created_at")

    return do


@pytest.fixture
def undo(browse, mia, run_jobs, django_capture_on_commit_callbacks):
    def take_back(operation: LeadOperation) -> LeadOperation:
        with django_capture_on_commit_callbacks(execute=True):
            browse(mia).post(f"/app/leads/changes/{operation.pk}/undo/")
        run_jobs()
        operation.refresh_from_db()
        return operation

    return take_back


def counts(operation) -> tuple[int, int]:
    operation.refresh_from_db()
    return operation.changed_count, operation.skipped_count


def test_asks_with_the_number_before_it_does_anything(browse, mia, acme, rival):
    LeadFactory.create_batch(3, client=acme, status="called")
    LeadFactory.create(client=acme)
    LeadFactory.create(client=rival, status="called")

    page = browse(mia).post(LIST, {"kind": "delete", "scope": "all", "query": "status=called"})

    assert page.status_code == 200
    assert "Delete 3 leads" in page.text
    assert not LeadOperation.objects.exists()


@pytest.mark.parametrize(
    ("kind", "consequence"),
    [
        ("export", "made in the background"),
        ("delete", "Leads that were called stay"),
        ("tag", "undo"),
    ],
)
def test_says_what_follows_before_it_is_done(browse, mia, acme, kind, consequence):
    lead = LeadFactory.create(client=acme)

    page = browse(mia).post(LIST, {"kind": kind, "scope": "chosen", "lead": [lead.pk]}).text

    assert consequence in page


def test_asks_to_tick_leads_first_and_for_what_belongs_to_it(browse, mia, acme):
    lead = LeadFactory.create(client=acme)
    browser = browse(mia)

    assert browser.post(LIST, {"kind": "tag", "scope": "chosen"})["Location"] == "/app/leads/"
    wrong = {"kind": "tag", "lead": lead.pk, "confirmed": "1", "tag": "a,b"}
    assert browser.post(LIST, wrong).status_code == 422
    assert browser.post(LIST, {"kind": "odd"}).status_code == 400


def test_tags_all_that_match_and_takes_it_back(change, undo, acme, rival):
    tagged = LeadFactory.create(client=acme, tags=["vip"], status="called")
    leads = LeadFactory.create_batch(50, client=acme, status="called")
    other, theirs = LeadFactory.create(client=acme), LeadFactory.create(client=rival)

    operation = change("tag", scope="all", query="status=called", tag="vip")

    assert counts(operation) == (50, 1)
    assert operation.status == "done"
    for lead in leads:
        lead.refresh_from_db()
        assert lead.tags == ["vip"]
        assert "#vip " in lead.search_text
    other.refresh_from_db()
    theirs.refresh_from_db()
    assert (other.tags, theirs.tags) == ([], [])

    leads[0].tags = ["vip", "own"]
    leads[0].note_texts()
    leads[0].save()
    leads[1].delete()
    undo(operation)

    assert (operation.status, operation.undone_count, operation.kept_count) == ("undone", 48, 2)
    leads[0].refresh_from_db()
    leads[2].refresh_from_db()
    tagged.refresh_from_db()
    assert (leads[0].tags, leads[2].tags, tagged.tags) == (["vip", "own"], [], ["vip"])


@pytest.mark.parametrize("kind", ["tag", "delete", "suppress"])
def test_touches_no_lead_of_another_client_that_is_named(change, browse, mia, acme, rival, kind):
    own, theirs = LeadFactory.create(client=acme), LeadFactory.create(client=rival)

    operation = change(kind, leads=[own, theirs], tag="vip", reason="Asked")
    alone = browse(mia).post(LIST, {"kind": kind, "scope": "chosen", "lead": [theirs.pk]})

    assert (operation.total_count, sum(counts(operation))) == (1, 1)
    assert alone["Location"] == "/app/leads/"  # nobody was chosen
    untouched = Lead.objects.get(pk=theirs.pk)
    assert (untouched.tags, untouched.status) == ([], theirs.status)


def test_names_what_was_left_alone(change, undo, browse, vera, acme):
    had, lead = (
        LeadFactory.create(client=acme, first_name="Had", tags=["vip"]),
        LeadFactory.create(client=acme, first_name="Edited"),
    )
    operation = change("tag", [had, lead], tag="vip")
    Lead.objects.filter(pk=lead.pk).update(tags=[])
    undo(operation)

    page = browse(vera).get(f"/app/leads/changes/{operation.pk}/").text

    assert "Had the tag already." in page
    assert "Was changed since" in page


def test_takes_a_tag_off(change, undo, acme):
    lead = LeadFactory.create(client=acme, tags=["vip", "x"], search_text="+1 #vip #x ")

    operation = change("untag", [lead], tag="vip")
    lead.refresh_from_db()
    assert lead.tags == ["x"]

    undo(operation)
    lead.refresh_from_db()
    assert lead.tags == ["vip", "x"]


def test_enrols_and_takes_back_those_that_still_wait(change, undo, acme):
    campaign = make_draft(acme)
    leads = LeadFactory.create_batch(3, client=acme, first_name="Ada")
    enrol_lead(campaign=campaign, lead=leads[0], dynamic_vars={}, now=NOW)

    operation = change("enrol", leads, campaign_id=campaign.pk)

    assert counts(operation) == (2, 1)
    assert Enrolment.objects.filter(campaign=campaign).count() == 3
    assert Enrolment.objects.get(lead=leads[1]).dynamic_vars == {}

    Enrolment.objects.filter(lead=leads[2]).update(attempt_number=1)
    undo(operation)

    assert (operation.undone_count, operation.kept_count) == (1, 1)
    assert set(Enrolment.objects.values_list("lead_id", flat=True)) == {leads[0].pk, leads[2].pk}


def test_enrols_into_no_campaign_of_another_client(browse, mia, rival, acme):
    lead = LeadFactory.create(client=acme)
    data = {"kind": "enrol", "lead": lead.pk, "confirmed": "1"}

    answer = browse(mia).post(LIST, data | {"campaign_id": make_draft(rival).pk})

    assert answer.status_code == 422


def test_suppresses_and_takes_back_its_own_entries_alone(change, undo, acme):
    listed, lead, lifted = (
        LeadFactory.create(client=acme, status="called", attempts_count=1) for _ in range(3)
    )
    change("suppress", [listed], reason="Earlier")
    operation = change("suppress", [listed, lead, lifted], reason="Asked by mail")

    assert counts(operation) == (2, 1)
    lead.refresh_from_db()
    assert lead.status == "suppressed"
    entry = Suppression.objects.get(phone_number=lead.phone_number)
    assert (entry.reason, entry.level, entry.client) == ("Asked by mail", "client", acme)

    Suppression.objects.filter(phone_number=lifted.phone_number).delete()
    undo(operation)

    assert (operation.undone_count, operation.kept_count) == (1, 1)
    # Two changes name this number: an undo of neither lets it be called.
    assert Suppression.objects.get().phone_number == listed.phone_number
    lead.refresh_from_db()
    assert lead.status == "called"


def test_leaves_whom_another_list_forbids_and_tells_what_calls_came_to(change, undo, acme):
    free, forbidden = LeadFactory.create(client=acme), LeadFactory.create(client=acme)
    enrol_lead(campaign=make_draft(acme), lead=free, dynamic_vars={}, now=NOW)
    operation = change("suppress", [free, forbidden], reason="Asked by mail")
    SuppressionFactory.create(client=None, level="agency", phone_number=forbidden.phone_number)
    Enrolment.objects.update(status="exhausted")

    undo(operation)

    for lead, status in ((free, "exhausted"), (forbidden, "suppressed")):
        lead.refresh_from_db()
        assert lead.status == status


def test_deletes_whom_nobody_called_and_brings_them_back_whole(change, undo, acme):
    campaign = make_draft(acme)
    lead, called, again = (LeadFactory.create(client=acme, first_name="Ada") for _ in range(3))
    consent = ConsentFactory.create(lead=lead)
    for one in (lead, called):
        enrol_lead(campaign=campaign, lead=one, dynamic_vars={"x": "1"}, now=NOW)
    Enrolment.objects.filter(lead=called).update(attempt_number=1)

    operation = change("delete", [lead, called, again])

    assert counts(operation) == (2, 1)
    assert set(Lead.objects.all()) == {called}
    assert not Consent.objects.exists()

    newer = LeadFactory.create(client=acme, phone_number=again.phone_number)
    undo(operation)

    assert (operation.undone_count, operation.kept_count) == (1, 1)
    back = Lead.objects.get(pk=lead.pk)
    for field in Lead._meta.concrete_fields:
        assert getattr(back, field.attname) == getattr(lead, field.attname), field
    assert Consent.objects.get() == consent
    assert Enrolment.objects.get(lead=lead).dynamic_vars["x"] == "1"
    assert Lead.objects.get(phone_number=again.phone_number) == newer


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_exports_what_matches_without_formulas(change, browse, mia, vera, acme, rival, kind):
    LeadFactory.create(client=acme, first_name="=HYPERLINK()", phone_number="+12125550101")
    LeadFactory.create(client=acme, first_name="Grace", status="called")
    LeadFactory.create(client=rival, first_name="Stranger")

    operation = change("export", scope="all", query="status=new", format=kind)

    address = f"/app/leads/changes/{operation.pk}/file/"
    answer = browse(mia).get(address)
    content = b"".join(answer.streaming_content)
    if kind == "csv":
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    else:
        sheet = openpyxl.load_workbook(io.BytesIO(content)).active
        rows = [list(row) for row in sheet.iter_rows(values_only=True)]
        assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
    assert answer["Content-Disposition"] == f'attachment; filename="leads.{kind}"'
    assert len(rows) == 2
    assert rows[1][1:3] == ["'+12125550101", "'=HYPERLINK()"]
    assert AuditLog.objects.filter(action="leads.exported").count() == 1
    assert AuditLog.objects.filter(action="leads.rows_downloaded").count() == 1
    assert browse(vera).get(address).status_code == 403
    files.delete_stored(operation.stored_name)


@pytest.fixture
def operation(acme, mia) -> LeadOperation:
    LeadFactory.create_batch(130, client=acme)
    return start_operation(
        client=acme,
        kind="tag",
        params={"tag": "vip", "filters": {}},
        total=130,
        actor=mia,
        now=NOW + timedelta(days=1),
        real_now=NOW,
    )


class Killed(BaseException):
    """The worker dies."""


@pytest.mark.parametrize("slices", [1, 2, 3])
def test_goes_on_where_a_worker_was_killed(operation, slices, no_pause):
    left = [slices]

    def pause(_seconds):
        left[0] -= 1
        if not left[0]:
            raise Killed

    with pytest.raises(Killed):
        work.run_operation(operation=operation, pace=Pace(lambda: NOW, pause), now=NOW)
    operation.refresh_from_db()
    assert operation.changed_count == slices * work.SLICE

    assert work.run_operation(operation=operation, pace=Pace(lambda: NOW), now=NOW)

    assert counts(operation) == (130, 0)
    assert LeadOperationRow.objects.count() == 130
    assert not Lead.objects.exclude(search_text__contains="#vip ").exists()
    assert all_marks_known()
    assert not work.run_operation(operation=operation, pace=Pace(lambda: NOW), now=NOW)


def test_stops_where_somebody_cancels_it_and_can_be_undone_from_there(
    operation, browse, mia, undo, no_pause
):
    def pause(_seconds):
        browse(mia).post(f"/app/leads/changes/{operation.pk}/cancel/")

    work.run_operation(operation=operation, pace=Pace(lambda: NOW, pause), now=NOW)

    assert counts(operation) == (work.SLICE, 0)
    assert operation.status == "cancelled"
    LeadOperation.objects.filter(pk=operation.pk).update(created_at=_now())
    undo(operation)
    assert operation.undone_count == work.SLICE
    assert not Lead.objects.filter(search_text__contains="#vip ").exists()
    assert all_marks_known()


def test_leaves_out_whoever_came_after_it_began(operation, acme, no_pause):
    late = LeadFactory.create(client=acme, created_at=NOW + timedelta(days=2))

    work.run_operation(operation=operation, pace=Pace(lambda: NOW), now=NOW)

    late.refresh_from_db()
    assert late.tags == []


def test_does_a_slice_again_when_a_lead_changed_under_it(operation, monkeypatch, no_pause):
    first = Lead.objects.order_by("created_at", "pk").first()
    assert first is not None
    plan = change_of(operation, now=NOW, pace=Pace(lambda: NOW)).plan

    def edit_meanwhile(self, leads):
        rows = plan(leads)
        if first.search_text != "edited ":
            first.search_text = "edited "
            first.save()
        return rows

    monkeypatch.setattr("leads.operations.kinds.Tag.plan", edit_meanwhile)

    work.run_operation(operation=operation, pace=Pace(lambda: NOW), now=NOW)

    assert counts(operation) == (130, 0)
    first.refresh_from_db()
    assert first.tags == ["vip"]


def test_undoes_nothing_after_30_days(operation, browse, mia, no_pause):
    work.run_operation(operation=operation, pace=Pace(lambda: NOW), now=NOW)
    LeadOperation.objects.update(created_at=_now() - timedelta(days=31))

    page = browse(mia).post(f"/app/leads/changes/{operation.pk}/undo/", follow=True).text

    assert "can&#x27;t be undone" in page
    operation.refresh_from_db()
    assert operation.status == "done"


def test_keeps_another_clients_changes_hidden(operation, browse, charlie, vera):
    for path, verb in (("", "get"), ("cancel/", "post"), ("undo/", "post"), ("file/", "get")):
        ask = getattr(browse(charlie), verb)
        assert ask(f"/app/leads/changes/{operation.pk}/{path}").status_code == 404
    assert str(operation.pk) not in browse(charlie).get("/app/leads/changes/").text
    assert str(operation.pk) in browse(vera).get("/app/leads/changes/").text


def _now():
    from convomono.lib import clock

    return clock.now()


def test_keeps_a_deleted_lead_for_the_undo_and_no_longer(change, mia, acme):
    change("delete", [LeadFactory.create(client=acme, first_name="Ada")])
    assert purge_operation_rows() == 0
    assert "Ada" in str(LeadOperationRow.objects.get().before)

    LeadOperation.objects.update(created_at=LeadOperation.objects.get().created_at - UNDO_FOR)
    assert purge_operation_rows() == 1
    assert not LeadOperationRow.objects.exists()
    assert LeadOperation.objects.get().changed_count == 1


@pytest.mark.sqlite_only("SQLite has one lock for all writers")
@pytest.mark.django_db(transaction=True)
def test_exports_more_than_a_chunk_beside_somebody_who_writes(acme, mia, monkeypatch):
    monkeypatch.setattr(export, "CHUNK", 10)
    LeadFactory.create_batch(35, client=acme)
    operation = start_operation(
        client=acme, kind="export", params={"filters": {}, "format": "csv"}, total=35, actor=mia,
        now=NOW + timedelta(days=1), real_now=NOW,
    )  # fmt: skip
    other = sqlite3.connect(connection.settings_dict["NAME"], timeout=5)
    seen = []

    def written(row):
        seen.append(row.pk)
        other.execute("UPDATE leads_lead SET company = 'x' WHERE _id = ?", [row.pk.hex])
        other.commit()

    lines = lead_table.lead_lines

    def lead_lines(rows):
        return lines(row for row in rows if not written(row))

    monkeypatch.setattr(export, "lead_lines", lead_lines)
    try:
        assert export.export_leads(operation=operation, pace=Pace(lambda: NOW), now=NOW)
    finally:
        other.close()

    operation.refresh_from_db()
    assert (operation.status, operation.changed_count) == ("done", 35)
    assert len(set(seen)) == 35
    files.delete_stored(operation.stored_name)


def test_deletes_the_file_of_an_export_after_a_week(change, browse, mia, acme):
    LeadFactory.create(client=acme)
    operation = change("export", scope="all", format="csv")
    operation.refresh_from_db()
    assert retention.purge_exports(now=operation.finished_at + timedelta(days=6)) == 0

    assert retention.purge_exports(now=operation.finished_at + timedelta(days=8)) == 1

    assert retention.purge_exports(now=operation.finished_at + timedelta(days=8)) == 0
    with pytest.raises(FileNotFoundError):
        files.open_stored(operation.stored_name)
    assert "Export again" in browse(mia).get(f"/app/leads/changes/{operation.pk}/").text


# People who are erased while somebody works on them


@pytest.mark.parametrize("kind", ["tag", "suppress", "enrol", "delete"])
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_leaves_an_erased_person_erased(change, acme, alice, monkeypatch, kind, when):
    gone = LeadFactory.create(client=acme, first_name="Ada", phone_number="+12125550188")
    other = LeadFactory.create(client=acme)
    plan = change_of
    if when == "before":
        erase_lead(lead=gone, reason="Asked", actor=alice, now=NOW)

    def erased_meanwhile(operation, *, now, pace):
        """Erase her after the leads of the slice were read."""
        found = plan(operation, now=now, pace=pace)
        planned = found.plan

        def plan_then_erase(leads):
            rows = planned(leads)
            erase_lead(lead=gone, reason="Asked", actor=alice, now=NOW)
            return rows

        monkeypatch.setattr(found, "plan", plan_then_erase)
        return found

    if when == "meanwhile":
        monkeypatch.setattr(work, "change_of", erased_meanwhile)
    params: OperationParams = {
        "tag": "vip", "reason": "Old", "campaign_id": str(make_draft(acme).pk),
        "ids": [str(gone.pk), str(other.pk)],
        "filters": {"status": "erased"} if when == "before" else {},
    }  # fmt: skip
    operation = start_operation(
        client=acme, kind=kind, params=params,
        total=2, actor=alice, now=NOW + timedelta(days=1), real_now=NOW,
    )  # fmt: skip
    work.run_operation(operation=operation, pace=Pace(lambda: NOW, lambda _seconds: None), now=NOW)

    gone.refresh_from_db()
    assert (gone.status, gone.tags, gone.first_name) == ("erased", [], "")
    assert not Enrolment.objects.filter(lead=gone).exists()
    assert not Suppression.objects.filter(phone_number__contains="5550188").exists()
    row = LeadOperationRow.objects.get(lead_id=gone.pk)
    assert row.note == "erased"
    assert "Ada" not in row.label


def test_keeps_nothing_that_is_told_of_a_person_erased_meanwhile(acme, alice):
    lead = LeadFactory.create(client=acme, first_name="Ada")
    seen = Lead.objects.get(pk=lead.pk)
    erase_lead(lead=lead, reason="Asked", actor=alice, now=NOW)
    statement = ConsentStatement("written", "Web form", "", NOW)

    assert not change_lead(
        lead=seen, fields=LeadFields(first_name="Ada"), tags=["vip"], actor=alice, now=NOW
    )
    assert add_note(lead=seen, text="Ada again", actor=alice, now=NOW) is None
    assert record_consent(
        lead=seen, statement=statement, proof=io.BytesIO(b"x"), proof_name="x.pdf",
        actor=alice, now=NOW,
    ) is None  # fmt: skip

    lead.refresh_from_db()
    assert (lead.first_name, lead.tags, lead.consent_status) == ("", [], "none")
    assert not Consent.objects.exists()
    assert not LeadNote.objects.exists()


def test_exports_a_workbook_whatever_characters_a_lead_has(change, browse, mia, acme):
    LeadFactory.create(
        client=acme, first_name="A\x0bda\ufffe", company="\x01=1+1", tags=["v\x1fip"]
    )

    operation = change("export", scope="all", format="xlsx")

    answer = browse(mia).get(f"/app/leads/changes/{operation.pk}/file/")
    sheet = openpyxl.load_workbook(io.BytesIO(b"".join(answer.streaming_content))).active
    cells = next(sheet.iter_rows(min_row=2, values_only=True))
    assert {"Ada", "'=1+1", "vip"} <= set(cells)
    files.delete_stored(operation.stored_name)
