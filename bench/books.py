"""How long the audit of a ledger takes, and a comparison with Retell's calls, and in how much memory."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MOST_GROWTH_MB = 64


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, default=10_000, help="charges of calls at first")
    parser.add_argument("--many", type=int, default=1_000_000, help="and at last, for the audit")
    parser.add_argument("--calls", type=int, default=100_000, help="calls to compare, at most")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "bench.sqlite3")
        found = {
            lines: measure(path, lines, options.calls) for lines in (options.few, options.many)
        }
    few, many = found[options.few], found[options.many]
    for lines, figures in found.items():
        for task in ("audit", "compare"):
            seconds, cpu, peak = (figures[f"{task}_{of}"] for of in ("seconds", "cpu", "peak_mb"))
            print(
                f"{lines:>9,} charges  {task:<7} {seconds:>7.1f} s  {cpu:>7.1f} s CPU  {peak:>6.0f} MB"
            )
    growth = {
        task: many[f"{task}_peak_mb"] - few[f"{task}_peak_mb"] for task in ("audit", "compare")
    }
    sizes = {
        "audit": (options.few, options.many),
        "compare": (min(options.few, options.calls), min(options.many, options.calls)),
    }
    flat = {task: flatness(few, many, task, *of) for task, of in sizes.items()}
    for task, value in flat.items():
        print(f"{task:<7} a charge at many beside one at few: {value:.2f} times as quick")
    found_all = {"growth_mb": growth, "flatness": flat, "few": few, "many": many}
    print(json.dumps({"bench": "books", **found_all}))
    return int(max(growth.values()) > MOST_GROWTH_MB)


def flatness(
    few: dict[str, float], many: dict[str, float], task: str, few_rows: int, many_rows: int
) -> float:
    """Return rows a second of CPU at many rows, divided by those at few: 1 where size doesn't matter."""
    slow, quick = many[f"{task}_cpu"], few[f"{task}_cpu"]
    return round(many_rows / max(slow, 0.01) / (few_rows / max(quick, 0.01)), 2)


def measure(path: Path, lines: int, calls: int) -> dict[str, float]:
    """Fill the file up to so many charges, then do each task in a process of its own."""
    env = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{path}",
        "DJANGO_SETTINGS_MODULE": "convomono.settings.test",
    }
    found: dict[str, float] = {}
    for task, size in (("fill", lines), ("audit", lines), ("compare", min(lines, calls))):
        command = [sys.executable, "-m", "bench.rig.books", task, str(size)]
        result = subprocess.run(command, cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE)
        figures = json.loads(result.stdout.splitlines()[-1])
        print(f"{size:>9,} {task:<7} {figures}", file=sys.stderr, flush=True)
        found |= {f"{task}_{name}": value for name, value in figures.items()}
    return found


if __name__ == "__main__":
    raise SystemExit(main())
