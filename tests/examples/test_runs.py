"""Every example of a packet filter is carried out: names resolved, sets filled, all in sync."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from allowsync.config import load
from testkit.fake_dns.nameserver import NameServer
from tests.support.documents import ROOT
from tests.support.netns import Namespace
from tests.support.program import allowsync_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from allowsync.config.settings import Config

NOBODY = 65534


def loaded(path: Path) -> Config:
    return load(path, environ={"HOME": "/home/somebody"}, uid=NOBODY)


def packet_filters() -> Iterator[Path]:
    """The examples of gates and sets that ask no name server of their own and tell nobody."""
    for path in sorted((ROOT / "examples").glob("*.yaml")):
        config = loaded(path)
        kinds = {target.backend.name for target in config.targets}
        if kinds <= {"nftables", "ipset"} and not config.resolver.nameservers and not config.notify:
            yield path


EXAMPLES = tuple(packet_filters())
# The rules that use an example's sets, and what those need: without them the sets have no effect.
RULES = {
    "ipset-docker": (
        ("iptables", "-N", "DOCKER-USER"),
        ("ip6tables", "-N", "DOCKER-USER"),
        ("iptables", "-A", "FORWARD", "-j", "DOCKER-USER"),
        ("ip6tables", "-A", "FORWARD", "-j", "DOCKER-USER"),
        ("sh", str(ROOT / "examples/ipset-docker.sh")),
    ),
    "ipset-ufw": (("sh", str(ROOT / "examples/ipset-ufw.before.init"), "start"),),
}


def zones(config: Config) -> dict[str, object]:
    """Every name of a configuration, each at a home of its own."""
    names = [name for host in config.hosts.values() for name in host.hostnames]
    return {
        name: [f"81.2.69.{number}", f"2a02:8010:{number}::25"]
        for number, name in enumerate(names, start=1)
    }


@pytest.mark.root
@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_in_step_after_one_run(example: Path, tmp_path: Path) -> None:
    config = loaded(example)
    ruleset = example.with_suffix(".nft")
    with Namespace() as inside, inside.run(lambda: NameServer(zones(config))) as server:
        if ruleset.exists():
            inside.nft(ruleset.read_text())
        for command in RULES.get(example.stem, ()):
            inside.command(*command)
        own = tmp_path / example.name
        own.write_text(f"{example.read_text()}\nresolver: {{nameservers: ['{server}']}}\n")
        own.chmod(0o600)
        given = ("--config", str(own), "--state", str(tmp_path / "state.db"))

        def allowsync(*words: str) -> str:
            return allowsync_in(inside, *words, *given)

        put_in = allowsync("apply")
        assert all(target.name in put_in for target in config.targets)
        assert allowsync("apply") == ""
        status = json.loads(allowsync("status", "--output", "json"))
    assert [one["in_step"] for one in status["targets"]] == [True] * len(config.targets)
    held = {one["network"] for target in status["targets"] for one in target["entries"]}
    fixed = {str(one) for host in config.hosts.values() for one in host.networks}
    assert held > fixed
    assert any(one.startswith("81.2.69.1/") for one in held)


def test_there_are_examples_to_carry_out() -> None:
    assert {"jellyfin-nginx", "jellyfin-docker", "jellyfin-vps", "office", "router"} <= {
        one.stem for one in EXAMPLES
    }
