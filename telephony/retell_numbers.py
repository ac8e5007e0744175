"""Numbers at Retell: bought there or brought from another carrier. A part of the gateway in `retell.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telephony import payloads
from telephony.payloads import given

if TYPE_CHECKING:
    from telephony.provider import Number
    from telephony.retell_objects import Asks


class WorkspaceNumbers:
    """Buys, imports, lists and takes away; taking away what is gone already raises NotFound."""

    _client: Any
    _asks: Asks
    _creates: Asks

    def create_phone_number(
        self,
        *,
        area_code: int | None = None,
        country_code: str = "US",
        toll_free: bool = False,
        nickname: str = "",
    ) -> Number:
        """Buy a number, charged at once. After UnknownOutcome look at list_phone_numbers first."""
        body = given(
            {
                "area_code": area_code,
                "country_code": country_code,
                "toll_free": toll_free or None,
                "nickname": nickname or None,
            }
        )
        create = self._client.phone_number.create
        return self._creates(lambda: create(**body, max_retries=0), payloads.read_number)

    def import_phone_number(
        self,
        *,
        phone_number: str,
        termination_uri: str,
        username: str = "",
        password: str = "",
        nickname: str = "",
    ) -> Number:
        """Let Retell call from another carrier's number, through that carrier's SIP trunk; it costs nothing."""
        body = given(
            {
                "phone_number": phone_number,
                "termination_uri": termination_uri,
                "sip_trunk_auth_username": username or None,
                "sip_trunk_auth_password": password or None,
                "nickname": nickname or None,
            }
        )
        send = self._client.phone_number.import_
        return self._creates(lambda: send(**body, max_retries=0), payloads.read_number)

    def list_phone_numbers(self) -> tuple[Number, ...]:
        """All numbers of the workspace, whoever they are assigned to."""
        numbers: list[Number] = []
        page: dict[str, Any] = {"limit": 1000}
        while True:
            answer = self._asks(
                lambda: self._client.phone_number.list(**page), payloads.read_itself
            )
            numbers += map(payloads.read_number, answer.items)
            if not (answer.has_more and answer.pagination_key):
                return tuple(numbers)
            page["pagination_key"] = answer.pagination_key

    def delete_phone_number(self, *, phone_number: str) -> None:
        """Take a number away: one that was bought is given up for good, an imported one forgotten."""
        self._asks(lambda: self._client.phone_number.delete(phone_number), payloads.read_nothing)
