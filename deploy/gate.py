"""
The whole gate of `dev.py check`: format, lint, types, layers, templates, settings, security.

Standard library only. Each check is one command; all of them run, whatever fails before.
"""

from __future__ import annotations

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("accounts", "audit", "billing", "campaigns", "leads", "reporting", "telephony", "webhooks")
# What production needs to start; nothing here opens anything.
PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "convomono.settings.production",
    "SECRET_KEY": "only-for-this-check-4b1f0c7de8a2593760e1d2c3b4a5968778695a4b3c2d1e0f",
    "PUBLIC_BASE_URL": "https://convomono.example",
    "ALLOWED_HOSTS": "convomono.example",
    "DATABASE_URL": "sqlite:///:memory:",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "RETELL_API_KEY": "only-for-this-check",
    "RETELL_WEBHOOK_KEY": "only-for-this-check",
    "FIELD_ENCRYPTION_KEYS": "b25seS1mb3ItdGhpcy1jaGVjay1ub3QtYS1zZWNyZXQ=",
}
DEVELOPMENT = {"DJANGO_SETTINGS_MODULE": "convomono.settings.development"}


@dataclass(frozen=True)
class Check:
    """One command, and the environment it wants besides."""

    name: str
    command: Sequence[str]
    env: dict[str, str] | None = None


@dataclass(frozen=True)
class Result:
    """How a check ended."""

    name: str
    status: int
    seconds: float
    output: str


def checks(bin_folder: Path) -> list[Check]:
    """Return every check, the slow ones first: they run side by side."""

    def tool(name: str, *words: str, label: str = "", env: dict[str, str] | None = None) -> Check:
        return Check(label or name, [str(bin_folder / name), *words], env)

    def manage(label: str, *words: str, env: dict[str, str]) -> Check:
        return tool("python", "manage.py", *words, label=label, env=env)

    templates = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("templates/**/*.html"))
    strict = ["check", "--fail-level", "WARNING"]
    return [
        tool("mypy", "."),
        tool(
            "bandit",
            "--quiet",
            "--severity-level=medium",
            "-r",
            *ROOMS,
            "convomono",
            "deploy",
            "dev.py",
        ),
        tool("lint-imports"),
        manage("manage.py check", *strict, env=DEVELOPMENT),
        manage("check --deploy", *strict, "--deploy", env=PRODUCTION),
        manage("makemigrations", "makemigrations", "--check", "--dry-run", env=DEVELOPMENT),
        tool("djlint", "templates", "--check", "--lint"),
        tool("djade", "--check", "--target-version", "6.1", *templates),
        tool("ruff", "format", "--check", ".", label="ruff format"),
        tool("ruff", "check", "--quiet", ".", label="ruff check"),
    ]


def check(bin_folder: Path, *, names: Sequence[str]) -> int:
    """
    Run the named checks, or all; print what failed and a line for each.

    Return 0 if all passed, 1 if one failed, 2 if a name is unknown.
    """
    known = checks(bin_folder)
    if unknown := set(names) - {one.name for one in known}:
        print(f"Unknown: {', '.join(sorted(unknown))}. There are:", *(c.name for c in known))
        return 2
    chosen = [one for one in known if not names or one.name in names]
    started = time.monotonic()
    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        results = list(pool.map(run, chosen))
    failed = [result for result in results if result.status]
    print()
    for result in results:
        print(
            f"{'FAILED' if result.status else 'passed':<7} {result.seconds:5.1f} s  {result.name}"
        )
    verdict = f"{len(failed)} of {len(results)} checks failed" if failed else "All checks passed"
    print(f"\n{verdict} in {time.monotonic() - started:.0f} s.")
    return 1 if failed else 0


def run(one: Check) -> Result:
    """Run one check; print its output when it fails."""
    started = time.monotonic()
    env = {**os.environ, **(one.env or {})}
    process = subprocess.run(
        one.command,
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    output = process.stdout.decode(errors="replace").rstrip()
    if process.returncode:
        print(f"\n--- {one.name}\n{output}", flush=True)
    return Result(one.name, process.returncode, time.monotonic() - started, output)
