"""The door to Twilio: what it sends, how often, and what it makes of answers shaped as Twilio documents them."""

from __future__ import annotations

import inspect
import json
import logging
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from telephony.provider import (
    NotFound,
    ProviderError,
    RateLimited,
    Rejected,
    Trunk,
    Unauthorised,
    Unavailable,
    UnknownOutcome,
)
from telephony.refusals import explained
from telephony.twilio import TwilioGateway, find_twilio_gateway, missing_settings
from tests.telephony.fake_twilio import FakeTwilio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_django import Settings

SID = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
ACCOUNT = f"/2010-04-01/Accounts/{SID}"
NUMBER = "+14155550100"
# As https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource shows it.
OWNED = {
    "account_sid": SID,
    "address_requirements": "none",
    "address_sid": None,
    "api_version": "2010-04-01",
    "beta": False,
    "capabilities": {"mms": True, "sms": True, "voice": True, "fax": False},
    "date_created": "Thu, 30 Jul 2015 23:19:04 +0000",
    "date_updated": "Thu, 30 Jul 2015 23:19:04 +0000",
    "emergency_status": "Inactive",
    "emergency_address_status": "unregistered",
    "friendly_name": "Front desk 0123456789ab",
    "identity_sid": None,
    "origin": "twilio",
    "phone_number": NUMBER,
    "sid": "PN5732764c3d5e5b0b7b8b7b8b7b8b7b8b",
    "status": "in-use",
    "trunk_sid": "TK1",
    "uri": f"{ACCOUNT}/IncomingPhoneNumbers/PN5732764c3d5e5b0b7b8b7b8b7b8b7b8b.json",
    "voice_receive_mode": "voice",
    "voice_url": None,
}
LISTED = {
    "end": 0,
    "first_page_uri": f"{ACCOUNT}/IncomingPhoneNumbers.json?PageSize=50&Page=0",
    "incoming_phone_numbers": [{**OWNED, "phone_number": f"{NUMBER}0"}, OWNED],
    "next_page_uri": None,
    "page": 0,
    "page_size": 50,
    "previous_page_uri": None,
    "start": 0,
    "uri": f"{ACCOUNT}/IncomingPhoneNumbers.json?PageSize=50&Page=0",
}
AVAILABLE = {
    "available_phone_numbers": [
        {
            "address_requirements": "none",
            "beta": False,
            "capabilities": {"mms": True, "sms": False, "voice": True},
            "friendly_name": "(415) 555-0100",
            "iso_country": "US",
            "lata": "834",
            "latitude": "19.720000",
            "locality": "San Francisco",
            "longitude": "-155.090000",
            "phone_number": NUMBER,
            "postal_code": "94105",
            "rate_center": "SNFC CNTRL",
            "region": "CA",
        },
        # What a toll-free one looks like.
        {"phone_number": "+18335550100", "locality": None, "region": None, "iso_country": "US"},
    ],
    "end": 1,
    "uri": f"{ACCOUNT}/AvailablePhoneNumbers/US/Local.json?AreaCode=415",
}
PRICES = {
    "country": "United States",
    "iso_country": "US",
    "phone_number_prices": [
        {"base_price": "1.15", "current_price": "1.05", "number_type": "local"},
        {"base_price": "2.15", "current_price": "2.15", "number_type": "toll free"},
    ],
    "price_unit": "USD",
    "url": "https://pricing.twilio.com/v1/PhoneNumbers/Countries/US",
}


def refusal(status: int, code: int, message: str) -> dict[str, object]:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return {"code": code, "message": message, "more_info": more, "status": status}


class Wire:
    """Answers what the SDK sends as told, and keeps it."""

    def __init__(self) -> None:
        self.status = 200
        self.body: Any = {}
        self.headers: dict[str, str] = {}
        self.error: Exception | None = None
        self.requests: list[httpx.Request] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.error:
            raise self.error
        raw = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        return httpx.Response(self.status, content=raw, headers=self.headers)

    @property
    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.requests[-1].content.decode())

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(str(self.requests[-1].url)).query)


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def gateway(wire: Wire) -> Iterator[TwilioGateway]:
    trunk = Trunk(trunk_id="TK1", termination_uri="acme.pstn.twilio.com")
    made = TwilioGateway(account_sid=SID, auth_token="token", trunk=trunk)
    made._edge._http.close()
    made._edge._http = httpx.Client(transport=httpx.MockTransport(wire.answer))
    yield made
    made.close()


def test_looks_for_numbers_that_can_be_bought_as_they_are(gateway: TwilioGateway, wire: Wire):
    wire.body = AVAILABLE
    found = gateway.search_numbers(country="US", kind="local", area_code=415)
    assert [(it.phone_number, it.locality, it.region) for it in found] == [
        (NUMBER, "San Francisco", "CA"),
        ("+18335550100", "", ""),
    ]
    asked = wire.requests[-1]
    assert asked.url.host == "api.twilio.com"
    assert asked.url.path == f"{ACCOUNT}/AvailablePhoneNumbers/US/Local.json"
    assert asked.headers["authorization"].startswith("Basic ")
    assert wire.query["AreaCode"] == ["415"]
    assert wire.query["VoiceEnabled"] == wire.query["ExcludeAllAddressRequired"] == ["true"]


@pytest.mark.parametrize(("kind", "path"), [("toll_free", "TollFree"), ("mobile", "Mobile")])
def test_looks_on_the_shelf_of_each_kind(gateway: TwilioGateway, wire: Wire, kind: str, path: str):
    wire.body = AVAILABLE
    gateway.search_numbers(country="GB", kind=kind)
    assert wire.requests[-1].url.path.endswith(f"/AvailablePhoneNumbers/GB/{path}.json")
    assert "AreaCode" not in wire.query


@pytest.mark.parametrize(
    ("kind", "unit", "expected"),
    [
        ("local", "USD", 1_050_000),
        ("toll_free", "usd", 2_150_000),
        ("mobile", "USD", None),
        ("local", "EUR", None),
    ],
)
def test_tells_the_price_if_twilio_does(
    gateway: TwilioGateway, wire: Wire, kind: str, unit: str, expected: int | None
):
    wire.body = PRICES | {"price_unit": unit}
    assert gateway.monthly_price(country="US", kind=kind) == expected
    assert str(wire.requests[-1].url) == PRICES["url"]


def test_buys_names_and_routes_a_number_in_one_request(gateway: TwilioGateway, wire: Wire):
    wire.status, wire.body = 201, OWNED
    bought = gateway.buy_number(phone_number=NUMBER, name="Front desk 0123456789ab")
    assert (bought.number_id, bought.phone_number) == (OWNED["sid"], NUMBER)
    assert bought.trunk_id == "TK1"
    (sent,) = wire.requests
    assert (sent.method, sent.url.path) == ("POST", f"{ACCOUNT}/IncomingPhoneNumbers.json")
    assert wire.form == {
        "PhoneNumber": [NUMBER],
        "FriendlyName": ["Front desk 0123456789ab"],
        "TrunkSid": ["TK1"],
    }


def test_finds_a_number_by_its_id_or_the_end_of_its_name(gateway: TwilioGateway, wire: Wire):
    wire.body = LISTED
    for name in ("Front desk 0123456789ab", "Front  dëšk 0123456789ab", "0123456789ab"):
        found = gateway.find_number(phone_number=NUMBER, name=name)
        assert found and found.number_id == OWNED["sid"]
    renamed = gateway.find_number(phone_number=NUMBER, name="x y", number_id=str(OWNED["sid"]))
    assert renamed and renamed.phone_number == NUMBER
    assert wire.query["PhoneNumber"] == [NUMBER]
    assert gateway.find_number(phone_number=NUMBER, name="Somebody else's") is None


def test_routes_and_releases(gateway: TwilioGateway, wire: Wire):
    wire.body = OWNED
    gateway.route_number(number_id="PN1")
    assert wire.form == {"TrunkSid": ["TK1"]}
    wire.status, wire.body = 204, b""
    gateway.release_number(number_id="PN1")
    asked = wire.requests[-1]
    assert (asked.method, asked.url.path) == ("DELETE", f"{ACCOUNT}/IncomingPhoneNumbers/PN1.json")


# Name, how it is asked, and what it is when nobody knows what came of it.
METHODS: list[tuple[str, Callable[[TwilioGateway], object], type[ProviderError]]] = [
    ("search", lambda it: it.search_numbers(country="US", kind="local"), Unavailable),
    ("price", lambda it: it.monthly_price(country="US", kind="local"), Unavailable),
    ("buy", lambda it: it.buy_number(phone_number=NUMBER, name="x"), UnknownOutcome),
    ("find", lambda it: it.find_number(phone_number=NUMBER, name="x"), Unavailable),
    ("route", lambda it: it.route_number(number_id="PN1"), Unavailable),
    ("release", lambda it: it.release_number(number_id="PN1"), Unavailable),
]
each_method = pytest.mark.parametrize(("name", "ask", "lost"), METHODS)
REFUSALS: list[tuple[int, int, str, type[ProviderError]]] = [
    (400, 21422, f"{NUMBER} is not available.", Rejected),
    (400, 21452, "No phone numbers found in area code 533", Rejected),
    (400, 21631, "Phone Number Requires an Address", Rejected),
    (401, 20003, "Authenticate", Unauthorised),
    (403, 20008, "Resource not accessible with Test Account Credentials", Rejected),
    (404, 20404, "The requested resource was not found", NotFound),
    (429, 20429, "Too Many Requests", RateLimited),
]


@pytest.mark.parametrize(("status", "code", "message", "kind"), REFUSALS)
@each_method
def test_names_refusals(  # noqa: PLR0913, PLR0917 - a table
    gateway: TwilioGateway, wire: Wire, name, ask, lost, status, code, message, kind
):
    wire.status, wire.body = status, refusal(status, code, message)
    with pytest.raises(kind, match=re.escape(message)) as caught:
        ask(gateway)
    assert type(caught.value) is kind
    assert len(wire.requests) == 1


def test_tells_how_long_to_wait(gateway: TwilioGateway, wire: Wire):
    wire.status, wire.headers = 429, {"Retry-After": "7"}
    with pytest.raises(RateLimited) as caught:
        gateway.buy_number(phone_number=NUMBER, name="x")
    assert caught.value.wait_seconds == 7


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"", b"[]", b'{"sid": null}', b'{"phone_number_prices": [1], "price_unit": "USD"}'],
)
@pytest.mark.parametrize(("name", "ask", "lost"), [it for it in METHODS if it[0] != "release"])
def test_knows_nothing_of_an_answer_that_cannot_be_read(
    gateway: TwilioGateway, wire: Wire, name, ask, lost, body: bytes
):
    wire.body = body
    if name == "price" and body == b'{"sid": null}':
        assert ask(gateway) is None  # no price is no fault
        return
    with pytest.raises(lost, match="can't be read"):
        ask(gateway)
    assert len(wire.requests) == 1


@pytest.mark.parametrize("error", [httpx.ReadTimeout("slow"), httpx.ReadError("reset"), 500, 503])
@each_method
def test_knows_nothing_when_the_answer_is_lost(
    gateway: TwilioGateway, wire: Wire, name, ask, lost, error
):
    if isinstance(error, int):
        wire.status, wire.body = error, refusal(error, 20500, "Internal Server Error")
    else:
        wire.error = error
    with pytest.raises(lost):
        ask(gateway)
    assert len(wire.requests) == 1


@pytest.mark.parametrize("error", [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow")])
@each_method
def test_knows_that_nothing_left(gateway: TwilioGateway, wire: Wire, name, ask, lost, error):
    wire.error = error
    with pytest.raises(Unavailable):
        ask(gateway)


def test_logs_no_number_and_no_key(
    gateway: TwilioGateway, wire: Wire, caplog: pytest.LogCaptureFixture
):
    logging.getLogger("httpx").setLevel(logging.WARNING)  # as convomono/settings/logs.py has it
    wire.body = LISTED
    with caplog.at_level(logging.INFO):
        gateway.find_number(phone_number=NUMBER, name="x")
    assert caplog.text == ""
    assert "token" not in repr(gateway.trunk)


class TestSetUp:
    def test_names_what_is_missing(self, settings: Settings):
        settings.SANDBOX = False
        settings.TWILIO_ACCOUNT_SID = SID
        assert missing_settings() == [
            "TWILIO_AUTH_TOKEN",
            "TWILIO_TRUNK_SID",
            "TWILIO_TERMINATION_URI",
        ]
        assert find_twilio_gateway() is None

    def test_buys_nothing_real_in_a_trial(self, settings: Settings):
        settings.TWILIO_ACCOUNT_SID = settings.TWILIO_AUTH_TOKEN = "x"
        settings.TWILIO_TRUNK_SID = settings.TWILIO_TERMINATION_URI = "x"
        assert missing_settings() == ["TWILIO_BASE_URL"]
        settings.SANDBOX = False
        assert missing_settings() == []


def test_is_loaded_by_those_alone_who_buy():
    code = "import sys, django; django.setup(); import telephony.twilio; print('twilio' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RateLimited("x", 2.6), "Twilio is busy. Try again in 3 s."),
        (RateLimited("x", None), "Twilio is busy. Try again in a minute."),
        (Unavailable("x"), "Twilio can't be reached just now. Try again in a minute."),
        (Unauthorised("x", 401), "Twilio refuses our key. Check the variables it is set by."),
        (Rejected("It isn't available.", 400), "It isn't available."),
    ],
)
def test_explains_itself(error: ProviderError, said: str):
    assert explained(error, who="Twilio") == said


def test_the_fake_has_the_gateways_methods():
    def public(kind: type) -> dict[str, inspect.Signature]:
        return {
            name: inspect.signature(member)
            for name, member in inspect.getmembers(kind, inspect.isfunction)
            if not name.startswith("_")
        }

    fake = public(FakeTwilio)
    assert {name: fake.get(name) for name in public(TwilioGateway)} == public(TwilioGateway)
