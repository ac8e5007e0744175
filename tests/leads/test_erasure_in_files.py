"""An erased person goes from every store: uploads, verdict files, samples, exports, reports, webhooks."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from django.conf import settings

from accounts.models import Client, ClientEvent
from convomono.lib import clock, files
from convomono.lib.redis import redis_connection
from leads.imports import verdict_file
from leads.imports.error_file import error_lines
from leads.imports.work import Pace
from leads.jobs import forget_person, resume_forgetting, work_on_operation
from leads.models import (
    Erasure,
    Lead,
    LeadImport,
    LeadImportChange,
    LeadImportRow,
    LeadOperation,
    LeadOperationRow,
)
from leads.services.erasure import erase_lead
from leads.services.imports import cancel_import
from leads.services.operations import delete_lead, start_operation, undo_operation as ask_undo
from leads.services.retention import end_abandoned_imports, purge_import_files
from reporting.jobs import delete_reports_of_erased
from reporting.models import Report
from telephony.models import Call
from tests.factories.accounts import NOW
from tests.factories.leads import LeadFactory, upload
from tests.factories.webhooks import delivery
from webhooks.erasing import erase_bodies, without_person
from webhooks.models import WebhookEvent

NUMBER = "+12125550171"
FILE = (
    "Phone,First name,Company\n"
    "(212) 555-0171,Adaline,Firm\n"
    "+1 212 555 0171,Adaline again,Firm\n"
    "12,Bob,Broken\n"
    "212-555-0172,Cid,Other\n"
)


@pytest.fixture
def erased(alice, run_jobs, django_capture_on_commit_callbacks):
    """Erase whoever has the number, jobs included."""

    def run(number: str = NUMBER) -> Erasure:
        lead = Lead.objects.get(phone_number=number)
        with django_capture_on_commit_callbacks(execute=True):
            assert erase_lead(lead=lead, reason="Asked", actor=alice, now=clock.now())
        run_jobs()
        return Erasure.objects.get(lead_id=lead.pk)

    return run


def everything_stored() -> bytes:
    """Return all stored files of this test's clients, one behind the other."""
    folder = Path(settings.STORAGES["default"]["OPTIONS"]["location"])
    ours = {str(pk) for pk in Client.objects.values_list("pk", flat=True)}
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return b"".join(path.read_bytes() for path in found if ours & set(path.parts))


def test_takes_a_person_out_of_the_files_and_rows_of_an_import(imported, erased):
    lead_import = imported(FILE)
    LeadImportRow.objects.create(
        client_id=lead_import.client_id, lead_import=lead_import, row_number=9, verdict="dup_file",
        values=["2125550171", "Adaline", ""],
    )  # fmt: skip
    assert b"Adaline" in everything_stored()

    erasure = erased()

    assert erasure.done_at is not None
    assert erasure.counts == {"imports": 1, "exports": 0, "deleted": 0, "open": 0}
    assert erasure.number_hash == ""
    stored = everything_stored()
    for word in (b"Adaline", b"0171"):
        assert word not in stored
    row = LeadImport.objects.get()
    assert row.stored_name == ""
    assert "Adaline" not in str(LeadImport.objects.values().get())
    assert "Cid" in str(row.detected["samples"])
    assert LeadImportRow.objects.get().values == ["", "", ""]
    with verdict_file.read(row.verdicts_name) as ledger:
        assert ledger is not None
        assert ledger.kept_row(12125550171) is None
        assert ledger.kept_row(12125550172) == 5
        assert ledger.count("dup_file") == 1  # the verdicts still add up
        broken = ledger.row(4)
        assert broken is not None
        assert broken.cells == ["12", "Bob", "Broken"]
    assert "Bob" in "".join(map(str, error_lines(lead_import=row)))


def test_leaves_the_imports_of_others_alone(imported, erased, charlie):
    other = imported(FILE, user=charlie)
    imported(FILE)

    lead = Lead.objects.get(phone_number=NUMBER, client=other.client)
    Lead.objects.filter(pk=lead.pk).update(phone_number="+12125550179")
    erased()

    row = LeadImport.objects.get(pk=other.pk)
    with files.open_stored(row.stored_name) as stored:
        assert b"Adaline" in stored.read()
    assert "Adaline" in str(row.detected["samples"])


def test_waits_for_an_import_that_goes_on_and_cleans_it_at_its_end(
    alice, acme, imported, erased, run_jobs, django_capture_on_commit_callbacks
):
    LeadFactory.create(client=acme, phone_number=NUMBER)
    waiting = imported(FILE, commit=False)

    erasure = erased()
    assert (erasure.done_at, erasure.counts["open"]) == (None, 1)

    cancel_import(lead_import=waiting, keep=True, actor=alice, now=NOW, real_now=NOW)
    with django_capture_on_commit_callbacks(execute=True):
        assert resume_forgetting() == 1
    run_jobs()
    erasure.refresh_from_db()
    assert erasure.done_at is not None
    assert b"Adaline" not in everything_stored()
    assert resume_forgetting() == 0
    forget_person(erasure_id=erasure.pk)  # a second time does nothing


def is_done(erasure):
    erasure.refresh_from_db()
    return erasure.done_at is not None


@pytest.mark.parametrize("status", ["uploaded", "checked"])
def test_ends_although_somebody_has_left_an_upload(
    alice, acme, imported, erased, run_jobs, django_capture_on_commit_callbacks, status
):
    LeadFactory.create(client=acme, phone_number=NUMBER)
    row = upload(alice, FILE) if status == "uploaded" else imported(FILE, commit=False)
    erasure = erased()
    assert not is_done(erasure)
    assert end_abandoned_imports(now=NOW + timedelta(days=6)) == 0

    with django_capture_on_commit_callbacks(execute=True):
        assert end_abandoned_imports(now=NOW + timedelta(days=8)) == 1
        resume_forgetting()
    assert b"Adaline" not in everything_stored()
    run_jobs()

    assert is_done(erasure)
    assert erasure.number_hash == ""
    assert b"Adaline" not in everything_stored()
    assert LeadImport.objects.get(pk=row.pk).status == "cancelled"
    assert end_abandoned_imports(now=NOW + timedelta(days=8)) == 0


def test_keeps_no_spreadsheet_longer_than_its_undo(
    imported, browse, alice, django_capture_on_commit_callbacks
):
    done = imported(FILE)
    ended = done.finished_at
    assert purge_import_files(now=ended + timedelta(days=29)) == 0
    with django_capture_on_commit_callbacks(execute=True):
        assert purge_import_files(now=ended + timedelta(days=31)) == 1

    assert b"Adaline" not in everything_stored()
    assert "Adaline" not in str(LeadImport.objects.values().get())
    browser = browse(alice)
    assert browser.get(f"/app/imports/{done.pk}/").status_code == 200
    assert browser.get(f"/app/imports/{done.pk}/rows/phone_too_short/").status_code == 200
    assert browser.get(f"/app/imports/{done.pk}/errors/").status_code == 200
    assert purge_import_files(now=ended + timedelta(days=31)) == 0


def test_deletes_an_upload_that_ended_before_anybody_looked(alice, acme, erased):
    LeadFactory.create(client=acme, phone_number=NUMBER)
    row = upload(alice, FILE)
    cancel_import(lead_import=row, keep=True, actor=alice, now=NOW, real_now=NOW)

    erased()

    assert b"Adaline" not in everything_stored()
    assert LeadImport.objects.get().detected["samples"] == []


def test_forgets_what_an_import_replaced(imported, acme, erased):
    LeadFactory.create(client=acme, phone_number=NUMBER, company="Secret Ltd")
    imported(FILE, existing="overwrite")
    assert "Secret" in str(LeadImportChange.objects.values().get())

    erased()

    assert LeadImportChange.objects.get().before == {}


def test_deletes_exports_that_may_hold_the_person(acme, alice, erased, browse):
    LeadFactory.create(client=acme, phone_number=NUMBER, first_name="Adaline")
    operation = start_operation(
        client=acme, kind="export", params={"format": "csv"}, total=1, actor=alice,
        now=clock.now(), real_now=NOW,
    )  # fmt: skip
    work_on_operation(operation_id=operation.pk)
    assert b"Adaline" in everything_stored()

    erasure = erased()

    assert erasure.counts["exports"] == 1
    assert b"Adaline" not in everything_stored()
    assert "Export again" in browse(alice).get(f"/app/leads/changes/{operation.pk}/").text
    assert browse(alice).get(f"/app/leads/changes/{operation.pk}/file/").status_code == 404
    assert LeadOperation.objects.get().stored_name == ""


def test_deletes_reports_that_may_hold_the_person(acme, rival, alice, erased):
    LeadFactory.create(client=acme, phone_number=NUMBER)
    reports = [
        Report.objects.create(
            client=client, kind="csv", status="done", requested_by_email="x@x.test",
            stored_name=files.store(room="r", client_id=client.pk, suffix=".csv", content=b"Adaline"),
            created_at=clock.now() - timedelta(hours=1),
        )
        for client in (acme, rival)
    ]  # fmt: skip
    erased()

    assert delete_reports_of_erased() == 1
    assert delete_reports_of_erased() == 0

    ours, theirs = (Report.objects.get(pk=report.pk) for report in reports)
    assert (ours.status, ours.stored_name) == ("failed", "")
    assert theirs.stored_name
    assert everything_stored().count(b"Adaline") == 1


def test_takes_a_person_out_of_stored_events_and_the_outbox(acme, alice, erased):
    lead = LeadFactory.create(client=acme, phone_number=NUMBER)
    calls = [
        Call.objects.create(
            client=acme, provider_call_id=name, lead_id=owner, status="ended", created_at=NOW,
            ended_at=clock.now() - timedelta(hours=2), **columns,
        )
        for name, owner, columns in (
            ("call_1", lead.pk, {"to_number": NUMBER}),
            ("call_2", None, {"to_number": "+12125550172"}),
            ("call_3", None, {"from_number": NUMBER, "direction": "inbound"}),
        )
    ]  # fmt: skip
    for call in calls:
        body = delivery("call_ended", call_id=call.provider_call_id, transcript="Adaline speaks")
        WebhookEvent.objects.create(
            key=f"{call.provider_call_id}:call_ended", event_type="call_ended",
            provider_call_id=call.provider_call_id, body=body.decode(), status="applied",
            next_try_at=NOW, created_at=NOW,
        )  # fmt: skip
        for key in (f"call.ended:{call.pk}", f"call.analyzed:{call.pk}:abc"):
            ClientEvent.objects.create(
                client=acme, kind="call.ended", key=key, created_at=NOW,
                data={"call_id": str(call.pk), "to": NUMBER, "analysis": {"name": "Adaline"}},
            )  # fmt: skip
    erased()

    assert erase_bodies(now=clock.now()) == 6
    assert erase_bodies(now=clock.now()) == 0

    theirs, other, made = (
        WebhookEvent.objects.get(provider_call_id=call.provider_call_id).body for call in calls
    )
    assert "Adaline" not in theirs + made
    assert NUMBER not in theirs + made
    assert '"call_id":"call_1"' in theirs
    assert '"erased":true' in theirs
    assert "Adaline" in other
    outbox = dict(ClientEvent.objects.values_list("key", "data"))
    assert outbox[f"call.ended:{calls[0].pk}"] == {"call_id": str(calls[0].pk)}
    assert outbox[f"call.analyzed:{calls[0].pk}:abc"] == {"call_id": str(calls[0].pk)}
    assert outbox[f"call.ended:{calls[1].pk}"]["to"] == NUMBER


def test_keeps_of_an_event_what_a_replay_needs():
    body = delivery(
        "call_ended", transcript="Adaline", duration_ms=61_000, disconnection_reason="user_hangup",
        metadata={"attempt_id": "a"}, retell_llm_dynamic_variables={"name": "Adaline"},
    )  # fmt: skip

    left = orjson.loads(without_person(body.decode()))

    assert left["event"] == "call_ended"
    assert left["call"]["duration_ms"] == 61_000
    assert left["call"]["disconnection_reason"] == "user_hangup"
    assert left["call"]["metadata"] == {"attempt_id": "a"}
    assert "Adaline" not in str(left)


@pytest.mark.parametrize("body", ["no json", "[]", "3"])
def test_keeps_nothing_of_an_event_it_cant_read(body):
    assert without_person(body) == "{}"


def test_stops_an_export_that_has_read_the_person(acme, alice, erased, monkeypatch):
    LeadFactory.create(client=acme, phone_number=NUMBER, first_name="Adaline")
    operation = start_operation(
        client=acme, kind="export", params={"format": "csv"}, total=1, actor=alice,
        now=clock.now(), real_now=NOW,
    )  # fmt: skip
    redis_connection().flushdb()  # its own job, which MongoDB's commit has put there
    store = files.store

    def erased_meanwhile(**fields):
        erased()
        return store(**fields)

    monkeypatch.setattr(files, "store", erased_meanwhile)
    work_on_operation(operation_id=operation.pk)

    operation.refresh_from_db()
    assert (operation.status, operation.stored_name) == ("failed", "")
    assert "Export again" in operation.error
    assert b"Adaline" not in everything_stored()


REFUSED = (
    "Phone,First name,Company,Country\n"
    "212-555-0172,Cid,Other,\n"
    '212-555-0171,Adaline,"{{offer}}",\n'
    "12,Bob,Broken,\n"
)


def test_finds_a_person_whose_row_was_refused(imported, acme, erased):
    LeadFactory.create(client=acme, phone_number=NUMBER)
    lead_import = imported(REFUSED)
    assert lead_import.counts == {"new": 1, "row_unreadable": 1, "phone_too_short": 1}

    erasure = erased()

    assert erasure.counts["imports"] == 1
    stored = everything_stored()
    assert b"Adaline" not in stored and b"0171" not in stored and b"Bob" in stored


@pytest.mark.parametrize(
    ("row", "number"),
    [
        ("07946 123456,Adaline,{{x}},United Kingdom\n", "+447946123456"),
        ("2.125550171E+09,Adaline,{{x}},\n", NUMBER),
        ("x,Adaline,(212) 555-0171,\n", NUMBER),
    ],
)
def test_reads_refused_rows_as_the_import_did(imported, acme, erased, row, number):
    LeadFactory.create(client=acme, phone_number=number)
    imported("Phone,First name,Company,Country\n2125550172,Cid,Other,\n" + row)

    assert erased(number).counts["imports"] == 1
    assert b"Adaline" not in everything_stored()


def test_deletes_the_file_of_a_check_that_was_stopped_half_way(imported, acme, alice, erased):
    LeadFactory.create(client=acme, phone_number=NUMBER)
    stopped = imported("Phone,Name\n212-555-0172,Cid\n", commit=False)
    LeadImport.objects.update(status="cancelled", rows_done=0)  # its file went on behind that

    erasure = erased()

    assert erasure.counts["imports"] == 1
    assert LeadImport.objects.get().stored_name == ""
    assert stopped.stored_name


def deleted(lead: Lead, actor) -> LeadOperation:
    pace = Pace(real_now=lambda: NOW, pause=lambda _seconds: None)
    assert delete_lead(lead=lead, actor=actor, pace=pace, now=clock.now())
    return LeadOperation.objects.get()


def take_back(operation: LeadOperation, actor) -> None:
    ask_undo(operation=operation, actor=actor, now=clock.now(), real_now=NOW)
    work_on_operation(operation_id=operation.pk)


def test_forgets_a_deleted_lead_whose_number_is_erased(acme, alice, erased):
    gone = LeadFactory.create(client=acme, phone_number=NUMBER, first_name="Adaline")
    operation = deleted(gone, alice)
    other = LeadOperationRow.objects.create(
        client=acme, operation=LeadOperation.objects.create(
            client=acme, kind="tag", created_by_email="x@x.test", progressed_at=NOW, created_at=NOW,
        ), lead_id=gone.pk, label="Adaline",
    )  # fmt: skip
    LeadFactory.create(client=acme, phone_number=NUMBER, first_name="Adaline")

    erasure = erased()
    take_back(operation, alice)

    assert erasure.counts["deleted"] == 2
    assert "Adaline" not in str(list(LeadOperationRow.objects.values()))
    assert LeadOperationRow.objects.get(pk=other.pk).note == "erased"
    assert not Lead.objects.filter(erased_at=None).exists()


def test_brings_nobody_back_whose_number_is_erased(acme, alice, django_capture_on_commit_callbacks):
    gone = LeadFactory.create(client=acme, phone_number=NUMBER, first_name="Adaline")
    operation = deleted(gone, alice)
    again = LeadFactory.create(client=acme, phone_number=NUMBER)
    assert erase_lead(lead=again, reason="Asked", actor=alice, now=clock.now())  # its job waits

    take_back(operation, alice)

    operation.refresh_from_db()
    assert (operation.undone_count, operation.kept_count) == (0, 1)
    assert LeadOperationRow.objects.get().note == "erased"
    assert not Lead.objects.filter(phone_number=NUMBER).exists()
