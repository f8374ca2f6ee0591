"""The variables of a template: hosts with access and their networks, as text. Pure.

Names and networks come from a validated configuration and from `ipaddress`: they never contain a
quote, space, line break or other character with a special meaning elsewhere.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from allowsync.model.types import Network, by_network
from allowsync.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SAMPLE: Final = ("203.0.113.7/32", "2001:db8:7::25/128")


class Guest(Value):
    """One host with access, as a template sees it. Printed, it is its name.

    Attributes:
        name: Its name in the configuration.
        networks: Its networks, in CIDR form: first IPv4, then IPv6, each sorted, and replaced ones
            last.
        replaced: The replaced ones of them.
    """

    name: str
    networks: tuple[str, ...]
    replaced: tuple[str, ...] = ()

    @property
    def ipv4(self) -> tuple[str, ...]:
        """Its IPv4 networks."""
        return only(4, self.networks)

    @property
    def ipv6(self) -> tuple[str, ...]:
        """Its IPv6 networks."""
        return only(6, self.networks)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Its single addresses, without prefix length."""
        return single(self.networks)

    def __str__(self) -> str:
        return self.name


class Guests:
    """The hosts with access, sorted by name; each also by its name.

    Args:
        known: The hosts.
        everybody: Whether any requested name yields a made-up host, to try a template.
    """

    __slots__ = ("_by_name", "_everybody")

    def __init__(self, known: Iterable[Guest], *, everybody: bool = False) -> None:
        self._by_name = {guest.name: guest for guest in known}
        self._everybody = everybody

    def __iter__(self) -> Iterator[Guest]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def __contains__(self, name: object) -> bool:
        return self._everybody or name in self._by_name

    def __getitem__(self, name: str) -> Guest:
        if self._everybody and name not in self._by_name:
            return Guest(name, SAMPLE)
        return self._by_name[name]


Line = tuple[str, "Sequence[str]", "Sequence[str]"]
"""An entry as text: its network, its hosts, those of them for whom it was replaced."""


def guests(lines: Iterable[Line], *, everybody: bool = False) -> Guests:
    """Return the hosts that entries name. With `everybody` all other names, too."""
    networks: dict[str, list[Network]] = {}
    replaced: dict[str, set[Network]] = {}
    for text, hosts, former in lines:
        for host in hosts:
            networks.setdefault(host, []).append(ip_network(text))
            replaced.setdefault(host, set()).update([ip_network(text)] if host in former else [])
    return Guests(
        (_guest(name, networks[name], replaced[name]) for name in sorted(networks)),
        everybody=everybody,
    )


def _guest(name: str, networks: Iterable[Network], replaced: set[Network]) -> Guest:
    ordered = sorted(networks, key=lambda one: (one in replaced, by_network(one)))
    return Guest(
        name,
        tuple(map(str, ordered)),
        tuple(str(one) for one in ordered if one in replaced),
    )


def only(version: int, texts: Iterable[str]) -> tuple[str, ...]:
    """Return those of some networks or addresses that are of one version of IP."""
    return tuple(text for text in texts if ip_network(text).version == version)


def single(networks: Iterable[str]) -> tuple[str, ...]:
    """Return those of some networks that are a single address, without prefix length."""
    parsed = map(ip_network, networks)
    return tuple(str(one.network_address) for one in parsed if one.prefixlen == one.max_prefixlen)


def address(text: str) -> str:
    """Return the address of a network of one address.

    Raises:
        ValueError: It is wider: no machine has the first address of a network.
    """
    network = ip_network(text)
    if network.prefixlen != network.max_prefixlen:
        raise ValueError(f"{text} is no single address (see ipv6_prefix and ipv4_prefix)")
    return str(network.network_address)


def bracketed(text: str) -> str:
    """Return the address as before a port, or in a URL: IPv6 in brackets (RFC 3986, 3.2.2)."""
    plain = address(text)
    return f"[{plain}]" if ":" in plain else plain


def base(text: str) -> str:
    """Return the first address of a network."""
    return str(ip_network(text).network_address)


def netmask(text: str) -> str:
    """Return the netmask of a network, as an address."""
    return str(ip_network(text).netmask)


def hostmask(text: str) -> str:
    """Return the inverse netmask, as in Cisco's access lists."""
    return str(ip_network(text).hostmask)


def prefixlen(text: str) -> int:
    """Return the prefix length of a network."""
    return ip_network(text).prefixlen
