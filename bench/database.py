"""How many inserts, guarded updates, claims and list pages a second each database does, beside its raw driver."""

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
WHAT = ("insert", "guarded_update", "claim", "list_page")
WHY = (
    "What is more is Django building the statement and the objects, about the same for each call. SQLite, "
    "in this process, answers a small update so quickly that next to nothing else is measured."
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Path(folder, "log").open("w") as log:
        figures = {"sqlite": measure(f"sqlite:///{folder}/bench.sqlite3", options.rounds)}
        if real := os.environ.get("TEST_MONGODB_URL"):
            figures["mongodb"] = measure(real, options.rounds)
        else:
            print(f"MongoDB: {mongodb.WHAT_IT_IS} Its speed says nothing of mongod's.")
            python = Path(sys.executable)
            with mongodb.servers(1, python=python, log=log) as [address]:
                figures["mongodb"] = measure(address, options.rounds)
    for engine, found in figures.items():
        for name in WHAT:
            ratio, extra = found[f"{name}_ratio"], found[f"{name}_extra_us"]
            print(
                f"{engine:<8} {name:<15} {found[name]:>9.0f}/s  {ratio:.2f} of raw, {extra:.0f} µs more"
            )
    print(WHY)
    print(json.dumps({"bench": "database", **figures}))
    return 0


def measure(url: str, rounds: int) -> dict[str, float]:
    """Run the measurement in a process of its own, which knows one database."""
    env = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "convomono.settings.test"}
    command = [sys.executable, "-m", "bench.rig.database", str(rounds)]
    result = subprocess.run(command, cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE)
    figures: dict[str, float] = json.loads(result.stdout.splitlines()[-1])
    return figures


if __name__ == "__main__":
    raise SystemExit(main())
