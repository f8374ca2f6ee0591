"""Our sets of firewalld, in force and on the disk."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final

from allowsync.model.networks import overlap, short
from allowsync.model.types import Family, by_network
from allowsync.model.value import Value
from allowsync_backends.common.firewalld_bus import PERMANENT, RUNTIME, FirewalldRefusal, method

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from allowsync.model.types import Network
    from allowsync_backends.common.firewalld_bus import Bus, Call

# Beyond so many changes, a set is refilled as a whole: each takes a call.
MANY: Final = 64
MOST: Final = 10_000  # filling such a set takes firewalld some seconds

_SETTINGS: Final = "(ssssa{ss}as)"
_UNKNOWN: Final = "INVALID_IPSET"
_TYPE: Final = "hash:net"
_FAMILIES: Final = {Family.IPV4: "inet", Family.IPV6: "inet6"}


class FirewalldSet(Value):
    """A set as described by firewalld.

    Attributes:
        short: Its short name; in ours the mark of their allowlist.
        type: Its type, as in ipset(8).
        options: Its options, the family among them.
        texts: Its entries.
        path: Its object on the disk; empty for a set in force.
    """

    short: str
    type: str
    options: Mapping[str, str]
    texts: tuple[str, ...]
    path: str = ""

    def is_ours(self, mark: str, family: Family) -> bool:
        """Whether it has that mark, and holds networks of a family without a timeout."""
        of = self.options.get("family", "inet")
        lasts = self.options.get("timeout", "0") == "0"
        return self.short == mark and self.type == _TYPE and of == _FAMILIES[family] and lasts

    @property
    def networks(self) -> frozenset[Network]:
        """Its networks."""
        return frozenset(network_of(self.texts).values())


def network_of(texts: Iterable[str]) -> dict[str, Network]:
    """Return the networks of entries; others, such as ranges, are left out. Pure."""
    found: dict[str, Network] = {}
    for text in texts:
        try:
            found[text] = ip_network(text)
        except ValueError:
            continue
    return found


def in_force(bus: Bus, name: str) -> FirewalldSet | None:
    """Return a set in force; None where firewalld has not loaded it.

    Raises:
        BackendError: It could not be read.
    """
    settings = method(RUNTIME, "ipset", "getIPSetSettings", "s", name)
    return _if_known(lambda: _set(bus.ask(settings, _SETTINGS)))


def kept(bus: Bus, name: str) -> FirewalldSet | None:
    """Return a set on the disk; None without one.

    Raises:
        BackendError: It could not be read.
    """

    def look() -> FirewalldSet:
        path = bus.ask(method(PERMANENT, "config", "getIPSetByName", "s", name), "o")
        return _set(bus.ask(method(path, "config.ipset", "getSettings"), _SETTINGS), path)

    return _if_known(look)


def _if_known(look: Callable[[], FirewalldSet]) -> FirewalldSet | None:
    """Return the result of a query; None where firewalld knows no such set."""
    try:
        return look()
    except FirewalldRefusal as error:
        if error.code != _UNKNOWN:
            raise
        return None


def _set(given: Any, path: str = "") -> FirewalldSet:
    _, short, _, kind, options, texts = given
    return FirewalldSet(short, kind, options, tuple(texts), path)


def created(
    name: str, mark: str, installation: str, family: Family, networks: Iterable[Network]
) -> Call:
    """Return the call that saves a new set to the disk. A reload puts it in force. Pure."""
    options = {"family": _FAMILIES[family]}
    said = f"Kept by allowsync{installation and f' {installation}'}; every entry is its own."
    settings = ("", mark, said, _TYPE, options, _listed(networks))
    return method(PERMANENT, "config", "addIPSet", "s" + _SETTINGS, name, settings)


def saved(path: str, networks: Iterable[Network]) -> Call:
    """Return the call after which a set on the disk holds exactly these networks. Pure."""
    return method(path, "config.ipset", "setEntries", "as", _listed(networks))


def removed(path: str) -> Call:
    """Return the call that deletes a set from the disk. Pure."""
    return method(path, "config.ipset", "remove")


def filled(name: str, texts: Collection[str], wanted: Collection[Network]) -> tuple[Call, ...]:
    """Return the calls after which a set in force holds exactly these networks. Pure.

    One at a time, all additions before any removal. Where that is impossible, since firewalld
    refuses overlapping entries, or slow, one call refills the set: for some milliseconds it is
    empty then. Established connections continue meanwhile.
    """
    held, final = network_of(texts), frozenset(wanted)
    add = sorted(final - set(held.values()), key=by_network)
    remove = [text for text in texts if held.get(text) not in final]
    changes = len(add) + len(remove)
    if not changes and len(texts) == len(final):
        return ()
    if not texts or not 0 < changes <= MANY or _collide(add, map(held.get, remove)):
        return (method(RUNTIME, "ipset", "setEntries", "sas", name, _listed(final)),)
    return (
        *(method(RUNTIME, "ipset", "addEntry", "ss", name, short(one)) for one in add),
        *(method(RUNTIME, "ipset", "removeEntry", "ss", name, text) for text in remove),
    )


def _collide(add: Collection[Network], remove: Iterable[Network | None]) -> bool:
    """Whether an added entry may overlap a removed one; a range may overlap anything."""
    return any(gone is None or overlap(gone, one) for gone in remove for one in add)


def _listed(networks: Iterable[Network]) -> list[str]:
    return [short(one) for one in sorted(networks, key=by_network)]
