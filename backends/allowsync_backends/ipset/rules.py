"""The gate: a chain of our own that drops what comes to guarded ports from anybody unknown. Pure.

It hangs in the table mangle, chain PREROUTING, before destination NAT, so that ports published by
Docker are behind it too. It looks at every packet: taking a network out ends its running streams.
It only ever drops or returns, because an accept here could not overrule a drop elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.model.types import Family
from allowsync.model.value import Value
from allowsync_backends.common.ports import Port, Protocol, merged
from allowsync_backends.ipset.sets import set_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

TABLE: Final = "mangle"
PARENT: Final = "PREROUTING"

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
    """What is guarded, and from which interfaces it is not."""

    allowlist: str
    ports: tuple[Port, ...]
    open_interfaces: tuple[str, ...] = ("lo",)

    @property
    def chain(self) -> str:
        """The name of the chain, of at most 28 characters, as many as iptables allows."""
        return f"allowsync-{self.allowlist}"

    @property
    def hook(self) -> str:
        """The rule of `PREROUTING` that leads to the chain."""
        return f"-A {PARENT} -j {self.chain}"

    def rules(self, family: Family) -> tuple[str, ...]:
        """The rules of the chain, in order, as `iptables -S` prints them."""
        return (
            *(
                f"-A {self.chain} -i {_pattern(name)} -j RETURN"
                for name in sorted(set(self.open_interfaces))
            ),
            *(
                self._drop(protocol, ports, family, destinations)
                for protocol in Protocol
                for ports in _batches(merged(self.ports, protocol))
                for destinations in _FOR_US[family]
            ),
        )

    def _drop(
        self, protocol: Protocol, ports: Sequence[Port], family: Family, destinations: str
    ) -> str:
        """The drop of some ports: addressed to us, source unknown.

        The port comes first: it is cheap, and spares every other packet the look at the routes.
        ip6tables finds the protocol behind extension headers.
        """
        numbers = ",".join(port.numbers.replace("-", ":") for port in ports)
        return (
            f"-A {self.chain} -p {protocol.value} -m multiport --dports {numbers} "
            f"-m addrtype --dst-type {destinations} "
            f"-m set ! --match-set {set_name(self.allowlist, family)} src -j DROP"
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


def load_script(gate: IpsetGate, family: Family, unhook: Iterable[str] | None) -> str:
    """What `iptables-restore -n` makes of the gate in one step, whatever is there.

    Args:
        gate: What to put up.
        family: For iptables or ip6tables.
        unhook: The rules of `PREROUTING` that lead to the chain so far, to be replaced by one in
            front of all others; None to leave them alone.
    """
    # A chain that is there already is emptied by being declared, in the same transaction.
    lines = [f"*{TABLE}", f":{gate.chain} - [0:0]", *gate.rules(family)]
    if unhook is not None:
        lines += [_deletion(rule) for rule in unhook]
        lines.append(gate.hook.replace("-A ", "-I ", 1))
    return "\n".join([*lines, "COMMIT", ""])


def removal_script(gate: IpsetGate, unhook: Iterable[str]) -> str:
    """What `iptables-restore -n` takes the gate down by, in one step, there or not."""
    lines = [f"*{TABLE}", f":{gate.chain} - [0:0]", *map(_deletion, unhook)]
    return "\n".join([*lines, f"-X {gate.chain}", "COMMIT", ""])


def _deletion(rule: str) -> str:
    return rule.replace("-A ", "-D ", 1)
