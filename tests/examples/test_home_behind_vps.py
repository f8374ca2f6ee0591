"""Only the rented server gets to a home: real packets, through a forwarded port and without one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from testkit.fake_dns.nameserver import NameServer
from tests.support.documents import ROOT
from tests.support.echo import EchoIn
from tests.support.internet import (
    CONTAINERS,
    ETH,
    FRIEND,
    FRIEND6,
    FRIEND_TOO,
    FRIEND_TOO6,
    SERVER,
    SERVER6,
    STRANGER,
    STRANGER6,
    Internet,
)
from tests.support.probe import IN_VAIN, PATIENCE, tcp_answers, udp_answers
from tests.support.program import allowsync_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.netns import Namespace

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("as_root")]

EXAMPLE = ROOT / "examples" / "home-behind-vps.yaml"
NAME = "vps.example.org"
# The rented server plays the part of the friend in the little internet.
VPS, VPS6 = FRIEND, FRIEND6
MOVED, MOVED6 = FRIEND_TOO, FRIEND_TOO6
# The machine at home in its own network, and somebody else there.
INSIDE, INSIDE6 = "192.168.178.20", "fd12:3456:789a:1::20"
TELEVISION, TELEVISION6 = "192.168.178.30", "fd12:3456:789a:1::30"
JELLYFIN, WIREGUARD = 8920, 51820

FORWARDED = f"""
table ip home {{
	chain forwarded {{
		type nat hook prerouting priority dstnat;
		iifname {{ "friend", "stranger" }} ip daddr {SERVER} tcp dport {JELLYFIN} dnat to {INSIDE}
		iifname {{ "friend", "stranger" }} ip daddr {SERVER} udp dport {WIREGUARD} dnat to {INSIDE}
	}}
}}
"""


@dataclass
class Home:
    """A home with a router that forwards two ports, and the machine that runs the example."""

    internet: Internet
    config: Path
    zones: dict[str, object] = field(default_factory=lambda: {NAME: [VPS, VPS6]})

    def apply(self) -> None:
        given = ("--config", str(self.config), "--state", str(self.config.with_name("state.db")))
        allowsync_in(self.internet.server, "apply", *given)

    def reached(self, end: Namespace, *, source: str, wait: float) -> tuple[bool, bool]:
        """Whether somebody gets to Jellyfin, and whether to WireGuard."""
        home = (SERVER6 if ":" in source else SERVER) if end is not self.internet.router else ""
        home = home or (INSIDE6 if ":" in source else INSIDE)
        return (
            tcp_answers(end, home, JELLYFIN, source=source, wait=wait),
            udp_answers(end, home, WIREGUARD, source=source, wait=wait),
        )

    def gets_in(self, end: Namespace, *sources: str) -> bool:
        return all(self.reached(end, source=one, wait=PATIENCE) == (True, True) for one in sources)

    def is_out(self, end: Namespace, *sources: str) -> bool:
        return all(self.reached(end, source=one, wait=IN_VAIN) == (False, False) for one in sources)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with Internet() as internet:
        internet.server.batch(
            f"address add {INSIDE}/24 dev {ETH}",
            f"address add {INSIDE6}/64 dev {ETH} nodad",
            f"link set dev {CONTAINERS} down",
            f"link set dev {CONTAINERS} name wg0",
            "link set dev wg0 up",
            "address replace 2a02:2e0:3fe:2::1/64 dev wg0 nodad",  # it went with the link
        )
        internet.router.batch(
            *(f"address add {one}/24 dev server" for one in ("192.168.178.1", TELEVISION)),
            f"address add {TELEVISION6}/64 dev server nodad",
        )
        internet.router.nft(FORWARDED)
        home = Home(internet, tmp_path / EXAMPLE.name)
        with (
            EchoIn(internet.server, (JELLYFIN, WIREGUARD)),
            internet.server.run(lambda: NameServer(home.zones)) as server,
        ):
            home.config.write_text(
                f"{EXAMPLE.read_text()}\nresolver: {{nameservers: ['{server}']}}\n"
            )
            home.config.chmod(0o600)
            yield home


def test_nobody_but_the_rented_server_gets_to_a_home_and_who_lives_there(home: Home) -> None:
    net = home.internet
    assert home.gets_in(net.stranger, STRANGER, STRANGER6), "without the gate, everybody does"
    home.apply()
    assert home.gets_in(net.friend, VPS, VPS6)
    assert home.gets_in(net.router, TELEVISION, TELEVISION6)
    assert home.is_out(net.stranger, STRANGER, STRANGER6)
    assert home.is_out(net.friend, MOVED, MOVED6), "another customer of the same data center"


def test_a_home_follows_when_the_rented_server_moves(home: Home) -> None:
    home.apply()
    home.zones[NAME] = [MOVED, MOVED6]
    home.apply()
    assert home.gets_in(home.internet.friend, MOVED, MOVED6)
    assert home.is_out(home.internet.stranger, STRANGER, STRANGER6)


def test_what_comes_out_of_the_tunnel_is_not_guarded(home: Home) -> None:
    home.apply()
    tunnel = home.internet.container
    assert tcp_answers(tunnel, "172.17.0.1", JELLYFIN)
    assert tcp_answers(tunnel, "2a02:2e0:3fe:2::1", JELLYFIN)
