"""Answers HTTP requests wrongly where a fault or a magic number says so."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import JSONResponse, PlainTextResponse, Response

from telephony.sandbox.faults import DIAL, Fault
from telephony.sandbox.outcomes import MAGIC_HTTP
from telephony.sandbox.protocol import hang, reset
from telephony.sandbox.refusals import rate_limited

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from telephony.sandbox.world import World

_HANG_SECONDS = 130.0  # longer than the SDK waits
_OUTSIDE = ("/_sandbox", "/healthz", "/recordings")
_BEFORE = ("unauthorised", "payment_required", "rate_limit", "error_before")
_BREAKS_BEFORE = ("reset_before", "hang_before")
_AFTER = ("error_after", "not_json", "truncated_json", "reset_after", "hang_after")


class Misbehaviour:
    """ASGI middleware; a request passes untouched when nothing strikes."""

    def __init__(self, app: ASGIApp, world: World) -> None:
        self._app = app
        self._world = world
        self._rng = random.Random(world.config.seed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or path == "/" or path.startswith(_OUTSIDE):
            await self._app(scope, receive, send)
            return
        body = await _read(receive)
        dial = _dial(body) if path == DIAL else {}
        number = dial.get("to_number")
        replay = _replay(body, receive)
        if await self._before(scope, replay, send, path=path, number=number):
            return
        # Asked again with the same key, a magic number lets its call be found.
        key = dial.get("idempotency_key")
        known = key is not None and self._world.switchboard.placed_with(key) is not None
        after = self._strike(_AFTER, path, number, magic=not known)
        if after is None:
            await self._app(scope, replay, send)
        else:
            await self._after(after, scope, replay, send)

    def _strike(
        self, kinds: tuple[str, ...], path: str, number: str | None, *, magic: bool = True
    ) -> Fault | None:
        fixed = MAGIC_HTTP.get((number or "")[-4:])
        if magic and fixed in kinds:
            return Fault(kind=fixed)
        strikes = (self._world.faults.strikes(k, number=number, path=path) for k in kinds)
        return next((fault for fault in strikes if fault), None)

    async def _before(
        self, scope: Scope, receive: Receive, send: Send, *, path: str, number: str | None
    ) -> bool:
        """Answer, or break off, before anything is done; True if that was all."""
        late = self._strike(("latency",), path, number)
        if late:
            jitter = self._rng.random() * late.option("jitter_ms", 0)
            await asyncio.sleep((late.option("ms", 500) + jitter) / 1000)
        fault = self._strike(_BEFORE, path, number)
        if fault:
            self._world.counters.refused[fault.kind] += 1
            await _refusal(fault)(scope, receive, send)
            return True
        broken = self._strike(_BREAKS_BEFORE, path, number)
        if broken:
            await _break(broken, scope, receive)
        return broken is not None

    async def _after(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        """Let it be done, then spoil the answer."""
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self._app(scope, receive, keep)
        if fault.kind in {"reset_after", "hang_after"}:
            await _break(fault, scope, receive)
            return
        answer: bytes = b"".join(message.get("body", b"") for message in messages[1:])
        await _spoilt(fault, messages[0]["status"], answer)(scope, receive, send)


def _refusal(fault: Fault) -> Response:
    if fault.kind == "rate_limit":
        wait = fault.options.get("retry_after")
        refused = rate_limited(None if wait is None else float(wait))
        return failure(refused.status, refused.message, refused.headers)
    if fault.kind == "unauthorised":
        return failure(401, "API key is missing or invalid.")
    if fault.kind == "payment_required":
        return failure(402, "Trial has ended, please add payment method.")
    return failure(500, "Internal server error.")


def failure(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    content = {"status": "error", "message": message}
    return JSONResponse(content, status_code=status, headers=headers)


def _spoilt(fault: Fault, status: int, answer: bytes) -> Response:
    if fault.kind == "error_after":
        return failure(500, "Internal server error.")
    if fault.kind == "not_json":
        return PlainTextResponse("Created", status_code=status)
    return Response(answer[: len(answer) // 2], status, media_type="application/json")


async def _break(fault: Fault, scope: Scope, receive: Receive) -> None:
    if fault.kind.startswith("hang"):
        await hang(scope, receive, fault.option("seconds", _HANG_SECONDS))
    else:
        await reset(scope, receive)


async def _read(receive: Receive) -> bytes:
    parts: list[bytes] = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Hand the body that was read to the application; afterwards listen to the connection."""
    first = True

    async def again() -> Message:
        nonlocal first
        if first:
            first = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return again


def _dial(body: bytes) -> dict[str, Any]:
    try:
        content: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(content, dict) or not isinstance(content.get("to_number"), str):
        return {}
    return content
