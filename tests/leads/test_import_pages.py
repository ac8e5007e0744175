"""The pages of an import: upload, columns, check, commit, receipt, rows and the error file."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from campaigns import script
from campaigns.services.variables import save_variables
from campaigns.variables import VariableRule
from leads.models import Lead, LeadImport
from tests.factories.accounts import NOW
from tests.factories.campaigns import make_draft
from tests.factories.leads import upload

FILE = "First name,Phone\nAda,212 555 0101\nBob,nope\n"
CONSENT = {
    "consent_kind": "written",
    "consent_source": "Web form",
    "consent_on": "2026-11-01",
    "consent_wording": "Yes",
}
MAPPED = {
    "column_0": "field:first_name",
    "column_1": "field:phone_number",
    "country": "US",
    "duplicates": "first",
    "existing": "fill",
    **CONSENT,
}
HTMX = {"HX-Request": "true"}


def a_file(content: str | bytes = FILE, name: str = "leads.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content.encode() if isinstance(content, str) else content)


def url(name: str, row: LeadImport, *args: str) -> str:
    return reverse(f"leads:import-{name}", args=[row.pk, *args])


@pytest.fixture
def committed(browse, mia, run_jobs, django_capture_on_commit_callbacks) -> LeadImport:
    """An import that mia took the whole way by plain forms."""
    browser = browse(mia)
    answer = browser.post("/app/imports/new/", {"file": a_file()})
    row = LeadImport.objects.get()
    assert answer["Location"] == url("detail", row)
    for step, data in (("check", MAPPED), ("commit", {})):
        with django_capture_on_commit_callbacks(execute=True):
            assert browser.post(url(step, row), data).status_code == 302
        run_jobs()
    row.refresh_from_db()
    return row


def test_imports_by_plain_forms(committed, acme):
    assert committed.status == "committed"
    assert committed.counts == {"new": 1, "phone_damaged": 1}
    assert Lead.objects.get(client=acme).consents.get().source == "Web form"


def test_keeps_a_receipt(browse, vera, committed):
    page = browse(vera).get(url("detail", committed)).text

    assert "Receipt" in page
    assert "Web form" in page
    assert f"?lead_import={committed.pk}" in page


def test_lists_the_rows_of_a_verdict_and_the_error_file(browse, mia, committed):
    browser = browse(mia)

    rows = browser.get(url("rows", committed, "phone_damaged")).text
    errors = b"".join(browser.get(url("errors", committed)).streaming_content).decode()

    assert "nope" in rows
    assert "Bob,nope,3,Phone,phone_damaged," in errors


def test_answers_404_for_a_verdict_there_is_none_of(browse, mia, committed):
    assert browse(mia).get(url("rows", committed, "no-such")).status_code == 404


def test_shows_the_columns_with_a_guess(browse, mia):
    row = upload(mia, FILE)

    page = browse(mia).get(url("detail", row)).text

    assert '<option value="field:phone_number" selected>' in page
    assert "212 555 0101" in page


def test_shows_script_variables_that_nothing_fills(browse, mia, target):
    target.variables = ["first_name", "offer"]
    row = upload(mia, FILE, campaign_id=target.campaign_id)
    browser = browse(mia)

    answer = browser.post(url("check", row), MAPPED)

    assert answer.status_code == 422
    assert "No column fills it: choose one, or type a default." in answer.text
    assert browser.post(url("check", row), MAPPED | {"default_1": "10 %"}).status_code == 302


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"column_1": ""}, "Say which column holds the phone number."),
        ({"column_0": "field:phone_number"}, "Another column is this already."),
        ({"country": "XX"}, "Select a valid choice"),
    ],
)
def test_refuses_a_mapping_that_makes_no_sense(browse, mia, change, sentence):
    row = upload(mia, FILE)

    answer = browse(mia).post(url("check", row), MAPPED | change)

    assert answer.status_code == 422
    assert sentence in answer.text


@pytest.mark.parametrize(
    ("content", "name", "sentence"),
    [
        (b"", "empty.csv", "empty"),
        (b"\n \n", "blank.csv", "The file is empty."),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40, "a.png", "t a spreadsheet we can read"),
        (b"%PDF-1.7 text text", "a.pdf", "t a spreadsheet we can read"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 600, "a.xls", "old Excel file"),
        (b"PK\x03\x04 not a zip", "a.xlsx", "t a spreadsheet we can read"),
        (b"phone\n", "header.csv", "one row only"),
        (b"a" * 1_200_000, "line.csv", "longer than a million characters"),
        (",".join(f"c{n}" for n in range(300)).encode() + b"\n1\n", "wide.csv", "300 columns"),
    ],
)
def test_says_what_to_do_about_a_file_it_cannot_read(browse, mia, content, name, sentence):
    answer = browse(mia).post("/app/imports/new/", {"file": a_file(content, name), **CONSENT})

    assert answer.status_code == 422
    assert sentence in answer.text
    assert not LeadImport.objects.exists()


def test_refuses_a_file_above_the_cap_without_keeping_it(browse, mia, settings):
    settings.LEAD_UPLOAD_MAX_BYTES = 2 * 1024 * 1024

    answer = browse(mia).post("/app/imports/new/", {"file": a_file(b"a,b\n" * 900_000), **CONSENT})

    assert answer.status_code == 422
    assert "larger than 2 MB" in answer.text


def test_asks_for_the_consent_where_the_columns_are_seen(browse, mia):
    browser = browse(mia)
    row = upload(mia, FILE, consent=None)
    bare = {name: value for name, value in MAPPED.items() if name not in CONSENT}

    without = browser.post(url("check", row), bare)
    half = browser.post(url("check", row), {**bare, "consent_kind": "express"})
    late = browser.post(url("check", row), {**MAPPED, "consent_on": "2099-01-01"})
    none = browser.post(url("check", row), {**bare, "consent_kind": "none"})

    assert [answer.status_code for answer in (without, half, late)] == [422] * 3
    assert none.status_code == 302
    assert "Say where they agreed." in half.text
    assert "in the future" in late.text
    assert 'name="consent_kind"' in half.text
    assert 'name="consent_kind"' not in browser.get("/app/imports/new/").text  # not asked twice


def test_says_that_the_same_file_was_imported_before(browse, mia, committed):
    again = upload(mia, FILE)

    assert "imported this very file" in browse(mia).get(url("detail", again)).text


def test_remembers_the_columns_of_the_last_time(browse, mia, run_jobs):
    first = upload(mia, "Who,Contact,Ref\nAda,2125550101,x\n")
    browser = browse(mia)
    browser.post(
        url("check", first),
        MAPPED | {"column_0": "field:company", "column_2": "field:first_name", "existing": "skip"},
    )

    page = browser.get(url("detail", upload(mia, "Who,Contact,Ref\nBob,2125550102,y\n"))).text

    assert '<option value="field:company" selected>' in page
    assert 'value="skip" required id="id_existing_2" checked' in page.replace("  ", " ")


def test_needs_the_token_of_the_form(mia):
    from django.test import Client

    browser = Client(enforce_csrf_checks=True)
    browser.force_login(mia)

    assert browser.post("/app/imports/new/", {"file": a_file()}).status_code == 403


def test_cancels_and_stays_cancelled(browse, mia):
    row = upload(mia, FILE)
    browser = browse(mia)

    browser.post(url("cancel", row))
    browser.post(url("check", row), MAPPED)

    row.refresh_from_db()
    assert row.status == "cancelled"
    assert "Cancelled" in browser.get(url("detail", row)).text


def test_polls_a_fragment_and_leaves_when_it_is_over(browse, mia, committed):
    row = upload(mia, FILE)
    LeadImport.objects.filter(pk=row.pk).update(
        status="checking", rows_done=1000, rows_total=4000, rows_per_second=100
    )
    browser = browse(mia)

    running = browser.get(url("detail", row), headers=HTMX)
    over = browser.get(url("detail", committed), headers=HTMX)

    assert "<html" not in running.text
    assert "100 rows a second, about 31 s left" in running.text
    assert over["HX-Redirect"] == url("detail", committed)


def test_offers_a_campaign_of_this_client_only(browse, mia, charlie, target):
    address = f"/app/imports/new/?campaign={target.campaign_id}"

    assert "Spring" in browse(mia).get(address).text
    assert browse(charlie).get(address).status_code == 404
    assert browse(mia).get("/app/imports/new/?campaign=nonsense").status_code == 404


PAGES = ["detail", "check", "commit", "cancel", "errors", "rows"]


@pytest.mark.parametrize("name", PAGES)
def test_hides_an_import_from_strangers(browse, charlie, mia, name):
    row = upload(mia, FILE)
    address = url(name, row, *(["phone_missing"] if name == "rows" else []))
    method = "post" if name in {"check", "commit", "cancel"} else "get"

    assert getattr(browse(charlie), method)(address).status_code == 404
    answer = getattr(browse(), method)(address)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/account/login/")


@pytest.mark.parametrize("name", ["check", "commit", "cancel"])
def test_lets_viewers_only_look(browse, vera, mia, name):
    row = upload(mia, FILE)

    assert browse(vera).post(url(name, row)).status_code == 403
    assert browse(mia).get(url(name, row)).status_code == 405


def test_lets_viewers_upload_nothing(browse, vera):
    assert browse(vera).get("/app/imports/new/").status_code == 403
    assert browse(vera).post("/app/imports/new/", {"file": a_file()}).status_code == 403
    assert browse(vera).get("/app/imports/").status_code == 200


def test_stays_at_the_same_number_of_queries(browse, alice, django_assert_num_queries):
    browser = browse(alice)
    for rows in (1, 20):
        while LeadImport.objects.count() < rows:
            upload(alice, FILE + str(LeadImport.objects.count()))
        with django_assert_num_queries(3):
            browser.get("/app/imports/")


def test_says_how_fast_a_workbook_is_checked_whose_end_nobody_knows(alice, browse):
    row = upload(alice, FILE)
    LeadImport.objects.filter(pk=row.pk).update(
        status="checking", rows_total=0, rows_done=5000, rows_per_second=2500
    )

    page = browse(alice).get(f"/app/imports/{row.pk}/").text

    assert "2,500 rows a second" in page
    assert "Waiting for a free worker" not in page


def test_asks_no_default_for_what_is_optional_or_has_one(alice, browse, acme):
    campaign = make_draft(acme, script_raw="Hello, {{offer}} and {{gift}} and {{day}}.")
    rules = [
        VariableRule("offer", is_required=False),
        VariableRule("gift", default="a mug"),
        VariableRule("day", kind="date"),
    ]
    save_variables(campaign=campaign, rules=rules, actor=alice, now=NOW)
    row = upload(alice, FILE, campaign_id=campaign.pk)
    browser = browse(alice)

    page = browser.get(url("detail", row)).text
    names = script.own_variables(campaign.opening_line, campaign.script_raw)
    boxes = {name: f"default_{number}" for number, name in enumerate(names)}
    refused = browser.post(url("check", row), MAPPED)
    unfit = browser.post(url("check", row), {**MAPPED, boxes["day"]: "soon"})
    taken = browser.post(url("check", row), {**MAPPED, boxes["day"]: "2026-12-24"})

    assert 'value="a mug"' in page
    assert "Optional: the agent leaves it out" in page
    assert refused.text.count("No column fills it: choose one") == 2  # the summary and the field
    assert "isn&#x27;t of the kind" in unfit.text
    assert taken.status_code == 302
