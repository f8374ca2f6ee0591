"""Networks that no denylist blocks: this machine's own, its nameservers, and friends'."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.dns.resolv_conf import BEHIND_STUB, nameservers_in, system_nameservers
from allowsync.engine.lockout import current
from allowsync.packetpath.own_networks import own_networks
from allowsync.policy.denylist import NeverBlocked
from allowsync.state import StateError
from allowsync.system.sessions import remote_addresses

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from allowsync.config.settings import Config, Denylist
    from allowsync.model.types import Entry, Network
    from allowsync.policy.decision import Decision
    from allowsync.state import Store


def never_blocked(
    config: Config,
    decisions: Mapping[str, Decision],
    store: Store,
    held: Iterable[tuple[str, Iterable[Entry]]],
) -> tuple[NeverBlocked, ...]:
    """All networks that are never blocked, each once.

    Args:
        config: The configuration.
        decisions: The decisions about hosts.
        store: The state, with further networks of hosts.
        held: The entries of the targets of allowlists, by target.

    Raises:
        BackendError: Some cannot be determined: nothing may be blocked then.
    """
    try:
        every = (
            *_granted(decisions),
            *((one, f"{host} may come from there") for host, one in _on_record(store)),
            *((one.network, _let_in(name, one)) for name, entries in held for one in entries),
            *_around(config),
        )
    except (OSError, StateError) as error:
        raise BackendError(
            f"the networks that must never be blocked are unknown: {error}"
        ) from error
    found: dict[Network, str] = {}
    for network, why in every:
        found.setdefault(network, why)
    return tuple(NeverBlocked(network, why) for network, why in found.items())


def spared_by(denylist: Denylist, decisions: Mapping[str, Decision]) -> Iterator[NeverBlocked]:
    """The exceptions (`except`) of one denylist, beside the networks that are never blocked."""
    for one in denylist.spared:
        if not isinstance(one, str):
            yield NeverBlocked(one, "except")
        elif one in decisions:
            yield from (NeverBlocked(grant.network, one) for grant in decisions[one].grants)


def _granted(decisions: Mapping[str, Decision]) -> Iterator[tuple[Network, str]]:
    for name, decision in decisions.items():
        for grant in decision.grants:
            yield grant.network, f"granted to {name}"


def _on_record(store: Store) -> Iterator[tuple[str, Network]]:
    for host, networks in store.open_networks().items():
        yield from ((host, network) for network in networks)


def _let_in(target: str, entry: Entry) -> str:
    return f"let in by {target}" + (f" ({', '.join(entry.hosts)})" if entry.hosts else "")


def _around(config: Config) -> Iterator[tuple[Network, str]]:
    """This machine's networks, gateways and nameservers, and the peers of login sessions."""
    asked = (*config.resolver.nameservers, *system_nameservers(), *nameservers_in(BEHIND_STUB))
    for nameserver in asked:
        if nameserver.address:
            yield _single(nameserver.address.partition("%")[0]), "a nameserver"
    session = current()
    peers = () if session is None else (session.peer,)
    for peer in (*peers, *remote_addresses()):
        yield _single(str(peer).partition("%")[0]), "a login session comes from there"
    own = own_networks()
    yield from ((one, "a gateway of this machine") for one in own.gateways)
    yield from ((one, "a network of this machine") for one in own.networks)


def _single(address: str) -> Network:
    return ip_network(ip_address(address))
