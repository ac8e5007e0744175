"""Answers that are files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import StreamingHttpResponse

if TYPE_CHECKING:
    from collections.abc import Iterator


def csv_answer(lines: Iterator[str], file_name: str) -> StreamingHttpResponse:
    """Answer with a file that is made while it is sent, never shown inside a page."""
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{file_name}"'
    return response
