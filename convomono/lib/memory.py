"""Keeps what lives as long as its process from the garbage collector, which would look through it again and again."""

from __future__ import annotations

import gc
from typing import Final

# Python's 700 makes a collection of every few events; what waits longer now is small.
_NEW_OBJECTS: Final = 10_000


def settle() -> None:
    """
    Take it that all that was loaded by now stays, for a process that runs for long.

    Collections look at what came since alone, not through all of Django each time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS)
