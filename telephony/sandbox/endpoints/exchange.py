"""Reading requests and writing answers, the same way on every path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import Response

from telephony.sandbox.filters import page_of
from telephony.sandbox.refusals import bad_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from telephony.sandbox.world import World

_MOST = 1_000


def world_of(request: Request) -> World:
    world: World = request.app.state.world
    return world


def answer(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")


def nothing(status: int = 204) -> Response:
    return Response(status_code=status)


async def body_of(request: Request) -> dict[str, Any]:
    """
    Return the JSON object of a request; an empty body counts as an empty object.

    :raises Refused: if it is anything else
    """
    raw = await request.body()
    try:
        content = orjson.loads(raw) if raw else {}
    except orjson.JSONDecodeError:
        raise bad_request("The body is not valid JSON.") from None
    if not isinstance(content, dict):
        raise bad_request("The body must be a JSON object.")
    return content


def page(
    items: list[dict[str, Any]],
    options: Any,
    *,
    key: Callable[[dict[str, Any]], str],
    default_order: str = "descending",
) -> dict[str, Any]:
    """Return one page of items that stand oldest first, as every list of Retell looks."""
    if options.get("sort_order", default_order) == "descending":
        items = [*reversed(items)]
    shown, following = page_of(
        items, limit=limit_of(options), skip=0, after=options.get("pagination_key"), key=key
    )
    content: dict[str, Any] = {"items": shown, "has_more": following is not None}
    if following is not None:
        content["pagination_key"] = following
    return content


def limit_of(options: Any) -> int:
    try:
        limit = int(options.get("limit") or 50)
    except ValueError:
        limit = 0
    if not 1 <= limit <= _MOST:
        raise bad_request("limit must be between 1 and 1000.")
    return limit
