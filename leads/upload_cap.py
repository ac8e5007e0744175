"""The cap on uploaded spreadsheets, which holds while the body is read: on pages and in the API."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

from django.conf import settings
from django.core.files.uploadhandler import (
    FileUploadHandler,
    StopUpload,
    TemporaryFileUploadHandler,
)
from rest_framework.parsers import MultiPartParser

from accounts.api.problems import BodyTooLarge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import HttpRequest


class CappedUpload(FileUploadHandler):
    """Stops a body that grows above the cap, before it fills the disk."""

    def __init__(self, request: HttpRequest, max_bytes: int) -> None:
        super().__init__(request)
        self.max_bytes, self.received = max_bytes, 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        self.received += len(raw_data)
        if self.received > self.max_bytes:
            self.request.upload_was_stopped = True  # type: ignore[union-attr]  # for the view
            raise StopUpload(connection_reset=False)
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None


def cap_upload(request: HttpRequest) -> None:
    """Take no larger file than LEAD_UPLOAD_MAX_BYTES; before anything of the body is read."""
    request.upload_handlers = [
        CappedUpload(request, settings.LEAD_UPLOAD_MAX_BYTES),
        TemporaryFileUploadHandler(request),
    ]


def was_stopped(request: HttpRequest) -> bool:
    """Tell whether the file was larger than the cap."""
    return bool(getattr(request, "upload_was_stopped", False))


class CappedMultiPartParser(MultiPartParser):
    """Reads a form with a file; one above the cap is refused with 413."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """
        Return the fields and files.

        :raises BodyTooLarge: if the file is larger than the cap
        """
        assert parser_context is not None
        request: HttpRequest = parser_context["request"]._request  # noqa: SLF001  # the one that is read
        cap_upload(request)
        sent = super().parse(stream, media_type, parser_context)
        if was_stopped(request):
            raise BodyTooLarge
        return sent
