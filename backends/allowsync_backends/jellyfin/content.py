"""The content of one of Jellyfin's lists, and its changes. Pure."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from allowsync.model.types import by_network
from allowsync.model.value import Value
from allowsync_backends.jellyfin.marks import (
    Role,
    is_of,
    mark_in,
    mark_of,
    network_of,
    owner,
    pieces,
    shown,
    wholes,
)
from allowsync_backends.jellyfin.options import JellyfinSetting

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from allowsync.model.types import Network

# A network for documentation (RFC 5737), which no client has: an empty filter admits everyone, and
# one without IPv4 is empty where Jellyfin reads no IPv6.
CLOSED: Final = (ip_network("192.0.2.0/32"),)

# Jellyfin's LAN networks where none are named.
PRIVATE: Final = tuple(
    map(
        ip_network,
        (
            *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
            *("::1/128", "fc00::/7", "fe80::/10"),
        ),
    )
)

_NOTE: Final = ip_network("100::/128")


class SettingContent(Value):
    """The content of a list.

    Attributes:
        ours: The networks of the allowlist.
        guards: The networks that we add beside them.
        others: The entries of others, word for word, in their order.
        restart: Whether a restart of Jellyfin is pending.
    """

    ours: frozenset[Network]
    guards: frozenset[Network]
    others: tuple[str, ...]
    restart: bool = False

    @property
    def strangers(self) -> tuple[Network, ...]:
        """The networks that others added; no marks."""
        found = (one for one in map(network_of, self.others) if one is not None)
        return tuple(one for one in found if mark_in(one) is None)


def sorted_out(entries: Sequence[str], allowlist: str) -> SettingContent:
    """Tell the entries of an allowlist from those of others."""
    networks = list(map(network_of, entries))
    mine = owner(allowlist)
    marks = {mark for one in networks if (mark := _mark(one, mine)) is not None}
    found: set[tuple[Role, Network, Network]] = set()
    others = []
    # From the end, where ours are: of two equal texts, the first is foreign.
    for text, network in zip(reversed(entries), reversed(networks), strict=True):
        if _mark(network, mine) is not None:
            continue
        named = () if network is None else _named(allowlist, network, marks)
        if (new := next((one for one in named if one not in found), None)) is None:
            others.append(text)
        else:
            found.add(new)
    return SettingContent(
        _whole(found, Role.ENTRY),
        _whole(found, Role.GUARD),
        tuple(others[::-1]),
        mark_of(allowlist, Role.RESTART, _NOTE, _NOTE) in marks,
    )


def _mark(network: Network | None, owner: int) -> int | None:
    """Return the mark in an entry, if it is of an owner."""
    mark = None if network is None else mark_in(network)
    return mark if mark is not None and is_of(mark, owner) else None


def guards_of(
    setting: JellyfinSetting, content: SettingContent, wanted: Iterable[Network]
) -> tuple[Network, ...]:
    """Return the networks needed beside those of an allowlist."""
    if setting is not JellyfinSetting.LAN_NETWORKS:
        return CLOSED
    if content.strangers:
        return tuple(content.guards)
    return PRIVATE if tuple(wanted) else ()


def flaws(
    setting: JellyfinSetting, entries: Sequence[str], content: SettingContent
) -> tuple[str, ...]:
    """Report faults of a list around the entries."""
    found = []
    field = setting.field
    if not set(guards_of(setting, content, content.ours)) <= content.guards:
        found.append(
            f"{field} names networks of the allowlist alone, so that private networks are not local"
            if setting is JellyfinSetting.LAN_NETWORKS
            else f"{field} lacks the entry that keeps it from being empty"
        )
    if setting is JellyfinSetting.REMOTE_FILTER and any(not one.strip() for one in entries):
        found.append(f"{field} holds an empty entry, with which Jellyfin may ignore it all")
    if content.restart:
        found.append("Jellyfin has not been restarted since its known proxies were changed")
    return tuple(found)


def changed(
    setting: JellyfinSetting,
    entries: Sequence[str],
    allowlist: str,
    wanted: Iterable[Network] | None,
    *,
    restart: bool = False,
) -> list[str]:
    """Return the list with other entries of ours; the same where nothing differs.

    Args:
        setting: The setting.
        entries: Its present entries.
        allowlist: The allowlist of our entries.
        wanted: The networks to hold; None for nothing of ours at all.
        restart: Whether to note a pending restart of Jellyfin.
    """
    content = sorted_out(entries, allowlist)
    ours: list[str] = []
    if wanted is not None:
        networks = sorted(wanted, key=by_network)
        for guard in guards_of(setting, content, networks):
            ours += _written(allowlist, Role.GUARD, guard)
        for network in networks:
            ours += _written(allowlist, Role.ENTRY, network)
        if restart:
            ours.append(shown(mark_of(allowlist, Role.RESTART, _NOTE, _NOTE)))
    others = content.others
    if setting is JellyfinSetting.REMOTE_FILTER:
        others = tuple(one for one in others if one.strip())
    made = [*others, *ours]
    return list(entries) if Counter(made) == Counter(entries) else made


def _written(allowlist: str, role: Role, network: Network) -> list[str]:
    return [
        text
        for piece in pieces(network)
        for text in (str(piece), shown(mark_of(allowlist, role, network, piece)))
    ]


def _named(
    allowlist: str, piece: Network, marks: set[int]
) -> Iterable[tuple[Role, Network, Network]]:
    """Yield the purposes of an entry according to the marks."""
    for role in (Role.ENTRY, Role.GUARD):
        for whole in wholes(piece):
            if piece in pieces(whole) and mark_of(allowlist, role, whole, piece) in marks:
                yield role, whole, piece


def _whole(found: set[tuple[Role, Network, Network]], role: Role) -> frozenset[Network]:
    """Return the networks of which no part is missing."""
    named = {whole for of, whole, _ in found if of is role}
    return frozenset(
        one for one in named if all((role, one, piece) in found for piece in pieces(one))
    )
