"""The gate: a chain of our own that drops packets of unknown sources to guarded ports. Pure.

It is called from table mangle, chain PREROUTING, before destination NAT, so that it covers ports
published by Docker too, and once more from INPUT, where the kernel has decided that a packet is for
this machine: an address may be local by a routing table that `addrtype` does not consult (policy
routing, AnyIP, a VRF). It sees every packet: removing a network ends its running streams. It only
ever drops or returns, because an accept here could not override a drop elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.backend.api import MARK
from allowsync.model.target import Effect
from allowsync.model.types import Family
from allowsync.model.value import Value
from allowsync_backends.common.ports import Port, Protocol, merged
from allowsync_backends.ipset.sets import set_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

TABLE: Final = "mangle"
# The chains of iptables that call ours, and the prefixes of our chains' names. No name exceeds
# iptables' limit.
PARENTS: Final = {"PREROUTING": "allowsync-", "INPUT": "allowsync_"}

# All destinations of this machine, anycast addresses of a router (RFC 4291) included. IPv6 has no
# broadcasts, and for it the kernel requires all of several types at once if MULTICAST is among
# them (xt_addrtype), so that is a rule of its own.
_FOR_US: Final = {
    Family.IPV4: ("LOCAL,BROADCAST,ANYCAST,MULTICAST",),
    Family.IPV6: ("LOCAL,ANYCAST", "MULTICAST"),
}

# The limit of ports in a rule; a range counts twice (iptables-extensions(8), multiport).
MOST_PORTS: Final = 15


class IpsetGate(Value):
    """The guarded ports, the open interfaces, and the installation.

    The gate of a denylist drops the networks of its sets, and nothing else. Without ports it drops
    all their packets, but answers.
    """

    allowlist: str
    ports: tuple[Port, ...]
    open_interfaces: tuple[str, ...] = ("lo",)
    installation: str = ""
    effect: Effect = Effect.ALLOW

    def chain(self, parent: str) -> str:
        """Return the chain called from a parent: at most 28 characters, iptables' limit."""
        return PARENTS[parent] + self.allowlist

    def hook(self, parent: str) -> str:
        """Return the rule of a parent that calls the chain, with the mark of the installation."""
        mark = f'-m comment --comment "{MARK}{self.installation}" ' if self.installation else ""
        return f"-A {parent} {mark}-j {self.chain(parent)}"

    def rules(self, parent: str, family: Family) -> tuple[str, ...]:
        """Return the rules of a chain, in order, as `iptables -S` prints them."""
        chain = self.chain(parent)
        return (
            *(
                f"-A {chain} -i {_pattern(name)} -j RETURN"
                for name in sorted(set(self.open_interfaces))
            ),
            *(() if self.ports else self._everything(chain, family)),
            *(
                self._drop(chain, protocol, ports, family, destinations)
                for protocol in Protocol
                for ports in _batches(merged(self.ports, protocol))
                for destinations in (("",) if parent == "INPUT" else _FOR_US[family])
            ),
        )

    def _everything(self, chain: str, family: Family) -> tuple[str, ...]:
        """Return the rules of a denylist for all ports. An untracked packet is no answer."""
        if self.effect is Effect.ALLOW:
            return ()
        drop = f"-A {chain} {self._match(family)} -j DROP"
        return (f"-A {chain} -m conntrack --ctdir REPLY -j RETURN", drop)

    def _match(self, family: Family) -> str:
        """Return the match of dropped sources: those outside the set, or those in it."""
        negated = "! " if self.effect is Effect.ALLOW else ""
        return f"-m set {negated}--match-set {set_name(self.allowlist, family)} src"

    def _drop(
        self,
        chain: str,
        protocol: Protocol,
        ports: Sequence[Port],
        family: Family,
        destinations: str,
    ) -> str:
        """Return the rule that drops some ports: addressed to us, source unknown.

        The port comes first: it is cheap, and spares every other packet the route lookup. ip6tables
        finds the protocol behind extension headers. All packets in INPUT are addressed to us.
        """
        numbers = ",".join(port.numbers.replace("-", ":") for port in ports)
        for_us = f"-m addrtype --dst-type {destinations} " if destinations else ""
        return (
            f"-A {chain} -p {protocol.value} -m multiport --dports {numbers} {for_us}"
            f"{self._match(family)} -j DROP"
        )


def _pattern(interface: str) -> str:
    """Return an interface's name in iptables' form: `+` for our star at the end."""
    return f"{interface[:-1]}+" if interface.endswith("*") else interface


def _batches(ports: Iterable[Port]) -> Iterator[tuple[Port, ...]]:
    """Yield ports, as many at a time as one rule may name."""
    batch: list[Port] = []
    room = MOST_PORTS
    for port in ports:
        needed = 1 if port.first == port.last else 2
        if needed > room:
            yield tuple(batch)
            batch, room = [], MOST_PORTS
        batch.append(port)
        room -= needed
    if batch:
        yield tuple(batch)


def load_script(gate: IpsetGate, family: Family, unhook: Mapping[str, Iterable[str]]) -> str:
    """Return the script for `iptables-restore -n` that creates the gate in one step, in any state.

    Args:
        gate: The gate to create.
        family: For iptables or ip6tables.
        unhook: For each parent, its present rules that call the chain, to be replaced by one before
            all others. A missing parent is left alone.
    """
    # Declaring a chain empties a present one, in the same transaction.
    lines = [f"*{TABLE}", *(f":{gate.chain(parent)} - [0:0]" for parent in PARENTS)]
    for parent in PARENTS:
        lines += gate.rules(parent, family)
    for parent, rules in unhook.items():
        lines += [_deletion(rule) for rule in rules]
        lines.append(gate.hook(parent).replace("-A ", "-I ", 1))
    return "\n".join([*lines, "COMMIT", ""])


def removal_script(gate: IpsetGate, unhook: Iterable[str]) -> str:
    """Return the script for `iptables-restore -n` that removes the gate in one step, if present."""
    chains = [gate.chain(parent) for parent in PARENTS]
    lines = [f"*{TABLE}", *(f":{chain} - [0:0]" for chain in chains), *map(_deletion, unhook)]
    return "\n".join([*lines, *(f"-X {chain}" for chain in chains), "COMMIT", ""])


def _deletion(rule: str) -> str:
    return rule.replace("-A ", "-D ", 1)
