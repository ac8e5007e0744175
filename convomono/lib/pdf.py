"""HTML to PDF by WeasyPrint, which is imported when used: it fails where Pango is missing."""

from __future__ import annotations

from pathlib import Path

from django.contrib.staticfiles import finders
from django.template.loader import render_to_string


class PdfUnavailable(Exception):
    """WeasyPrint can't load Pango on this machine; the message says what to install."""


def render_pdf(template: str, context: dict[str, object]) -> bytes:
    """
    Render the template and return its pages as PDF.

    Only static files of ours are read: any other address in the page is refused.

    :raises PdfUnavailable: where Pango is not installed
    """
    try:
        from weasyprint import HTML
    except OSError as exc:
        raise PdfUnavailable(
            "PDF needs Pango. Debian and Ubuntu: apt install libpango-1.0-0 libpangoft2-1.0-0; "
            "macOS: brew install pango."
        ) from exc
    html = HTML(
        string=render_to_string(template, context), base_url="static:", url_fetcher=_fetch_static
    )
    return bytes(html.write_pdf())


def _fetch_static(url: str) -> dict[str, object]:
    path = finders.find(url.removeprefix("static:").removeprefix("/static/").lstrip("/"))
    if path is None:
        raise ValueError(f"A PDF reads only our own static files, not {url}.")
    return {"string": Path(path).read_bytes()}
