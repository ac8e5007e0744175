"""A Twilio that sells numbers of the fictional ranges: as much of its REST API as `telephony/twilio.py` asks."""

from __future__ import annotations

import base64
import re
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from starlette.routing import Route

from telephony.sandbox.endpoints.exchange import answer, nothing, world_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from telephony.sandbox.world import World

    type Endpoint = Callable[[Request], Awaitable[Response]]

# Country and kind: how its numbers begin, the area code {area}, the place, and dollars a month.
_SHELVES = {
    ("US", "Local"): ("+1{area}55501", "415", ("San Francisco", "CA"), "1.15"),
    ("CA", "Local"): ("+1{area}55501", "416", ("Toronto", "ON"), "1.15"),
    ("US", "TollFree"): ("+1{area}55501", "833", ("", ""), "2.15"),
    ("GB", "Local"): ("+4420794600", "", ("London", ""), "1.15"),
    ("GB", "Mobile"): ("+4477009000", "", ("", ""), "1.15"),
}
_FICTION = re.compile(r"(\+1\d{3}55501|\+4420794600|\+4477009000)\d\d")
_WORDS = {"Local": "local", "TollFree": "toll free", "Mobile": "mobile"}
_ACCOUNT = "/twilio/2010-04-01/Accounts/{account}"
_NUMBERS = f"{_ACCOUNT}/IncomingPhoneNumbers.json"


def _refused(status: int, code: int, message: str) -> Response:
    more = f"https://www.twilio.com/docs/errors/{code}"
    content = {"code": code, "message": message, "more_info": more, "status": status}
    return answer(content, status)


def signed_in(endpoint: Endpoint) -> Endpoint:
    """Let the sandbox's key in, as the auth token of any account."""

    async def ask(request: Request) -> Response:
        given = request.headers.get("authorization", "").removeprefix("Basic ")
        try:
            _account, _, token = base64.b64decode(given).decode().partition(":")
        except ValueError:
            token = ""
        if token != world_of(request).config.api_key:
            return _refused(401, 20003, "Authenticate")
        return await endpoint(request)

    return ask


def _unknown(request: Request) -> Response:
    path = request.url.path.removeprefix("/twilio")
    return _refused(404, 20404, f"The requested resource {path} was not found")


@signed_in
async def available(request: Request) -> Response:
    country, kind = request.path_params["country"], request.path_params["kind"]
    if (country, kind) not in _SHELVES:
        return _unknown(request)
    begins, usual_area, place, _price = _SHELVES[country, kind]
    area = request.query_params.get("AreaCode") or usual_area
    locality, region = place if area == usual_area else (None, None)
    where = {"locality": locality, "region": region, "iso_country": country}
    free = _free(world_of(request), begins.format(area=area))
    found = [{"phone_number": number, **where} for number in free]
    most = int(request.query_params.get("PageSize", 50))
    return answer({"uri": request.url.path, "available_phone_numbers": found[:most]})


def _free(world: World, begins: str) -> list[str]:
    taken = set(world.numbers.numbers) | {it["phone_number"] for it in world.twilio.values()}
    return [it for i in range(100) if (it := f"{begins}{i:02d}") not in taken]


@signed_in
async def buy(request: Request) -> Response:
    world, form = world_of(request), _form(await request.body())
    number = form.get("PhoneNumber", "")
    if not _FICTION.fullmatch(number) or number not in _free(world, number[:-2]):
        return _refused(400, 21422, f"{number} is not available.")
    number_id = f"PN{secrets.token_hex(16)}"
    world.twilio[number_id] = {
        "sid": number_id,
        "phone_number": number,
        "friendly_name": form.get("FriendlyName", number),
        "trunk_sid": form.get("TrunkSid"),
    }
    world.changed()
    return answer(world.twilio[number_id], 201)


@signed_in
async def owned(request: Request) -> Response:
    wanted = request.query_params.get("PhoneNumber", "")
    found = [it for it in world_of(request).twilio.values() if wanted in it["phone_number"]]
    return answer({"uri": request.url.path, "incoming_phone_numbers": found})


@signed_in
async def change_or_release(request: Request) -> Response:
    world, number_id = world_of(request), request.path_params["number_id"]
    if number_id not in world.twilio:
        return _unknown(request)
    if request.method == "DELETE":
        del world.twilio[number_id]
        world.changed()
        return nothing()
    world.twilio[number_id]["trunk_sid"] = _form(await request.body()).get("TrunkSid")
    world.changed()
    return answer(world.twilio[number_id])


@signed_in
async def prices(request: Request) -> Response:
    country = request.path_params["country"]
    told = [
        {"number_type": _WORDS[kind], "base_price": shelf[-1], "current_price": shelf[-1]}
        for (of, kind), shelf in _SHELVES.items()
        if of == country
    ]
    return answer({"iso_country": country, "price_unit": "USD", "phone_number_prices": told})


def _form(raw: bytes) -> dict[str, Any]:
    return {name: values[0] for name, values in parse_qs(raw.decode()).items()}


routes = [
    Route(f"{_ACCOUNT}/AvailablePhoneNumbers/{{country}}/{{kind}}.json", available),
    Route(_NUMBERS, buy, methods=["POST"]),
    Route(_NUMBERS, owned),
    Route(
        f"{_ACCOUNT}/IncomingPhoneNumbers/{{number_id}}.json",
        change_or_release,
        methods=["POST", "DELETE"],
    ),
    Route("/twilio/v1/PhoneNumbers/Countries/{country}", prices),
]
