"""Sends long answers part by part under ASGI too, where Django would collect them in memory first."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import StreamingHttpResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase


def stream_under_asgi(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Make streamed answers asynchronous where the server is; views need not know which it is."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if (
            isinstance(request, ASGIRequest)
            and isinstance(response, StreamingHttpResponse)
            and not response.is_async
        ):
            response.streaming_content = _parts(cast("Iterator[bytes]", response.streaming_content))
        return response

    return middleware


async def _parts(content: Iterator[bytes]) -> AsyncIterator[bytes]:
    # One thread for all of it: the rows come from a database connection that belongs to it.
    next_part = sync_to_async(lambda: next(content, None), thread_sensitive=True)
    while (part := await next_part()) is not None:
        yield part
