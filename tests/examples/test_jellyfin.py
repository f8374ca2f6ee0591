"""The example for Jellyfin is carried out: friends get in, through Cloudflare and at home."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testkit.fake_cloudflare import FakeCloudflare
from testkit.fake_dns.nameserver import NameServer
from testkit.fake_jellyfin import FakeJellyfin
from tests.support.documents import ROOT
from tests.support.program import allowsync

if TYPE_CHECKING:
    from pathlib import Path

ZONES: dict[str, object] = {
    "alice.duckdns.org": ["81.2.69.1"],
    "bob.ddns.example.net": ["81.2.69.2", "2a02:8010:2::25"],
    "parents.example.org": ["2a02:8010:3:7f12::25"],
}
EDGE, STRANGER, LAN = "173.245.48.5", "81.2.69.77", "192.168.1.20"


def carried_out(folder: Path, fake: FakeJellyfin, edge: FakeCloudflare, server: NameServer) -> None:
    """One run of the example with fakes for Jellyfin and Cloudflare, and otherwise as it stands."""
    key, own = folder / "jellyfin.key", folder / "jellyfin.yaml"
    for one in (key, own):
        one.touch(mode=0o600)
    key.write_text(fake.key)
    text = (ROOT / "examples/jellyfin.yaml").read_text()
    assert text.count("url: http://127.0.0.1:8096") == 2
    own.write_text(
        text.replace("http://127.0.0.1:8096", fake.url)
        + f"\nresolver: {{nameservers: ['{server}']}}\npolicy: {{canary: false}}\n"
        + f"state: {folder / 'state' / 'state.db'}\n"
        + f"sources: {{cloudflare: {{url: '{edge.url}'}}}}\n"
    )
    for expected in ("+ 81.2.69.1 ", ""):
        done = allowsync("apply", "--config", own)
        assert done.code == 0, done.err
        assert expected in done.out
        assert bool(done.out) == bool(expected)


def test_friends_get_in_through_cloudflare_and_strangers_do_not(tmp_path: Path) -> None:
    with FakeJellyfin() as fake, FakeCloudflare() as edge, NameServer(ZONES) as server:
        carried_out(tmp_path, fake, edge, server)
        fake.boot()  # as the example says
        friends = ("81.2.69.1", "81.2.69.2", "2a02:8010:2::99", "2a02:8010:3:7f00::1")
        assert all(fake.lets_in(one, through=EDGE) for one in friends)
        assert not fake.lets_in(STRANGER, through=EDGE)
        assert not fake.lets_in(EDGE)
        # Who connects itself and names a friend is not believed.
        assert not fake.lets_in("81.2.69.1", through=STRANGER)
        assert fake.lets_in(LAN)
