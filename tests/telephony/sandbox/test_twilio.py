"""The sandbox's Twilio, asked through the gateway and the real SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from convomono.lib.ids import uuid7
from telephony.models import NumberOrder, PhoneNumber
from telephony.provider import NotFound, Rejected, Trunk, Unauthorised, UnknownOutcome
from telephony.retell import RetellGateway
from telephony.services import release_number
from telephony.services.ordering import ANSWERED_WITHIN
from telephony.services.returns import give_numbers_back
from telephony.services.twilio_orders import Choice, buy_twilio_number, settle_twilio_orders
from telephony.twilio import TwilioGateway
from tests.telephony.sandbox.harness import Served, visit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from accounts.models import User
    from tests.telephony.sandbox.harness import Sandbox

TRUNK = Trunk(trunk_id="TK1", termination_uri="acme.pstn.twilio.com")


def connect(url: str, key: str = "sandbox") -> TwilioGateway:
    return TwilioGateway(account_sid="AC1", auth_token=key, trunk=TRUNK, base_url=f"{url}/twilio")


@pytest.fixture
def twilio(empty: Sandbox) -> Iterator[TwilioGateway]:
    gateway = connect(empty.url)
    yield gateway
    gateway.close()


def test_sells_routes_and_takes_back(twilio: TwilioGateway, empty: Sandbox) -> None:
    first, second, *_ = twilio.search_numbers(country="US", kind="local", area_code=415)
    assert (first.phone_number, first.locality) == ("+14155550100", "San Francisco")
    assert twilio.monthly_price(country="US", kind="toll_free") == 2_150_000
    bought = twilio.buy_number(phone_number=first.phone_number, name="Desk 1")
    assert bought.trunk_id == "TK1"
    twilio.route_number(number_id=bought.number_id)
    assert twilio.find_number(phone_number=first.phone_number, name="Desk 1") == bought
    assert twilio.find_number(phone_number=first.phone_number, name="Desk 2") is None
    assert empty.state()["twilio_numbers"] == 1
    # Retell imports it, and calls from it.
    uri = TRUNK.termination_uri
    imported = empty.sdk.phone_number.import_(phone_number=bought.phone_number, termination_uri=uri)
    assert imported.phone_number_type == "custom"
    left = twilio.search_numbers(country="US", kind="local", area_code=415)
    assert left[0] == second
    empty.sdk.phone_number.delete(bought.phone_number)
    twilio.release_number(number_id=bought.number_id)
    with pytest.raises(NotFound):
        twilio.release_number(number_id=bought.number_id)


@pytest.mark.parametrize(
    ("country", "kind", "first"),
    [
        ("CA", "local", "+14165550100"),
        ("US", "toll_free", "+18335550100"),
        ("GB", "local", "+442079460000"),
        ("GB", "mobile", "+447700900000"),
    ],
)
def test_has_fictional_numbers_of_each_kind(
    twilio: TwilioGateway, country: str, kind: str, first: str
) -> None:
    found = twilio.search_numbers(country=country, kind=kind)
    assert found[0].phone_number == first
    assert len(found) == 20
    assert twilio.buy_number(phone_number=first, name="x").phone_number == first


def test_refuses_as_twilio_does(twilio: TwilioGateway, empty: Sandbox) -> None:
    with pytest.raises(NotFound):
        twilio.search_numbers(country="US", kind="mobile")
    with pytest.raises(Rejected, match="is not available"):
        twilio.buy_number(phone_number="+14158675309", name="Somebody's")
    for _ in range(2):
        twilio.search_numbers(country="US", kind="local")
    twilio.buy_number(phone_number="+14155550100", name="x")
    with pytest.raises(Rejected, match="is not available"):
        twilio.buy_number(phone_number="+14155550100", name="y")
    stranger = connect(empty.url, key="wrong")
    with pytest.raises(Unauthorised, match="Authenticate"):
        stranger.search_numbers(country="US", kind="local")
    stranger.close()
    assert httpx.get(f"{empty.url}/twilio/v1/PhoneNumbers/Countries/US").status_code == 401


def test_loses_an_answer_where_it_is_told_to(twilio: TwilioGateway, empty: Sandbox) -> None:
    path = "/twilio/2010-04-01/Accounts/AC1/IncomingPhoneNumbers.json"
    empty.faults(reset_after={"count": 1, "paths": [path]})
    with pytest.raises(UnknownOutcome):
        twilio.buy_number(phone_number="+14155550100", name="Desk 1")
    assert twilio.find_number(phone_number="+14155550100", name="Desk 1") is not None


@pytest.mark.parametrize(
    "path",
    ["", "/twilio/2010-04-01/Accounts/AC1/IncomingPhoneNumbers.json", "/import-phone-number"],
)
def test_a_number_is_bought_called_from_and_given_back_whichever_answer_is_lost(
    twilio: TwilioGateway, empty: Sandbox, root: User, now: datetime, path: str
) -> None:
    retell = RetellGateway(api_key="sandbox", base_url=empty.url)
    if path:
        empty.faults(reset_after={"count": 1, "paths": [path]})
    order = buy_twilio_number(
        carrier=twilio,
        gateway=retell,
        key=uuid7(),
        choice=Choice(phone_number="+14155550100", type="local", rent_micros=None),
        actor=root,
        now=now,
    )
    assert order.status == ("bought" if not path else "unknown" if "twilio" in path else "paid")
    settle_twilio_orders(carrier=twilio, gateway=retell, now=now + ANSWERED_WITHIN)
    number = PhoneNumber.objects.get()
    assert NumberOrder.objects.get().status == "bought"
    assert [it.phone_number for it in retell.list_phone_numbers()] == [number.phone_number]
    assert empty.state()["twilio_numbers"] == 1
    release_number(number=number, actor=root, now=now)
    assert give_numbers_back(carrier=twilio, gateway=retell, now=now) == 1
    assert retell.list_phone_numbers() == ()
    assert empty.state()["twilio_numbers"] == 0
    retell.close()


def test_keeps_its_numbers_over_a_restart(tmp_path: Path) -> None:
    for is_first in (True, False):
        server = Served(state_file=tmp_path / "state.json")
        for _sandbox in visit(server.url):
            gateway = connect(server.url)
            if is_first:
                gateway.buy_number(phone_number="+14155550100", name="Desk 1")
            assert gateway.find_number(phone_number="+14155550100", name="Desk 1")
            gateway.close()
        server.stop()
