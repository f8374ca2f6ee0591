"""Whatever somebody may answer gives a configuration that loads and means just that."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from allowsync.config import ConfigError, load
from allowsync.model.nameserver import Nameserver
from allowsync.setup.answers import (
    HostAnswer,
    InvalidAnswer,
    SetupAnswers,
    backend,
    friend,
    guarding,
    ports,
)
from allowsync.setup.install import NotWritten, write
from allowsync.setup.render import render
from tests.support.sampling import share

LABEL = r"[a-z0-9][a-z0-9_.-]{0,39}"
PART = r"[a-z0-9_]([a-z0-9_-]{0,8}[a-z0-9_])?"
HOSTNAME = rf"({PART}\.){{1,3}}[a-z_]([a-z0-9_-]{{0,8}}[a-z0-9_])?"


def names(pattern: str) -> some.SearchStrategy[str]:
    return some.from_regex(pattern, fullmatch=True).filter(str.isascii)


GLOBAL4 = some.builds(
    lambda number, prefix: IPv4Network((number, prefix), strict=False),
    some.integers(0x50000000, 0x5FFFFFFF),
    some.integers(16, 32),
)
GLOBAL6 = some.builds(
    lambda number, prefix: IPv6Network((number << 64, prefix), strict=False),
    some.integers(0x2A01000000000000, 0x2A01FFFFFFFFFFFF),
    some.integers(48, 64),
)
PORT = some.builds(
    lambda first, more, protocol: f"{first}{f'-{first + more}' if more else ''}/{protocol}",
    some.integers(1, 65000),
    some.integers(0, 500),
    some.sampled_from(["tcp", "udp"]),
)
FRIEND = some.builds(
    HostAnswer,
    names(LABEL) | some.sampled_from(["no", "null", "true", "1", "1.5", "0x1f", "y"]),
    some.lists(names(HOSTNAME), max_size=3, unique=True).map(tuple),
    some.lists(GLOBAL4 | GLOBAL6, max_size=3, unique=True).map(tuple),
).filter(lambda one: bool(one.hostnames or one.networks))


@settings(max_examples=share(150, 30), deadline=None)
@given(
    friends=some.lists(FRIEND, min_size=1, max_size=6, unique_by=lambda one: one.name),
    wanted=some.lists(PORT, min_size=1, max_size=4, unique=True),
    allowlist=names(r"[a-z][a-z0-9_]{0,17}"),
    backend=some.sampled_from(["nftables", "ipset", "ufw"]),
    servers=some.lists(
        some.sampled_from(
            [Nameserver("192.0.2.53"), Nameserver("127.0.0.1", 5353), Nameserver("2001:db8::53")]
        ),
        unique=True,
    ),
)
def test_any_wishes_load_as_what_was_wished(
    friends: list[HostAnswer],
    wanted: list[str],
    allowlist: str,
    backend: str,
    servers: list[Nameserver],
) -> None:
    with TemporaryDirectory() as folder:
        state = Path(folder, "a state: #1.db")
        wishes = SetupAnswers(
            tuple(friends), tuple(wanted), backend, allowlist, tuple(servers), state
        )
        path = Path(folder, "config.yaml")
        path.write_text(render(wishes))
        path.chmod(0o600)
        config = load(path, environ={}, uid=1000)
    found = {(one.name, one.hostnames, one.networks) for one in config.hosts.values()}
    assert found == {(one.name, one.hostnames, one.networks) for one in friends}
    (target,) = config.targets
    assert (target.allowlist, target.backend.name) == (allowlist, backend)
    assert [str(one) for one in target.options.ports] == wanted
    assert set(config.allowlists[allowlist].hosts) == {one.name for one in friends}
    assert config.resolver.nameservers == tuple(servers)
    assert config.state == state


def test_what_is_written_reads_well() -> None:
    wishes = SetupAnswers(
        (friend("alice alice.duckdns.org"), friend("office 81.2.69.0/24 2a01:4f8::/48")),
        ("8096/tcp",),
        "nftables",
        "jellyfin",
    )
    lines = [line for line in render(wishes).splitlines() if line and not line.startswith("#")]
    assert lines == [
        "hosts:",
        "  alice: alice.duckdns.org",
        "  office:",
        '    networks: [81.2.69.0/24, "2a01:4f8::/48"]',
        "allowlists:",
        "  jellyfin:",
        "    targets:",
        "      - nftables:",
        "          ports: [8096/tcp]",
    ]
    assert max(map(len, render(wishes).splitlines())) <= 80


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("alice", "expected a name and a hostname"),
        ("", "expected a name and a hostname"),
        ("Alice! a.example.org", "a name of 1 to 40"),
        ("alice localhost", "not a whole hostname"),
        ("alice http://a.example.org", "a URL"),
        ("alice 81.2.69.1/24", "did you mean"),
        ("alice 0.0.0.0/0", "0.0.0.0/0"),
        ("alice a..example.org", "between two dots"),
    ],
)
def test_a_friend_who_cannot_be_is_refused_with_the_reason(typed: str, why: str) -> None:
    with pytest.raises(InvalidAnswer) as caught:
        friend(typed)
    assert why in str(caught.value)


def test_a_friend_may_have_several_names_and_networks() -> None:
    one = friend("parents=Parents.Example.Org parents.noip.example 81.2.69.7")
    assert one.hostnames == ("parents.example.org", "parents.noip.example")
    assert one.networks == (ip_network("81.2.69.7"),)
    again = SetupAnswers((one,)).befriend(friend("parents parents.example.org 81.2.69.8"))
    (same,) = again.friends
    assert same.hostnames == one.hostnames
    assert same.networks == (ip_network("81.2.69.7"), ip_network("81.2.69.8"))


@pytest.mark.parametrize("typed", ["", "http", "0/tcp", "70000/tcp", "9-8/udp", "8096/tcp x"])
def test_a_port_that_cannot_be_is_refused(typed: str) -> None:
    with pytest.raises(InvalidAnswer):
        ports(typed, guarding()[0])


def test_nothing_is_written_over_and_nothing_is_left_of_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.yaml"
    good = render(SetupAnswers((friend("a a.example.org"),), ("80/tcp",), "nftables", "web"))
    write(path, good, force=False)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(NotWritten, match="exists already"):
        write(path, "hosts: {}\n", force=False)
    with pytest.raises(ConfigError):
        write(path, "hosts: {}\n", force=True)
    assert path.read_text() == good
    fresh = tmp_path / "fresh" / "config.yaml"
    with pytest.raises(ConfigError, match=rf"^{fresh}"):
        write(fresh, "hosts: {}\n", force=False)
    assert not fresh.parent.exists()
    assert [one.name for one in path.parent.iterdir()] == ["config.yaml"]


def test_only_what_needs_no_more_than_ports_is_offered_as_a_firewall() -> None:
    assert [one.name for one in guarding()] == ["firewalld", "ipset", "nftables", "ufw"]
    with pytest.raises(InvalidAnswer, match="by hand"):
        backend("kubernetes")


def test_a_port_without_a_protocol_is_one_of_tcp() -> None:
    assert ports("8096, 443/udp 8096/tcp", guarding()[0]) == ("8096/tcp", "443/udp")
