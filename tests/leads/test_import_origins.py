"""A file whose numbers aren't good in the usual country is read in the one where they are, or says which would do."""

from __future__ import annotations

import re

import pytest

from leads.imports.columns import guess_mapping
from leads.imports.origins import Origins, origins
from leads.models import Lead
from tests.factories.leads import ask_check, upload
from tests.leads.test_import_pages import MAPPED

BRITISH = (
    "Forename;Surname;Mobile;Telephone 2;Postcode\n"
    "Siân;O\u2019Neill;07946 123456;;SW1A 1AA\n"
    "Zoë;Brückner;020 7946 0018;;M1 1AE\n"
    "Tom;Smith;7946123457;0117 496 0123;EH1 1YZ\n"
)


BRITISH_IN_ONE_PIECE = ("07700900123", "02079460018", "01632960123", "07911123456", "01174960123")

FRENCH = [f"{area} {number}" for number in range(10, 16) for area in ("06 12 34 56", "01 42 68 53")]
MOBILES = "".join(f"A,07946 1234{number},a@x.test\n" for number in range(56, 64))


def listed(*numbers):
    return "name,phone\n" + "".join(f"A,{number}\n" for number in numbers)


def guessed(user, content, usual="US"):
    found = upload(user, content).detected
    return origins(found, guess_mapping(found, variables=(), remembered=None), usual)


@pytest.mark.parametrize(
    ("content", "countries"),
    [
        (BRITISH, ("GB",)),
        # Nothing but mobiles, which others have too: an address, or a number with its code, tells.
        ("name,phone,email\nA,07946 123456,a@firm.co.uk\nB,07946 123457,b@x.org.uk\n", ("GB",)),
        # The way in which the digits are parted tells of a list that is long enough.
        (listed("030 901820", "0171 2345678", "089 21800", "0351 449510", "0160 2345678"), ("DE",)),
        (
            listed("612 34 56 78", "915 67 89 01", "934 12 34 56", "655 12 34 56", "954 12 34 56"),
            ("ES",),
        ),
        (listed("347 223 4567", "06 6982 1234", "02 4567 8901", "333 123 4567"), ("IT",)),
        (listed("0412 345 678", "(02) 9374 4000", "(03) 9123 4567", "(07) 3123 4567"), ("AU",)),
        (listed("0664 1234567", "0676 2345678", "0699 12345678", "+49 171 2345678"), ("AT",)),
        (listed(*FRENCH, "unlisted"), ("FR",)),
        # They would be good in Bangladesh, but the file says that they aren't from there.
        ("name,phone,zip\nA,01378 123456,M1 1AE\nB,01378 123457,M1 1AE\n", ()),
        # The usual ones, damaged ones, too few, and those that a column or their code tells of.
        ("name,phone\nA,212-736-5001\nB,(415) 736-5002\nC,07946 123456\n", ()),
        ("name,phone\nA,2.12E+09\nB,#REF!\nC,4.15E+09\n", ()),
        ("name,phone\nA,07946 123456\n", ()),
        ("name,phone,country\nA,07946 123456,UK\nB,07946 123457,UK\n", ()),
        ("name,phone\nA,+44 7946 123456\nB,+44 7946 123457\n", ()),
        ("name,phone\nA,447946123456\nB,447946123457\nC,4930901820\n", ()),
    ],
)
def test_finds_where_the_numbers_are_good(alice, content, countries):
    assert guessed(alice, content) == (countries, bool(countries))


@pytest.mark.parametrize(
    "content",
    [
        # Swiss people with an address in Germany, where their numbers would be good; too few to tell by their style.
        listed("06 12 34 56 78", "01 42 68 53 00"),
        "n,phone,mail\nA,044 668 18 00,a@gmx.de\nB,044 668 18 01,b@x.test\nC,043 344 55 66,\n",
        # One customer of many abroad, and addresses that anybody may have.
        f"name,phone,mail\n{MOBILES}A,07946 123499,a@b.de\n",
        f"name,phone,mail\n{MOBILES.replace('x.test', 'x.io')}",
        # As in India but for a zero; good in Germany alone, which has nearly any number.
        "name,phone\nA,98123 45678\nB,98765 43210\n",
        "name,phone\nA,981000 4100678\nB,981010 4101678\n",
        # As in Bangladesh, but all of one area; in one piece, and good in one country alone, by chance or not.
        "name,phone\nA,01378 123456\nB,01378 123457\n",
        "name,phone\nA,01712345678\nB,030901820\n",
        listed(*BRITISH_IN_ONE_PIECE),
    ],
)
def test_is_not_sure_where_little_tells(alice, content):
    found = guessed(alice, content)

    assert found.countries
    assert not found.is_sure


@pytest.mark.parametrize("coded", ["+44 20 7946 0018", "0044 20 7946 0018", "tel:+44 20 7946 0018"])
def test_puts_in_front_where_numbers_with_a_code_are_from(alice, coded):
    found = guessed(alice, f"name,phone\nA,07946123456\nB,07946123457\nC,{coded}\n")

    assert (found.countries[0], found.is_sure) == ("GB", False)


def test_finds_nothing_where_they_are_good_in_the_usual_country(alice):
    assert guessed(alice, BRITISH, usual="GB") == Origins()
    assert guessed(alice, "name,phone\nA,07946 123456\nB,07946 123457\n", usual="IN") == Origins()


def test_names_the_likeliest_countries_that_would_do(alice, browse):
    """France's numbers, say, have one length, and Germany's twelve."""
    row = upload(alice, listed("07946123456", "07946123457"))

    page = browse(alice).get(f"/app/imports/{row.pk}/").text

    (said,) = re.findall(r"Few of the numbers[^<]+", page)
    assert "with the country “United States”. Nearly all would be with any of" in said
    assert "any of “United Kingdom”, " in said
    assert "Germany" not in said
    assert ", others: choose where they are from" in said
    assert '<option value="US" selected' in page


def test_imports_a_british_list_of_an_american_client_right_the_first_time(
    alice, browse, run_jobs, django_capture_on_commit_callbacks
):
    """As a person does who presses the buttons and changes nothing."""
    browser = browse(alice)
    row = upload(alice, BRITISH.encode("cp1252"))
    page = browser.get(f"/app/imports/{row.pk}/").text
    assert "nearly all with “United Kingdom”: that is chosen now" in page
    assert '<option value="GB" selected' in page

    columns = {f"column_{place}": "" for place in range(5)}
    columns |= {"column_0": "field:first_name", "column_1": "field:last_name"}
    columns |= {"column_2": "field:phone_number", "column_3": "field:phone_2"}
    (country,) = re.findall(r'<option value="(\w\w)" selected', page)
    sent = {**MAPPED, **columns, "country": country}
    with django_capture_on_commit_callbacks(execute=True):
        assert browser.post(f"/app/imports/{row.pk}/check/", sent).status_code == 302
    run_jobs()
    with django_capture_on_commit_callbacks(execute=True):
        browser.post(f"/app/imports/{row.pk}/commit/")
    run_jobs()

    assert set(Lead.objects.values_list("first_name", "phone_number")) == {
        ("Siân", "+447946123456"),
        ("Zoë", "+442079460018"),
        ("Tom", "+447946123457"),
    }


def test_says_after_a_check_where_the_numbers_would_be_good(
    alice, browse, run_jobs, django_capture_on_commit_callbacks
):
    """A program sent it, or nobody looked at the country."""
    row = upload(alice, BRITISH)
    with django_capture_on_commit_callbacks(execute=True):
        ask_check(row, country="US")
    run_jobs()
    browser = browse(alice)

    checked = browser.get(f"/app/imports/{row.pk}/").text
    columns = browser.get(f"/app/imports/{row.pk}/?columns").text

    assert "nearly all would be with “United Kingdom”. Choose it under “Change columns" in checked
    assert '<option value="US" selected' in columns  # somebody chose it
    assert "Choose it under “Options”" in columns


def test_says_nothing_of_a_check_whose_numbers_are_good(imported, alice, browse):
    row = imported(BRITISH, country="GB", commit=False)

    assert "Few of the numbers" not in browse(alice).get(f"/app/imports/{row.pk}/").text
