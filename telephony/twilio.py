"""The one door to Twilio: its SDK, which is imported when used, and what its failures mean to us."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

import httpx
from django.conf import settings

from convomono.lib.money import AmountInvalid, micros_from_dollars
from telephony.provider import (
    AvailableNumber,
    CarrierNumber,
    ProviderError,
    Trunk,
    Unavailable,
    UnknownOutcome,
)
from telephony.refusals import refusal

if TYPE_CHECKING:
    from collections.abc import Callable

SEARCHED = 20
NAME_CHARS = 64  # of a friendly name; Twilio refuses longer ones
_TIMEOUT_SECONDS = 20
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_NEEDED = ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_TRUNK_SID", "TWILIO_TERMINATION_URI")


class TwilioGateway:
    """
    Twilio's numbers in our terms.

    Every method may raise Rejected (and its kinds), RateLimited or Unavailable. Buying is sent once and
    may raise UnknownOutcome; all the others may be sent again. Safe to share between threads.
    """

    def __init__(
        self, *, account_sid: str, auth_token: str, trunk: Trunk, base_url: str = ""
    ) -> None:
        # A quarter of a second that processes which buy no numbers don't spend.
        from twilio.rest import Client

        self.trunk = trunk
        self._edge = _Edge(base_url)
        self._client = Client(account_sid, auth_token, http_client=self._edge)

    def close(self) -> None:
        """Give the connections back."""
        self._edge.close()

    def search_numbers(
        self, *, country: str, kind: str, area_code: int | None = None
    ) -> tuple[AvailableNumber, ...]:
        """
        Return numbers that can be bought and may call, 20 at most; kind is a PhoneNumber.Type.

        Those that need a registered address are left out: we have none to name.

        :raises NotFound: if Twilio sells no such numbers in that country (ISO 3166, two letters)
        """
        shelf = getattr(self._client.available_phone_numbers(country), kind)  # named as ours are
        wanted: dict[str, Any] = {
            "voice_enabled": True,
            "exclude_all_address_required": True,
            "limit": SEARCHED,
        }
        if area_code is not None:
            wanted["area_code"] = area_code
        return _exchange(
            lambda: tuple(_read_available(item) for item in shelf.list(**wanted)), Unavailable
        )

    def monthly_price(self, *, country: str, kind: str) -> int | None:
        """Return the rent a month in micros; None where Twilio names none, or not in US dollars."""
        shelf = self._client.pricing.v1.phone_numbers.countries(country)
        return _exchange(lambda: _read_price(shelf.fetch(), kind.replace("_", " ")), Unavailable)

    def buy_number(self, *, phone_number: str, name: str) -> CarrierNumber:
        """
        Buy this number, charged at once, and point it to our trunk; name has 64 characters at most.

        :raises UnknownOutcome: if it may be ours now: look with find_number before anything else
        """
        create = self._client.incoming_phone_numbers.create
        trunk_sid = self.trunk.trunk_id
        return _exchange(
            lambda: _read_owned(
                create(phone_number=phone_number, friendly_name=name, trunk_sid=trunk_sid)
            ),
            UnknownOutcome,
        )

    def find_number(
        self, *, phone_number: str, name: str, number_id: str = ""
    ) -> CarrierNumber | None:
        """
        Return this number if it is ours under its id, or by a name that ends with the last word of `name`.

        Only the end counts: Twilio or a person may have tidied up the rest.
        """
        owned = self._client.incoming_phone_numbers.list
        found = _exchange(
            lambda: [_read_owned(item) for item in owned(phone_number=phone_number)], Unavailable
        )
        mark = name.rsplit(maxsplit=1)[-1]
        for it in found:
            # Twilio matches parts of numbers too.
            is_same = it.number_id == number_id or it.name.endswith(mark)
            if it.phone_number == phone_number and is_same:
                return it
        return None

    def route_number(self, *, number_id: str) -> None:
        """Point a number of ours to our trunk; twice is once."""
        change = self._client.incoming_phone_numbers(number_id).update
        _exchange(lambda: _read_owned(change(trunk_sid=self.trunk.trunk_id)), Unavailable)

    def release_number(self, *, number_id: str) -> None:
        """
        Give a number back: its rent ends, and anybody may buy it.

        :raises NotFound: if it isn't ours any more
        """
        _exchange(self._client.incoming_phone_numbers(number_id).delete, Unavailable)


class _Edge:
    """
    What the SDK sends its requests through, as its `http_client`.

    Its own names neither how long to wait nor whether a request left, and logs numbers.
    """

    is_async = False

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._http = httpx.Client(timeout=httpx.Timeout(_TIMEOUT_SECONDS, connect=5))

    def close(self) -> None:
        self._http.close()

    def request(
        self,
        method: str,
        uri: str,
        params: Any = None,
        data: Any = None,
        headers: Any = None,
        auth: Any = None,
        **_options: Any,
    ) -> httpx.Response:
        # Only a purchase may not be sent twice: a change of a number that is ours has its id.
        buys = method == "POST" and uri.endswith("/IncomingPhoneNumbers.json")
        lost = UnknownOutcome if buys else Unavailable
        url = httpx.URL(uri)
        if self._base_url:
            url = httpx.URL(self._base_url + url.raw_path.decode())
        try:
            answer = self._http.request(
                method, url, params=params, data=data, headers=headers, auth=auth
            )
        except httpx.HTTPError as error:
            never_sent = isinstance(error, _NEVER_SENT)
            raise (Unavailable if never_sent else lost)(f"Twilio: {error}") from error
        if not answer.is_success:
            raise refusal(
                status=answer.status_code,
                body=_content(answer),
                headers=answer.headers,
                lost=lost,
                who="Twilio",
            )
        return answer


def missing_settings() -> list[str]:
    """Return which variables are to be set before numbers can be bought at Twilio."""
    missing = [name for name in _NEEDED if not getattr(settings, name)]
    # A trial buys nothing real: where Retell is a sandbox, Twilio has to be one too.
    if settings.SANDBOX and not settings.TWILIO_BASE_URL:
        missing.append("TWILIO_BASE_URL")
    return missing


def find_twilio_gateway() -> TwilioGateway | None:
    """Return this process's gateway, made on first use; None unless Twilio is set up."""
    return None if missing_settings() else _gateway()


@functools.cache
def _gateway() -> TwilioGateway:
    trunk = Trunk(
        trunk_id=settings.TWILIO_TRUNK_SID,
        termination_uri=settings.TWILIO_TERMINATION_URI,
        username=settings.TWILIO_SIP_USERNAME,
        password=settings.TWILIO_SIP_PASSWORD,
    )
    return TwilioGateway(
        account_sid=settings.TWILIO_ACCOUNT_SID,
        auth_token=settings.TWILIO_AUTH_TOKEN,
        trunk=trunk,
        base_url=settings.TWILIO_BASE_URL,
    )


def _exchange[T](send: Callable[[], T], lost: type[ProviderError]) -> T:
    from twilio.base.exceptions import TwilioException

    try:
        return send()
    except (AttributeError, KeyError, TypeError, ValueError, TwilioException) as error:
        # Not JSON at all, or without the fields we need: the SDK doesn't check either.
        raise lost(f"Twilio's answer can't be read: {error}") from error


def _content(answer: httpx.Response) -> object:
    try:
        return answer.json()
    except json.JSONDecodeError:
        return None


def _read_available(item: Any) -> AvailableNumber:
    return AvailableNumber(
        phone_number=_text(item.phone_number),
        locality=item.locality or "",
        region=item.region or "",
    )


def _read_owned(item: Any) -> CarrierNumber:
    return CarrierNumber(
        number_id=_text(item.sid),
        phone_number=_text(item.phone_number),
        name=item.friendly_name or "",
        trunk_id=item.trunk_sid or "",
    )


def _read_price(answer: Any, kind: str) -> int | None:
    if (answer.price_unit or "").upper() != "USD":
        return None
    prices = {price["number_type"]: price["current_price"] for price in answer.phone_number_prices}
    try:
        return micros_from_dollars(prices[kind])
    except (KeyError, AmountInvalid):
        return None


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("it lacks what it is about")
    return value
