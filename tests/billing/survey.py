"""Which functions of the billing room each test runs, and for how long: so that a mutant meets those tests alone."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from _pytest.runner import runtestprotocol

import billing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType

    import pytest

    type Function = tuple[str, str]

_ROOM = str(billing.__path__[0])
_monitoring = sys.monitoring
_TOOL, _BEGINS = 4, _monitoring.events.PY_START


@dataclass(frozen=True)
class Ran:
    """What one test ran, by file and name, how many seconds it took and whether it failed."""

    functions: frozenset[Function]
    seconds: float
    failed: bool


def survey(items: Sequence[pytest.Item]) -> list[Ran]:
    """Run the tests once, in a process of their own; return what each ran, in their order."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        with os.fdopen(writing, "w") as told:
            json.dump(
                [[sorted(ran.functions), ran.seconds, ran.failed] for ran in _watched(items)], told
            )
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        found = json.load(told)
    os.waitpid(child, 0)
    return [
        Ran(frozenset((file, name) for file, name in functions), seconds, failed)
        for functions, seconds, failed in found
    ]


def _watched(items: Sequence[pytest.Item]) -> list[Ran]:
    seen: set[Function] = set()

    def begins(code: CodeType, _offset: int) -> object:
        if code.co_filename.startswith(_ROOM):
            seen.add((code.co_filename, code.co_qualname))
        return _monitoring.DISABLE  # once for each test is enough

    _monitoring.use_tool_id(_TOOL, "survey")
    _monitoring.register_callback(_TOOL, _BEGINS, begins)
    _monitoring.set_events(_TOOL, _BEGINS)
    found = []
    for item, following in zip(items, [*items[1:], None], strict=True):
        seen.clear()
        _monitoring.restart_events()
        began = time.perf_counter()
        reports = runtestprotocol(item, log=False, nextitem=following or item)
        failed = any(report.failed for report in reports)
        found.append(Ran(frozenset(seen), time.perf_counter() - began, failed))
    return found
