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


def with_container(inside: Namespace, variant: str = "nft") -> None:
    """Give a namespace a container at docker0, and Docker's chains, of both families."""
    inside.command("ip", "link", "add", "docker0", "type", "veth", "peer", "name", "inner")
    inside.batch(
        "address add 172.17.0.1/16 dev docker0",
        "address add fd00:d::1/64 dev docker0 nodad",
        "link set docker0 up",
        "link set inner up",
    )
    inside.sysctl("net/ipv4/ip_forward", "1")
    inside.sysctl("net/ipv6/conf/all/forwarding", "1")
    for tool in ("iptables", "ip6tables"):
        inside.command("sh", "-c", _CHAINS.format(tool=f"{tool}-{variant}"))


def publish(inside: Namespace, published: int, port: int, variant: str = "nft") -> None:
    """Publish a port of the container."""
    ends = {"iptables": (CONTAINER, CONTAINER), "ip6tables": (CONTAINER6, f"[{CONTAINER6}]")}
    for tool, (address, to) in ends.items():
        given = {"address": address, "to": to, "port": port, "published": published}
        inside.command("sh", "-c", _PORT.format(tool=f"{tool}-{variant}", **given))
