"""What runs beside a stream of deliveries: the import of a large file. The drain is the product's own."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.rig.servers import LOAD_CORE, apart

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# More than it manages beside the load: the import must not be over before the stream.
ROWS_A_SECOND = 5_000


def prepare_import(env: Mapping[str, str], *, rows: int) -> None:
    """Upload and check a file of so many people, in a database in which there is nobody yet."""
    for step in ("prepare", "check"):
        if _step(step, env, rows).wait():
            raise SystemExit(f"The import could not be prepared: {step} failed.")


@contextmanager
def importing(env: Mapping[str, str], *, rows: int) -> Iterator[subprocess.Popen[bytes]]:
    """Take the people of the file in while the block runs; its process has ended if it was too small."""
    process = _step("commit", env, rows)
    apart(process.pid, LOAD_CORE)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _step(step: str, env: Mapping[str, str], rows: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bench.rig.importing", step, str(rows), "0", ""]
    return subprocess.Popen(command, env=dict(env), stdout=subprocess.DEVNULL)
