"""FakeTwilio: the gateway's public methods, answered from memory and as the test says."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from telephony.provider import AvailableNumber, CarrierNumber, NotFound, Rejected, Trunk

if TYPE_CHECKING:
    from collections.abc import Callable


class FakeTwilio:
    """
    A Twilio in memory: `owned` is what costs rent there.

    `fail` lets the next call of a method raise before it does anything, `lose` after it is done.
    """

    def __init__(self) -> None:
        self.trunk = Trunk(trunk_id="TK1", termination_uri="acme.pstn.twilio.com")
        self.owned: dict[str, CarrierNumber] = {}
        self.asked: list[str] = []
        self.price: int | None = 1_150_000
        self._before: dict[str, deque[BaseException]] = {}
        self._after: dict[str, deque[BaseException]] = {}

    def fail(self, method: str, error: BaseException) -> None:
        self._before.setdefault(method, deque()).append(error)

    def lose(self, method: str, error: BaseException) -> None:
        self._after.setdefault(method, deque()).append(error)

    def close(self) -> None:
        self._do("close", lambda: None)

    def search_numbers(
        self, *, country: str, kind: str, area_code: int | None = None
    ) -> tuple[AvailableNumber, ...]:
        if kind == "mobile":
            raise NotFound("The requested resource was not found", 404)
        numbers = [f"+1{area_code or 415}555010{i}" for i in range(3)]
        taken = {it.phone_number for it in self.owned.values()}
        found = tuple(
            AvailableNumber(phone_number=it, locality="San Francisco", region="CA")
            for it in numbers
            if it not in taken and area_code != 533
        )
        return self._do("search_numbers", lambda: found)

    def monthly_price(self, *, country: str, kind: str) -> int | None:
        return self._do("monthly_price", lambda: self.price)

    def buy_number(self, *, phone_number: str, name: str) -> CarrierNumber:
        return self._do("buy_number", lambda: self._buy(phone_number, name))

    def find_number(
        self, *, phone_number: str, name: str, number_id: str = ""
    ) -> CarrierNumber | None:
        same = (
            it
            for it in self.owned.values()
            if it.phone_number == phone_number
            and (it.number_id == number_id or it.name.endswith(name.rsplit(maxsplit=1)[-1]))
        )
        return self._do("find_number", lambda: next(same, None))

    def route_number(self, *, number_id: str) -> None:
        old = self.owned[number_id]
        new = CarrierNumber(
            number_id=number_id,
            phone_number=old.phone_number,
            name=old.name,
            trunk_id=self.trunk.trunk_id,
        )
        self._do("route_number", lambda: self.owned.update({number_id: new}))

    def release_number(self, *, number_id: str) -> None:
        self._do("release_number", lambda: self._release(number_id))

    def _buy(self, phone_number: str, name: str) -> CarrierNumber:
        if any(it.phone_number == phone_number for it in self.owned.values()):
            raise Rejected(f"{phone_number} is not available.", 400)
        bought = CarrierNumber(
            number_id=f"PN{len(self.asked)}",
            phone_number=phone_number,
            name=name,
            trunk_id=self.trunk.trunk_id,
        )
        self.owned[bought.number_id] = bought
        return bought

    def _release(self, number_id: str) -> None:
        if self.owned.pop(number_id, None) is None:
            raise NotFound("The requested resource was not found", 404)

    def _do[T](self, method: str, act: Callable[[], T]) -> T:
        self.asked.append(method)
        if self._before.get(method):
            raise self._before[method].popleft()
        done = act()
        if self._after.get(method):
            raise self._after[method].popleft()
        return done
