"""A small internet: a friend, a stranger, a server with a container, and a router between them.

Nothing leaves it, so its addresses are like those of real homes. Each end has `ETH`, whose other
end is at the router. The router shares the server's network, and so can play a neighbour there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.support.netns import Namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

ETH = "eth0"
CONTAINERS = "docker0"

SERVER, SERVER6 = "193.99.144.80", "2a02:2e0:3fe:1::80"
SERVER_BROADCAST = "193.99.144.255"
FRIEND, FRIEND6 = "81.2.69.142", "2a02:8109:9a40:1778::142"
STRANGER, STRANGER6 = "185.199.108.7", "2a00:1450:4001:81b::7"
NEIGHBOUR, NEIGHBOUR6 = "193.99.144.1", "2a02:2e0:3fe:1::1"
CONTAINER, CONTAINER6 = "172.17.0.2", "2a02:2e0:3fe:2::2"
# What a router answers to on each of its networks (RFC 4291, 2.6.1).
SERVER_ANYCAST6 = "2a02:2e0:3fe:2::"
# More of the friend's addresses; every one is in the friend's network.
FRIEND_TOO, FRIEND_TOO6 = "81.2.69.143", "2a02:8109:9a40:1779::143"


@dataclass(slots=True)
class Internet:
    """The namespaces, connected and with routes."""

    friend: Namespace = field(default_factory=Namespace)
    stranger: Namespace = field(default_factory=Namespace)
    router: Namespace = field(default_factory=Namespace)
    server: Namespace = field(default_factory=Namespace)
    container: Namespace = field(default_factory=Namespace)

    def __iter__(self) -> Iterator[Namespace]:
        return iter((self.friend, self.stranger, self.router, self.server, self.container))

    def __enter__(self) -> Internet:
        self._forward(self.router)
        self._forward(self.server)
        self._end(self.friend, "friend", FRIEND, FRIEND6, "81.2.69.1", "2a02:8109:9a40:1778::1")
        self.friend.batch(
            f"address add {FRIEND_TOO}/24 dev {ETH}",
            # Deprecated (RFC 4862): used by those who ask for it only.
            f"address add {FRIEND_TOO6}/64 dev {ETH} nodad preferred_lft 0",
        )
        self.router.batch("route add 2a02:8109:9a40:1779::/64 dev friend")
        self._end(
            self.stranger, "stranger", STRANGER, STRANGER6, "185.199.108.1", "2a00:1450:4001:81b::1"
        )
        self._end(self.server, "server", SERVER, SERVER6, NEIGHBOUR, NEIGHBOUR6)
        self._containers()
        return self

    def __exit__(self, *_: object) -> None:
        for namespace in self:
            namespace.close()

    def _end(self, end: Namespace, name: str, ip: str, ip6: str, via: str, via6: str) -> None:
        """Connect an end to the router, with a default route."""
        self.router.join(end, name, ETH)
        end.batch(
            f"address add {ip}/24 broadcast + dev {ETH}",
            f"address add {ip6}/64 dev {ETH} nodad",
        )
        self.router.batch(
            f"address add {via}/24 broadcast + dev {name}",
            f"address add {via6}/64 dev {name} nodad",
        )
        end.batch(f"route add default via {via}", f"route add ::/0 via {via6}")

    def _containers(self) -> None:
        self.server.join(self.container, CONTAINERS, ETH)
        self.server.batch(
            f"address add 172.17.0.1/24 dev {CONTAINERS}",
            f"address add 2a02:2e0:3fe:2::1/64 dev {CONTAINERS} nodad",
        )
        self.container.batch(
            f"address add {CONTAINER}/24 dev {ETH}",
            f"address add {CONTAINER6}/64 dev {ETH} nodad",
            "route add default via 172.17.0.1",
            "route add ::/0 via 2a02:2e0:3fe:2::1",
        )
        self.router.batch(
            f"route add 172.17.0.0/24 via {SERVER}",
            f"route add 2a02:2e0:3fe:2::/64 via {SERVER6}",
        )

    @staticmethod
    def _forward(namespace: Namespace) -> None:
        namespace.sysctl("net/ipv4/ip_forward", "1")
        namespace.sysctl("net/ipv6/conf/all/forwarding", "1")
