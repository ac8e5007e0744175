"""How people agreed, as somebody says it beside the columns: a statement, a proof, or the file's own words."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from convomono.lib.files import folder_bytes
from leads.models import Consent, LeadImport
from tests.factories.leads import upload

FILE = "Phone,When,Agreed\n2125550101,2026-11-01,yes\n2125550102,,\n"
CONSENT = {
    "consent_kind": "written",
    "consent_source": "Web form",
    "consent_on": "2026-11-01",
    "consent_wording": "Yes, call me.",
}
MAPPED = {
    "column_0": "field:phone_number",
    "country": "US",
    "duplicates": "first",
    "existing": "fill",
}
DAY = {"column_1": "field:consent_on"}
BY_ROW = {"consent_kind": "written", "consent_by_row": "on"}


def url(name: str, row: LeadImport) -> str:
    return reverse(f"leads:import-{name}", args=[row.pk])


@pytest.fixture
def row(mia) -> LeadImport:
    return upload(mia, FILE, consent=None)


def test_states_it_for_all_from_where_the_clients_day_begins(browse, mia, acme, row):
    assert browse(mia).post(url("check", row), {**MAPPED, **CONSENT}).status_code == 302

    row.refresh_from_db()
    said = {name: row.options[f"consent_{name}"] for name in ("kind", "source", "wording")}
    assert said == {"kind": "written", "source": "Web form", "wording": "Yes, call me."}
    day = datetime(2026, 11, 1, tzinfo=ZoneInfo(acme.time_zone))
    assert datetime.fromisoformat(row.options["consent_given_at"]) == day
    assert not row.options["consent_by_row"]


def test_keeps_a_proof_and_hands_it_out_as_a_download(browse, mia, vera, charlie, row):
    proof = SimpleUploadedFile("form.pdf", b"%PDF-1.7 <script>")
    browse(mia).post(url("check", row), {**MAPPED, **CONSENT, "consent_proof": proof})

    answer = browse(mia).get(url("proof", row))

    assert b"".join(answer.streaming_content) == b"%PDF-1.7 <script>"
    assert answer["Content-Disposition"] == 'attachment; filename="form.pdf"'
    assert browse(vera).get(url("proof", row)).status_code == 403
    assert browse(charlie).get(url("proof", row)).status_code == 404


def test_replaces_a_proof_and_keeps_it_where_none_is_sent(
    browse, mia, row, run_jobs, django_capture_on_commit_callbacks
):
    browser = browse(mia)
    for name in ("a.pdf", "", "b.pdf"):
        sent = {"consent_proof": SimpleUploadedFile(name, name.encode())} if name else {}
        with django_capture_on_commit_callbacks(execute=True):
            assert browser.post(url("check", row), {**MAPPED, **CONSENT, **sent}).status_code == 302
        run_jobs()
        row.refresh_from_db()
        assert row.options["consent_proof_name"] == (name or "a.pdf")

    assert folder_bytes(f"proofs/{row.client_id}")[0] == 1
    assert "b.pdf is kept" in browser.get(url("detail", row) + "?columns").text


def test_keeps_no_proof_of_an_import_that_has_moved_on(browse, mia, row):
    LeadImport.objects.update(status="cancelled")
    proof = SimpleUploadedFile("form.pdf", b"%PDF")

    browse(mia).post(url("check", row), {**MAPPED, **CONSENT, "consent_proof": proof})

    assert folder_bytes(f"proofs/{row.client_id}")[0] == 0


def test_refuses_a_proof_that_is_a_program(browse, mia, row):
    proof = SimpleUploadedFile("form.exe", b"MZ")

    answer = browse(mia).post(url("check", row), {**MAPPED, **CONSENT, "consent_proof": proof})

    assert answer.status_code == 422
    assert "Send the proof as PDF" in answer.text


def test_lets_the_file_say_who_agreed(browse, mia, row):
    browser = browse(mia)

    without = browser.post(url("check", row), {**MAPPED, **BY_ROW})
    typed = {"consent_on": "2026-11-01"}  # before the box was ticked that hides this one
    both = browser.post(url("check", row), {**MAPPED, **DAY, **BY_ROW, **typed})

    assert "Say which column holds the day people agreed" in without.text
    assert [answer.status_code for answer in (without, both)] == [422, 302]
    row.refresh_from_db()
    assert row.options["consent_by_row"]
    assert not row.options["consent_given_at"]


def test_records_what_was_typed_beside_what_each_row_says(
    browse, mia, row, run_jobs, django_capture_on_commit_callbacks
):
    sent = {**MAPPED, **DAY, **BY_ROW, **CONSENT, "consent_on": ""}
    for name, data in (("check", sent), ("commit", {})):
        with django_capture_on_commit_callbacks(execute=True):
            assert browse(mia).post(url(name, row), data).status_code == 302
        run_jobs()

    consent = Consent.objects.get()
    assert consent.lead.phone_number == "+12125550101"
    said = (consent.kind, consent.source, consent.wording)
    assert said == ("written", "Web form", "Yes, call me.")
    receipt = browse(mia).get(url("detail", row)).text
    assert "Prior express written consent" in receipt
    assert "Yes, call me." in receipt


def test_takes_the_file_at_its_word_where_a_column_has_the_day(browse, mia):
    guessed = upload(mia, "Phone,Consent date\n2125550101,2026-11-01\n", consent=None)
    other = upload(mia, "Phone,City\n2125550101,Rome\n", consent=None)
    browser = browse(mia)

    ticked = re.compile(r'name="consent_by_row"[^>]* checked')
    assert ticked.search(browser.get(url("detail", guessed)).text)
    assert not ticked.search(browser.get(url("detail", other)).text)


def test_shows_what_was_said_when_somebody_comes_back(
    browse, mia, row, run_jobs, django_capture_on_commit_callbacks
):
    browser = browse(mia)
    for kind, sent in (("none", {"consent_kind": "none"}), ("written", CONSENT)):
        with django_capture_on_commit_callbacks(execute=True):
            browser.post(url("check", row), {**MAPPED, **sent})
        run_jobs()
        page = browser.get(url("detail", row) + "?columns").text
        assert f'<option value="{kind}" selected>' in page

    assert 'value="Web form"' in page
    assert 'value="2026-11-01"' in page
    assert "Yes, call me." in page
