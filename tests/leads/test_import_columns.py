"""What a file's columns are guessed to be, the rows that show it, and reading them another way."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from leads.imports.columns import guess_mapping
from leads.imports.source import open_rows
from tests.factories.leads import upload
from tests.leads.test_import_files import found_in

if TYPE_CHECKING:
    from collections.abc import Mapping

PEOPLE = ("Ada Byron", "Grace Hopper", "Annie Easley")
PHONES = ("(212) 555-0101", "2125550102", "212.555.0103")
ACCOUNTS = ("1002003004", "1002003005", "1002003006")
MAILS = ("ada@x.test", "grace@x.test", "annie@x.test")
NOTHING = ("", "", "")


def guessed(columns: Mapping[str, tuple[str, ...]], **known) -> dict[str, int]:
    lines = [",".join(columns), *(",".join(cells) for cells in zip(*columns.values(), strict=True))]
    found = found_in("\n".join(lines).encode())
    return guess_mapping(found, variables=(), remembered=None, **known)["fields"]


@pytest.mark.parametrize(
    ("columns", "fields"),
    [
        ({"Name": PEOPLE, "Home Phone": PHONES}, {"full_name": 0, "phone_number": 1}),
        ({"Name": PEOPLE, "Phone 3": PHONES}, {"full_name": 0, "phone_number": 1}),
        (
            {"Name": PEOPLE, "Home Phone": PHONES, "Work Phone": PHONES},
            {"full_name": 0, "phone_number": 2, "phone_2": 1},
        ),
        # A number of an account isn't a phone where a column is called one.
        (
            {"Account": ACCOUNTS, "Work Phone": PHONES, "Name": PEOPLE},
            {"phone_number": 1, "full_name": 2},
        ),
        ({"Work Phone": NOTHING, "Call": PHONES}, {"phone_number": 1, "phone_2": 0}),
        ({"Contact": PHONES, "City": PEOPLE}, {"phone_number": 0}),
        ({"Contact": PHONES, "Contact Name": PEOPLE}, {"phone_number": 0, "full_name": 1}),
        ({"Contact": PEOPLE, "Mobile": PHONES}, {"full_name": 0, "phone_number": 1}),
        ({"Customer": ACCOUNTS, "Phone": PHONES}, {"phone_number": 1}),
        ({"Contact": MAILS, "Phone": PHONES}, {"phone_number": 1, "email": 0}),
        # The number of a house.
        ({"Number": ("12b", "7", "110"), "Mobile": PHONES}, {"phone_number": 1}),
        (
            {"Phone": ("4.155512671E+09", "", "x"), "Mobile": PHONES},
            {"phone_number": 0, "phone_2": 1},
        ),
        ({"Phone": ("12", "13", "14"), "Name": PEOPLE}, {"phone_number": 0, "full_name": 1}),
    ],
)
def test_believes_what_stands_in_a_column_before_its_name(columns, fields):
    assert guessed(columns) == fields


def test_believes_what_the_client_took_a_column_for_before_what_stands_in_it():
    columns = {"Contact": ACCOUNTS, "Phone": PHONES}

    assert guessed(columns, habits={"contact": "full_name"}) == {"full_name": 0, "phone_number": 1}


def test_shows_the_first_twenty_rows_as_they_are_read(browse, mia):
    lines = "".join(f"Person{n},21255501{n:02},,note {n}\n" for n in range(30))
    row = upload(mia, "Name,Phone,,Note\n" + lines + "short\n")
    browser = browse(mia)

    page = browser.get(f"/app/imports/{row.pk}/").text
    assert [n for n in range(30) if f"<td>Person{n}</td>" in page] == list(range(20))
    assert "<td>note 19</td>" in page
    assert '<th scope="col">Note</th>' in page

    read = {"encoding": "utf-8", "delimiter": ";", "quoting": "double", "has_header": "on"}
    browser.post(f"/app/imports/{row.pk}/reading/", read)
    assert "<td>Person0,2125550100,,note 0</td>" in browser.get(f"/app/imports/{row.pk}/").text


@pytest.mark.parametrize(
    ("quoting", "first"),
    [
        ("double", ["'Byron", "Ada'", "2125550101"]),
        ("single", ["Byron, Ada", "2125550101"]),
        ("none", ["'Byron", "Ada'", "2125550101"]),
    ],
)
def test_reads_quotes_as_somebody_says(browse, mia, quoting, first):
    row = upload(mia, "Name,Phone\n'Byron, Ada',2125550101\n")

    answer = browse(mia).post(
        f"/app/imports/{row.pk}/reading/",
        {"encoding": "utf-8", "delimiter": ",", "quoting": quoting, "has_header": "on"},
    )

    assert answer.status_code == 302
    row.refresh_from_db()
    assert row.detected["samples"] == [first]


def test_reads_quotes_as_letters_to_the_end_of_the_file():
    content = b'Name,Phone\n"Ada,2125550101\n5" pipe,"2125550102"\n'
    found = found_in(content)
    found["quoting"] = "none"

    rows = [cells for _number, cells in open_rows(io.BytesIO(content), found)]
    assert rows[1:] == [['"Ada', "2125550101"], ['5" pipe', '"2125550102"']]
