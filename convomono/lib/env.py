"""Reads the environment: the only door to it, for settings and for processes without Django."""

from __future__ import annotations

import ipaddress
import os
from typing import overload


class EnvironmentInvalid(Exception):
    """A variable is missing or holds something else than it must; the message names it."""


def _raw(name: str) -> str | None:
    value = os.environ.get(name, "").strip()
    return value or None


@overload
def text(name: str) -> str: ...
@overload
def text(name: str, default: str) -> str: ...
def text(name: str, default: str | None = None) -> str:
    """
    Return the variable; an empty one counts as unset.

    :raises EnvironmentInvalid: if it is unset and there is no default
    """
    value = _raw(name)
    if value is None:
        if default is None:
            raise EnvironmentInvalid(f"{name} is not set. .env.example says what it is for.")
        return default
    return value


def flag(name: str, *, default: bool = False) -> bool:
    """
    Return a yes or no.

    :raises EnvironmentInvalid: if it is neither
    """
    value = (_raw(name) or str(default)).lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise EnvironmentInvalid(f"{name} must be yes or no, not {value!r}.")


def number(name: str, default: float, *, at_least: float | None = None) -> float:
    """
    Return a number.

    :raises EnvironmentInvalid: if it is none, or too small
    """
    value = _raw(name)
    try:
        result = default if value is None else float(value)
    except ValueError:
        raise EnvironmentInvalid(f"{name} must be a number, not {value!r}.") from None
    if at_least is not None and result < at_least:
        raise EnvironmentInvalid(f"{name} must be at least {at_least:g}, not {result:g}.")
    return result


def integer(name: str, default: int, *, at_least: int | None = None) -> int:
    """
    Return a whole number.

    :raises EnvironmentInvalid: if it is none, or too small
    """
    result = number(name, default, at_least=at_least)
    if result != int(result):
        raise EnvironmentInvalid(f"{name} must be a whole number, not {result}.")
    return int(result)


def names(name: str, default: str = "") -> list[str]:
    """Return a list that stands comma-separated in the variable."""
    return [part.strip() for part in (_raw(name) or default).split(",") if part.strip()]


def networks(name: str) -> list[str]:
    """
    Return a list of IP addresses and networks (CIDR).

    :raises EnvironmentInvalid: if one of them is none
    """
    found = names(name)
    for one in found:
        try:
            ipaddress.ip_network(one, strict=False)
        except ValueError:
            raise EnvironmentInvalid(f"{name} must list IP addresses, not {one!r}.") from None
    return found


def for_child(**changes: str) -> dict[str, str]:
    """Return this process's environment with some variables changed, for a process it starts."""
    return {**os.environ, **changes}
