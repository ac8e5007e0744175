"""Calls: placing, reading, listing, stopping; batches and web calls."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from telephony.sandbox.agents import new_id
from telephony.sandbox.batches import create_batch
from telephony.sandbox.dialling import create_phone_call
from telephony.sandbox.documents import list_item
from telephony.sandbox.endpoints.exchange import answer, body_of, limit_of, nothing, world_of
from telephony.sandbox.filters import page_of, select
from telephony.sandbox.refusals import bad_request, not_found

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from telephony.sandbox.calls import Call


def _call(request: Request) -> Call:
    call = world_of(request).switchboard.calls.get(request.path_params["id"])
    if call is None:
        raise not_found()
    return call


async def place(request: Request) -> Response:
    world = world_of(request)
    call = create_phone_call(world, await body_of(request))
    return answer(world.switchboard.document(call), 201)


async def get_call(request: Request) -> Response:
    return answer(world_of(request).switchboard.document(_call(request)))


async def list_calls(request: Request) -> Response:
    """Everything is in the body; ordered by start, a call that never connected by its placing."""
    world = world_of(request)
    body = await body_of(request)
    if body.get("skip") is not None and body.get("pagination_key") is not None:
        raise bad_request("skip and pagination_key can't be used together.")
    now_ms = world.clock.now_ms()

    def item(call: Call) -> dict[str, Any]:
        return list_item(call, now_ms=now_ms, base_url=world.base_url)

    calls = select(
        world.switchboard.calls.values(),
        body.get("filter_criteria") or {},
        world.switchboard.document,
    )
    descending = body.get("sort_order", "descending") == "descending"
    calls.sort(key=lambda call: call.started_ms or call.created_ms, reverse=descending)
    shown, following = page_of(
        calls,
        limit=limit_of(body),
        skip=int(body.get("skip") or 0),
        after=body.get("pagination_key"),
        key=lambda call: call.call_id,
    )
    content: dict[str, Any] = {
        "items": [item(call) for call in shown],
        "has_more": following is not None,
    }
    if following is not None:
        content["pagination_key"] = following
    if body.get("include_total"):
        content["total"] = len(calls)
    return answer(content)


async def update_call(request: Request) -> Response:
    world = world_of(request)
    call, body = _call(request), await body_of(request)
    if call.live:
        raise bad_request("A live call can't be updated here.")
    if "metadata" in body:
        call.metadata = body["metadata"]
    world.changed()
    return answer(world.switchboard.document(call))


async def stop_call(request: Request) -> Response:
    world = world_of(request)
    if not world.switchboard.stop(_call(request)):
        raise bad_request("The call has ended already.")
    world.changed()
    return nothing()


async def delete_call(request: Request) -> Response:
    world = world_of(request)
    world.switchboard.delete(_call(request))
    world.changed()
    return nothing()


async def rerun_analysis(request: Request) -> Response:
    world = world_of(request)
    call = _call(request)
    if call.live:
        raise bad_request("The call has not ended yet.")
    world.switchboard.reanalyse(call)
    return answer(world.switchboard.document(call), 201)


async def create_batch_call(request: Request) -> Response:
    return answer(create_batch(world_of(request), await body_of(request)), 201)


async def create_web_call(request: Request) -> Response:
    """Hand out a token; nobody listens at the other end."""
    world = world_of(request)
    body = await body_of(request)
    world.agents.agents.get(body.get("agent_id", ""), body.get("agent_version"))
    content = {
        "call_id": new_id("call_", 27),
        "access_token": secrets.token_hex(24),
        "expires_at": world.clock.now_ms() + 30_000,
        "ice_servers": [{"urls": ["stun:stun.invalid:3478"]}],
        "transport": "gateway",
    }
    return answer(content, 201)


routes = [
    Route("/v2/create-phone-call", place, methods=["POST"]),
    Route("/v2/get-call/{id}", get_call),
    Route("/v3/list-calls", list_calls, methods=["POST"]),
    Route("/v2/update-call/{id}", update_call, methods=["PATCH"]),
    Route("/v2/stop-call/{id}", stop_call, methods=["POST"]),
    Route("/v2/delete-call/{id}", delete_call, methods=["DELETE"]),
    Route("/rerun-call-analysis/{id}", rerun_analysis, methods=["PUT"]),
    Route("/create-batch-call", create_batch_call, methods=["POST"]),
    Route("/v3/create-web-call", create_web_call, methods=["POST"]),
]
