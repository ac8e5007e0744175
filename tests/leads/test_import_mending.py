"""A row mended on the page: typed in place, judged again, counted, and imported as it is now."""

from __future__ import annotations

import pytest
from django.urls import reverse

from audit.models import AuditLog
from convomono.lib.files import delete_stored
from leads.imports import mending, screens
from leads.imports.screens import rows_with_verdict
from leads.models import Lead, LeadImportRow
from tests.factories.leads import SuppressionFactory, ask_commit

FILE = "First name,Phone\nAda,212 555 0101\nBob,nope\nCy,12\nDi,\n"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def checked(imported):
    return imported(FILE, commit=False)


def mend(row, number: int) -> str:
    return reverse("leads:import-row-mend", args=[row.pk, number])


def test_opens_the_row_in_its_place_and_as_a_page(browse, mia, checked):
    browser = browse(mia)

    inside = browser.get(mend(checked, 3), headers=HTMX).text
    page = browser.get(mend(checked, 3)).text

    assert inside.strip().startswith('<tr id="import-row-3">')
    assert 'value="nope"' in inside
    assert "<html" in page and 'value="nope"' in page


def test_judges_the_row_again_and_counts_it_where_it_belongs(browse, mia, checked):
    browser = browse(mia)

    answer = browser.post(mend(checked, 3), {"cell_1": "212 555 0102"}, headers=HTMX)

    checked.refresh_from_db()
    assert "New lead" in answer.text
    assert checked.counts == {"new": 2, "phone_too_short": 1, "phone_missing": 1}
    assert LeadImportRow.objects.get().values == ["Bob", "212 555 0102"]
    assert AuditLog.objects.filter(action="leads.import_row_mended").count() == 1


def test_says_again_what_is_wrong_and_counts_once(browse, mia, checked):
    browser = browse(mia)

    for typed, verdict in (
        ("13", "phone_too_short"),
        ("", "phone_missing"),
        ("x", "phone_damaged"),
    ):
        browser.post(mend(checked, 3), {"cell_1": typed})
        checked.refresh_from_db()
        assert sum(checked.counts.values()) == 4
        assert LeadImportRow.objects.get().verdict == verdict


@pytest.mark.parametrize("first", [2, 3])
def test_refuses_a_number_that_another_row_has(browse, mia, checked, first):
    browser = browse(mia)
    if first == 3:  # a row that was mended itself
        browser.post(mend(checked, 3), {"cell_1": "212 555 0109"})

    number = "212 555 0109" if first == 3 else "212 555 0101"
    browser.post(mend(checked, 4), {"cell_1": number})

    assert LeadImportRow.objects.get(row_number=4).verdict == "dup_file"


def test_imports_mended_rows_and_leaves_them_out_of_the_error_file(
    browse, mia, alice, checked, run_jobs, django_capture_on_commit_callbacks
):
    browser = browse(mia)
    browser.post(mend(checked, 3), {"cell_1": "212 555 0102", "cell_0": "Rob"})

    with django_capture_on_commit_callbacks(execute=True):
        ask_commit(checked, alice)
    run_jobs()
    errors = b"".join(
        browser.get(reverse("leads:import-errors", args=[checked.pk])).streaming_content
    ).decode()

    checked.refresh_from_db()
    assert checked.counts == {"new": 2, "phone_too_short": 1, "phone_missing": 1}
    assert set(Lead.objects.values_list("first_name", flat=True)) == {"Ada", "Rob"}
    assert "nope" not in errors and "Cy" in errors


def test_refuses_braces_typed_into_a_cell(browse, mia, checked):
    browse(mia).post(mend(checked, 3), {"cell_0": "{{x}}", "cell_1": "2125550102"})

    assert LeadImportRow.objects.get().verdict == "row_unreadable"


def test_shows_mended_rows_in_their_list(browse, mia, checked):
    browser = browse(mia)
    browser.post(mend(checked, 3), {"cell_1": "212 555 0102"})

    page = browser.get(reverse("leads:import-rows", args=[checked.pk, "phone_damaged"])).text

    assert "212 555 0102" in page and "New lead" in page


def test_mends_only_what_can_be_mended_and_only_before_the_commit(
    browse, mia, vera, charlie, checked, imported
):
    assert browse(mia).get(mend(checked, 2)).status_code == 404  # a good row
    assert browse(mia).get(mend(checked, 99)).status_code == 404
    assert browse(vera).post(mend(checked, 3), {"cell_1": "x"}).status_code == 403
    assert browse(charlie).post(mend(checked, 3), {"cell_1": "x"}).status_code == 404
    done = imported(FILE)
    assert browse(mia).get(mend(done, 3)).status_code == 404


def test_lets_every_column_that_means_something_be_typed_in(browse, mia, imported, target):
    target.variables = ["offer"]
    names = (
        "Phone",
        "First name",
        "Last name",
        "Company",
        "E-mail",
        "State",
        "ZIP",
        "Note",
        "Offer",
    )
    file = ",".join(names) + "\n2125550101,Ada,Byron,Firm,a@x.test,NY,10001,-,\n"
    row = imported(file, commit=False, campaign_id=target.campaign_id)
    browser = browse(mia)

    page = browser.get(mend(row, 2), headers=HTMX).text
    answer = browser.post(mend(row, 2), {"cell_8": "10 % off"}, headers=HTMX)

    assert "Note" not in page  # means nothing
    assert 'name="cell_6"' in page
    wrong = page[page.index('name="cell_8"') :]
    assert 'aria-invalid="true"' in wrong[: wrong.index(">")]
    assert page.count("aria-invalid") == 1
    assert "New lead" in answer.text


def test_sends_to_the_error_file_when_too_many_rows_were_mended(browse, mia, checked, monkeypatch):
    monkeypatch.setattr(mending, "MOST_MENDED", 1)
    browser = browse(mia)
    browser.post(mend(checked, 3), {"cell_1": "212 555 0102"})

    answer = browser.post(mend(checked, 4), {"cell_1": "212 555 0103"}, headers=HTMX)

    assert answer.status_code == 422
    assert "Mend the rest in the error file" in answer.text
    assert 'value="212 555 0103"' in answer.text  # what was typed stays


def test_says_that_the_file_is_gone(browse, mia, checked):
    delete_stored(checked.stored_name)

    answer = browse(mia).post(mend(checked, 3), {"cell_1": "212 555 0102"}, headers=HTMX)

    assert answer.status_code == 422
    assert "The file is gone" in answer.text


def test_keeps_mended_rows_that_are_still_wrong_where_people_look_for_them(browse, mia, checked):
    browser = browse(mia)
    browser.post(mend(checked, 3), {"cell_0": "Rob", "cell_1": "13"})
    browser.post(mend(checked, 5), {"cell_0": "Dee", "cell_1": ""})

    errors = b"".join(
        browser.get(reverse("leads:import-errors", args=[checked.pk])).streaming_content
    ).decode()
    short = browser.get(reverse("leads:import-rows", args=[checked.pk, "phone_too_short"])).text
    empty = browser.get(reverse("leads:import-rows", args=[checked.pk, "phone_missing"])).text
    sent = browser.get(f"/api/v1/client/imports/{checked.pk}/rows/?after=3").json()["results"]

    rows = [line.split(",")[:4] for line in errors.splitlines()[1:]]
    assert rows == [
        ["Rob", "13", "3", "Phone"],
        ["Cy", "12", "4", "Phone"],
        ["Dee", "", "5", "Phone"],
    ]
    assert "Rob" in short and "Cy" in short and "Dee" in empty
    assert [(row["row"], row["cells"][0]) for row in sent] == [(4, "Cy"), (5, "Dee")]


def test_pages_through_mended_and_other_rows(imported, monkeypatch, checked):
    monkeypatch.setattr(screens, "PAGE_ROWS", 2)
    row = imported("First name,Phone\nAda,nope\nBob,12\nCy,13\nDi,14\n", commit=False)
    LeadImportRow.objects.create(
        client_id=row.client_id, lead_import=row, row_number=2, verdict="phone_too_short",
        values=["Ada", "1"],
    )  # fmt: skip

    pages = [
        rows_with_verdict(lead_import=row, verdict="phone_too_short", page=number)
        for number in ("1", "2", "3")
    ]

    assert [[one.row_number for one in page.rows] for page in pages] == [[2, 3], [4, 5], []]
    assert [page.has_next for page in pages] == [True, False, False]
    assert pages[0].total == "4"


def test_tells_of_a_mended_row_that_the_commit_refused(
    browse, mia, alice, acme, checked, run_jobs, django_capture_on_commit_callbacks
):
    browser = browse(mia)
    browser.post(mend(checked, 3), {"cell_1": "212 555 0102"})
    SuppressionFactory.create(client=acme, phone_number="+12125550102")

    with django_capture_on_commit_callbacks(execute=True):
        ask_commit(checked, alice)
    run_jobs()
    page = browser.get(reverse("leads:import-rows", args=[checked.pk, "suppressed_client"])).text

    assert "212 555 0102" in page
    assert LeadImportRow.objects.get().verdict == "suppressed_client"
