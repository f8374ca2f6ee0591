"""The commands to a server that bring its jails in sync with an allowlist. Pure.

A network that the configuration also ignores is never removed: the server has one list
without owners, and would forget both.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from allowsync.model.networks import Coverage
from allowsync.model.types import by_network

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from allowsync.model.types import Network
    from allowsync_backends.fail2ban.jail_reader import JailState

BATCH: Final = 100  # networks in one command


def not_ignored(jail: JailState, wanted: Iterable[Network]) -> list[Network]:
    """Return those of some networks that a jail does not ignore, sorted."""
    return sorted(set(wanted) - jail.ignored.keys(), key=by_network)


def banned_by(banned: Iterable[Network], wanted: Iterable[Network]) -> list[Network]:
    """Return the banned networks that lie within wanted ones, sorted."""
    friends = Coverage(wanted)
    return sorted((one for one in banned if friends.covering(one) is not None), key=by_network)


def commands(
    name: str, jail: JailState, wanted: Collection[Network], leaving: Iterable[Network]
) -> Iterator[str]:
    """Yield the commands for one jail, in an order in which no friend is banned in between.

    Args:
        name: The jail.
        jail: Its state.
        wanted: The networks to ignore; bans of these are lifted.
        leaving: The networks to ignore no more.
    """
    for some in _batches([_text(network) for network in not_ignored(jail, wanted)]):
        yield f"set {name} addignoreip {' '.join(some)}"
    for some in _batches([jail.banned[one] for one in banned_by(jail.banned, wanted)]):
        yield f"set {name} unbanip {' '.join(some)}"
    # One at a time, and in the server's own words: 1.0.2 does not find `192.0.2.7/32`.
    for network in sorted(set(leaving) & jail.ignored.keys(), key=by_network):
        yield f"set {name} delignoreip {jail.ignored[network]}"


def theirs(configured: Sequence[str], ours: Sequence[str]) -> frozenset[Network]:
    """Return networks that a jail ignores by its own configuration.

    Args:
        configured: All texts that it ignores by its configuration.
        ours: The texts in our file. Where the configuration refers to it, all of them are there.
    """
    rest, at = list(configured), _place(configured, ours)
    while at is not None:
        del rest[at : at + len(ours)]
        at = _place(rest, ours)
    return frozenset(filter(None, map(_network, rest)))


def refers(configured: Sequence[str], ours: Sequence[str]) -> bool:
    """Whether the texts that a jail ignores by its configuration include our file's networks."""
    return not ours or _place(configured, ours) is not None


def _place(configured: Sequence[str], ours: Sequence[str]) -> int | None:
    if not ours:
        return None
    places = range(len(configured) - len(ours) + 1)
    return next((at for at in places if list(configured[at : at + len(ours)]) == list(ours)), None)


def _text(network: Network) -> str:
    """Format a network as the server itself prints it: a single address has no width."""
    single = network.prefixlen == network.max_prefixlen
    return str(network.network_address if single else network)


def _network(text: str) -> Network | None:
    """Parse a network as the server does, which ignores bits beyond the width."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    return (texts[at : at + BATCH] for at in range(0, len(texts), BATCH))
