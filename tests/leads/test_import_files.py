"""Whatever spreadsheet somebody has: encodings, delimiters, workbooks, damage, and files that lie."""

from __future__ import annotations

import io
import resource
import zipfile
from collections import Counter
from datetime import UTC, datetime

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from convomono.lib import csvio
from convomono.lib.phone import NumberRefused, _parse_any, parse_number, time_zones
from leads.imports.columns import guess_mapping
from leads.imports.source import FileRefused, detect
from leads.models import Detected, Lead, LeadImport
from tests.factories.accounts import NOW
from tests.factories.leads import upload

PEOPLE = "Vorname;Nachname;Telefon\nJosé;Müller;(212) 555-0101\nZoë;Ünal;212 555 0102\n"


def workbook(*rows: list[object]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def found_in(data: bytes) -> Detected:
    sniffer = csvio.TextSniffer()
    sniffer.feed(data)
    return detect(io.BytesIO(data), sniffer)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be"]
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_reads_any_encoding_and_delimiter(imported, encoding, delimiter):
    imported(PEOPLE.replace(";", delimiter).encode(encoding))

    names = set(Lead.objects.values_list("first_name", "last_name"))
    assert names == {("José", "Müller"), ("Zoë", "Ünal")}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_reads_any_line_end(imported, end):
    assert imported(PEOPLE.replace("\n", end)).counts == {"new": 2}


def test_reads_a_workbook_with_numbers_dates_and_formulas(imported, verdicts):
    day = datetime(2026, 5, 1, tzinfo=UTC).replace(tzinfo=None)
    data = workbook(
        ["Name", "Phone", "Born", "Sum"],
        ["Ada Byron", 12125550101, day, "=1+1"],
        ["Grace", 2125550102.0, None, None],
        [None, None, None, None],
        ["Bob", day, None, None],
    )

    done = imported(data)

    assert done.detected["format"] == "xlsx"
    assert done.counts["new"] == 2
    assert done.rows_total == 3
    assert Lead.objects.get(phone_number="+12125550101").last_name == "Byron"
    assert verdicts(done) == {5: "phone_damaged"}


def test_reads_a_file_without_a_header(imported):
    done = imported("Ada,(212) 555-0101\nGrace,(212) 555-0102\n")

    assert done.counts == {"new": 2}
    assert done.detected["header"] == ["Column 1", "Column 2"]


@pytest.mark.parametrize(
    ("header", "cells", "fields"),
    [
        (
            "Given Name,SURNAME,Cell",
            "Ada,Byron,2125550101",
            {"first_name": 0, "last_name": 1, "phone_number": 2},
        ),
        ("a,b,c", "x,212 555 0101,ada@x.test", {"phone_number": 1, "email": 2}),
        ("Phone,Phone,_reason", "2125550101,2125550102,x", {"phone_number": 0}),
        ("Name,First name,Number", "Ada B,Ada,2125550101", {"first_name": 1, "phone_number": 2}),
    ],
)
def test_guesses_columns_by_name_and_by_what_stands_in_them(header, cells, fields):
    found = found_in(f"{header}\n{cells}\n".encode())

    assert guess_mapping(found, variables=(), remembered=None)["fields"] == fields


def test_matches_script_variables_by_name():
    found = found_in(b"Phone,Appointment Day,City\n2125550101,Mon,Boston\n")

    mapping = guess_mapping(found, variables=["appointment_day", "offer"], remembered=None)

    assert mapping["variables"] == {"appointment_day": 1}


def test_keeps_rows_apart_that_are_broken(imported):
    done = imported(
        b"name,phone\n"
        b"Too,2125550101,many\n"
        b"Zo\x81,2125550102\n"  # no character of cp1252
        b"\xe9t\xe9,2125550103\n"
        b"Short\n"
        b'"Open,2125550104\n' + b"x" * 140_000 + b"\nLast,2125550105\n"
    )

    assert done.counts["row_unreadable"] == 3
    assert done.counts["phone_missing"] == 1
    assert Lead.objects.filter(phone_number="+12125550103", first_name="été").exists()


def test_takes_control_characters_out_and_keeps_other_scripts(imported):
    imported("name,phone\n\u202aאדה\u202c לוין 🎉,212-555-0101\nA\x00d\x07a,212-555-0102\n")

    names = dict(Lead.objects.values_list("phone_number", "first_name"))
    assert "אדה" in names["+12125550101"]
    assert names["+12125550102"] == "Ada"


def test_reads_numbers_in_their_rows_country(imported):
    done = imported(
        "phone,country\n020 7946 0018,UK\n(415) 200-2671,\n030 901820,Germany\n0201,Narnia\n",
    )

    assert done.counts == {"new": 3, "phone_unknown_country": 1}
    assert set(Lead.objects.values_list("phone_number", "country")) == {
        ("+442079460018", "GB"),
        ("+14152002671", "US"),
        ("+4930901820", "DE"),
    }


def test_refuses_20_mb_of_one_line_in_little_memory(alice):
    data = b"name,phone\n" + b"a" * 20_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.raises(FileRefused, match="longer than a million characters"):
        upload(alice, data)

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # KB
    assert not LeadImport.objects.exists()


def test_stops_at_a_long_line_deep_in_the_file(imported):
    good = "".join(f"P{n},2125550{100 + n}\n" for n in range(60))

    done = imported(f"name,phone\n{good}{'a' * 1_100_000}\n", commit=False)

    assert done.status == "failed"
    assert "Line 62" in done.error


def test_refuses_a_workbook_that_unpacks_to_far_more(alice):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("xl/workbook.xml", "<workbook/>")
        bomb.writestr("xl/worksheets/sheet1.xml", b"0" * 30_000_000)

    with pytest.raises(FileRefused, match="unpacks to far more"):
        upload(alice, out.getvalue())


def test_refuses_an_archive_that_is_no_workbook(alice):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("leads.csv", "phone\n1\n")

    with pytest.raises(FileRefused, match="no Excel workbook"):
        upload(alice, out.getvalue())


@given(st.text(max_size=40))
def test_takes_its_own_safety_off_again(cell):
    clean = csvio.clean_cell(cell)

    assert csvio.clean_cell(csvio.safe_cell(clean)) == csvio.clean_cell(clean)
    assert not csvio.safe_cell(cell).startswith(("=", "+", "-", "@", "\t", "\r"))


@given(
    area=st.integers(200, 999),
    exchange=st.integers(200, 999),
    rest=st.integers(0, 9999),
    form=st.sampled_from(
        ["+1{}{}{}", "{}{}{}", "({}) {}-{}", "{}.{}.{}", "1-{}-{}-{}", " {} {} {}"]
    ),
    country=st.sampled_from(["US", "CA", "PR", "DO", "JM", "GB"]),
)
@settings(max_examples=400)
def test_knows_american_exchanges_as_phonenumbers_does(area, exchange, rest, form, country):
    text = form.format(area, exchange, f"{rest:04}")

    def told(read) -> object:
        try:
            return read(text.strip(), country)
        except NumberRefused as exc:
            return exc.reason

    assert told(parse_number) == told(_parse_any)


def test_tells_zones_by_the_exchange_where_an_area_has_two():
    assert time_zones("+12125550101") == ("America/New_York",)
    assert len(time_zones("+18505550101")) >= 1


NUMBERS = st.sampled_from(
    [f"212555010{n}" for n in range(6)]
    + ["+1 (212) 555-0101", "12", "", "4.1E+09", "x", "8005550123"]
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    numbers=st.lists(NUMBERS, min_size=1, max_size=30),
    known=st.sets(st.sampled_from([f"+1212555010{n}" for n in range(6)]), max_size=3),
    keep=st.sampled_from(["first", "last"]),
)
def test_counts_what_a_plain_count_counts(imported, acme, numbers, known, keep):
    from tests.factories.leads import LeadFactory

    Lead.objects.all().delete()
    for number in known:
        LeadFactory.create(client=acme, phone_number=number, created_at=NOW)

    done = imported(
        "n,phone\n" + "".join(f"P{n},{one}\n" for n, one in enumerate(numbers)), duplicates=keep
    )

    assert {name: n for name, n in done.counts.items() if name != "tz_uncertain"} == oracle(
        numbers, known
    )
    assert Lead.objects.count() == len(known | {good(one) for one in numbers} - {""})


def good(text: str) -> str:
    digits = "".join(filter(str.isdigit, text))[-10:]
    return f"+1{digits}" if digits.startswith("212555") else ""


def oracle(numbers: list[str], known: set[str]) -> dict[str, int]:
    """Count by hand what the engine has to find, number by number."""
    bad = {
        "12": "phone_too_short",
        "": "phone_missing",
        "4.1E+09": "phone_damaged",
        "x": "phone_damaged",
        "8005550123": "phone_toll_free",
    }
    counts = Counter(bad[one] for one in numbers if not good(one))
    times = Counter(good(one) for one in numbers if good(one))
    counts["dup_file"] = sum(times.values()) - len(times)
    counts["update"] = len(set(times) & known)
    counts["new"] = len(set(times) - known)
    return {name: count for name, count in counts.items() if count}
