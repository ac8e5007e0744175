"""Whatever spreadsheet somebody has: encodings, delimiters, workbooks, damage, and files that lie."""

from __future__ import annotations

import io
import resource
import zipfile
from collections import Counter
from datetime import UTC, datetime

import openpyxl
import phonenumbers  # noqa: TID251  # what the quick path is held to
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import HealthCheck, given, settings, strategies as st

from accounts.models import Notification
from convomono.lib import csvio
from convomono.lib.phone import NumberRefused, _parse_any, _zones, parse_number, time_zones
from convomono.lib.phone_plans import quick_number
from leads.imports.columns import guess_mapping
from leads.imports.packed import FileRefused
from leads.imports.source import detect
from leads.models import Detected, Lead, LeadImport
from leads.services.imports import read_import_again
from tests.factories.accounts import NOW
from tests.factories.leads import upload
from tests.mongo import fewer

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
        (
            "Phone,Phone,_reason",
            "2125550101,2125550102,x",
            {"phone_number": 0, "phone_2": 1},
        ),
        (
            "Phone,Mobile,Work Phone,Cell",
            "2125550101,2125550102,2125550103,2125550104",
            {"phone_number": 0, "phone_2": 1, "phone_3": 2},
        ),
        ("Phone,Number", "2125550101,12b", {"phone_number": 0}),  # of a house
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

    assert done.counts["row_unreadable"] == 4
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


def test_stops_where_a_workbook_ends_in_the_middle(imported):
    whole = workbook(["name", "phone"], *(["P", 2125550100 + n] for n in range(60)))
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as book, zipfile.ZipFile(out, "w") as cut:
        for name in book.namelist():
            cut.writestr(name, book.read(name)[: -40 if name.endswith("sheet1.xml") else None])

    done = imported(out.getvalue(), commit=False)

    assert done.status == "failed"
    assert "isn't a spreadsheet we can read" in done.error
    # Whoever left the page hears of it.
    assert "isn't a spreadsheet" in Notification.objects.get(level="bad").body


def test_refuses_a_workbook_that_unpacks_to_far_more(alice):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("xl/workbook.xml", "<workbook/>")
        bomb.writestr("xl/worksheets/sheet1.xml", b"0" * 30_000_000)

    with pytest.raises(FileRefused, match="unpacks to far more"):
        upload(alice, out.getvalue())


def zipped(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("_dot_", "."), content)
    return out.getvalue()


def test_reads_the_one_spreadsheet_in_a_zip_file(imported):
    inside = workbook(["Name", "Phone"], ["Ada", "212 555 0101"])

    of_csv = imported(zipped(leads_dot_csv=PEOPLE.encode("cp1252"), readme_dot_md=b"x"))
    of_xlsx = imported(zipped(leads_dot_xlsx=inside))

    assert of_csv.counts == {"new": 2}
    assert of_xlsx.counts == {"update": 1}
    assert Lead.objects.filter(first_name="Zoë").exists()


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"readme_dot_md": b"x"}, "no spreadsheet in this ZIP"),
        ({"a_dot_csv": b"x", "b_dot_csv": b"y"}, "several spreadsheets"),
        ({"a_dot_csv": b"0" * 30_000_000}, "unpacks to far more"),
    ],
)
def test_refuses_a_zip_file_without_just_one_spreadsheet(alice, files, sentence):
    with pytest.raises(FileRefused, match=sentence):
        upload(alice, zipped(**files))


def test_takes_as_much_out_of_a_zip_file_as_would_be_taken_without_one(browse, mia, settings):
    data = b"name,phone\n" + b"".join(b"Ada,21255501%02d\n" % n for n in range(99))
    consent = {"consent_kind": "express", "consent_source": "Fair", "consent_on": "2026-11-01"}
    archive = zipped(leads_dot_csv=data)

    for cap, status in ((len(data), 302), (len(data) - 1, 422)):
        settings.LEAD_UPLOAD_MAX_BYTES = cap
        file = SimpleUploadedFile("leads.zip", archive)
        answer = browse(mia).post("/app/imports/new/", {"file": file, **consent})
        assert answer.status_code == status

    assert "Unpacked this file is larger than 1 MB." in answer.text
    assert "A workbook may unpack to 2048 MB" in answer.text
    row = LeadImport.objects.get()
    assert row.rows_total == 99


@pytest.mark.parametrize("country", ["US", "DK"])
def test_takes_no_day_for_a_number(imported, country):
    rows = "Ada,2026-05-01,\nBob,2026-05-01 14:30,\nCy,2026-05-01,+12125550101\n"

    done = imported(f"name,phone,phone 2\n{rows}", country=country)

    assert done.counts == {"phone_damaged": 2, "new": 1}
    found = imported("Joined,Reach\n2026-05-01,2125550101\n2026-05-02,2125550102\n", commit=False)
    assert found.mapping["fields"] == {"phone_number": 1}


def test_reads_the_sheet_somebody_names(alice, imported):
    book = openpyxl.Workbook()
    book.active.append(["Nothing", "here"])
    book.active.append(["a", "b"])
    sheet = book.create_sheet("People")
    sheet.append(["Name", "Phone"])
    sheet.append(["Ada", "(212) 555-0101"])
    out = io.BytesIO()
    book.save(out)
    row = upload(alice, out.getvalue())

    read_import_again(lead_import=row, reading={"sheet": "People", "has_header": True})

    assert row.detected["sheets"] == ["Sheet", "People"]
    assert row.detected["header"] == ["Name", "Phone"]
    assert row.detected["samples"] == [["Ada", "(212) 555-0101"]]


def test_reads_the_file_another_way_when_told_so(alice):
    row = upload(alice, "Имя;Телефон\nИдо;212 555 0101\n".encode("cp1251"))  # noqa: RUF001

    read_import_again(
        lead_import=row, reading={"encoding": "cp1251", "delimiter": ";", "has_header": False}
    )

    assert row.detected["header"] == ["Column 1", "Column 2"]
    assert row.detected["samples"][0] == ["Имя", "Телефон"]


def test_keeps_the_accents_of_utf_8_beside_a_few_stray_bytes(imported):
    good = "".join(f"Zoë{n},212555{100 + n:04}\n" for n in range(20)).encode()

    done = imported(b"name,phone\n" + good + b"Jos\xe9,2125550150\n")

    assert done.detected["encoding"] == "utf-8"
    assert done.counts == {"new": 20, "row_unreadable": 1}
    assert Lead.objects.filter(first_name="Zoë1").exists()


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


def test_tells_both_zones_of_an_area_that_spans_two():
    assert time_zones("+12125550101") == ("America/New_York",)
    assert time_zones("+18505550101") == ("America/Chicago", "America/New_York")
    assert time_zones("+18005550123") == ()
    british = ["America/Creston", "America/Edmonton", "America/Vancouver"]
    assert all(sorted(time_zones(f"+1{code}5550101")) == british for code in (236, 257, 672))


_COUNTRIES = ["GB", "GG", "DE", "FR", "AU", "IN", "MX", "BR", "IT", "ES", "NL", "IE", "AR", "IL"]
_COUNTRIES += ["ZA", "PH", "SG", "AE", "CO", "CL", "NO", "DK", "FI", "SE", "PL", "CH", "AT", "RU"]


@given(
    country=st.sampled_from(_COUNTRIES),
    kind=st.sampled_from([0, 1, 3, 4, 6]),
    tail=st.text("0123456789", min_size=0, max_size=8),
    form=st.sampled_from(
        [
            "+{cc}{n}",
            "+{cc} (0){n}",
            "0{n}",
            "{n}",
            "({a}) {b}",
            "+{cc} {a}-{b}",
            "{cc}{n}",
            "00{cc}{n}",
        ]
    ),
    default=st.sampled_from(["US", "GB", ""]),
)
@settings(max_examples=1500, deadline=None)
def test_knows_other_countries_numbers_as_phonenumbers_does(country, kind, tail, form, default):
    code = phonenumbers.country_code_for_region(country)
    example = phonenumbers.example_number_for_type(country, kind)
    example = example or phonenumbers.example_number(country)
    assert example is not None
    national = phonenumbers.national_significant_number(example)
    n = national[: len(national) - len(tail)] + tail
    text = form.format(cc=code, n=n, a=n[:3], b=n[3:])

    quick = quick_number(text, default or country)

    if quick is not None:
        value, line = quick
        whole = _parse_any(text, default or country)
        assert (f"+{value}", line.country, line.line_type) == (
            whole.e164,
            whole.country,
            whole.line_type,
        )
        assert line.zones == _zones(whole.e164)


NUMBERS = st.sampled_from(
    [f"212555010{n}" for n in range(6)]
    + ["+1 (212) 555-0101", "12", "", "4.1E+09", "x", "8005550123"]
)


@settings(
    max_examples=fewer(25, 4),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
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


TITLES = "Leads of November\n\nMade by Ann,2026-11-01\n"


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_leaves_titles_above_the_table_out(imported, verdicts, kind):
    table = "First name,Phone,City,State\nAda,2125550101,,NY\nBob,12,Reno,NV\n"
    rows = TITLES + table
    content = rows.encode()
    if kind == "xlsx":
        book, out = openpyxl.Workbook(), io.BytesIO()
        for line in rows.splitlines():
            book.active.append(line.split(",") if line else [])
        book.save(out)
        content = out.getvalue()

    done = imported(content)

    assert done.detected["header"] == ["First name", "Phone", "City", "State"]
    assert done.detected["samples"][0] == ["Ada", "2125550101", "", "NY"]
    assert verdicts(done) == {6: "phone_too_short"}  # as the spreadsheet counts
    assert done.rows_total == 2
    assert Lead.objects.get().first_name == "Ada"


@pytest.mark.parametrize(
    ("content", "skipped"),
    [
        ("phone\n2125550101\n2125550102\n", 0),
        ("name,phone\nAda,2125550101\n", 0),
        ("name,phone,a,b\nAda,2125550101,,\nBob,2125550102,,\n", 0),
        ("Ada,2125550101,x,y\nBob,2125550102,,\n", 0),
        (",2125550101,,\nAda,2125550102,x,y\nBob,2125550103,x,y\n", 0),
        ("2026-11-01 10:20:30\nname,phone\nAda,2125550101\n", 1),
        ("Report\nname,phone\nAda,2125550101\n", 1),
        ("Report\nAda,2125550101\nBob,2125550102\n", 1),
        ("Report,Spring,2026-11-01,\nname,phone,mail,city\nAda,2125550101,a@x.test,NY\n", 1),
        ("Report,Spring,11/01/2026,\nname,phone,mail,city\nAda,2125550101,,\nBob,2125550102\n", 1),
        # A header without a name for each column, above somebody without a number.
        ("name,phone,mail,\nSam,none,s@x.test,vip\nAda,2125550101,a@x.test,vip\n", 0),
        ("name,phone,01/05/2026,\nSam,none,s@x.test,vip\nAda,none,a@x.test,vip\n", 0),
        ("name,phone,01/05/2026,02/05/2026\nAda,2125550101,x,y\nBob,2125550102,x,y\n", 0),
        ("2026-11-01,Ada,2125550101,\nBob,Cy,Di,Ed\nx,Bob,2125550102,z\n", 0),
    ],
)
def test_takes_no_table_for_a_title(alice, content, skipped):
    assert upload(alice, content).detected["skipped"] == skipped


@pytest.mark.parametrize("day", ["01/05/2026", "5/1/2026", "01.05.2026", "05-01-2026 10:30"])
def test_takes_a_column_named_like_a_day_for_no_person(imported, day):
    done = imported(f"name,phone,{day}\nAda,212-555-0101,x\n")

    assert done.detected["header"] == ["name", "phone", day]
    assert done.counts == {"new": 1}


def test_takes_a_column_of_days_for_no_numbers(imported):
    rows = "".join(f"0{n}/05/2026,212-555-010{n}\n" for n in range(1, 8))

    assert imported(f"When,Reach\n{rows}").mapping["fields"] == {"phone_number": 1}


@pytest.mark.parametrize("number", ["20260105", "20 26 01 05", "20.26.01.05", "20-12-10-55"])
def test_takes_eight_digits_for_a_number(imported, number):
    done = imported(f"Ada,{number}\nBob,20260106\n", country="DK", commit=False)

    assert done.detected["header"] == ["Column 1", "Column 2"]
    assert done.counts == {"new": 2}


def test_leaves_out_as_many_rows_as_somebody_says(alice, browse, mia):
    row = upload(alice, "a,b,c\nx,y,z\nName,Phone,City\nAda,2125550101,Reno\n")
    assert row.detected["header"] == ["a", "b", "c"]
    path = f"/app/imports/{row.pk}/reading/"

    browse(mia).post(
        path, {"delimiter": ",", "encoding": "utf-8", "skipped": 2, "has_header": "on"}
    )
    refused = browse(mia).post(path, {"delimiter": ",", "encoding": "utf-8", "skipped": 21})

    row.refresh_from_db()
    assert row.detected["header"] == ["Name", "Phone", "City"]
    assert refused.status_code == 422
