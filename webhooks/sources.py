"""Who may deliver at all, where the installation says so: the addresses that Retell sends from."""

from __future__ import annotations

import ipaddress
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

type Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def is_allowed(*, peer: str, forwarded: str, allowed: Sequence[str]) -> bool:
    """
    Tell whether a delivery may come from there; an empty list allows everybody.

    `peer` is who connected. A reverse proxy of this machine or network is believed in what it added
    last to X-Forwarded-For; nobody else is, and what stands before that anybody may have written.
    """
    if not allowed:
        return True
    sender = _address(peer)
    if sender is not None and not sender.is_global and forwarded:
        sender = _address(forwarded.rpartition(",")[2])
    return sender is not None and any(sender in network for network in _networks(tuple(allowed)))


@cache
def _networks(allowed: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(one, strict=False) for one in allowed)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
