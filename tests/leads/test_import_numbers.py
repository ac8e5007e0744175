"""Numbers that lost the + before their country code: read where the file shows it, else refused with the right advice."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from leads.imports.columns import lacks_plus
from leads.imports.error_file import error_lines
from leads.imports.forgetting import forget_in_import
from leads.imports.screens import rows_with_verdict
from leads.models import Lead
from tests.factories.leads import upload
from tests.leads.test_import_files import found_in

ABROAD = ("447946123456", "33612345678", "4915112345678", "12125550101")
FILE = "name,phone\n" + "".join(f"A{number},{number}\n" for number in ABROAD)


def test_reads_numbers_that_lost_their_plus(imported):
    done = imported(FILE, lost_plus=True)

    assert done.counts["new"] == 4
    assert set(Lead.objects.values_list("phone_number", "country")) == {
        ("+447946123456", "GB"),
        ("+33612345678", "FR"),
        ("+4915112345678", "DE"),
        ("+12125550101", "US"),
    }


def test_reads_the_others_of_such_a_file_as_ever(imported):
    done = imported(
        "name,phone,work phone\nAda,(212) 555-0101,447946123456\nBob,2125550102,\nCy,12,4.47946123457E+11\n",
        lost_plus=True,
    )

    assert done.counts["new"] == 3
    rows = dict(Lead.objects.values_list("phone_number", "other_numbers"))
    assert rows == {
        "+12125550101": ["+447946123456"],
        "+12125550102": [],
        "+447946123457": [],
    }


def test_says_that_a_plus_would_make_it_a_number(imported):
    done = imported("name,phone\nAda,447946123456\nBob,212555010199999\n", commit=False)

    assert done.counts == {"phone_too_long": 2}
    ada, bob = rows_with_verdict(lead_import=done, verdict="phone_too_long", page=None).rows
    assert ada.reason == (
        "The number has too many digits for its country; with + in front it is +44 7946 123456."
    )
    assert bob.reason == "The number has too many digits for its country."
    assert "put + in front" in "".join(error_lines(lead_import=done))


@pytest.mark.parametrize(
    ("numbers", "country", "lacks"),
    [
        (ABROAD, "US", True),
        (("447946123456", "447946123457"), "US", True),
        (("447946123456", "+33612345678", ""), "US", True),
        (("447946123456", "447946123457"), "GB", False),  # read as they are
        (("2125550101", "2125550102", "41555501237"), "US", False),  # one digit too many
        (("2125550101", "2125550102"), "US", False),
        (("+447946123456", "(212) 555-0101"), "US", False),
        (("12", "nope"), "US", False),
    ],
)
def test_tells_by_the_first_rows_whether_the_plus_is_lost(numbers, country, lacks):
    found = found_in(("Phone,x\n" + "".join(f"{number},x\n" for number in numbers)).encode())

    assert lacks_plus(found, 0, country) is lacks


def test_guesses_it_on_the_page_and_lets_it_be_changed(
    browse, mia, run_jobs, django_capture_on_commit_callbacks
):
    row, browser = upload(mia, FILE), browse(mia)
    address = reverse("leads:import-detail", args=[row.pk])
    mapped = {"column_0": "field:full_name", "column_1": "field:phone_number", "country": "US"}
    mapped |= {"duplicates": "first", "existing": "fill", "consent_kind": "none"}
    ticked = re.compile(r'name="lost_plus"[^>]* checked')

    assert ticked.search(browser.get(address).text)
    assert not ticked.search(
        browser.get(
            reverse("leads:import-detail", args=[upload(mia, "Phone\n2125550101\n").pk])
        ).text
    )
    for sent, counts in (({}, 3), ({"lost_plus": "on"}, 0)):
        with django_capture_on_commit_callbacks(execute=True):
            assert browser.post(f"{address}check/", mapped | sent).status_code == 302
        run_jobs()
        row.refresh_from_db()
        assert row.counts.get("phone_too_long", 0) == counts
        assert bool(ticked.search(browser.get(f"{address}?columns").text)) is bool(sent)


@pytest.mark.parametrize(("sent", "new"), [({}, 4), ({"lost_plus": False}, 1)])
def test_guesses_it_for_programs_too(
    browse, mia, run_jobs, django_capture_on_commit_callbacks, sent, new
):
    with django_capture_on_commit_callbacks(execute=True):
        answer = browse(mia).post(
            "/api/v1/client/imports/",
            {"csv": FILE, "consent_kind": "express", "consent_source": "Form", **sent}
            | {"consent_given_at": "2026-11-01T10:00:00Z"},
            content_type="application/json",
        )
    run_jobs()

    row = browse(mia).get(f"/api/v1/client/imports/{answer.json()['import_id']}/").json()
    assert row["counts"]["new"] == new


def test_finds_an_erased_person_whose_number_lost_its_plus(imported):
    done = imported("name,phone\nAda,447946123456\nBob,2125550101\n")

    assert forget_in_import(done, lambda phone: phone == 447946123456) is True
    (row,) = rows_with_verdict(lead_import=done, verdict="phone_too_long", page=None).rows
    assert not any(row.values)
