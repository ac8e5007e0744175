"""What a column is guessed to be where its name and what stands in it say different things."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from leads.imports.columns import guess_mapping
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
