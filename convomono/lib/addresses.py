"""Judges addresses that people typed: only https, only public hosts, whatever way they are written."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, quote, urlsplit

from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from collections.abc import Collection

PORTS: Final = frozenset({443, 8443})
_LONGEST_URL: Final = 2000
_LONGEST_NAME: Final = 253
_LEAST_LABELS: Final = 2
_STRANGE: Final = re.compile(r"[\x00-\x20\x7f-\xa0\\\u2028\u2029]")
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_AS_IT_IS: Final = "/%:@!$&'()*+,;=~-._?[]"
# Names that mean this machine or this network, whatever a resolver makes of them.
_INNER_NAMES: Final = {
    *("localhost", "localdomain", "local", "internal", "intranet", "lan", "home", "corp"),
    *("private", "arpa", "onion", "invalid", "test"),
}
# Public by number and not by nature: Azure's and Oracle's machine services; old 6to4 relays.
_RESERVED_4: Final = tuple(
    map(ipaddress.IPv4Network, ("168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24"))
)
_GLOBAL_6: Final = ipaddress.IPv6Network("2000::/3")
# Inside it: Teredo and its kin, 6to4, documentation. Each can carry an IPv4 address in disguise.
_RESERVED_6: Final = tuple(
    map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
)


class AddressRefused(Exception):
    """We don't go there; the message is a sentence for the person who typed the address."""


@dataclass(frozen=True, slots=True)
class Place:
    """An address that may be asked for; `is_trusted` ones are this installation's own."""

    url: SplitResult
    host: str
    port: int
    is_trusted: bool

    @property
    def is_secure(self) -> bool:
        return self.url.scheme == "https"

    @property
    def target(self) -> str:
        """Path and query, in ASCII."""
        path = quote(self.url.path or "/", safe=_AS_IT_IS)
        return f"{path}?{quote(self.url.query, safe=_AS_IT_IS)}" if self.url.query else path

    @property
    def netloc(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.is_secure else 80
        return host if self.port == usual else f"{host}:{self.port}"


def check_url(url: str, *, trusted: Collection[str] = ()) -> None:
    """
    Judge an address by how it is written, without asking anybody; for forms.

    `trusted` lists `host:port` of this installation's own (a trial's sandbox), which may be anything.

    :raises AddressRefused: if it isn't the https address of a public host
    """
    read_address(url, trusted)


def is_public(address: str) -> bool:
    """Tell whether an IP address belongs to the open Internet and to nothing else."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        is_ours = found in _GLOBAL_6 and not any(found in net for net in _RESERVED_6)
        return is_ours and found.is_global and found.scope_id is None
    reserved = any(found in net for net in _RESERVED_4)
    return found.is_global and not found.is_multicast and not reserved


def read_address(url: str, trusted: Collection[str]) -> Place:
    """
    Return what an address asks for.

    :raises AddressRefused: if it isn't the https address of a public host
    """
    parts, port = _split(url)
    host = parts.hostname or ""
    if f"{host}:{port}" in trusted:
        return Place(parts, host, port, is_trusted=True)
    if parts.scheme != "https":
        raise AddressRefused(_("Use an address that begins with https://."))
    if port not in PORTS:
        raise AddressRefused(_("Use port 443 or 8443."))
    return Place(parts, _public_name(host), port, is_trusted=False)


def _split(url: str) -> tuple[SplitResult, int]:
    if len(url) > _LONGEST_URL or _STRANGE.search(url):
        raise AddressRefused(
            _("This is no address: it is too long, or holds spaces or backslashes.")
        )
    try:
        parts = urlsplit(url)
        port = parts.port if parts.port is not None else {"http": 80}.get(parts.scheme, 443)
    except ValueError:
        raise AddressRefused(_("This is no address.")) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise AddressRefused(_("Use an address that begins with https://."))
    if "@" in parts.netloc:
        raise AddressRefused(_("Leave user name and password out of the address."))
    return parts, port


def _public_name(host: str) -> str:
    """Return the name in ASCII; digits in any writing are numbers, and numbers are refused."""
    try:
        name = host.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError:
        raise AddressRefused(_("This is no address.")) from None
    labels = name.split(".")
    if ":" in name or _NUMBER.fullmatch(labels[-1]):
        raise AddressRefused(_("Name the host instead of its number."))
    if len(labels) < _LEAST_LABELS or labels[-1] in _INNER_NAMES:
        raise AddressRefused(_("This name means a machine of an inner network."))
    if len(name) > _LONGEST_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressRefused(_("This is no address."))
    return name
