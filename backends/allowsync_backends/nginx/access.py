"""Whether nginx's own rules admit strangers to a block (ngx_http_access_module). Pure.

The first matching rule of a block decides; a block without any has those of the block around it. An
address that matches none is admitted.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from allowsync.model.networks import overlap
from allowsync_backends.common.server.listeners import everybody

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allowsync.model.types import Network
    from allowsync_backends.nginx.configuration import NginxDirective

RULES: Final = ("allow", "deny")

_CHALLENGE: Final = "/.well-known/acme-challenge"  # RFC 8555, 8.3: requested from anywhere
# The default address pools of Docker: 172.17.0.0/16 to 172.31.0.0/16 (those of 192.168 are homes).
_CONTAINERS: Final = tuple(
    ip_network(one) for one in ("172.17.0.0/16", "172.18.0.0/15", "172.20.0.0/14", "172.24.0.0/13")
)
_GATEWAY: Final = 1  # the last byte of the source address of Docker's own proxy
_HALF: Final = 1  # bits of a rule for half of all addresses
_ANSWERS: Final = (
    "alias", "fastcgi_pass", "grpc_pass", "memcached_pass", "proxy_pass", "root", "scgi_pass",
    "try_files", "uwsgi_pass",
)  # fmt: skip
_ELSE: Final = ("auth_basic", "auth_jwt", "auth_request", "internal")


def lets_strangers_in(block: Iterable[NginxDirective]) -> bool:
    """Whether addresses that no rule of the block names are admitted, of one family at least."""
    return any(_lets_in(block, family) for family in (4, 6))


def opened_by(block: Iterable[NginxDirective]) -> str:
    """Return the rule that admits everyone, if there is one."""
    rules = (one for one in block if one.name == "allow" and is_for_anybody(one))
    return next((one.text for one in rules), "")


def is_for_anybody(rule: NginxDirective) -> bool:
    """Whether a rule matches every address of a family."""
    return any(_width(rule, family) == 0 for family in (4, 6))


def is_for_containers(rule: NginxDirective) -> bool:
    """Whether a rule names networks of Docker's default address pools."""
    network = _network(rule)
    if network is None or (network.num_addresses == 1 and int(network[0]) % 256 != _GATEWAY):
        return False
    return any(overlap(network, pool) for pool in _CONTAINERS)


def trusts_strangers(rule: NginxDirective) -> bool:
    """Whether set_real_ip_from names a network that includes strangers."""
    network = _network(rule)
    return rule.words[-1] == "all" or (network is not None and bool(everybody([network])))


def _lets_in(block: Iterable[NginxDirective], family: int) -> bool:
    """Whether the first rule for all addresses of a family is no `deny`.

    Halves of the whole that are denied one by one count as one such rule.
    """
    denied = 0.0
    for one in block:
        width = _width(one, family) if one.name in RULES else None
        if width is None or (one.name == "allow" and width > _HALF):
            continue
        if one.name == "allow":
            return True
        denied += 2.0**-width
        if denied >= 1:
            return False
    return True


def _width(rule: NginxDirective, family: int) -> int | None:
    """Return the prefix length of a rule; None where it is not for that family."""
    if rule.words[-1] == "all":
        return 0
    network = _network(rule)
    return None if network is None or network.version != family else network.prefixlen


def _network(rule: NginxDirective) -> Network | None:
    try:
        return ip_network(rule.words[-1], strict=False)
    except ValueError:  # `unix:`, or a variable
        return None


def has_rules(block: Iterable[NginxDirective]) -> bool:
    """Whether a block has rules, which replace those of the block around it."""
    return any(one.name in RULES for one in block)


def answers_anyone(location: NginxDirective, around: Iterable[NginxDirective]) -> bool:
    """Whether a location serves something, and requires nothing but an address.

    Args:
        location: The location.
        around: The directives of its server, which apply unless the location overrides them.
    """
    said = {one.name: one.words[-1] for one in (*around, *location.block)}
    asks = [name for name in _ELSE if said.get(name, "off") != "off"]
    return not asks and any(name in said for name in _ANSWERS) and not is_challenge(location)


def is_challenge(block: NginxDirective) -> bool:
    """Whether it serves the answers to a certificate authority's challenge."""
    path = block.words[-1].replace("\\", "").lstrip("^").rstrip("/$")
    return block.name == "location" and (path == _CHALLENGE or path.startswith(f"{_CHALLENGE}/"))
