"""Phone numbers of the workspace; bought ones come from the fictional 555-01xx range."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from telephony.sandbox.refusals import bad_request, not_found

if TYPE_CHECKING:
    from telephony.sandbox.clock import SandboxClock
    from telephony.sandbox.versions import Document

E164 = re.compile(r"\+[1-9]\d{6,14}")
_NORTH_AMERICAN = re.compile(r"\+1(\d{3})(\d{3})(\d{4})")
_AGENT_LISTS = ("inbound_agents", "outbound_agents", "inbound_sms_agents", "outbound_sms_agents")
_FIELDS = (
    *_AGENT_LISTS,
    "nickname",
    "inbound_webhook_url",
    "inbound_sms_webhook_url",
    "fallback_number",
    "allowed_inbound_country_list",
    "allowed_outbound_country_list",
)
_DEFAULT_AREA_CODE = {"US": 415, "CA": 416}
_TOLL_FREE = 800
_ROUNDING = 0.001


class Numbers:
    def __init__(self, clock: SandboxClock) -> None:
        self.numbers: dict[str, Document] = {}
        self._clock = clock

    def buy(self, body: Document) -> Document:
        """Sell the number asked for, or the area code's next one: +1 415 555 0100, 0101, …"""
        country = body.get("country_code", "US")
        if country not in _DEFAULT_AREA_CODE:
            raise bad_request("country_code must be US or CA.")
        wanted = body.get("phone_number")
        number = self._free(wanted) if wanted else self._next(body, country)
        provider = body.get("number_provider", "twilio")
        return self._write(number, {"phone_number_type": f"retell-{provider}"}, body)

    def _free(self, number: str) -> str:
        if not E164.fullmatch(number) or number in self.numbers:
            raise bad_request(f"{number} is not available.")
        return number

    def _next(self, body: Document, country: str) -> str:
        area = _TOLL_FREE if body.get("toll_free") else body.get("area_code")
        area = area or _DEFAULT_AREA_CODE[country]
        candidates = (f"+1{area:03d}55501{i:02d}" for i in range(100))
        number = next((it for it in candidates if it not in self.numbers), None)
        if number is None:
            raise bad_request(f"No phone number is available in area code {area}.")
        return number

    def import_(self, body: Document) -> Document:
        number = body.get("phone_number", "")
        if not body.get("termination_uri"):
            raise bad_request("termination_uri is required.")
        if not E164.fullmatch(number):
            raise bad_request("phone_number must be in E.164 format.")
        trunk = {
            "termination_uri": body["termination_uri"],
            "auth_username": body.get("sip_trunk_auth_username"),
            "transport": body.get("transport", "TCP"),
        }
        own = {"phone_number_type": "custom", "sip_outbound_trunk_config": trunk}
        return self._write(self._free(number), own, body)

    def get(self, number: str) -> Document:
        if number not in self.numbers:
            raise not_found()
        return self.numbers[number]

    def update(self, number: str, body: Document) -> Document:
        return self._write(number, self.get(number), body)

    def delete(self, number: str) -> None:
        if self.numbers.pop(number, None) is None:
            raise not_found()

    def _write(self, number: str, own: Document, body: Document) -> Document:
        for name in _AGENT_LISTS:
            _check_weights(body.get(name))
        document: dict[str, Any] = {
            **own,
            **{name: body[name] for name in _FIELDS if name in body},
            "phone_number": number,
            "last_modification_timestamp": self._clock.now_ms(),
        }
        parts = _NORTH_AMERICAN.fullmatch(number)
        if parts:
            document["phone_number_pretty"] = f"+1 ({parts[1]}) {parts[2]}-{parts[3]}"
            document["area_code"] = int(parts[1])
        self.numbers[number] = document
        return document


def _check_weights(agents: list[Document] | None) -> None:
    if agents and abs(sum(agent.get("weight", 0) for agent in agents) - 1) > _ROUNDING:
        raise bad_request("The weights of the agents of a number must add up to 1.")
