"""Files as programs really write them: each is read, or refused with what it is and what to do."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from typing import TYPE_CHECKING

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from leads.imports import workbooks
from leads.imports.packed import FileRefused
from leads.models import Lead, LeadImport
from tests.factories.leads import upload
from tests.leads.test_workbooks import strict

if TYPE_CHECKING:
    from collections.abc import Sequence

    type Rows = Sequence[Sequence[object]]

TABLE: Rows = [["name", "phone"], ["Ada", "212-555-0101"]]
COVER: Rows = [["Spring lead list"]]
LETTER: Rows = [["Spring lead list"], ["made by Bob"], ["see the next sheet"]]
LEGEND: Rows = [["Status", "Meaning"], ["hot", "call at once"], ["cold", "call later"]]


def book(*sheets: tuple[str, Rows], active: str = "", hidden: Sequence[str] = ()) -> bytes:
    made, out = openpyxl.Workbook(), io.BytesIO()
    made.remove(made.active)
    for name, rows in sheets:
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(row)
        sheet.sheet_state = "hidden" if name in hidden else "visible"
    made.active = made.sheetnames.index(active or sheets[0][0])
    made.save(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "sheet"),
    [
        (book(("Blank", []), ("Leads", TABLE)), "Leads"),
        (book(("Cover", COVER), ("Leads", TABLE)), "Leads"),
        (book(("Read me", LETTER), ("Leads", TABLE)), "Leads"),
        (book(("Legend", LEGEND), ("Leads", TABLE)), "Leads"),
        (book(("Read me", LETTER), ("Legend", LEGEND)), "Legend"),
        (book(("Leads", TABLE), ("More", TABLE)), "Leads"),
        (book(("Leads", TABLE), ("More", TABLE), active="More"), "More"),
        (book(("Leads", TABLE), ("Legend", LEGEND), active="Legend"), "Leads"),
        (book(("Old", TABLE), ("Leads", TABLE), hidden=["Old"]), "Leads"),
        (book(("Old", TABLE), ("Legend", LEGEND), hidden=["Old"]), "Legend"),
        (book(("Blank", []), ("Old", TABLE), hidden=["Old"]), "Old"),
        (book(("Wide", [["x"] * 300] * 2), ("Leads", TABLE)), "Leads"),
    ],
)  # fmt: skip
def test_reads_the_sheet_that_holds_the_table(alice, content, sheet):
    row = upload(alice, content)

    assert row.detected["sheet"] == sheet
    assert len(row.detected["sheets"]) == len(row.detected["sheet_rows"]) > 1


def test_imports_the_people_of_a_second_sheet_and_counts_them(imported):
    done = imported(book(("Cover", COVER), ("Leads", [*TABLE, ["Bob", "212-555-0102"]])))

    assert (done.counts, done.rows_total) == ({"new": 2}, 2)
    assert set(Lead.objects.values_list("first_name", flat=True)) == {"Ada", "Bob"}


def test_says_of_a_workbook_without_a_table_what_the_first_sheet_lacks(alice):
    with pytest.raises(FileRefused, match="one row only"):
        upload(alice, book(("Cover", COVER), ("Blank", [])))
    with pytest.raises(FileRefused, match="no rows we can read"):
        upload(alice, book(("Blank", []), ("Cover", COVER)))


def test_looks_at_twenty_sheets_in_one_opening(alice, monkeypatch):
    opened: list[object] = []

    class Counted(workbooks._Book):
        def __init__(self, stream) -> None:
            opened.append(stream)
            super().__init__(stream)

    monkeypatch.setattr(workbooks, "_Book", Counted)
    blank: list[tuple[str, Rows]] = [(f"S{n}", []) for n in range(20)]

    assert upload(alice, book(*blank[1:], ("Leads", TABLE))).detected["sheet"] == "Leads"
    assert len(opened) == 2  # how long the sheets are, and their rows
    with pytest.raises(FileRefused, match="no rows we can read"):
        upload(alice, book(*blank, ("Leads", TABLE)))


CSV = "name,phone\nAda,212-555-0101\n"
PAGE = "<meta charset=utf-8>\n<table border=1>\n<tr><td>name<td>phone\n<tr><td>Ada<td>2125550101"
OLD_XML = """<?xml version="1.0"?>
<?mso-application progid="Excel.Sheet"?>
<Workbook xmlns:html="http://www.w3.org/TR/REC-html40"><Worksheet><Table>"""
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(262_100)


def packed(**parts: bytes | str) -> bytes:
    """Return a ZIP of these parts; `_dot_` and `_in_` stand for what names in Python can't have."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("_dot_", ".").replace("_in_", "/"), content)
    return out.getvalue()


def locked(content: bytes) -> bytes:
    """Return a ZIP whose one entry says that it has a password."""
    made = bytearray(content)
    made[6] |= 1
    made[content.find(b"PK\x01\x02") + 8] |= 1
    return bytes(made)


ODS = "application/vnd.oasis.opendocument.spreadsheet"
REFUSED: dict[str, tuple[bytes | str, str]] = {
    "workbook with a password": (
        OLE + "EncryptedPackage".encode("utf-16-le") + bytes(2000),
        "has a password. Save it without one",
    ),
    "old workbook": (OLE, "old Excel file"),
    "ZIP with a password": (locked(packed(leads_dot_csv=CSV)), "ZIP file has a password"),
    "ods": (packed(mimetype=ODS, content_dot_xml="<x/>"), r"\(\.ods\)\. Save it as \.xlsx or CSV"),
    "odt": (packed(mimetype="application/vnd.oasis.opendocument.text"), "a text document"),
    "numbers": (packed(Index_in_Document_dot_iwa=b"x"), r"\(\.numbers\)\. Save it as \.xlsx or CSV"),
    "xlsb": (packed(xl_in_workbook_dot_bin=b"x"), r"\(\.xlsb\)\. Save it as \.xlsx or CSV"),
    "docx": (packed(word_in_document_dot_xml="<x/>"), "a text document. Save the table in it as .xlsx"),
    "ZIP in a ZIP": (packed(inner_dot_zip=packed(leads_dot_csv=CSV)), "another ZIP file in this ZIP"),
    "xls in a ZIP": (packed(leads_dot_xls=OLE), r"is leads\.xls\. Save it as \.xlsx or CSV"),
    "empty ZIP": (packed(), "ZIP file is empty"),
    "two tables and a text": (packed(a_dot_csv=CSV, b_dot_csv=CSV, c_dot_txt="x"), "several"),
    "two texts": (packed(a_dot_txt=CSV, b_dot_txt=CSV), "several spreadsheets"),
    "gzip": (gzip.compress(CSV.encode() * 50), r"packed file \(\.gz\)"),
    "page": (PAGE, "a web page, whatever its name ends in"),
    "page in UTF-16": (f"<html>\n{PAGE}".encode("utf-16"), "a web page"),
    "page in XML": (f'<?xml version="1.0"?>\n<!DOCTYPE html>\n<html>{PAGE}', "a web page"),
    "page behind blanks": ("\ufeff\r\n  <!DOCTYPE HTML>\n<html>", "a web page"),
    "XML of 2003": (OLD_XML, "XML spreadsheet of 2003. Save it as .xlsx or CSV"),
    "XML": ("<leads>\n\t<lead name='Ada'/>\n</leads>", "This is XML"),
    "JSON": ('[{"name":"Ada","phone":"2125550101"},\n{"name":"Bob"}]', "JSON"),
    "JSON over lines": ('{\n  "leads": [\n    {"name": "Ada"}\n  ]\n}', "JSON"),
    "JSON lines": ('{"name":"Ada"}\n{"name":"Bob"}\n', "JSON"),
    "lists in JSON": ('[["name","phone"],\n["Ada","2125550101"]]', "JSON"),
    "vCard": ("BEGIN:VCARD\r\nVERSION:3.0\r\nTEL:2125550101\r\nEND:VCARD\r\n", "vCard"),
    "RTF": (r"{\rtf1\ansi name,phone\par Ada,2125550101\par}", "a text document"),
    "PDF": (b"%PDF-1.7\n1 0 obj", "This is a PDF"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_says_what_a_file_is_that_is_no_table_and_what_to_do(alice, kind):
    content, sentence = REFUSED[kind]

    with pytest.raises(FileRefused, match=sentence):
        upload(alice, content)


READ: dict[str, bytes | str] = {
    "ZIP with a text beside": packed(leads_dot_csv=CSV, README_dot_txt="Call them all."),
    "a strict workbook": strict(io.BytesIO(book(("Leads", TABLE)))).getvalue(),
    "a workbook in a ZIP": packed(leads_dot_xlsx=book(("Cover", COVER), ("Leads", TABLE))),
    "text alone in a ZIP": packed(leads_dot_txt=CSV),
    "a header of markup in quotes": '"<b>name</b>",phone\nAda,212-555-0101\n',
    "a header in angle brackets": "<name>,<phone>\nAda,212-555-0101\n",
    "angle brackets and tabs": "<name>\t<phone>\nAda\t212-555-0101\n",
    "a header in braces": "{name},{phone}\nAda,212-555-0101\n",
    "a header in two": "{{name}},{{phone}}\nAda,212-555-0101\n",
    "a header of JSON in quotes": '"{""name"": 1}",phone\nAda,212-555-0101\n',
    "a header in brackets": "[name],[phone]\nAda,212-555-0101\n",
}  # fmt: skip


@pytest.mark.parametrize("kind", READ)
def test_reads_a_table_that_only_looks_a_little_strange(imported, kind):
    done = imported(READ[kind])

    assert (done.status, done.counts, done.rows_total) == ("committed", {"new": 1}, 1)
    assert Lead.objects.get().phone_number == "+12125550101"


@pytest.mark.parametrize(
    "kind", ["workbook with a password", "ods", "page", "JSON", "ZIP in a ZIP"]
)
def test_says_it_on_the_page_where_the_file_is_chosen(browse, mia, kind):
    content, sentence = REFUSED[kind]
    data = content.encode() if isinstance(content, str) else content

    answer = browse(mia).post("/app/imports/new/", {"file": SimpleUploadedFile("leads.xls", data)})

    assert answer.status_code == 422
    assert re.search(sentence, answer.text)
    assert not LeadImport.objects.exists()
