"""HTML to PDF by WeasyPrint, which is imported when used: it fails where Pango is missing."""

from __future__ import annotations

import gc
import mimetypes
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.utils._os import safe_join
from pypdf import PdfReader, PdfWriter

if TYPE_CHECKING:
    from collections.abc import Mapping

# Nobody's host: whatever a page names is relative to it, and anything else is refused.
_BASE = "https://static.invalid/"


class PdfUnavailable(Exception):
    """WeasyPrint can't load Pango on this machine; the message says what to install."""


class LongPdf:
    """
    A PDF that is laid out part by part: memory holds the layout of one, some half a megabyte for each row.

    The pages of several parts are numbered when all are there, so a part that is not the whole
    paper numbers none of its own (`document--part`).
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._fonts: Any = None  # unpacked once, for all parts

    def add(self, template: str, context: Mapping[str, object], *, is_last: bool) -> set[str]:
        """
        Lay out the part that comes next.

        The page on which it ends is left to the next part, which begins with what stands there: its
        elements' ids are returned. None are where it is the last part, or the only page.

        :raises PdfUnavailable: where Pango is not installed
        """
        if self._fonts is None:
            self._fonts = _new_fonts()
        laid_out = _page(template, context).render(font_config=self._fonts)
        pages = laid_out.pages
        left: set[str] = set()
        if not is_last and len(pages) > 1:
            left = set(pages.pop().anchors)
        for page in pages:
            page.anchors.clear()  # each would be written as a place to jump to
        self._parts.append(laid_out.write_pdf())
        # Boxes know each other in circles: without this the layouts of two parts lie in memory.
        del laid_out, pages
        gc.collect()
        return left

    def write(self, target: IO[bytes]) -> None:
        """Write the parts there were as one file."""
        if len(self._parts) == 1:
            target.write(self._parts[0])
            return
        whole = PdfWriter(clone_from=BytesIO(self._parts[0]))
        for part in self._parts[1:]:
            whole.append(BytesIO(part), import_outline=False)
        count = len(whole.pages)
        numbers = PdfReader(
            BytesIO(render_pdf("layouts/page_numbers.html", {"pages": range(count)}))
        )
        for page, number in zip(whole.pages, numbers.pages, strict=True):
            page.merge_page(number, over=False)
            page.compress_content_streams()
        whole.write(target)


def render_pdf(template: str, context: Mapping[str, object]) -> bytes:
    """
    Render the template and return its pages as PDF.

    Only static files of ours are read: any other address in the page is refused.

    :raises PdfUnavailable: where Pango is not installed
    """
    return bytes(_page(template, context).write_pdf())


def _new_fonts() -> Any:
    try:
        from weasyprint.text.fonts import FontConfiguration
    except OSError as exc:
        raise _unavailable() from exc
    return FontConfiguration()


def _page(template: str, context: Mapping[str, object]) -> Any:
    try:
        from weasyprint import HTML
        from weasyprint.urls import FatalURLFetchingError, URLFetcher, URLFetcherResponse
    except OSError as exc:
        raise _unavailable() from exc

    class StaticFetcher(URLFetcher):
        """Reads our static files and nothing else."""

        def fetch(self, url: str, _headers: Any = None) -> Any:
            path = _static_file(url)
            if path is None:
                raise FatalURLFetchingError(f"A PDF reads only our own static files, not {url}.")
            kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            return URLFetcherResponse(url, path.read_bytes(), {"Content-Type": kind})

    page = render_to_string(template, dict(context))
    return HTML(string=page, base_url=_BASE, url_fetcher=StaticFetcher())


def _unavailable() -> PdfUnavailable:
    return PdfUnavailable(
        "PDF needs Pango. Debian and Ubuntu: apt install libpango-1.0-0 libpangoft2-1.0-0; "
        "macOS: brew install pango."
    )


def _static_file(url: str) -> Path | None:
    """Find what a page calls /static/…: collected under its hashed name, or where it was written."""
    prefix = _BASE.rstrip("/") + settings.STATIC_URL
    if not url.startswith(prefix):
        return None
    name = unquote(urlsplit(url.removeprefix(prefix)).path)
    collected = Path(safe_join(settings.STATIC_ROOT, name))
    if collected.is_file():
        return collected
    found = finders.find(name)
    return Path(found) if found else None
