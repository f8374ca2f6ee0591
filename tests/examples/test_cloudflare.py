"""The examples for Cloudflare are carried out: the list filled, and the origin behind it shut."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from allowsync.config import load
from testkit.fake_cloudflare import FakeCloudflare
from testkit.fake_dns.nameserver import NameServer
from tests.support.cloudflare_api import hold_to_the_description
from tests.support.documents import ROOT
from tests.support.netns import Namespace
from tests.support.program import allowsync_in

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = ROOT / "examples"
ZONES: dict[str, object] = {
    "alice.duckdns.org": ["81.2.69.1"],
    "bob.ddns.example.net": ["81.2.69.2", "2a02:8010:2::25"],
    "parents.example.org": ["2a02:8010:3:7f12::25"],
}
IN_THE_LIST = {
    "81.2.69.1": "alice",
    "81.2.69.2": "bob",
    "2a02:8010:2::/64": "bob",
    "2a02:8010:3:7f00::/56": "parents",
}


def on_the_fake(name: str, folder: Path, fake: FakeCloudflare, server: NameServer) -> Path:
    """An example with the fake for Cloudflare, and otherwise as it stands."""
    token = folder / "cloudflare.token"
    token.touch(mode=0o600)
    token.write_text(fake.token)
    text = (EXAMPLES / name).read_text()
    option = "api_token_file: cloudflare.token"
    assert option in text
    own = folder / name
    own.touch(mode=0o600)
    own.write_text(
        text.replace(option, f"api_url: {fake.url}\n          {option}")
        + f"\nresolver: {{nameservers: ['{server}']}}\n"
        + f"state: {folder / 'state' / 'state.db'}\n"
        + (f"sources: {{cloudflare: {{url: '{fake.url}'}}}}\n" if "[cloudflare]" in text else "")
    )
    return own


@pytest.mark.root
@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("name", ["cloudflare.yaml", "cloudflare-locked-origin.yaml"])
def test_an_example_fills_the_list_and_the_rule_it_names_uses_it(name: str, tmp_path: Path) -> None:
    with (
        Namespace() as inside,
        inside.run(lambda: NameServer(ZONES)) as server,
        inside.run(FakeCloudflare) as fake,
    ):
        zone = fake.add_zone("example.org")
        given = ("--config", str(on_the_fake(name, tmp_path, fake, server)))

        def allowsync(*words: str) -> str:
            return allowsync_in(inside, *words, *given)

        allowsync("apply")
        rule = ("--list", "jellyfin", "--host", "jellyfin.example.org")
        allowsync("cloudflare", "rule", *rule, "--yes")
        assert allowsync("apply") == ""
        status = json.loads(allowsync("status", "--output", "json"))
        held = fake.items("jellyfin")
        (made,) = fake.rules(zone)
        filters = inside.command("nft", "list", "ruleset")
        hold_to_the_description(fake)
    assert all(target["in_step"] for target in status["targets"])
    assert {one: str(text).rsplit(":", 1)[1] for one, text in held.items()} == IN_THE_LIST
    assert "not ip.src in $jellyfin" in str(made["expression"])
    # The origin takes connections from all that Cloudflare publishes, and from none of the friends.
    locked = "origin" in name
    assert ("173.245.48.0/20" in filters, "2606:4700::/32" in filters) == (locked, locked)
    assert "81.2.69" not in filters


def test_the_origin_is_open_to_nobody_but_cloudflare() -> None:
    config = load(EXAMPLES / "cloudflare-locked-origin.yaml", environ={"HOME": "/x"}, uid=65534)
    assert config.allowlists["origin"].hosts == ("edge",)
    assert config.hosts["edge"].sources == ("cloudflare",)
    assert "edge" not in config.allowlists["jellyfin"].hosts
