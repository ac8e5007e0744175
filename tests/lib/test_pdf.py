"""PDFs: pages with our styles, and nothing read from elsewhere."""

from __future__ import annotations

import pytest

from convomono.lib.pdf import render_pdf

weasyprint_urls = pytest.importorskip(
    "weasyprint.urls",
    reason="Pango is not installed",
    exc_type=OSError,  # type: ignore[arg-type]  # the stubs forget what importorskip allows
)


@pytest.fixture
def template(tmp_path, settings):
    def write(body: str) -> str:
        (tmp_path / "page.html").write_text(body)
        return "page.html"

    engines = [dict(settings.TEMPLATES[0], DIRS=[tmp_path, *settings.TEMPLATES[0]["DIRS"]])]
    settings.TEMPLATES = engines
    return write


def test_renders_a_page_with_our_styles(template):
    page = template('<link rel="stylesheet" href="/static/css/tokens.css"><h1>Report</h1>')

    assert render_pdf(page, {}).startswith(b"%PDF-")


@pytest.mark.parametrize(
    "address",
    [
        "https://elsewhere.test/x.css",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "/media/secret.css",
        "/static/../manage.py",
        "/static/css/missing.css",
    ],
)
def test_refuses_whatever_is_not_our_static_file(template, address):
    page = template(f'<link rel="stylesheet" href="{address}">')

    with pytest.raises((weasyprint_urls.FatalURLFetchingError, ValueError, OSError)):
        render_pdf(page, {})
