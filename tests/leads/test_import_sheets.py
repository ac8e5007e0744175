"""Three spreadsheets as people really have them are right the first time."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import date, datetime, time

import openpyxl
import pytest

from campaigns.services.enrolment import CampaignTarget
from campaigns.variables import VariableRule
from leads.imports.screens import import_progress
from leads.models import Lead
from leads.services.imports import read_import_again
from tests.factories.leads import upload


def people() -> dict[str, tuple[str, str, str]]:
    rows = Lead.objects.values_list("phone_number", "first_name", "last_name", "country")
    return {number: (first, last, country) for number, first, last, country in rows}


def test_an_american_list_that_excel_has_damaged(imported, verdicts):
    content = (
        "Customer Name,Cell,ST,Zip Code,Email,Notes\r\n"
        'Ada Byron,2.125550101E+09,NY,10001,ada@x.test,"likes ""tea"", mornings"\r\n'
        "Grace Murray,4155550102.0,CA,94103,grace@x.test,\r\n"
        "Alan T,4.15551E+09,CA,94103,,rounded by Excel\r\n"
        'Katherine J,="3045550104",WV,25301,,\r\n'
        "Mary J,(617) 555-0105,MA,2115,,zero lost\r\n"
        "Dorothy V,1-757-555-0106,VA,23661,,\r\n"
        "Annie E,757.555.0106,VA,23661,,again\r\n"
        "#ERROR!,#REF!,TX,75001,,\r\n"
        ",,,,,\r\n"
    )

    done = imported(content)

    assert done.detected["delimiter"] == ","
    assert done.mapping["fields"] == {
        "full_name": 0,
        "phone_number": 1,
        "region": 2,
        "postal_code": 3,
        "email": 4,
    }
    assert done.counts == {"new": 5, "phone_damaged": 2, "dup_file": 1}
    assert verdicts(done) == {4: "phone_damaged", 8: "dup_file", 9: "phone_damaged"}
    assert people() == {
        "+12125550101": ("Ada", "Byron", "US"),
        "+14155550102": ("Grace", "Murray", "US"),
        "+13045550104": ("Katherine", "J", "US"),
        "+16175550105": ("Mary", "J", "US"),
        "+17575550106": ("Dorothy", "V", "US"),
    }
    assert Lead.objects.get(last_name="J", first_name="Mary").zones == ["America/New_York"]


def test_a_british_list_with_semicolons_in_the_windows_character_set(imported):
    content = (
        "Forename;Surname;Organisation;Mobile;Telephone 2;Consent date\n"
        "Siân;O\u2019Neill;Caf\u00e9 \u201cNero\u201d;07946 123456;;03/11/2026\n"
        "Zo\u00eb;Br\u00fcckner;\u00a35 & Co;+44 (0)20 7946 0018;;3 Nov 2026\n"
        "Tom;Smith;;7946123457;0117 496 0123;04.11.2026\n"
        "Meg;Jones;;00447946123458;;05/11/2026\n"
    ).encode("cp1252")

    done = imported(content, country="GB", consent=None, consent_by_row=True)

    assert (done.detected["encoding"], done.detected["delimiter"]) == ("cp1252", ";")
    assert done.counts == {"new": 4, "tz_uncertain": done.counts.get("tz_uncertain", 0)}
    assert people() == {
        "+447946123456": ("Siân", "O\u2019Neill", "GB"),
        "+442079460018": ("Zoë", "Brückner", "GB"),
        "+447946123457": ("Tom", "Smith", "GB"),
        "+447946123458": ("Meg", "Jones", "GB"),
    }
    tom = Lead.objects.get(first_name="Tom")
    assert tom.other_numbers == ["+441174960123"]
    assert tom.consents.get().given_at.date().isoformat() == "2026-11-04"
    assert Lead.objects.get(first_name="Zoë").company == "\u00a35 & Co"


def test_a_list_of_many_countries_from_a_unicode_export(imported, target):
    target.variables = ["plan"]
    content = (
        "\ufeffContact Name\tPhone Number\tCountry\tPlan\tTime Zone\n"
        "José García\t612 34 56 78\tSpain\tOro\t\n"
        "Jürgen Groß\t030 901820\tDeutschland\tGold\tEurope/Berlin\n"
        "李 小龙\t+1 415 200 2671\tUSA\tGold\t\n"
        "Marie Curie\t01 42 68 53 00\tFR\tOr\t\n"
        "Pelé\t(11) 96123-4567\tBrazil\tOuro\t\n"
        "Nobody\t12345\tNarnia\tx\t\n"
        "Ivan\t+7 912 345-67-89\t\tЛунный\t\n"  # noqa: RUF001
    ).encode("utf-16")

    done = imported(content, campaign_id=target.campaign_id)

    assert (done.detected["encoding"], done.detected["delimiter"]) == ("utf-16", "\t")
    assert done.counts["new"] == 6
    assert done.counts["phone_unknown_country"] == 1
    assert {number: row[2] for number, row in people().items()} == {
        "+34612345678": "ES",
        "+4930901820": "DE",
        "+14152002671": "US",
        "+33142685300": "FR",
        "+5511961234567": "BR",
        "+79123456789": "RU",
    }
    assert Lead.objects.get(phone_number="+4930901820").zones == ["Europe/Berlin"]
    assert target.enrolled["+79123456789"].dynamic_vars == {"plan": "Лунный"}


def test_reads_days_and_times_of_a_workbook_as_people_see_them(imported, target):
    book, out = openpyxl.Workbook(), io.BytesIO()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Phone", "day", "at", "hour"])
    at = datetime(2026, 5, 1, 14, 30)  # noqa: DTZ001  # a cell has no zone
    sheet.append(["212 555 0101", date(2026, 5, 1), at, time(9, 5)])
    sheet.append(["212 555 0102", datetime(2026, 5, 2), at.replace(second=7), time(9, 5, 1)])  # noqa: DTZ001
    book.save(out)
    rules = (VariableRule("day", kind="date"),)
    target.variables = ["day", "at", "hour"]
    target.asked = CampaignTarget(target.client_id, target.campaign_id, "", (), rules).asked

    done = imported(out.getvalue(), campaign_id=target.campaign_id)

    assert done.counts == {"new": 2}
    first, second = (target.enrolled[f"+1212555010{n}"].dynamic_vars for n in (1, 2))
    assert first == {"day": "2026-05-01", "at": "2026-05-01 14:30", "hour": "09:05"}
    assert second == {"day": "2026-05-02", "at": "2026-05-01 14:30:07", "hour": "09:05:01"}


def two_sheets(dimension: str | None = None) -> bytes:
    """Return a workbook of 30 and 50 people, whose first sheet says of its size what it is told to."""
    book, out = openpyxl.Workbook(), io.BytesIO()
    for sheet, rows in ((book.active, 30), (book.create_sheet("More"), 50)):
        assert sheet is not None
        sheet.append(["Phone"])
        for n in range(rows):
            sheet.append([f"21255501{n:02}"])
    book.save(out)
    if dimension is None:
        return out.getvalue()
    changed = io.BytesIO()
    with zipfile.ZipFile(out) as old, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("sheet1.xml"):
                said = f'<dimension ref="{dimension}"/>' if dimension else ""
                data = re.sub(rb"<dimension [^>]*/>", said.encode(), data)
            new.writestr(name, data)
    return changed.getvalue()


@pytest.mark.parametrize(
    ("dimension", "total"),
    [(None, 30), ("", 0), ("A1:A1", 0), ("A1:XFD1048576", 1_048_575), ("A1:B99999999", 1_048_575)],
)
def test_knows_about_how_many_rows_a_workbook_has_before_it_is_read(alice, dimension, total):
    row = upload(alice, two_sheets(dimension))

    assert row.rows_total == total
    row.rows_done, row.rows_per_second = 20, 10
    told = import_progress(row)
    assert (told.total, told.seconds_left is None) == (total, total == 0)


def test_counts_the_sheet_that_is_read_and_no_more_than_it_says(alice, imported):
    row = upload(alice, two_sheets())
    read_import_again(lead_import=row, reading={"sheet": "More", "has_header": True})
    row.refresh_from_db()
    assert row.rows_total == 50

    row.rows_done, row.rows_per_second = 51, 10
    assert (import_progress(row).total, import_progress(row).seconds_left) == (0, None)
    assert imported(two_sheets("A1:XFD1048576"), commit=False).rows_total == 30
