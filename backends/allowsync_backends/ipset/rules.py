"""The gate: a chain of our own that drops what comes to guarded ports from anybody unknown. Pure.

It hangs in the table mangle, chain PREROUTING, before destination NAT, so that ports published by
Docker are behind it too, and once more in INPUT, where the kernel has decided that a packet is for
this machine: an address may be local by a routing table that `addrtype` does not look into (policy
routing, AnyIP, a VRF). It looks at every packet: taking a network out ends its running streams. It
only ever drops or returns, because an accept here could not overrule a drop elsewhere.
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
# The chains of iptables that lead to ours, and how the names of ours begin. No name is longer than
# iptables allows.
PARENTS: Final = {"PREROUTING": "allowsync-", "INPUT": "allowsync_"}

# Everything this machine takes for itself, anycast addresses of a router (RFC 4291) included. IPv6
# has no broadcasts, and for it the kernel wants all of several types at once if MULTICAST is among
# them (xt_addrtype), so that is a rule of its own.
_FOR_US: Final = {
    Family.IPV4: ("LOCAL,BROADCAST,ANYCAST,MULTICAST",),
    Family.IPV6: ("LOCAL,ANYCAST", "MULTICAST"),
}

# A rule may name that many ports, and a range counts twice (iptables-extensions(8), multiport).
MOST_PORTS: Final = 15


class IpsetGate(Value):
    """What is guarded, from which interfaces it is not, and for which installation.

    The gate of a denylist drops what its sets hold, and nothing else. Without ports it drops
    whatever comes from there, but answers.
    """

    allowlist: str
    ports: tuple[Port, ...]
    open_interfaces: tuple[str, ...] = ("lo",)
    installation: str = ""
    effect: Effect = Effect.ALLOW

    def chain(self, parent: str) -> str:
        """The name of the chain behind a parent, of at most 28 characters, as iptables allows."""
        return PARENTS[parent] + self.allowlist

    def hook(self, parent: str) -> str:
        """The rule of a parent that leads to the chain, with the mark of the installation."""
        mark = f'-m comment --comment "{MARK}{self.installation}" ' if self.installation else ""
        return f"-A {parent} {mark}-j {self.chain(parent)}"

    def rules(self, parent: str, family: Family) -> tuple[str, ...]:
        """The rules of a chain, in order, as `iptables -S` prints them."""
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
        """The rules of a denylist that is for all ports. What is not tracked is no answer."""
        if self.effect is Effect.ALLOW:
            return ()
        drop = f"-A {chain} {self._match(family)} -j DROP"
        return (f"-A {chain} -m conntrack --ctdir REPLY -j RETURN", drop)

    def _match(self, family: Family) -> str:
        """What is dropped: sources that are not in the set, or those that are."""
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
        """The drop of some ports: addressed to us, source unknown.

        The port comes first: it is cheap, and spares every other packet the look at the routes.
        ip6tables finds the protocol behind extension headers. What comes to INPUT is addressed to
        us.
        """
        numbers = ",".join(port.numbers.replace("-", ":") for port in ports)
        for_us = f"-m addrtype --dst-type {destinations} " if destinations else ""
        return (
            f"-A {chain} -p {protocol.value} -m multiport --dports {numbers} {for_us}"
            f"{self._match(family)} -j DROP"
        )


def _pattern(interface: str) -> str:
    """An interface's name as iptables takes it: it writes `+` for our star at the end."""
    return f"{interface[:-1]}+" if interface.endswith("*") else interface


def _batches(ports: Iterable[Port]) -> Iterator[tuple[Port, ...]]:
    """Ports, as many at a time as one rule may name."""
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
    """What `iptables-restore -n` makes of the gate in one step, whatever is there.

    Args:
        gate: What to put up.
        family: For iptables or ip6tables.
        unhook: For each parent, the rules of it that lead to the chain so far, to be replaced by
            one in front of all others. A parent that is not there is left alone.
    """
    # A chain that is there already is emptied by being declared, in the same transaction.
    lines = [f"*{TABLE}", *(f":{gate.chain(parent)} - [0:0]" for parent in PARENTS)]
    for parent in PARENTS:
        lines += gate.rules(parent, family)
    for parent, rules in unhook.items():
        lines += [_deletion(rule) for rule in rules]
        lines.append(gate.hook(parent).replace("-A ", "-I ", 1))
    return "\n".join([*lines, "COMMIT", ""])


def removal_script(gate: IpsetGate, unhook: Iterable[str]) -> str:
    """What `iptables-restore -n` takes the gate down by, in one step, there or not."""
    chains = [gate.chain(parent) for parent in PARENTS]
    lines = [f"*{TABLE}", *(f":{chain} - [0:0]" for chain in chains), *map(_deletion, unhook)]
    return "\n".join([*lines, *(f"-X {chain}" for chain in chains), "COMMIT", ""])


def _deletion(rule: str) -> str:
    return rule.replace("-A ", "-D ", 1)
