"""A container behind a namespace with an uplink, and ports published to it as Docker does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.support.netns import Namespace

CONTAINER, CONTAINER6 = "172.17.0.2", "fd00:d::2"
_CHAINS: Final = """set -e
{tool} -t nat -N DOCKER
{tool} -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
{tool} -N DOCKER
{tool} -n -L DOCKER-USER >/dev/null 2>&1 || {tool} -N DOCKER-USER
{tool} -I FORWARD -o docker0 -j DOCKER
{tool} -I FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
{tool} -I FORWARD -j DOCKER-USER
"""
_PORT: Final = """set -e
{tool} -t nat -A DOCKER ! -i docker0 -p tcp --dport {published} -j DNAT --to-destination {to}:{port}
{tool} -A DOCKER -d {address} ! -i docker0 -o docker0 -p tcp --dport {port} -j ACCEPT
"""
# As Docker 28 has them: direct packets end in `raw`, and all others pass a chain of its own.
_NEWER: Final = """*raw
-A PREROUTING -d {address} ! -i docker0 -j DROP
COMMIT
*nat
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A DOCKER ! -i docker0 -p tcp --dport {published} -j DNAT --to-destination {to}:{port}
COMMIT
*filter
:DOCKER - [0:0]
:DOCKER-BRIDGE - [0:0]
:DOCKER-CT - [0:0]
:DOCKER-FORWARD - [0:0]
:DOCKER-USER - [0:0]
-I FORWARD -j DOCKER-FORWARD
-I FORWARD -j DOCKER-USER
-A DOCKER -d {address} ! -i docker0 -o docker0 -p tcp --dport {port} -j ACCEPT
-A DOCKER ! -i docker0 -o docker0 -j DROP
-A DOCKER-BRIDGE -o docker0 -j DOCKER
-A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A DOCKER-FORWARD -j DOCKER-CT
-A DOCKER-FORWARD -j DOCKER-BRIDGE
-A DOCKER-FORWARD -i docker0 -j ACCEPT
COMMIT
"""
_ENDS: Final = {"iptables": (CONTAINER, CONTAINER), "ip6tables": (CONTAINER6, f"[{CONTAINER6}]")}


def with_container(inside: Namespace, variant: str = "nft") -> None:
    """Give a namespace a container at docker0, and Docker's chains, of both families."""
    _lay_cable(inside)
    for tool in ("iptables", "ip6tables"):
        inside.command("sh", "-c", _CHAINS.format(tool=f"{tool}-{variant}"))


def with_published(inside: Namespace, published: int, port: int) -> None:
    """Give a namespace a container with one published port, by the chains of Docker 28."""
    _lay_cable(inside)
    for tool, (address, to) in _ENDS.items():
        rules = _NEWER.format(address=address, to=to, port=port, published=published)
        inside.command(f"{tool}-restore", "-n", stdin=rules)


def _lay_cable(inside: Namespace) -> None:
    """Give a namespace an interface to a container."""
    inside.command("ip", "link", "add", "docker0", "type", "veth", "peer", "name", "inner")
    inside.batch(
        "address add 172.17.0.1/16 dev docker0",
        "address add fd00:d::1/64 dev docker0 nodad",
        "link set docker0 up",
        "link set inner up",
    )
    inside.sysctl("net/ipv4/ip_forward", "1")
    inside.sysctl("net/ipv6/conf/all/forwarding", "1")


def publish(inside: Namespace, published: int, port: int, variant: str = "nft") -> None:
    """Publish a port of the container."""
    for tool, (address, to) in _ENDS.items():
        given = {"address": address, "to": to, "port": port, "published": published}
        inside.command("sh", "-c", _PORT.format(tool=f"{tool}-{variant}", **given))
