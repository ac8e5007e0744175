"""Keeps what lives as long as its process from the garbage collector, which would look through it again and again."""

from __future__ import annotations

import gc
from typing import Final

# Python's 700 makes a collection of every ten events; what is lost by waiting is some megabyte.
_NEW_OBJECTS: Final = 10_000


def settle() -> None:
    """
    Take it that all that was loaded by now stays, for a process that runs for long.

    Collections look at what came since alone; all of Django is a tenth of a second each time otherwise.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS)
