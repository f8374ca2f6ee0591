"""UFW's own notation of a rule: the `### tuple ###` line, and the lines that belong to it. Pure.

UFW uses the line to list, change and delete rules; the lines after it are for iptables-restore.
Both are written here exactly as ufw 0.36 writes them.
"""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING, Final, NamedTuple

from allowsync.backend.api import mark
from allowsync.model.types import Family
from allowsync.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allowsync.model.types import Network
    from allowsync_backends.common.ports import Port

MARK: Final = "### tuple ### "
LONGEST_COMMENT: Final = 64  # characters

ANYWHERE: Final = ("0.0.0.0/0", "::/0")
_PORTS: Final = re.compile("[0-9]+(?::[0-9]+)?")
_SOURCE: Final = re.compile("[0-9a-f.:]+(?:/[0-9]+)?")
_INSTALLATION: Final = re.compile(":@([0-9a-f]{8})$")
_ACTIONS: Final = ("allow", "deny", "reject", "limit")


class UfwRule(NamedTuple):
    """A source, port and protocol to accept, in iptables' form, fast to compare by the thousand.

    `source` is a network in CIDR form, always with its width; `ports` is `443` or `8000:8010`;
    `protocol` is `tcp` or `udp`.
    """

    source: str
    ports: str
    protocol: str

    @property
    def is_ipv6(self) -> bool:
        """Whether it belongs to UFW's file for IPv6."""
        return ":" in self.source


class Tuple(Value):
    """A parsed tuple line, each part in UFW's form.

    Attributes:
        action: allow, deny, reject or limit.
        forward: Whether it is a `ufw route` rule.
        log: `log`, `log-all`, or empty.
        protocol: tcp, udp, any, or another that UFW knows.
        ports: Destination ports: `443`, `80,443`, `8000:8010`, `any`.
        destination: An address, a network, `0.0.0.0/0` or `::/0`.
        source_ports: The ports of the source, likewise.
        source: An address or network, as `destination`.
        profiles: The application profiles of destination and source; empty for none.
        where: `in`, `out`, or with interfaces: `in_eth0`, `in_eth0!out_eth1`.
        comment: In clear text; empty for none.
    """

    action: str
    forward: bool
    log: str
    protocol: str
    ports: str
    destination: str
    source_ports: str
    source: str
    profiles: tuple[str, str]
    where: str
    comment: str


def parse(line: str) -> Tuple | None:
    """Parse a tuple line; None when UFW itself would skip it as malformed."""
    body, found, encoded = line.removeprefix(MARK).partition(" comment=")
    words = body.split()
    if len(words) not in (7, 9) or " comment=" in encoded:
        return None
    comment = decoded(encoded.strip()) if found else ""
    route, colon, action = words[0].rpartition(":")
    action, _, log = action.partition("_")
    if comment is None or action not in _ACTIONS or (colon and route != "route"):
        return None
    if words[-1].partition("_")[0] not in ("in", "out"):
        return None
    profiles = (words[6], words[7]) if len(words) == 9 else ("-", "-")
    protocol, ports, destination, source_ports, source = words[1:6]
    return Tuple(
        action,
        bool(colon),
        log,
        protocol,
        ports,
        destination,
        source_ports,
        source,
        (_profile(profiles[0]), _profile(profiles[1])),
        words[-1],
        comment,
    )


def _profile(word: str) -> str:
    return "" if word == "-" else word.replace("%20", " ")


def decoded(encoded: str) -> str | None:
    """Decode a comment from its hexadecimal form; None when it is none."""
    try:
        return bytes.fromhex(encoded).decode()
    except ValueError:
        return None


def plain(one: Tuple) -> UfwRule | None:
    """Return the rule of a tuple, if it has the one shape that allowsync writes."""
    if (one.action, one.log, one.profiles, one.where) != ("allow", "", ("", ""), "in"):
        return None
    if one.protocol not in ("tcp", "udp") or one.source_ports != "any":
        return None
    if not _PORTS.fullmatch(one.ports) or not _SOURCE.fullmatch(one.source):
        return None
    rule = UfwRule(with_width(one.source), one.ports, one.protocol)
    return rule if one.destination == ANYWHERE[rule.is_ipv6] else None


def with_width(source: str) -> str:
    """Return a source in UFW's CIDR form."""
    if "/" in source:
        return source
    return f"{source}/128" if ":" in source else f"{source}/32"


def rule_of(network: Network, port: Port) -> UfwRule:
    """Return the rule that admits a network to a port."""
    return UfwRule(_cidr(network), ports_text(port), port.protocol.value)


def _cidr(network: Network) -> str:
    """Format a network as iptables and UFW do: by inet_ntop(3), which knows mapped addresses."""
    address = network.network_address
    family = socket.AF_INET if network.version == 4 else socket.AF_INET6
    return f"{socket.inet_ntop(family, address.packed)}/{network.prefixlen}"


def ports_text(port: Port) -> str:
    """Format a port, or a range, in UFW's form."""
    return str(port.first) if port.first == port.last else f"{port.first}:{port.last}"


def chain(family: Family, *, route: bool) -> str:
    """Return the chain of UFW's user rules."""
    prefix = "ufw" if family is Family.IPV4 else "ufw6"
    return f"{prefix}-user-{'forward' if route else 'input'}"


def rendered(rule: UfwRule, comment: str, *, route: bool) -> str:
    """Return UFW's full text of a rule: an empty line, the tuple, and iptables' rule."""
    action = "route:allow" if route else "allow"
    family = Family.IPV6 if rule.is_ipv6 else Family.IPV4
    return (
        f"\n{MARK}{action} {rule.protocol} {rule.ports} {ANYWHERE[rule.is_ipv6]} any "
        f"{_source(rule)} in comment={comment.encode().hex()}\n"
        f"-A {chain(family, route=route)} {match_text(rule)}\n"
    )


def match_text(rule: UfwRule) -> str:
    """Return the arguments of iptables for a rule, without the chain."""
    several = ":" in rule.ports
    option = f"-m multiport --dports {rule.ports}" if several else f"--dport {rule.ports}"
    return f"-p {rule.protocol} {option} -s {_source(rule)} -j ACCEPT"


def _source(rule: UfwRule) -> str:
    """Return a source in UFW's form: a single address has no width."""
    return rule.source.removesuffix("/128" if rule.is_ipv6 else "/32")


def comment_of(allowlist: str, hosts: Iterable[str], installation: str = "") -> str:
    """Return the comment of a rule of ours: `allowsync:<allowlist>:<host>:<host>:@<installation>`.

    There are at most 64 characters, of `[a-z0-9._:@-]`; without a host there are two colons.
    """
    whose = f":@{installation}" if installation else ""
    comment = mark(allowlist, *hosts, longest=LONGEST_COMMENT - len(whose))
    return (prefix_of(allowlist) if comment == mark(allowlist) else comment) + whose


def apart(comment: str) -> tuple[str, str]:
    """Split a comment of ours from its installation, which is empty where it has none."""
    found = _INSTALLATION.search(comment)
    return (comment[: found.start()], found[1]) if found else (comment, "")


def prefix_of(allowlist: str) -> str:
    """Return the prefix of the comments of an allowlist's rules, and of no others."""
    return f"{mark(allowlist)}:"
