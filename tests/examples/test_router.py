"""The example of a home router by packets: who reaches Jellyfin in the LAN, and the router."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testkit.fake_dns.nameserver import NameServer
from tests.support.documents import ROOT
from tests.support.echo import EchoIn
from tests.support.internet import (
    CONTAINER,
    CONTAINER6,
    CONTAINERS,
    ETH,
    FRIEND,
    FRIEND6,
    FRIEND_TOO,
    SERVER,
    SERVER6,
    Internet,
)
from tests.support.probe import IN_VAIN, tcp_answers
from tests.support.program import allowsync_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("as_root")]

ROUTER = ROOT / "examples" / "router.yaml"
JELLYFIN, SSH = 8096, 22
# The server is the router here, and the container is Jellyfin's machine behind it.
HERE = {
    '"wan0"': f'"{ETH}"',
    '"br-lan"': f'"{CONTAINERS}"',
    "br-lan": CONTAINERS,
    "192.168.178.20": CONTAINER,
    "== ::20": f"== ::{CONTAINER6.rpartition('::')[2]}",
    "192.168.178.0/24": "172.17.0.0/24",
}
ALICE = "alice.duckdns.org"
ZONES: dict[str, object] = {
    ALICE: [FRIEND, FRIEND6],
    "bob.ddns.example.net": ["81.2.70.9", "2a02:8010:2::25"],
    "laptop.tail1234.ts.net": ["100.64.0.9", "fd7a:115c:a1e0::9"],
}


@pytest.fixture
def internet() -> Iterator[Internet]:
    with Internet() as made, EchoIn(made.container, (JELLYFIN,)), EchoIn(made.server, (SSH,)):
        made.server.nft(here(ROUTER.with_suffix(".nft").read_text()))
        yield made


def here(text: str) -> str:
    for shipped, own in HERE.items():
        text = text.replace(shipped, own)
    return text


def test_friends_reach_jellyfin_behind_the_router_and_nobody_else(
    internet: Internet, tmp_path: Path
) -> None:
    ways = (SERVER, CONTAINER6)  # by port forwarding; directly
    path = tmp_path / "config.yaml"
    with internet.server.run(NameServer, ZONES) as names:
        text = here(ROUTER.read_text()) + f"\nresolver: {{nameservers: ['{names}']}}\n"
        path.write_text(f"{text}state: {tmp_path}/state/state.db\n")
        path.chmod(0o600)
        for to in ways:
            assert not tcp_answers(internet.friend, to, JELLYFIN, wait=IN_VAIN)
        allowsync_in(internet.server, "apply", "--config", path)
        for to in ways:
            assert tcp_answers(internet.friend, to, JELLYFIN)
            assert not tcp_answers(internet.stranger, to, JELLYFIN, wait=IN_VAIN)
        assert not tcp_answers(internet.friend, SERVER, JELLYFIN, source=FRIEND_TOO, wait=IN_VAIN)
        names.zones[ALICE] = [FRIEND_TOO, FRIEND6]
        allowsync_in(internet.server, "apply", "--config", path)
    assert tcp_answers(internet.friend, SERVER, JELLYFIN, source=FRIEND_TOO)
    for to in (SERVER, SERVER6):
        assert not tcp_answers(internet.friend, to, SSH, wait=IN_VAIN)
    assert tcp_answers(internet.container, "172.17.0.1", SSH)
