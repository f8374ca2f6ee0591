"""The sets of firewalld that are ours, as they are in force and as they are kept on the disk."""

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

# Beyond so many changes, a set is filled anew: each takes a call.
MANY: Final = 64
MOST: Final = 10_000  # to fill a set with so many takes firewalld some seconds

_SETTINGS: Final = "(ssssa{ss}as)"
_UNKNOWN: Final = "INVALID_IPSET"
_TYPE: Final = "hash:net"
_FAMILIES: Final = {Family.IPV4: "inet", Family.IPV6: "inet6"}


class FirewalldSet(Value):
    """A set as firewalld describes it.

    Attributes:
        short: Its short name; ours have the mark of their allowlist there.
        type: Its type, as ipset(8) has it.
        options: Its options, the family among them.
        texts: Its entries.
        path: The object that keeps it on the disk; empty for what is in force.
    """

    short: str
    type: str
    options: Mapping[str, str]
    texts: tuple[str, ...]
    path: str = ""

    def is_ours(self, mark: str, family: Family) -> bool:
        """Whether it is of that mark, and can hold networks of a family for good."""
        of = self.options.get("family", "inet")
        lasts = self.options.get("timeout", "0") == "0"
        return self.short == mark and self.type == _TYPE and of == _FAMILIES[family] and lasts

    @property
    def networks(self) -> frozenset[Network]:
        """What it holds."""
        return frozenset(network_of(self.texts).values())


def network_of(texts: Iterable[str]) -> dict[str, Network]:
    """The networks of entries; what is no network, such as a range, is left out. Pure."""
    found: dict[str, Network] = {}
    for text in texts:
        try:
            found[text] = ip_network(text)
        except ValueError:
            continue
    return found


def in_force(bus: Bus, name: str) -> FirewalldSet | None:
    """A set as it is in force; None where firewalld has not loaded it.

    Raises:
        BackendError: It could not be found out.
    """
    settings = method(RUNTIME, "ipset", "getIPSetSettings", "s", name)
    return _if_known(lambda: _set(bus.ask(settings, _SETTINGS)))


def kept(bus: Bus, name: str) -> FirewalldSet | None:
    """A set as it is on the disk; None where it is not.

    Raises:
        BackendError: It could not be found out.
    """

    def look() -> FirewalldSet:
        path = bus.ask(method(PERMANENT, "config", "getIPSetByName", "s", name), "o")
        return _set(bus.ask(method(path, "config.ipset", "getSettings"), _SETTINGS), path)

    return _if_known(look)


def _if_known(look: Callable[[], FirewalldSet]) -> FirewalldSet | None:
    """What a look gives; None where firewalld knows no such set."""
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
    """The call that puts a new set on the disk. It is in force once firewalld is reloaded. Pure."""
    options = {"family": _FAMILIES[family]}
    said = f"Kept by allowsync{installation and f' {installation}'}; every entry is its own."
    settings = ("", mark, said, _TYPE, options, _listed(networks))
    return method(PERMANENT, "config", "addIPSet", "s" + _SETTINGS, name, settings)


def saved(path: str, networks: Iterable[Network]) -> Call:
    """The call that lets a set on the disk hold exactly some networks. Pure."""
    return method(path, "config.ipset", "setEntries", "as", _listed(networks))


def removed(path: str) -> Call:
    """The call that takes a set from the disk. Pure."""
    return method(path, "config.ipset", "remove")


def filled(name: str, texts: Collection[str], wanted: Collection[Network]) -> tuple[Call, ...]:
    """The calls that let a set in force hold exactly some networks. Pure.

    One at a time, everything is added before anything is removed. Where that cannot be, since
    firewalld takes no entry that overlaps another, or takes long, one call fills the set anew:
    for some milliseconds firewalld has it empty then. What is established goes on meanwhile.
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
    """Whether what is added may overlap what is removed; a range may overlap anything."""
    return any(gone is None or overlap(gone, one) for gone in remove for one in add)


def _listed(networks: Iterable[Network]) -> list[str]:
    return [short(one) for one in sorted(networks, key=by_network)]
