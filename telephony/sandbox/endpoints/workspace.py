"""Numbers, voices, concurrency, and whose key it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from telephony.sandbox.documents import ORG_ID
from telephony.sandbox.endpoints.exchange import answer, body_of, nothing, page, world_of
from telephony.sandbox.refusals import not_found
from telephony.sandbox.voices import VOICES

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def create_number(request: Request) -> Response:
    world = world_of(request)
    number = world.numbers.buy(await body_of(request))
    world.changed()
    return answer(number, 201)


async def import_number(request: Request) -> Response:
    world = world_of(request)
    number = world.numbers.import_(await body_of(request))
    world.changed()
    return answer(number, 201)


async def get_number(request: Request) -> Response:
    return answer(world_of(request).numbers.get(request.path_params["number"]))


async def update_number(request: Request) -> Response:
    world = world_of(request)
    number = world.numbers.update(request.path_params["number"], await body_of(request))
    world.changed()
    return answer(number)


async def list_numbers(request: Request) -> Response:
    numbers = list(world_of(request).numbers.numbers.values())
    return answer(page(numbers, request.query_params, key=lambda item: str(item["phone_number"])))


async def delete_number(request: Request) -> Response:
    world = world_of(request)
    world.numbers.delete(request.path_params["number"])
    world.changed()
    return nothing()


async def list_voices(request: Request) -> Response:
    return answer([_with_sample(request, voice_id) for voice_id in VOICES])


async def get_voice(request: Request) -> Response:
    voice_id = request.path_params["id"]
    if voice_id not in VOICES:
        raise not_found()
    return answer(_with_sample(request, voice_id))


def _with_sample(request: Request, voice_id: str) -> dict[str, object]:
    sample = f"{request.base_url}recordings/voices/{voice_id}.wav"
    return {**VOICES[voice_id], "preview_audio_url": sample}


async def get_concurrency(request: Request) -> Response:
    world = world_of(request)
    capacity = world.capacity()
    base = min(20, capacity.concurrency)
    content = {
        "current_concurrency": len(world.switchboard.live),
        "concurrency_limit": capacity.concurrency,
        "base_concurrency": base,
        "purchased_concurrency": capacity.concurrency - base,
        "concurrency_purchase_limit": 1_000,
        "remaining_purchase_limit": max(0, 1_000 - (capacity.concurrency - base)),
        "concurrency_burst_enabled": capacity.burst,
        "concurrency_burst_limit": capacity.outbound if capacity.burst else 0,
        "reserved_inbound_concurrency": 0,
    }
    return answer(content)


async def get_identity(_request: Request) -> Response:
    return answer({"org_id": ORG_ID, "org_name": "Sandbox", "api_key_name": "Sandbox"})


routes = [
    Route("/create-phone-number", create_number, methods=["POST"]),
    Route("/import-phone-number", import_number, methods=["POST"]),
    Route("/get-phone-number/{number}", get_number),
    Route("/update-phone-number/{number}", update_number, methods=["PATCH"]),
    Route("/v2/list-phone-numbers", list_numbers),
    Route("/delete-phone-number/{number}", delete_number, methods=["DELETE"]),
    Route("/list-voices", list_voices),
    Route("/get-voice/{id}", get_voice),
    Route("/get-concurrency", get_concurrency),
    Route("/get-api-key-info", get_identity),
]
