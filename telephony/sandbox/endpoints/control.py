"""The sandbox's own pages: faults, counters, reset, recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from telephony.sandbox.audio import recording, voice_sample
from telephony.sandbox.endpoints.exchange import answer, body_of, nothing, world_of
from telephony.sandbox.faults import KINDS
from telephony.sandbox.knowledge import looked_up
from telephony.sandbox.refusals import bad_request, not_found
from telephony.sandbox.voices import VOICES

if TYPE_CHECKING:
    from starlette.requests import Request

_PAGE = """<!doctype html><html lang="en"><title>Retell sandbox</title>
<h1>SANDBOX: nothing rings</h1>
<p>A local stand-in for Retell. It takes the calls of the real SDK, plays them through and reports
them by signed webhooks. No call ever leaves this machine.</p>
<ul><li><a href="/_sandbox/state">Counters</a></li><li><a href="/_sandbox/faults">Faults</a></li>
<li><a href="/_sandbox/faults/kinds">Kinds of faults</a></li></ul></html>"""


async def home(_request: Request) -> Response:
    return HTMLResponse(_PAGE)


async def healthz(_request: Request) -> Response:
    return PlainTextResponse("ok")


async def state(request: Request) -> Response:
    return answer(world_of(request).report())


async def reset(request: Request) -> Response:
    """Forget calls, faults and counters; with ?all=true agents, numbers and bases as well."""
    world_of(request).reset(everything=request.query_params.get("all") == "true")
    return nothing()


async def list_kinds(_request: Request) -> Response:
    return answer(KINDS)


async def get_faults(request: Request) -> Response:
    return answer(world_of(request).faults.report())


async def put_faults(request: Request) -> Response:
    """Take {kind: {rate, count, numbers, paths, events, …}}; other kinds stay as they are."""
    faults = world_of(request).faults
    for kind, body in (await body_of(request)).items():
        if not isinstance(body, dict):
            raise bad_request(f"{kind} needs an object, {{}} at least.")
        faults.put(kind, body)
    return answer(faults.report())


async def put_fault(request: Request) -> Response:
    faults = world_of(request).faults
    faults.put(request.path_params["kind"], await body_of(request))
    return answer(faults.report())


async def delete_faults(request: Request) -> Response:
    world_of(request).faults.remove(request.path_params.get("kind"))
    return nothing()


async def post_inbox(request: Request) -> Response:
    """Stand in for a client's own system: take an event and say so."""
    await request.body()
    return nothing()


async def get_recording(request: Request) -> Response:
    name = request.path_params["name"]
    call = world_of(request).switchboard.calls.get(name.removesuffix("-multichannel"))
    if call is None or not call.duration_ms:
        raise not_found()
    channels = 2 if name.endswith("-multichannel") else 1
    return Response(recording(call, channels), media_type="audio/wav")


async def get_voice_sample(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in VOICES:
        raise not_found()
    return Response(voice_sample(name), media_type="audio/wav")


async def get_lookups(request: Request) -> Response:
    world = world_of(request)
    call = world.switchboard.calls.get(request.path_params["name"])
    if call is None or not call.duration_ms:
        raise not_found()
    return answer(looked_up(call, world.knowledge))


async def get_log(request: Request) -> Response:
    call = world_of(request).switchboard.calls.get(request.path_params["name"])
    if call is None:
        raise not_found()
    return PlainTextResponse(f"{call.call_id} {call.status} {call.reason} {call.duration_ms} ms\n")


routes = [
    Route("/", home),
    Route("/healthz", healthz),
    Route("/_sandbox/state", state),
    Route("/_sandbox/reset", reset, methods=["POST"]),
    Route("/_sandbox/inbox", post_inbox, methods=["POST"]),
    Route("/_sandbox/faults/kinds", list_kinds),
    Route("/_sandbox/faults", get_faults),
    Route("/_sandbox/faults", put_faults, methods=["PUT"]),
    Route("/_sandbox/faults", delete_faults, methods=["DELETE"]),
    Route("/_sandbox/faults/{kind}", put_fault, methods=["PUT"]),
    Route("/_sandbox/faults/{kind}", delete_faults, methods=["DELETE"]),
    Route("/recordings/voices/{name}.wav", get_voice_sample),
    Route("/recordings/{name}.wav", get_recording),
    Route("/recordings/{name}-knowledge.json", get_lookups),
    Route("/recordings/{name}.log", get_log),
]
