"""The gate: a table of our own that drops packets of unknown sources to guarded ports. Pure.

It hooks into prerouting, before destination NAT, so that it covers ports published by Docker too,
and once more into input, where the kernel has decided that a packet is for this machine: an address
may be local by a routing table that `fib` does not consult (policy routing, AnyIP, a VRF). It sees
every packet: removing a network ends its running streams. It only ever drops, because an accept
here could not override a drop elsewhere. Sources of passing packets are recorded for a week, so
that a run can tell when a network last sent a packet.
"""

from __future__ import annotations

import zlib

from allowsync.model.target import Effect
from allowsync.model.types import BOTH_FAMILIES, Family
from allowsync.model.value import Value
from allowsync.typed import TYPE_CHECKING, Any, Final
from allowsync_backends.common.ports import Port, Protocol, merged

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allowsync.model.types import Network

# The chains, and the hook of each.
CHAINS: Final = {"gate": "prerouting", "gate_input": "input"}
PRIORITY: Final = -150  # mangle: before destination NAT (-100), nft(8)

SET_TYPES: Final = {Family.IPV4: "ipv4_addr", Family.IPV6: "ipv6_addr"}
_SOURCES: Final = {Family.IPV4: "ip", Family.IPV6: "ip6"}

# The recorded part of a source: an IPv6 network of 64 bits, for a host changes the rest at will.
_REMEMBERED: Final = {Family.IPV4: "", Family.IPV6: " & ffff:ffff:ffff:ffff::"}
SEEN_BITS: Final = {Family.IPV4: 32, Family.IPV6: 64}
SEEN_FOR: Final = 7 * 24 * 3600  # seconds
_MOST_SEEN: Final = 65535

# All destinations of this machine. Anycast is among them: a router answers at the subnet-router
# anycast address (RFC 4291) of each of its networks, open to any stranger.
_FOR_US: Final = ("local", "broadcast", "anycast", "multicast")


class NftRule(Value):
    """A rule of the gate: its chain, its text in a script, and its form in nft's JSON."""

    chain: str
    text: str
    expressions: tuple[Any, ...]


class NftGate(Value):
    """The guarded ports, the open interfaces, and the installation.

    The gate of a denylist drops the networks of its sets, and nothing else: without an element,
    nothing. Without ports it drops all their packets, but answers.
    """

    allowlist: str
    ports: tuple[Port, ...]
    open_interfaces: tuple[str, ...] = ("lo",)
    installation: str = ""
    effect: Effect = Effect.ALLOW

    @property
    def table(self) -> str:
        """The name of the table, of family inet. All of it is ours."""
        return f"allowsync_{self.allowlist}"

    @property
    def rules(self) -> tuple[NftRule, ...]:
        """The rules of both chains, in order."""
        rules = self._rules_of if self.effect is Effect.ALLOW else self._denials_of
        return tuple(rule for chain in CHAINS for rule in rules(chain))

    @property
    def sets(self) -> dict[str, Family]:
        """The sets beside those of the entries: sources dropped by a denylist are not recorded."""
        families = BOTH_FAMILIES if self.effect is Effect.ALLOW else ()
        return {seen_set(family): family for family in families}

    def _denials_of(self, chain: str) -> Iterator[NftRule]:
        yield from (_open(chain, name) for name in sorted(set(self.open_interfaces)))
        if not self.ports:
            yield _ANSWERS[chain]
            yield from (_deny(chain, "", (), family) for family in BOTH_FAMILIES)
        for protocol in Protocol:
            if ports := merged(self.ports, protocol):
                start, expressions = _guarded(chain, protocol, ports)
                for family in BOTH_FAMILIES:
                    yield _deny(chain, start, expressions, family)

    def _rules_of(self, chain: str) -> Iterator[NftRule]:
        yield from (_open(chain, name) for name in sorted(set(self.open_interfaces)))
        for protocol in Protocol:
            ports = merged(self.ports, protocol)
            for family in BOTH_FAMILIES if ports else ():
                yield _drop(chain, protocol, ports, family)
                yield _note(chain, protocol, ports, family)

    @property
    def comments(self) -> tuple[str, ...]:
        """The comment of each rule: a digest of all of them, its place, and the installation.

        A missing, new, moved or otherwise configured rule shows in them, whatever form a version of
        nft lists rules in.
        """
        rules = self.rules
        texts = (f"{rule.chain} {rule.text}" for rule in rules)
        intended = "\n".join((self.table, str(PRIORITY), *texts))
        digest = f"{zlib.crc32(intended.encode()):08x}"
        whose = f":{self.installation}" if self.installation else ""
        places = range(1, len(rules) + 1)
        return tuple(f"allowsync:{digest}:{n}.{len(rules)}{whose}" for n in places)


def _open(chain: str, interface: str) -> NftRule:
    return NftRule(
        chain,
        f'iifname "{interface}" accept',
        (
            {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": interface}},
            {"accept": None},
        ),
    )


def _deny(chain: str, start: str, expressions: tuple[Any, ...], family: Family) -> NftRule:
    """Return the rule that drops sources in a set of a denylist."""
    source = _SOURCES[family]
    return NftRule(
        chain,
        f"{start}{source} saddr @{family.value} counter drop",
        (*expressions, *_dropped("==", family)),
    )


def _dropped(relation: str, family: Family) -> tuple[Any, ...]:
    """Return the expressions that drop sources with this relation to a family's set."""
    source = _field(_SOURCES[family], "saddr")
    return (_match(relation, source, f"@{family.value}"), {"drop": None})


# An untracked packet matches no direction, and is no answer.
_ANSWERS: Final = {
    chain: NftRule(
        chain,
        "ct direction reply accept",
        (
            {"match": {"op": "==", "left": {"ct": {"key": "direction"}}, "right": "reply"}},
            {"accept": None},
        ),
    )
    for chain in CHAINS
}


def seen_set(family: Family) -> str:
    """Return the name of the set that records recent sources of a family."""
    return f"{family.value}_seen"


def _drop(chain: str, protocol: Protocol, ports: tuple[Port, ...], family: Family) -> NftRule:
    """Return the drop of one protocol and family: guarded port, addressed to us, source unknown."""
    start, expressions = _guarded(chain, protocol, ports)
    source = _SOURCES[family]
    return NftRule(
        chain,
        f"{start}{source} saddr != @{family.value} counter drop",
        (*expressions, *_dropped("!=", family)),
    )


def _note(chain: str, protocol: Protocol, ports: tuple[Port, ...], family: Family) -> NftRule:
    """Return the rule that records the source of a passing packet. It decides nothing."""
    start, expressions = _guarded(chain, protocol, ports)
    source, mask = _SOURCES[family], _REMEMBERED[family]
    address: Any = _field(source, "saddr")
    kept = {"&": [address, mask.removeprefix(" & ")]} if mask else address
    return NftRule(
        chain,
        f"{start}{source} saddr @{family.value} "
        f"update @{seen_set(family)} {{ {source} saddr{mask} }}",
        (
            *expressions,
            _match("==", address, f"@{family.value}"),
            {"set": {"op": "update", "elem": kept, "set": f"@{seen_set(family)}"}},
        ),
    )


def _guarded(
    chain: str, protocol: Protocol, ports: tuple[Port, ...]
) -> tuple[str, tuple[Any, ...]]:
    """Return the common start of a protocol's rules: guarded port, addressed to us.

    The port comes first: it is cheap, and spares every other packet the route lookup. The protocol
    is that of the transport header, so IPv6 extension headers do not hide it. All packets at the
    hook input are addressed to us.
    """
    numbers = ", ".join(port.numbers for port in ports)
    port = _match("==", _field(protocol.value, "dport"), {"set": [_numbers(p) for p in ports]})
    text = f"{protocol.value} dport {{ {numbers} }} "
    if CHAINS[chain] == "input":
        return text, (port,)
    fib = {"fib": {"result": "type", "flags": ["daddr"]}}
    local = _match("==", fib, {"set": list(_FOR_US)})
    return f"{text}fib daddr type {{ {', '.join(_FOR_US)} }} ", (port, local)


def _match(operator: str, left: Any, right: Any) -> dict[str, Any]:
    return {"match": {"op": operator, "left": left, "right": right}}


def _field(protocol: str, field: str) -> dict[str, Any]:
    return {"payload": {"protocol": protocol, "field": field}}


def _numbers(port: Port) -> Any:
    return port.first if port.first == port.last else {"range": [port.first, port.last]}


def rebuild_script(gate: NftGate, networks: Iterable[Network]) -> str:
    """Return the script that replaces the whole table, present or not.

    Packets that are traversing the old chain at that very moment are lost, even those of friends:
    their rules are the old ones, but the old sets' elements are no longer valid.
    """
    held = by_family(networks)
    lines = [
        # A missing table cannot be deleted; added first, it always exists.
        f"add table inet {gate.table}",
        f"delete table inet {gate.table}",
        f"table inet {gate.table} {{",
    ]
    for family in BOTH_FAMILIES:
        lines += [f"\tset {family.value} {{", f"\t\ttype {SET_TYPES[family]}", "\t\tflags interval"]
        if held[family]:
            lines.append(f"\t\telements = {{ {joined(held[family])} }}")
        lines.append("\t}")
    lines += [f"\tset {name} {{ {_seen_definition(one)} }}" for name, one in gate.sets.items()]
    commented = _commented(gate)
    for chain in CHAINS:
        lines += [f"\tchain {chain} {{", f"\t\t{_definition(chain)}"]
        lines += [f"\t\t{rule}" for of, rule in commented if of == chain]
        lines.append("\t}")
    return "\n".join([*lines, "}", ""])


def _seen_definition(family: Family) -> str:
    return (
        f"type {SET_TYPES[family]}; flags dynamic, timeout; timeout {SEEN_FOR}s; size {_MOST_SEEN};"
    )


def _definition(chain: str) -> str:
    return f"type filter hook {CHAINS[chain]} priority {PRIORITY}; policy accept;"


def mend_script(gate: NftGate, networks: Iterable[Network]) -> str:
    """Return the script that renews rules and elements in a table with sound chains and sets.

    A missing chain is added, and so are the sets of recorded sources. No packet is lost: old and
    new rules look into the same sets, where a friend is both before and after.
    """
    lines = [f"add chain inet {gate.table} {name} {{ {_definition(name)} }}" for name in CHAINS]
    lines += [
        f"add set inet {gate.table} {name} {{ {_seen_definition(family)} }}"
        for name, family in gate.sets.items()
    ]
    lines += [f"flush chain inet {gate.table} {name}" for name in CHAINS]
    for family, members in by_family(networks).items():
        lines.append(f"flush set inet {gate.table} {family.value}")
        if members:
            lines.append(f"add element inet {gate.table} {family.value} {{ {joined(members)} }}")
    lines += [f"add rule inet {gate.table} {chain} {rule}" for chain, rule in _commented(gate)]
    return "\n".join([*lines, ""])


def _commented(gate: NftGate) -> list[tuple[str, str]]:
    """Return the rules in order, each with its comment behind its chain."""
    pairs = zip(gate.rules, gate.comments, strict=True)
    return [(rule.chain, f'{rule.text} comment "{comment}"') for rule, comment in pairs]


def by_family(networks: Iterable[Network]) -> dict[Family, list[Network]]:
    """Split networks by family, each in the order given."""
    held: dict[Family, list[Network]] = {family: [] for family in BOTH_FAMILIES}
    for network in networks:
        held[Family.of(network)].append(network)
    return held


def joined(networks: Iterable[Network]) -> str:
    """Format networks as the elements of a set. A single address has no length."""
    return ", ".join(as_element(network) for network in networks)


def as_element(network: Network) -> str:
    """Format a network for every kind of set: an address, or an address and a length."""
    if network.prefixlen == network.max_prefixlen:
        return str(network.network_address)
    return str(network)
