"""Numbers however people and programs write them: read where no digit is lost, refused where one may be."""

from __future__ import annotations

import pytest

from convomono.lib.phone import NumberRefused, extension_of, parse_number
from leads.imports.forgetting import forget_in_import
from leads.imports.numbers import numbers_in
from leads.imports.screens import rows_with_verdict
from leads.imports.warned import rows_with_warning
from leads.models import Lead
from tests.leads.test_import_files import workbook

ADA = "+12127365003"
LONDON = "+442079460018"


def refused(text: str, country: str) -> str:
    with pytest.raises(NumberRefused) as caught:
        numbers_in(text, country)
    return caught.value.reason


@pytest.mark.parametrize(
    "text",
    [
        *("212\u202f736\u202f5003", "212\u2009736\u20095003", "\u00a0212\u00a0736\u00a05003\u00a0"),
        *("\u200b2127365003\u200b", "\u2066+12127365003\u2069", "\ufeff2127365003", "212\u2060736\u20605003"),
        *("212-736-5003 (cell)", "212-736-5003 work", "212-736-5003 - home", "tel 212-736-5003"),
        *("Mobile: (212) 736-5003", "Tel. no. 212-736-5003", "(h) 212-736-5003", "mobile +1 212 736 5003"),
        *("tel:+1-212-736-5003", "212-736-5003cell", "00 1 212 736 5003", "001 212 736 5003"),
    ],
)  # fmt: skip
def test_reads_a_number_in_blanks_and_words_that_say_what_it_is(text):
    assert parse_number(text).e164 == ADA


@pytest.mark.parametrize("country", ["US", "GB", "IT", "ZZ"])
@pytest.mark.parametrize(
    "text", ["0044 20 7946 0018", "00442079460018", "+44 20 7946 0018 (office)"]
)
def test_reads_00_before_a_country_code_wherever_the_file_comes_from(text, country):
    assert parse_number(text, country).e164 == LONDON


def test_reads_what_america_dials_before_a_country_code_there():
    assert parse_number("011 44 20 7946 0018").e164 == LONDON


def test_reads_letters_that_stand_for_digits():
    assert parse_number("212-CALL-NOW").e164 == "+12122255669"
    assert parse_number("212-736-HOME").e164 == "+12127364663"
    assert refused("1-800-FLOWERS", "US") == "phone_toll_free"


@pytest.mark.parametrize(
    ("text", "country"),
    [
        *(("212-736-5003 Bob", "US"), ("212-736-5003 fax", "US"), ("212-736-5003 do not call", "US")),
        # Letters that would become digits of a number that is another's.
        *(("+49 30 1234 Ann", "DE"), ("030 1234 Ann", "DE"), ("212-CALL-NOW", "GB")),
        *(("030 123456 a 12", "DE"), ("2.12736E9", "US"), ("3.4712346E9", "IT"), ("4.1E+09", "US")),
        *(("21273650.01", "US"), ("2127365004.5", "US"), ("21273650,01", "US"), ("2,127,365,003.50", "US")),
        *(("347123456.7", "IT"), ("61234567.8", "ES"), ("2.127.365.003,50", "US")),
    ],
)  # fmt: skip
def test_refuses_as_damaged_what_may_be_another_number(text, country):
    assert refused(text, country) == "phone_damaged"


@pytest.mark.parametrize(
    "text",
    [
        *("2,127,365,003", "2.127.365.003", "2'127'365'003", "2\u2019127\u2019365\u2019003", "2 127 365 003"),
        *("2,127,365,003.00", "2.127.365.003,0", "2127365003.0", "12,127,365,003"),
    ],
)  # fmt: skip
def test_reads_a_number_with_signs_between_its_thousands(text):
    assert numbers_in(text, "US").value == int(ADA[1:])


@pytest.mark.parametrize("text", ["2,127,36,5003", "21,273,650,03", "127,365,003", "1,234,567"])
def test_takes_no_other_groups_for_thousands(text):
    with pytest.raises(NumberRefused):
        numbers_in(text, "US")


@pytest.mark.parametrize(
    "text",
    [
        *("212-736-5003 / 212-736-5004", "212-736-5003, 212-736-5004", "2127365003;2127365004"),
        *("212-736-5003 or 212-736-5004", "212-736-5003\n212-736-5004", "2127365003,2127365004"),
        *("cell 212-736-5003; home 212-736-5004", "+1 212 736 5003 | 212 736 5004"),
        *("212-736-5003 / 212-736-5003 / 212-736-5004", "212-736-5003 x1 / 212-736-5004"),
        "212-736-5003 / 212-736-5004 / 212-736-5003",
    ],
)
def test_takes_both_numbers_of_a_cell_the_first_before_the_second(text):
    found = numbers_in(text, "US")

    assert (found.value, found.others) == (12127365003, (12127365004,))
    assert found.has_extension is ("x1" in text)


@pytest.mark.parametrize(
    ("text", "country", "value", "others"),
    [
        ("0171/2345678", "DE", 491712345678, ()),
        ("030 / 123456-12", "DE", 493012345612, ()),
        ("0049171/2345671", "DE", 491712345671, ()),
        ("030 1234567/7654321", "DE", 49301234567, ()),  # the second without its area code
        ("212 736 5003, 12", "US", 12127365003, ()),
        ("12 / 212-736-5003", "US", 0, ()),
        ("212-736-5003/5004", "US", 0, ()),
        ("0049999/2345671", "DE", 0, ()),
        ("999-736-5003 / 212-736-5004", "US", 12127365004, ()),
        ("212-736-5003 / fax 212-736-5004", "US", 12127365003, ()),
    ],
)
def test_takes_nothing_for_a_second_number_that_may_be_part_of_the_first(
    text, country, value, others
):
    if not value:
        assert refused(text, country) in {
            *("phone_too_long", "phone_damaged", "phone_not_assignable")
        }
        return
    found = numbers_in(text, country)
    assert (found.value, found.others) == (value, others)


@pytest.mark.parametrize(
    ("text", "country"),
    [
        *(("212-736-5001 x45", "US"), ("(212) 736-5002 ext. 9", "US"), ("212-736-5003;ext=7", "US")),
        *(("212-736-5004 #12", "US"), ("212 736 5006, 12", "US"), ("030 123456 Durchwahl 12", "DE")),
        *(("030 123456 DW 12", "DE"), ("06 12345678 interno 4", "IT")),
    ],
)  # fmt: skip
def test_tells_that_an_extension_is_left_out(text, country):
    assert numbers_in(text, country).has_extension
    assert extension_of(text, country)


def test_keeps_a_row_with_an_extension_and_warns_of_it(imported):
    done = imported(
        "name,phone\nAda,212-736-5001 x45\nBob,212-736-5001 x46\nCy,212-736-5002\nDi,2127365003 (cell)\n"
    )

    assert done.counts == {"new": 3, "dup_file": 1, "extension_dropped": 1}
    (row,) = rows_with_warning(
        lead_import=done, warning="extension_dropped", campaign="", page=None
    ).rows
    assert row.values[0] == "Ada"


def test_keeps_the_further_numbers_of_each_cell_in_order(imported):
    done = imported(
        "name,phone,work phone\n"
        'Ada,"212-736-5001\n212-736-5002",212-736-5003\n'
        "Bob,unknown,212-736-5004 / 212-736-5005\n"
    )

    assert done.counts == {"new": 2}
    assert dict(Lead.objects.values_list("phone_number", "other_numbers")) == {
        "+12127365001": ["+12127365002", "+12127365003"],
        "+12127365004": ["+12127365005"],
    }


def test_says_what_is_wrong_with_words_beside_a_number(imported):
    done = imported("name,phone\nAda,212-736-5001 ask for Ada\n", commit=False)

    (row,) = rows_with_verdict(lead_import=done, verdict="phone_damaged", page=None).rows
    assert row.reason == "Words stand beside the number. Keep only the number in the cell."


def test_refuses_a_workbooks_number_with_decimals(imported):
    done = imported(workbook(["name", "phone"], ["Ada", 21273650.01], ["Bob", 2127365002.0]))

    assert done.counts == {"new": 1, "phone_damaged": 1}


def test_finds_an_erased_person_by_the_second_number_of_a_refused_cell(imported):
    done = imported(
        "name,phone\nAda,999-736-5001 / 212-736-5002\nBob,212-736-5003\n", refused_lines=["unknown"]
    )

    assert done.counts == {"line_type_refused": 2}
    assert forget_in_import(done, lambda phone: phone == 12127365002) is True


def test_takes_no_day_for_a_number_that_stands_alone_in_its_cell():
    assert refused("2026-05-01", "DE") == "phone_damaged"


@pytest.mark.parametrize(
    ("said", "number", "line_type"),
    [
        ("07700 900123", "+447700900123", "mobile"),
        ("0115 496 0123", "+441154960123", "landline"),
        ("01632 960123", "+441632960123", "landline"),
        ("020 7946 0123", "+442079460123", "landline"),
    ],
)
def test_takes_the_british_numbers_that_are_kept_for_drama(imported, said, number, line_type):
    imported(f"name,phone\nAda,{said}\n", country="GB")

    lead = Lead.objects.get()
    assert (lead.phone_number, lead.country, lead.line_type) == (number, "GB", line_type)
    assert lead.zones == ["Europe/London"]
