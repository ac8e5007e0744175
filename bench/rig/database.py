"""Measures one database: the ORM's way and the raw driver's, alternately, on the same table."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import django

if TYPE_CHECKING:
    from collections.abc import Callable

django.setup()

from django.core.management import call_command
from django.db import connection
from django.db.models import F

from convomono.lib import clock, databases
from convomono.lib.db import run_atomic
from convomono.lib.ids import uuid7
from webhooks.models import WebhookEvent

TABLE = "webhooks_webhookevent"
NOW = clock.real_now()
ROWS = 100
LONGEST_SECONDS = 2.0


def event() -> WebhookEvent:
    key = uuid7().hex
    return WebhookEvent(key=key, event_type="x", body="{}", next_try_at=NOW, created_at=NOW)


def insert() -> None:
    event().save(force_insert=True)


def guarded_update(key: Any) -> None:
    """Change a row as services do: in an atomic block."""

    def block() -> None:
        WebhookEvent.objects.filter(pk=key, attempts__gte=0).update(attempts=F("attempts") + 1)

    run_atomic(block)


def claim() -> None:
    rows = WebhookEvent.objects.filter(status="pending", next_try_at__lte=NOW)
    keys = list(rows.order_by("next_try_at", "created_at").values_list("pk", flat=True)[:10])
    lease = uuid7().hex
    WebhookEvent.objects.filter(pk__in=keys, status="pending").update(error=lease)


def list_page() -> None:
    list(WebhookEvent.objects.order_by("-created_at")[:25])


class RawSqlite:
    """The same statements by hand."""

    def insert(self) -> None:
        columns = "_id, key, event_type, provider_call_id, source, body, status, attempts, next_try_at, error, created_at"
        values = (
            uuid7().hex,
            uuid7().hex,
            "x",
            "",
            "delivery",
            "{}",
            "pending",
            0,
            str(NOW),
            "",
            str(NOW),
        )
        marks = ", ".join(["%s"] * len(values))
        self.run(f"INSERT INTO {TABLE} ({columns}) VALUES ({marks})", *values)  # noqa: S608 # constants

    def guarded_update(self, key: Any) -> None:
        text = f"UPDATE {TABLE} SET attempts = attempts + 1 WHERE _id = %s AND attempts >= 0"  # noqa: S608 # constants
        self.run("BEGIN IMMEDIATE")
        self.run(text, key.hex)
        self.run("COMMIT")

    def claim(self) -> None:
        text = f"SELECT _id FROM {TABLE} WHERE status = 'pending' AND next_try_at <= %s ORDER BY next_try_at, created_at LIMIT 10"  # noqa: S608 # constants
        keys = [row[0] for row in self.run(text, str(NOW))]
        marks = ", ".join(["%s"] * len(keys))
        text = f"UPDATE {TABLE} SET error = %s WHERE _id IN ({marks}) AND status = 'pending'"  # noqa: S608 # constants
        self.run(text, uuid7().hex, *keys)

    def list_page(self) -> None:
        self.run(f"SELECT * FROM {TABLE} ORDER BY created_at DESC LIMIT 25")  # noqa: S608 # constants

    def run(self, text: str, *values: Any) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(text, values)
            return cursor.fetchall() if text.startswith("SELECT") else []


class RawMongo:
    """The same commands by pymongo."""

    def __init__(self) -> None:
        self.rows: Any = connection.database[TABLE]  # type: ignore[attr-defined]  # MongoDB's wrapper has it

    def insert(self) -> None:
        row: dict[str, Any] = {
            "_id": uuid7().hex,
            "key": uuid7().hex,
            "event_type": "x",
            "body": "{}",
        }
        row |= {"provider_call_id": "", "source": "delivery", "error": "", "processed_at": None}
        row |= {"status": "pending", "attempts": 0, "next_try_at": NOW, "created_at": NOW}
        self.rows.insert_one(row)

    def guarded_update(self, key: Any) -> None:
        mine = {"_id": key.hex, "attempts": {"$gte": 0}}
        with self.rows.database.client.start_session() as session, session.start_transaction():
            self.rows.update_many(mine, {"$inc": {"attempts": 1}}, session=session)

    def claim(self) -> None:
        due = {"status": "pending", "next_try_at": {"$lte": NOW}}
        found = self.rows.find(due, {"_id": 1}).sort([("next_try_at", 1), ("created_at", 1)])
        keys = [row["_id"] for row in found.limit(10)]
        mine = {"_id": {"$in": keys}, "status": "pending"}
        self.rows.update_many(mine, {"$set": {"error": uuid7().hex}})

    def list_page(self) -> None:
        list(self.rows.find().sort("created_at", -1).limit(25))


def rate(work: Callable[[], None], rounds: int) -> float:
    """Return calls a second; a slow server gets no more than LONGEST_SECONDS of them."""
    began, done, took = time.perf_counter(), 0, 0.0
    while done < rounds and took < LONGEST_SECONDS:
        work()
        done += 1
        took = time.perf_counter() - began
    return done / took


def compare(
    ours: Callable[[], None], theirs: Callable[[], None], rounds: int
) -> tuple[float, float]:
    """Return the best rate of each of three, alternately: another process disturbs both alike."""
    both = [(rate(ours, rounds), rate(theirs, rounds)) for _ in range(3)]
    return max(mine for mine, _ in both), max(bare for _, bare in both)


def counted(work: Callable[[Any], None], key: Any, calls: list[int]) -> Callable[[], None]:
    def call() -> None:
        calls.append(1)
        work(key)

    return call


def main(rounds: int) -> None:
    connection.settings_dict["NAME"] += "_bench"  # whatever the address names stays as it is
    if connection.vendor == "sqlite":  # as in production: the tests' settings leave the disk alone
        connection.settings_dict["OPTIONS"] |= databases.SQLITE_OPTIONS
    call_command("migrate", verbosity=0)
    raw = RawMongo() if connection.vendor == "mongodb" else RawSqlite()
    try:
        for _ in range(ROWS):
            insert()
        key = WebhookEvent.objects.values_list("pk", flat=True)[0]
        calls: list[int] = []
        pairs: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
            "guarded_update": (
                counted(guarded_update, key, calls),
                counted(raw.guarded_update, key, calls),
            ),
            "claim": (claim, raw.claim),
            "list_page": (list_page, raw.list_page),
            "insert": (insert, raw.insert),  # the last: the others see a table of one size
        }
        figures: dict[str, float] = {}
        for name, (ours, theirs) in pairs.items():
            mine, bare = compare(ours, theirs, rounds)
            figures |= {name: round(mine, 1), f"{name}_ratio": round(mine / bare, 3)}
            figures[f"{name}_extra_us"] = round((1 / mine - 1 / bare) * 1_000_000, 1)
        if WebhookEvent.objects.get(pk=key).attempts != len(calls):
            raise AssertionError("An update was measured that changed nothing.")
        print(json.dumps(figures))
    finally:
        if isinstance(raw, RawMongo):
            raw.rows.database.client.drop_database(raw.rows.database.name)


if __name__ == "__main__":
    main(int(sys.argv[1]))
