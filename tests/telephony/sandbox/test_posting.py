"""The webhook client: reuses connections that last, and gives up on answers that don't come."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from telephony.sandbox.posting import Poster, PostFailed
from tests.telephony.sandbox.harness import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LASTING = b"HTTP/1.1 204 No Content\r\n\r\n"


class Answering:
    """A server that answers each request with given bytes and counts its connections."""

    def __init__(self) -> None:
        self.answers: list[bytes | None] = []
        self.connections = 0
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                self.bodies.append(await reader.readexactly(2))
                answer = self.answers.pop(0)
                if answer is None:
                    await reader.read()
                    break
                writer.write(answer)
                if b"close" in answer or answer.endswith(b"gone"):
                    break
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Answering]:
    answering = Answering()
    listening = await asyncio.start_server(answering.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    answering.url = f"http://127.0.0.1:{port}/hook?a=b"
    yield answering
    listening.close()


@pytest.fixture
async def poster() -> AsyncIterator[Poster]:
    made = Poster()
    yield made
    await made.close()


async def test_posts_the_exact_bytes_over_one_connection(server: Answering, poster: Poster) -> None:
    with_body = b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\nOops"
    server.answers = [LASTING, with_body, LASTING]
    statuses = [await poster.post(server.url, b"{}", {"x-a": "b"}, 5) for _ in range(3)]
    assert (statuses, server.connections) == ([204, 500, 204], 1)
    assert server.heads[0].startswith(b"POST /hook?a=b HTTP/1.1\r\nhost: 127.0.0.1:")
    assert b"\r\nx-a: b\r\n" in server.heads[0] and server.bodies == [b"{}"] * 3


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
        b"HTTP/1.0 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nuntil it is gone",
    ],
)
async def test_takes_a_new_connection_where_the_old_one_ends(
    server: Answering, poster: Poster, answer: bytes
) -> None:
    server.answers = [answer, LASTING]
    assert await poster.post(server.url, b"{}", {}, 5) in {200, 204}
    assert await poster.post(server.url, b"{}", {}, 5) == 204
    assert server.connections == 2


@pytest.mark.parametrize("answer", [b"220 smtp.invalid\r\n\r\n", b"HTTP/1.1 20", None])
async def test_fails_without_a_whole_answer(
    server: Answering, poster: Poster, answer: bytes | None
) -> None:
    server.answers = [answer if answer is None else answer + b"gone"]
    with pytest.raises(PostFailed):
        await poster.post(server.url, b"{}", {}, 0.2)
    server.answers = [LASTING]
    assert await poster.post(server.url, b"{}", {}, 5) == 204


async def test_fails_where_nobody_listens(poster: Poster) -> None:
    with pytest.raises(PostFailed):
        await poster.post(f"http://127.0.0.1:{free_port()}/", b"{}", {}, 5)
