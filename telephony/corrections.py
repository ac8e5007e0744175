"""What a person's correction of a call's outcome means: plain values, for whoever counts or shows it."""

from __future__ import annotations

from typing import Final

# Correction -> the outcome class it stands for, and whether the goal was reached.
_MEANS: Final[dict[str, tuple[str, bool]]] = {
    "goal": ("human", True),
    "human": ("human", False),
    "machine": ("machine", False),
    "no_contact": ("no_contact", False),
}


def as_corrected(
    outcome_class: str, is_successful: bool | None, correction: str
) -> tuple[str, bool]:
    """Return the outcome class that counts, and whether the goal was reached."""
    return _MEANS.get(correction) or (outcome_class, bool(is_successful))


def corrections_meaning(outcome_class: str) -> list[str]:
    """Return the corrections that stand for an outcome class."""
    return [name for name, (meant, _goal) in _MEANS.items() if meant == outcome_class]
