"""Long answers leave part by part, whichever server runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpResponse, StreamingHttpResponse
from django.test import AsyncRequestFactory, RequestFactory

from convomono.lib.streaming import stream_under_asgi

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.http import HttpRequest


def lines(sent: list[int]) -> Iterator[str]:
    for number in range(3):
        sent.append(number)
        yield f"{number}\n"


async def test_sends_each_part_when_it_is_made_under_asgi():
    sent: list[int] = []
    answer = stream_under_asgi(lambda _request: StreamingHttpResponse(lines(sent)))(
        AsyncRequestFactory().get("/")
    )
    assert isinstance(answer, StreamingHttpResponse)
    assert answer.is_async

    first = await anext(aiter(answer))
    assert (first, sent) == (b"0\n", [0])  # the rest isn't made before it is wanted
    assert [part async for part in answer] == [b"1\n", b"2\n"]


def test_leaves_answers_alone_under_wsgi():
    answer = stream_under_asgi(lambda _request: StreamingHttpResponse(lines([])))(
        RequestFactory().get("/")
    )
    assert not answer.is_async  # type: ignore[attr-defined]  # it is the streaming one


def test_leaves_whole_answers_alone():
    def page(_request: HttpRequest) -> HttpResponse:
        return HttpResponse("whole")

    assert stream_under_asgi(page)(AsyncRequestFactory().get("/")).content == b"whole"  # type: ignore[attr-defined]  # a page has content
