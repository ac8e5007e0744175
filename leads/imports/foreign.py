"""Files that are no spreadsheet we read: what each is, told by how it begins or by what it packs, and what to do."""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING

from django.utils.translation import gettext as _, gettext_lazy

if TYPE_CHECKING:
    from collections.abc import Collection

    from django.utils.functional import _StrPromise

_CHUNK_BYTES = 256 * 1024
_BEGINNING_BYTES = 4096
_OLD_OFFICE = b"\xd0\xcf\x11\xe0"
_LOCKED = "EncryptedPackage".encode("utf-16-le")
_SIGNS: dict[bytes, _StrPromise] = {
    b"%PDF-": gettext_lazy(
        "This is a PDF, which isn't a spreadsheet we can read. Save the table in it as CSV or Excel "
        "workbook (.xlsx) and upload that."
    ),
    b"PK\x05\x06": gettext_lazy("This ZIP file is empty. Pack the spreadsheet again."),
    b"\x1f\x8b": gettext_lazy("This is a packed file (.gz). Unpack it and upload what is in it."),
    b"7z\xbc\xaf": gettext_lazy("This is a packed file (.7z). Unpack it and upload what is in it."),
    b"Rar!": gettext_lazy("This is a packed file (.rar). Unpack it and upload what is in it."),
}
_PAGE = re.compile(
    r"<(!doctype html|/?(html|head|body|meta|title|style|table|div)[\s/>])", re.IGNORECASE
)
# Markup, and no cell in angle brackets: a tag that no separator follows.
_MARKUP = re.compile(
    r"<(\?xml|!doctype|!--)|<[a-z][\w:.-]*(\s[^<>]*)?>( *|\s*[\r\n]\s*)<[a-z!/?]", re.IGNORECASE
)
_OLD_XML = re.compile(r"mso-application|urn:schemas-microsoft-com:office:spreadsheet")
_JSON = re.compile(r'\{\s*"[^"\r\n]*"\s*:|\[\s*(\{|"|\[\s*["\d])')
_CARD = re.compile(r"BEGIN:VCARD\s", re.IGNORECASE)
_RICH_TEXT = "{\\rtf"


def foreign_bytes(stream: IO[bytes]) -> str:
    """
    Return what a file is by its first bytes, before it is taken for text, and what to do; empty if it may be read.

    Excel packs a workbook with a password as it packed old ones: all of such a file is looked through.
    """
    stream.seek(0)
    head = stream.read(8)
    try:
        if head.startswith(_OLD_OFFICE):
            return _old_office(is_locked=_holds(stream, _LOCKED))
        return next((str(told) for sign, told in _SIGNS.items() if head.startswith(sign)), "")
    finally:
        stream.seek(0)


def _old_office(*, is_locked: bool) -> str:
    if is_locked:
        return _("This workbook has a password. Save it without one, as .xlsx, and upload that.")
    return _("This is an old Excel file (.xls). Save it as .xlsx or CSV and upload that.")


def _holds(stream: IO[bytes], sought: bytes) -> bool:
    last = b""
    while chunk := stream.read(_CHUNK_BYTES):
        if sought in last + chunk:
            return True
        last = chunk[-len(sought) :]
    return False


def foreign_text(stream: IO[bytes], encoding: str) -> str:
    """Return what a text is that begins like no row, behind its mark and blanks, and what to do; else nothing."""
    stream.seek(0)
    text = stream.read(_BEGINNING_BYTES).decode(encoding, "replace").lstrip("\ufeff \t\r\n")
    stream.seek(0)
    if _PAGE.match(text) or _MARKUP.match(text):
        return _markup(text)
    if _JSON.match(text):
        return _("This is JSON, made for programs. Export the table as CSV and upload that.")
    if _CARD.match(text):
        return _("These are contact cards (vCard). Export the contacts as CSV and upload that.")
    return _document() if text.startswith(_RICH_TEXT) else ""


def _markup(text: str) -> str:
    if _PAGE.match(text) or "<html" in text.lower():
        return _(
            "This is a web page, whatever its name ends in. Open it in a spreadsheet program, save "
            "it as .xlsx or CSV and upload that."
        )
    if _OLD_XML.search(text):
        return _("This is an XML spreadsheet of 2003. Save it as .xlsx or CSV and upload that.")
    return _("This is XML, made for programs. Export the table as CSV and upload that.")


def _document() -> str:
    return _("This is a text document. Save the table in it as .xlsx or CSV and upload that.")


def foreign_parts(names: Collection[str], kind: str) -> str:
    """
    Return which program's file a ZIP is that is no Excel workbook, and what to do; empty if it is just a ZIP.

    `kind` is what stands in its part "mimetype", if it has one.
    """
    if "opendocument.spreadsheet" in kind:
        return _(
            "This is an OpenDocument spreadsheet (.ods). Save it as .xlsx or CSV and upload that."
        )
    if any(name.endswith((".iwa", "Index.zip")) for name in names):
        return _(
            "This is a Numbers spreadsheet (.numbers). Save it as .xlsx or CSV (File, Export To) and "
            "upload that."
        )
    if "xl/workbook.bin" in names:
        return _("This is a binary workbook (.xlsb). Save it as .xlsx or CSV and upload that.")
    is_document = "opendocument" in kind or "word/document.xml" in names
    return _document() if is_document else ""
