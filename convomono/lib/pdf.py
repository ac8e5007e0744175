"""HTML to PDF by WeasyPrint, which is imported when used: it fails where Pango is missing."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.utils._os import safe_join

if TYPE_CHECKING:
    from collections.abc import Mapping

# Nobody's host: whatever a page names is relative to it, and anything else is refused.
_BASE = "https://static.invalid/"


class PdfUnavailable(Exception):
    """WeasyPrint can't load Pango on this machine; the message says what to install."""


def render_pdf(template: str, context: Mapping[str, object]) -> bytes:
    """
    Render the template and return its pages as PDF.

    Only static files of ours are read: any other address in the page is refused.

    :raises PdfUnavailable: where Pango is not installed
    """
    try:
        from weasyprint import HTML
        from weasyprint.urls import FatalURLFetchingError, URLFetcher, URLFetcherResponse
    except OSError as exc:
        raise PdfUnavailable(
            "PDF needs Pango. Debian and Ubuntu: apt install libpango-1.0-0 libpangoft2-1.0-0; "
            "macOS: brew install pango."
        ) from exc

    class StaticFetcher(URLFetcher):
        """Reads our static files and nothing else."""

        def fetch(self, url: str, _headers: Any = None) -> Any:
            path = _static_file(url)
            if path is None:
                raise FatalURLFetchingError(f"A PDF reads only our own static files, not {url}.")
            kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            return URLFetcherResponse(url, path.read_bytes(), {"Content-Type": kind})

    page = render_to_string(template, dict(context))
    return bytes(HTML(string=page, base_url=_BASE, url_fetcher=StaticFetcher()).write_pdf())


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
