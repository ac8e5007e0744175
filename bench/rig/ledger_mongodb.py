"""Measures the ledger on MongoDB: a launch, a dial and a charge, by the services and by the bare driver."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from pymongo import MongoClient, monitoring

from bench.rig.ledger import Cycle, open_client, rate
from billing.models import Transaction, Wallet
from convomono.lib import env
from convomono.lib.ids import uuid7

TOLD_BY_DRIVER = {"lsid", "$db", "txnNumber", "autocommit", "startTransaction", "$clusterTime"}
ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LEDGER = "billing_transaction"


class Recorder(monitoring.CommandListener):
    """Takes down the commands that the driver sends while `is_on`."""

    def __init__(self) -> None:
        self.is_on, self.commands = False, list[dict[str, Any]]()

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if self.is_on:
            self.commands.append(dict(event.command))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


RECORDER = Recorder()
monitoring.register(
    RECORDER
)  # before Django opens its client, which it does when it is first asked


class ByDriver:
    """The commands of one cycle, reads and transactions included, sent again with other ids."""

    def __init__(self, cycle: Cycle) -> None:
        RECORDER.is_on = True
        cycle.run()
        RECORDER.is_on = False
        self._commands = RECORDER.commands
        self._names = {form for one in cycle.ids.values() for form in (one.hex, str(one))}
        self._names |= {one["_id"] for one in self._inserted()}
        url = env.text("DATABASE_URL")
        self._client: MongoClient[dict[str, Any]] = MongoClient(url)
        self._database = self._client[self._commands[0]["$db"]]
        self.follow()
        numbered = [one for one in self._commands if _number_of(one)]
        if not numbered:
            raise RuntimeError(
                "No command gives a line its number: the ratio would be of less work."
            )

    def follow(self) -> None:
        """Go on numbering where the wallet is."""
        self._seq = Wallet.objects.get().seq

    def run(self) -> None:
        fresh: dict[str, str] = {}
        with self._client.start_session() as session:
            for command in self._commands:
                if command.get("startTransaction"):
                    session.start_transaction()
                if "commitTransaction" in command:
                    session.commit_transaction()
                    continue
                mine = {name: part for name, part in command.items() if name not in TOLD_BY_DRIVER}
                mine = self._other(mine, fresh)
                if values := _number_of(mine):
                    self._seq += 1
                    values["seq"] = self._seq
                answer = self._database.command(mine, session=session)
                if answer.get("writeErrors"):
                    raise RuntimeError(answer)

    def _inserted(self) -> list[dict[str, Any]]:
        return [row for one in self._commands if "insert" in one for row in one["documents"]]

    def _other(self, value: Any, fresh: dict[str, str]) -> Any:
        """Exchange the ids of the cycle, also within keys."""
        if isinstance(value, str):
            return ID.sub(lambda found: self._id(found[0], fresh), value)
        if isinstance(value, dict):
            return {name: self._other(part, fresh) for name, part in value.items()}
        if isinstance(value, list):
            return [self._other(part, fresh) for part in value]
        return value

    def _id(self, text: str, fresh: dict[str, str]) -> str:
        if text not in self._names:
            return text
        plain = text.replace("-", "")
        other = fresh.setdefault(plain, uuid7().hex)
        if plain == text:
            return other
        return "-".join((other[:8], other[8:12], other[12:16], other[16:20], other[20:]))


def _number_of(command: dict[str, Any]) -> dict[str, Any]:
    """Return the values by which a command gives a line of the ledger its number; empty for others."""
    if command.get("update") != LEDGER:
        return {}
    for update in command["updates"]:
        told = update["u"]
        for part in told if isinstance(told, list) else [told]:
            if "seq" in part.get("$set", {}):
                values: dict[str, Any] = part["$set"]
                return values
    return {}


def main() -> None:
    seconds = float(sys.argv[1])
    client = open_client()
    Cycle(client).run()  # connected, and warm
    by_driver = ByDriver(Cycle(client))

    def by_services() -> None:
        Cycle(client).run()

    # One after the other: each numbers the lines of the same wallet.
    rounds = []
    for _round in range(3):
        services = rate(by_services, seconds)
        by_driver.follow()
        rounds.append((services, rate(by_driver.run, seconds)))
    lines = Transaction.objects.count()
    if lines != Wallet.objects.get().seq:
        raise RuntimeError("The bare driver wrote other lines than the services do.")
    found = {
        "mongodb": max(one for one, _other in rounds),
        "mongodb_by_hand": max(other for _one, other in rounds),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
