"""How many calls a second of CPU the ledger reserves, holds and charges, beside the same statements by hand."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LEAST_RATIO, MOST_SLOWER = 0.04, 0.10


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, default=10_000, help="lines of the ledger at first")
    parser.add_argument("--many", type=int, default=1_000_000, help="and at last")
    parser.add_argument(
        "--seconds", type=float, default=5, help="of CPU, of each of the three rounds"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder, "bench.sqlite3"), options)
    ratio = found["few"] / found["few_by_hand"]
    flatness = found["many"] / found["few"]
    for name, lines in (("few", options.few), ("many", options.many)):
        rates = f"{found[name]:>8.0f}/s by the services  {found[name + '_by_hand']:>8.0f}/s by hand"
        print(f"{lines:>9,} lines  {rates}")
    figures = {"bench": "ledger", "ratio": round(ratio, 3), "flatness": round(flatness, 3)}
    print(json.dumps({**figures, **{name: round(value, 1) for name, value in found.items()}}))
    return int(ratio < LEAST_RATIO or flatness < 1 - MOST_SLOWER)


def measure(path: Path, options: argparse.Namespace) -> dict[str, float]:
    """Run the measurement in a process of its own, which knows that file alone."""
    env = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{path}",
        "DJANGO_SETTINGS_MODULE": "convomono.settings.test",
    }
    arguments = [str(options.few), str(options.many), str(options.seconds)]
    command = [sys.executable, "-m", "bench.rig.ledger", *arguments]
    result = subprocess.run(command, cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE)
    figures: dict[str, float] = json.loads(result.stdout.splitlines()[-1])
    return figures


if __name__ == "__main__":
    raise SystemExit(main())
