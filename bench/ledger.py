"""How many calls a second of CPU the ledger reserves, holds and charges, beside the same statements by hand."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy import mongodb

ROOT = Path(__file__).resolve().parents[1]
LEAST_RATIO, MOST_SLOWER = 0.04, 0.10
MOST_MONGODB_SECONDS = 2
DATABASES = ("sqlite", "mongodb")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, default=10_000, help="lines of the ledger at first")
    parser.add_argument("--many", type=int, default=1_000_000, help="and at last")
    parser.add_argument(
        "--seconds", type=float, default=5, help="of CPU, of each of the three rounds"
    )
    parser.add_argument("--database", choices=["both", *DATABASES], default="both")
    options = parser.parse_args()
    chosen = DATABASES if options.database == "both" else (options.database,)
    figures: dict[str, object] = {"bench": "ledger"}
    failed = False
    for database in chosen:
        found = {"sqlite": on_sqlite, "mongodb": on_mongodb}[database](options)
        failed |= any(found.get(name, 1) < LEAST_RATIO for name in ("ratio", "mongodb_ratio"))
        failed |= found.get("flatness", 1) < 1 - MOST_SLOWER
        figures |= found
    print(json.dumps(figures))
    return int(failed)


def on_sqlite(options: argparse.Namespace) -> dict[str, float]:
    """Measure at few and at many lines of the ledger."""
    with tempfile.TemporaryDirectory() as folder:
        found = measure(
            f"sqlite:///{folder}/bench.sqlite3",
            "bench.rig.ledger",
            str(options.few),
            str(options.many),
            str(options.seconds),
        )
    for name, lines in (("few", options.few), ("many", options.many)):
        _tell(f"{lines:>9,} lines", found[name], found[f"{name}_by_hand"])
    return {
        "ratio": round(found["few"] / found["few_by_hand"], 3),
        "flatness": round(found["many"] / found["few"], 3),
        **{name: round(value, 1) for name, value in found.items()},
    }


def on_mongodb(options: argparse.Namespace) -> dict[str, float]:
    """Measure on the server that TEST_MONGODB_URL names, or on the test server."""
    arguments = ("bench.rig.ledger_mongodb", str(min(options.seconds, MOST_MONGODB_SECONDS)))
    if real := os.environ.get("TEST_MONGODB_URL"):
        found = measure(real, *arguments)
    else:
        print(f"MongoDB: {mongodb.WHAT_IT_IS} What it takes itself is not in the figures.")
        with (
            tempfile.TemporaryFile("w+") as log,
            mongodb.servers(1, python=Path(sys.executable), log=log) as [address],
        ):
            found = measure(address, *arguments)
    _tell("  MongoDB      ", found["mongodb"], found["mongodb_by_hand"])
    ratio = round(found["mongodb"] / found["mongodb_by_hand"], 3)
    return {"mongodb_ratio": ratio, **{name: round(value, 1) for name, value in found.items()}}


def _tell(what: str, by_services: float, by_hand: float) -> None:
    print(f"{what}  {by_services:>8.0f}/s by the services  {by_hand:>8.0f}/s by hand")


def measure(url: str, *command: str) -> dict[str, float]:
    """Run the measurement in a process of its own, which knows that database alone."""
    env = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "convomono.settings.test"}
    result = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE
    )
    figures: dict[str, float] = json.loads(result.stdout.splitlines()[-1])
    return figures


if __name__ == "__main__":
    raise SystemExit(main())
