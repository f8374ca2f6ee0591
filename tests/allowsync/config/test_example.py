"""The configuration that the documentation shows, and what is understood by it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

from allowsync.config import load
from allowsync.model.nameserver import Nameserver, ResolverSettings
from allowsync.model.types import BOTH_FAMILIES, Family, Host, Limits, Policy
from tests.support.configuring import HOME, HOSTS, MINIMAL, SOMEBODY, loaded, written

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLE = """\
hosts:
  alice: alice.duckdns.org
  bob:
    hostname: bob.ddns.example.net
    families: [ipv4]
  parents:
    hostname: [parents.example.org, parents.noip.example]
    ipv4_prefix: 32
    ipv6_prefix: 56
    until: 2027-01-31
    max_addresses: 5
  office:
    networks: [203.0.113.0/24, "2001:db8:5::/48"]

allowlists:
  jellyfin:
    hosts: [alice, bob, parents, office]
    targets:
      - nftables: {ports: [443/tcp, 443/udp, 8096/tcp]}
  ssh:
    hosts: [alice]
    targets:
      - file: {path: ssh.txt}

resolver:
  nameservers: ["192.0.2.53", "192.0.2.53:5353", "[2001:db8::53]:5353"]
  agreement: 1
  dnssec: ignore
  timeout: 3s
  attempts: 3
  deadline: 20s

policy:
  keep_unavailable: 3d
  keep_absent: 1h
  absent_runs: 6
  keep_replaced: 15m
  replaced_runs: 3
  latch_absent: 7d
  max_addresses: 4
  max_sharing: 1
  max_moves: 12
  canary: true
  accept: [192.168.178.0/24, 100.64.0.0/10]
limits:
  max_remove_hosts: 0.25
  always_allow_hosts: 1
  allow_empty: false

state: /var/lib/allowsync/state.db
notify: ["ntfy://ntfy.example.net/friends"]
heartbeat: https://hc.example.net/ping/0123
metrics: /var/lib/node_exporter/allowsync.prom
"""


def test_hosts_in_short_and_long_form(tmp_path: Path, local_zone: Callable[[str], None]) -> None:
    local_zone("UTC")
    config = loaded(tmp_path, EXAMPLE)
    policy = config.policy
    assert list(config.hosts.values()) == [
        Host("alice", ("alice.duckdns.org",), policy=policy),
        Host("bob", ("bob.ddns.example.net",), families=(Family.IPV4,), policy=policy),
        Host(
            "parents",
            ("parents.example.org", "parents.noip.example"),
            ipv6_prefix=56,
            until=datetime(2027, 2, 1, tzinfo=UTC),
            policy=Policy(accept=policy.accept, max_addresses=5),
        ),
        Host(
            "office",
            networks=(ip_network("203.0.113.0/24"), ip_network("2001:db8:5::/48")),
            policy=policy,
        ),
    ]


def test_allowlists_and_their_targets(tmp_path: Path) -> None:
    config = loaded(tmp_path, EXAMPLE)
    assert {one.name: one.hosts for one in config.allowlists.values()} == {
        "jellyfin": ("alice", "bob", "parents", "office"),
        "ssh": ("alice",),
    }
    assert [(target.name, target.written) for target in config.targets] == [
        ("jellyfin/nftables", {"ports": ["443/tcp", "443/udp", "8096/tcp"]}),
        ("ssh/file", {"path": str(tmp_path / "ssh.txt")}),
    ]


def test_everything_else(tmp_path: Path) -> None:
    config = loaded(tmp_path, EXAMPLE)
    assert config.resolver == ResolverSettings(
        nameservers=(
            Nameserver("192.0.2.53"),
            Nameserver("192.0.2.53", 5353),
            Nameserver("2001:db8::53", 5353),
        )
    )
    accept = (ip_network("192.168.178.0/24"), ip_network("100.64.0.0/10"))
    assert config.policy == Policy(accept=accept)
    assert config.limits == Limits(max_remove_hosts=0.25)
    assert config.state == Path("/var/lib/allowsync/state.db")
    assert [channel.secret.value for channel in config.notify] == [
        "ntfy://ntfy.example.net/friends"
    ]
    assert config.heartbeat is not None
    assert config.heartbeat.secret.value == "https://hc.example.net/ping/0123"
    assert config.metrics == Path("/var/lib/node_exporter/allowsync.prom")


def test_the_shortest_configuration_has_every_default(tmp_path: Path) -> None:
    config = loaded(tmp_path)
    assert (config.policy, config.limits, config.resolver) == (
        Policy(),
        Limits(),
        ResolverSettings(),
    )
    assert config.allowlists["web"].hosts == ("alice", "carl")
    assert config.hosts["alice"].families == BOTH_FAMILIES
    assert config.state == Path("/home/somebody/.local/state/allowsync/state.db")
    assert (config.notify, config.heartbeat, config.metrics) == ((), None, None)
    assert (config.history, config.report) == (timedelta(days=400), None)


def test_sections_with_nothing_in_them_have_every_default(tmp_path: Path) -> None:
    config = loaded(tmp_path, MINIMAL + "policy:\nlimits:\nresolver:\n  # nameservers: []\n")
    assert config.policy == Policy()


def test_any_policy_key_may_stand_at_a_host(tmp_path: Path) -> None:
    text = """\
    hosts:
      alice:
        hostname: alice.example.org
        keep_unavailable: 500ms
        keep_absent: 0s
        absent_runs: 1
        keep_replaced: 90s
        replaced_runs: 2
        latch_absent: 2w
        max_addresses: 9
        max_sharing: 2
        max_moves: 3
        canary: false
        accept: [10.0.0.0/8]
    allowlists: {web: {targets: [nftables: {ports: [1/tcp]}]}}
    """
    assert loaded(tmp_path, text).hosts["alice"].policy == Policy(
        keep_unavailable=timedelta(milliseconds=500),
        keep_absent=timedelta(0),
        absent_runs=1,
        keep_replaced=timedelta(seconds=90),
        replaced_runs=2,
        latch_absent=timedelta(weeks=2),
        max_addresses=9,
        max_sharing=2,
        max_moves=3,
        canary=False,
        accept=(ip_network("10.0.0.0/8"),),
    )


def test_a_host_keeps_what_the_policy_says_elsewhere(tmp_path: Path) -> None:
    text = MINIMAL.replace(
        "alice: alice.example.org", "alice: {hostname: a.example.org, max_moves: 3}"
    )
    config = loaded(tmp_path, text + "policy: {max_addresses: 7}\n")
    assert config.hosts["alice"].policy == Policy(max_addresses=7, max_moves=3)


def test_hosts_with_equal_policies_share_one(tmp_path: Path) -> None:
    many = "".join(f"  h{n}: {{hostname: h{n}.example.org, max_moves: 3}}\n" for n in range(9))
    hosts = loaded(tmp_path, MINIMAL.replace(HOSTS, HOSTS + many)).hosts
    assert len({id(host.policy) for host in hosts.values()}) == 2


def test_a_name_may_be_what_yaml_takes_for_something_else(tmp_path: Path) -> None:
    text = """\
    hosts: {no: no.example.org, 1: one.example.org, null: n.example.org, 1.5: x.example.org,
            2027-01-31: date.example.org, true: t.example.org}
    allowlists:
      on: {hosts: [no, 1, null, 1.5, 2027-01-31, true], targets: [nftables: {ports: [1/tcp]}]}
    """
    config = loaded(tmp_path, text)
    assert config.allowlists["on"].hosts == ("no", "1", "null", "1.5", "2027-01-31", "true")


def test_an_alias_stands_for_what_its_anchor_marks(tmp_path: Path) -> None:
    text = """\
    hosts:
      alice: {hostname: a.example.org, accept: &lan [192.168.0.0/16]}
      bob: {hostname: b.example.org, accept: *lan}
    allowlists: {web: {targets: [nftables: {ports: [1/tcp]}]}}
    """
    hosts = loaded(tmp_path, text).hosts
    assert hosts["alice"].policy.accept == hosts["bob"].policy.accept


def test_access_that_has_ended_is_no_error(tmp_path: Path) -> None:
    text = MINIMAL.replace("networks:", "until: 2001-01-01T00:00Z, networks:")
    assert loaded(tmp_path, text).hosts["carl"].until == datetime(2001, 1, 1, tzinfo=UTC)


def test_the_command_line_wins_over_the_state_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, MINIMAL + "state: in-the-file.db\n")
    here = load(path, environ=HOME, uid=SOMEBODY)
    there = load(path, environ=HOME, uid=SOMEBODY, state=Path("/elsewhere.db"))
    assert (here.state, there.state) == (tmp_path / "in-the-file.db", Path("/elsewhere.db"))
