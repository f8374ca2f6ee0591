"""What rules of the administrator's own make of bare sets, at ports of this machine and beyond."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest

from allowsync.config import load
from allowsync.inspect.bare_sets import guarded_by_rules
from allowsync.inspect.status import TargetStatus
from allowsync.model.target import Severity
from allowsync.model.types import Entry
from allowsync.packetpath.set_rules import SetPort, ports_of_sets
from tests.support.gates import allow
from tests.support.ipsets import bare_sets
from tests.support.met_packets import seen_of, with_uplink
from tests.support.netns import Namespace
from tests.support.program import allowsync
from tests.support.published import publish, with_container
from tests.support.values import net

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from allowsync.config.settings import Config
    from allowsync.model.target import Finding

pytestmark = pytest.mark.root

PUBLISHED, INNER = 9000, 8096
FRIEND, FRIEND6 = "81.2.69.142/32", "2a02:8109:9a40::/64"
FRIENDS: Final = (Entry(net(FRIEND), ("alice",)), Entry(net(FRIEND6), ("bob",)))
OWN: Final = """table inet own {
 set friends4 { type ipv4_addr; flags interval; elements = { 81.2.69.142 }; }
 set friends6 { type ipv6_addr; flags interval; elements = { 2a02:8109:9a40::/64 }; }
 chain guard { %s
  drop
 }
 chain forward { type filter hook forward priority -1; iifname "docker0" accept
  %s
  jump guard
 }
}"""
BY_PORT: Final = """tcp dport { 22, 8096 } ip saddr @friends4 accept
 tcp dport { 22, 8096 } ip6 saddr @friends6 accept"""
BY_ORIGINAL: Final = """meta l4proto tcp ct original proto-dst 9000 ip saddr @friends4 accept
 meta l4proto tcp ct original proto-dst 9000 ip6 saddr @friends6 accept"""
WHOLE: Final = """ip saddr @friends4 accept
 ip6 saddr @friends6 accept"""
REDIRECTED: Final = """table inet nat { chain p { type nat hook prerouting priority dstnat;
  tcp dport 9000 dnat ip to 172.17.0.2:8096
  tcp dport 9000 dnat ip6 to [fd00:d::2]:8096
}
}"""
# Rules by iptables for the two sets, and the port at which they are seen to be.
DOCKER_USER: Final = {
    "-p tcp --dport 8096": 8096,
    "-p tcp -m multiport --dports 80,8096": 8096,
    "-p tcp -m conntrack --ctorigdstport 9000 --ctdir ORIGINAL": 9000,
    "-i eth0": 8096,
}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """An allowlist with sets of nftables, and one with sets of ipset."""
    names = {"table": "inet own", "ipv4": "friends4", "ipv6": "friends6"}
    hosts = {entry.hosts[0]: {"networks": [str(entry.network)]} for entry in FRIENDS}
    allowlists = {"nft": {"nftables": {"set": names}}, "x": "ipset"}
    path = tmp_path / "config.yaml"
    document = {
        "hosts": hosts,
        "allowlists": {name: {"targets": [one]} for name, one in allowlists.items()},
        "state": str(tmp_path / "state.db"),
    }
    path.write_text(json.dumps(document))
    path.chmod(0o600)
    return load(path, environ={}, uid=0)


@pytest.fixture
def inside(as_root: None) -> Iterator[Namespace]:
    """A namespace with an uplink, and a container with a published port."""
    with Namespace() as namespace:
        with_uplink(namespace)
        with_container(namespace)
        publish(namespace, PUBLISHED, INNER)
        yield namespace


def found(inside: Namespace, config: Config, target: str) -> list[Finding]:
    """What packets show of a target that holds the friends."""
    held = (TargetStatus(target, in_step=True, entries=FRIENDS),)
    targets = inside.run(guarded_by_rules, config, held)
    assert {one.name for one in targets} == {target}
    return [one for one in seen_of(inside, targets) if one.severity is not Severity.INFO]


@pytest.mark.parametrize("rules", [BY_PORT, BY_ORIGINAL, WHOLE], ids=["port", "original", "whole"])
def test_sets_of_nftables_for_what_is_forwarded(
    inside: Namespace, config: Config, rules: str
) -> None:
    inside.nft(OWN % (rules, ""))
    assert found(inside, config, "nft/nftables") == []
    inside.nft("delete table inet own")
    inside.nft(OWN % (rules, "ip saddr 0.0.0.0/0 accept"))
    opened = found(inside, config, "nft/nftables")
    assert all(" is open to everyone over IPv4 by eth0" in one.what for one in opened)
    assert {one.severity for one in opened} == {Severity.WARNING}
    inside.nft("delete table inet own")
    inside.nft(OWN % (rules, "ip6 saddr 2a02:8109::/32 drop"))
    locked = found(inside, config, "nft/nftables")
    who = "bob (2a02:8109:9a40::/64) is locked out of "
    assert all(one.what.startswith(who) for one in locked)
    assert {one.severity for one in locked} == {Severity.ERROR}


@pytest.mark.parametrize("variant", ["nft", "legacy"])
def test_sets_of_ipset_in_the_chain_for_docker(
    inside: Namespace, config: Config, variant: str
) -> None:
    if variant == "legacy":
        inside.nft("flush ruleset")
        for tool in ("iptables", "ip6tables"):
            inside.command(
                "sh",
                "-ec",
                f"{tool}-legacy -N DOCKER-USER; {tool}-legacy -I FORWARD -j DOCKER-USER",
            )
        inside.nft(REDIRECTED)
    allow(inside, bare_sets(), FRIEND, FRIEND6)
    for match, number in DOCKER_USER.items():
        for tool, name in ((f"iptables-{variant}", "x-4"), (f"ip6tables-{variant}", "x-6")):
            rule = f"{match} -m set ! --match-set allowsync-{name} src -j DROP"
            inside.command("sh", "-ec", f"{tool} -F DOCKER-USER; {tool} -A DOCKER-USER {rule}")
        ports = inside.run(ports_of_sets, {("allowsync-x-4",)})
        assert SetPort("tcp", number, forwarded=True) in ports["allowsync-x-4",], match
        assert found(inside, config, "x/ipset") == [], match
        inside.command("sh", "-ec", f"iptables-{variant} -I DOCKER-USER -j ACCEPT")
        opened = found(inside, config, "x/ipset")
        assert {one.severity for one in opened} == {Severity.WARNING}, match
        assert all(" is open to everyone over IPv4 by eth0" in one.what for one in opened), match


def test_sets_for_ports_of_this_machine(inside: Namespace, config: Config) -> None:
    inside.nft(
        OWN % (BY_PORT, "")
        + """
        table inet own { chain input { type filter hook input priority 0;
         tcp dport { 22, 8443 } ip saddr @friends4 accept
         tcp dport 22 ip6 saddr @friends6 accept
         tcp dport 22 drop
        }
        }"""
    )
    opened = found(inside, config, "nft/nftables")
    assert [one.what.partition(" by ")[0] for one in opened] == [
        "8443/tcp is open to everyone over IPv4 and IPv6"
    ]


def test_a_published_port_is_explained_by_the_target_of_the_end(
    inside: Namespace, config: Config
) -> None:
    inside.nft(OWN % (BY_PORT, ""))
    explained = {}
    for asked in ("alice", "91.64.10.7"):
        words = ("explain", asked, "--port", "9000", "--json", "--config", config.path)
        explained[asked] = inside.run(allowsync, *words).document
    for document in explained.values():
        assert {one["target"] for one in document["packets"]} == {"nft/nftables"}
        assert {one["port"] for one in document["packets"]} == {"9000/tcp"}
        assert not any("guarded by no target" in one for one in document["reasons"])
    assert [one["allowed"] for one in explained.values()] == ["yes", "no"]
