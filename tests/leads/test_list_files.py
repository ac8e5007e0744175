"""Do-not-call lists as they come: whatever file, columns and spellings, no number is lost silently."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from openpyxl import Workbook

from audit.models import AuditLog
from convomono.lib import files
from leads.jobs import work_on_listing, work_on_operation
from leads.models import AgencyListing, LeadOperation, Suppression
from leads.operations import listing
from leads.services.retention import purge_exports
from tests.factories.accounts import NOW

ADA, BOB, EVE = "+12127365001", "+12127365002", "+12127365003"


def workbook(*sheets: tuple[str, list[list[object]]]) -> bytes:
    book = Workbook()
    for place, (name, rows) in enumerate(sheets):
        sheet = book.active if not place else book.create_sheet()
        sheet.title = name
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def zipped(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, content)
    return out.getvalue()


@pytest.fixture
def send(browse, mia):
    def run(content: bytes | str, **data):
        content = content.encode() if isinstance(content, str) else content
        given = {"country": "US", "reason": "Old system", **data}
        file = SimpleUploadedFile("dnc.csv", content)
        return browse(mia).post("/app/do-not-call/import/", given | {"file": file})

    return run


@pytest.fixture
def take_over(send):
    def run(content: bytes | str, **data) -> LeadOperation:
        answer = send(content, **data)
        assert answer.status_code == 302, answer.text
        operation = LeadOperation.objects.latest("created_at")
        work_on_operation(operation_id=operation.pk)
        operation.refresh_from_db()
        return operation

    return run


def numbers() -> list[str]:
    return sorted(Suppression.objects.values_list("phone_number", flat=True))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("id,phone\n2024051234,212-736-5001\n3105551234,212-736-5002\n", [ADA, BOB]),
        ("phone,id\n2127365001,2024051234\n2127365002,3105551234\n", [ADA, BOB]),
        ("name,phone,phone 2,Mobile\nAda,2127365001,212-736-5002,2127365003\n", [ADA, BOB, EVE]),
        ("name,phone,phone 4,fax\nAda,2127365001,2127365002,\n", [ADA, BOB]),
        # a further number that no row at the top has
        ("phone,mobile,spare\n" + "2127365001,,\n" * 25 + ",2127365002,2127365003\n", [ADA, BOB, EVE]),
        ("phone\n212-736-5001 / 212-736-5002; 2127365003\n", [ADA, BOB, EVE]),
        ("2127365001, 212-736-5002, (212) 736-5003", [ADA, BOB, EVE]),
        ("212-736-5001", [ADA]),
        ("212-736-5001,x\n212-736-5002,y,212 736 5003\n", [ADA, BOB, EVE]),
        ("Ada: 212-736-5001\n212-736-5002\n", [ADA, BOB]),  # the first row is no header
        ("phone 212-736\n212-736-5001\n", [ADA]),
        ("name,phone\nAda,2127365001\nBob;2127365002\n+12127365003,x\n", [ADA, BOB, EVE]),
        ("phone,opt out date\n212-736-5001,2026-01-02\n212-736-5002,20260102\n", [ADA, BOB]),
        ('name,addr,phone\nAda,"1 Main\nApt 2",212-736-5001\n', [ADA]),
        ("212-736-5001\r212-736-5002\r212-736-5003\r", [ADA, BOB, EVE]),
        ("phone\n2.127365001E+09\n2127365002.0\n", [ADA, BOB]),
        ('phone\n"2,127,365,001"\n="2127365002"\n\'+12127365003\n', [ADA, BOB, EVE]),
        ("212-736-5001 (cell)\nwork: 212-736-5002\n", [ADA, BOB]),
        ('phone\n"212-736-5001\n212-736-5002"\n', [ADA, BOB]),
        ("phone\n212-736-5001 or 1-800-234-5678\n", [ADA, "+18002345678"]),
        ("212\u202f736\u202f5001\n212\u00a0736\u00a05002\n", [ADA, BOB]),
        ("phone\n212-736-5001\n212-736-5002\n".encode("utf-16"), [ADA, BOB]),
        ("name;phone\nZoë;212-736-5001\n".encode("cp1252"), [ADA]),
        (workbook(("S", [["ID", "Phone"], [2024051234, 2127365001], [1, 2127365002.0]])), [ADA, BOB]),
        (zipped("dnc.csv", b"id,phone\n2024051234,2127365001\n"), [ADA]),
        ("country,phone\nGB,020 7946 0018\nUS,2127365001\n", [ADA, "+442079460018"]),
        ("phone\n447911123456\n12127365001\n", [ADA, "+447911123456"]),
        ("phone\n1-800-234-5678\n", ["+18002345678"]),
        ("id\n2127365001\n", [ADA]),
    ],
)  # fmt: skip
def test_lists_every_number_and_no_other(take_over, content, found):
    operation = take_over(content)

    assert (operation.status, numbers()) == ("done", sorted(found))


def test_says_which_columns_it_read_and_which_sheets_it_left(take_over, browse, vera):
    rows: list[list[object]] = [
        ["ID", "Phone", "Mobile"],
        ["2024051234", "2127365001", "2127365002"],
    ]
    operation = take_over(workbook(("People", rows), ("More", rows)))

    page = " ".join(browse(vera).get(f"/app/leads/changes/{operation.pk}/").text.split())

    assert "Numbers were read from the columns “Phone”, “Mobile”." in page
    assert "Only the sheet “People” was read." in page
    assert "import them by themselves: More." in page


def test_shows_what_was_no_number_with_its_line_and_hands_it_out(
    take_over, browse, mia, vera, charlie
):
    text = "id,phone,phone 2\n1,212-736-5001,call the shop 5\n2,nobody,\n3,2127365002,2127365001\n"
    operation = take_over(text)

    assert (operation.changed_count, operation.skipped_count) == (2, 3)
    assert operation.params["refused_count"] == 2
    address = f"/app/leads/changes/{operation.pk}/"
    page = " ".join(browse(vera).get(address).text.split())
    assert "Line 2: call the shop 5" in page
    assert "Line 3: 2, nobody" in page
    answer = browse(mia).get(f"{address}file/")
    content = b"".join(answer.streaming_content).decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(content))) == [
        ["_line", "_no_number", "id", "phone", "phone 2"],
        ["2", "call the shop 5", "1", "212-736-5001", "call the shop 5"],
        ["3", "2, nobody", "2", "nobody", ""],
    ]
    assert AuditLog.objects.filter(action="leads.rows_downloaded").count() == 1
    assert browse(vera).get(f"{address}file/").status_code == 403
    assert browse(charlie).get(f"{address}file/").status_code == 404
    mended = content.replace("nobody", "212-736-5003")
    assert take_over(mended).changed_count == 1  # our own columns are no numbers
    assert numbers() == [ADA, BOB, EVE]


def test_hands_out_no_list_that_is_still_read_and_nothing_after_a_week(
    send, take_over, browse, mia
):
    send("212-736-5001\nnobody\n")
    waiting = LeadOperation.objects.get()
    address = f"/app/leads/changes/{waiting.pk}/file/"
    assert browse(mia).get(address).status_code == 404

    work_on_operation(operation_id=waiting.pk)
    waiting.refresh_from_db()
    assert b"nobody" in b"".join(browse(mia).get(address).streaming_content)
    assert waiting.finished_at
    assert purge_exports(now=waiting.finished_at + timedelta(days=8)) == 1

    assert browse(mia).get(address).status_code == 404
    assert not files.stored_size(waiting.stored_name)


@pytest.mark.parametrize(
    "cell",
    ["Called 2026-05-01 10:00", "2.12737E+09", "2127365001.55", "2127365001e5", "ref A2024051234"],
)
def test_makes_no_number_of_what_is_none(take_over, cell):
    operation = take_over(f"phone\n212-736-5002\n{cell}\n")

    assert (operation.params["refused_count"], numbers()) == (1, [BOB])


def test_counts_a_first_line_that_looks_like_a_number_and_is_none(take_over):
    operation = take_over("212-736-50\n212-736-5002\n")

    assert (operation.params["refused_count"], numbers()) == (1, [BOB])


def test_lists_what_stands_around_a_line_without_an_end_and_says_so(take_over, browse, vera):
    operation = take_over("212-736-5001\n" * 50 + "x" * 2_000_000 + "\n212-736-5002\n")

    page = browse(vera).get(f"/app/leads/changes/{operation.pk}/").text
    assert (operation.params["refused_count"], numbers()) == (1, [ADA, BOB])
    assert "Line 51: xxx" in page


def test_keeps_no_file_of_a_list_of_which_all_was_read(take_over):
    assert take_over("212-736-5001\n").stored_name == ""


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\xd0\xcf\x11\xe0" + b"\x00" * 100, "old Excel file"),
        (b"%PDF-1.7\n\x00\x01", "spreadsheet we can read"),
        (b"phone\n", "one row only"),
        (b"x" * 2_000_000, "longer than a million characters"),
    ],
)
def test_says_what_to_do_about_a_file_that_is_no_list(send, content, sentence):
    answer = send(content)

    assert answer.status_code == 422
    assert sentence in answer.text
    assert not LeadOperation.objects.exists()


def test_lists_the_numbers_of_a_line_together_wherever_a_worker_is_killed(send, monkeypatch):
    monkeypatch.setattr(listing, "SLICE", 3)
    send("name,phone,phone 2\n" + "".join(f"A,21273650{n:02},31273650{n:02}\n" for n in range(9)))
    operation = LeadOperation.objects.get()
    write, left = listing._write_slice, [2]

    def killed(*args, **named) -> None:
        left[0] -= 1
        if left[0] < 0:
            left[0] = 2
            raise KeyboardInterrupt
        write(*args, **named)

    monkeypatch.setattr(listing, "_write_slice", killed)
    for _try in range(9):
        try:
            work_on_operation(operation_id=operation.pk)
        except KeyboardInterrupt:
            continue
        break

    operation.refresh_from_db()
    assert (operation.status, operation.changed_count, operation.skipped_count) == ("done", 18, 0)
    assert len(numbers()) == 18


def test_goes_on_with_a_list_that_was_begun_before_its_columns_were_kept(send):
    send("id,phone\n2024051234,212-736-5001\n")
    operation = LeadOperation.objects.get()
    params = {name: operation.params[name] for name in ("country", "reason")}
    LeadOperation.objects.update(params=params)

    work_on_operation(operation_id=operation.pk)

    assert numbers() == [ADA]


def test_shows_the_agency_what_was_no_number_and_hands_it_out(browse, root, bob):
    content = b"id,phone\n2024051234,212-736-5001\n7,nobody\n"
    file = SimpleUploadedFile("dnc.csv", content)
    given = {"country": "US", "reason": "State list", "file": file}
    browser = browse(root)
    assert browser.post("/agency/do-not-call/import/", given).status_code == 302
    row = AgencyListing.objects.get()
    address = f"/agency/do-not-call/lists/{row.pk}/"
    assert browser.get(f"{address}file/").status_code == 404

    work_on_listing(listing_id=row.pk)

    page = " ".join(browser.get(address).text.split())
    assert numbers() == [ADA]
    assert "Numbers were read from the column “phone”." in page
    assert "Line 3: 7, nobody" in page
    assert b"nobody" in b"".join(browser.get(f"{address}file/").streaming_content)
    assert browse(bob).get(f"{address}file/").status_code == 403
    row.refresh_from_db()
    assert row.finished_at
    assert purge_exports(now=row.finished_at + timedelta(days=8)) == 1
    assert browser.get(f"{address}file/").status_code == 404


def test_shows_a_list_of_the_agencys_from_before_lines_were_counted(browse, root):
    row = AgencyListing.objects.create(
        status="done", country="US", reason="Old", refused=["nobody"], refused_count=1,
        created_by_email="x@agency.test", progressed_at=NOW, created_at=NOW,
    )  # fmt: skip

    assert "nobody" in browse(root).get(f"/agency/do-not-call/lists/{row.pk}/").text
