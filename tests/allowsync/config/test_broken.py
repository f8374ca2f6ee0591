"""Broken configurations: where the fault is, and what is said about it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.configuring import ALLOWLISTS, HOSTS, MINIMAL, problems

if TYPE_CHECKING:
    from pathlib import Path

# In every table: what is written, `line: path` of its only problem, and part of what is said.

HOST = "hosts:\n  bob:\n    hostname: bob.example.org\n"

IN_A_HOST = {
    "a number as text": (
        "ipv6_prefix: sixty-four",
        "4: hosts.bob.ipv6_prefix",
        "expected a number from 1 to 128, got 'sixty-four'",
    ),
    "a number in quotes": ('ipv6_prefix: "64"', "4: hosts.bob.ipv6_prefix", "got '64'"),
    "a number out of range": ("ipv6_prefix: 129", "4: hosts.bob.ipv6_prefix", "got 129"),
    "a number with digits by the thousand": (
        f"ipv6_prefix: {'9' * 5000}",
        "4: hosts.bob.ipv6_prefix",
        "got 9999",
    ),
    "a fraction": ("ipv4_prefix: 24.0", "4: hosts.bob.ipv4_prefix", "got 24.0"),
    "a list for a number": ("ipv4_prefix: [24]", "4: hosts.bob.ipv4_prefix", "got a list"),
    "nothing for a number": ("ipv4_prefix:", "4: hosts.bob.ipv4_prefix", "got nothing"),
    "IPv6 wide enough for strangers": (
        "ipv6_prefix: 32",
        "4: hosts.bob.ipv6_prefix",
        "16,777,216 networks of the size one customer gets, the rest are strangers'",
    ),
    "IPv4 wide enough for strangers": (
        "ipv4_prefix: 15",
        "4: hosts.bob.ipv4_prefix",
        "131,072 addresses, and all but one belong to strangers",
    ),
    "an unknown key": (
        "ipv6_prfix: 64",
        "4: hosts.bob.ipv6_prfix",
        "unknown key 'ipv6_prfix' (did you mean 'ipv6_prefix'?)",
    ),
    "a merge key": ("<<: {max_moves: 3}", "4: hosts.bob.<<", "YAML 1.2 has no merge keys"),
    "a repeated key": (
        "hostname: other.example.org",
        "4: hosts.bob",
        "'hostname' is a duplicate key (first in line 3)",
    ),
    "an unknown family": (
        "families: [ipv5]",
        "4: hosts.bob.families",
        "expected ipv4 or ipv6, got 'ipv5' (did you mean",
    ),
    "no family": ("families: []", "4: hosts.bob.families", "at least 1"),
    "a family twice": (
        "families: [ipv4, ipv4]",
        "4: hosts.bob.families",
        "'ipv4' is a duplicate",
    ),
    "a day that does not exist": ("until: 2027-02-30", "4: hosts.bob.until", "that exists"),
    "an hour that does not exist": (
        "until: 2027-02-03T24:30Z",
        "4: hosts.bob.until",
        "'2027-02-03T24:30Z' is not a date and time that exists",
    ),
    "a time without offset": ("until: 2027-01-31T18:00", "4: hosts.bob.until", "lacks its offset"),
    "a time in words": ("until: tomorrow", "4: hosts.bob.until", "expected a date such as"),
    "a duration without unit": (
        "keep_absent: 90",
        "4: hosts.bob.keep_absent",
        "expected a duration such as 90s, 15m, 6h or 3d, got 90",
    ),
    "an unknown unit": ("keep_absent: 3y", "4: hosts.bob.keep_absent", "got '3y'"),
    "a duration of ages": ("keep_absent: 9999w", "4: hosts.bob.keep_absent", "at most 3650d"),
    "a boolean of YAML 1.1": ("canary: no", "4: hosts.bob.canary", "true or false, got 'no'"),
    "a count of nothing": ("absent_runs: 0", "4: hosts.bob.absent_runs", "from 1 to"),
    "loopback accepted": ("accept: [127.0.0.0/30]", "4: hosts.bob.accept", "never accepted"),
    "everything accepted": ("accept: [0.0.0.0/0]", "4: hosts.bob.accept", "overlaps 0.0.0.0/8"),
    "host bits set": (
        "networks: [203.0.113.5/24]",
        "4: hosts.bob.networks",
        "did you mean 203.0.113.0/24 (all of it) or 203.0.113.5/32 (this address)?",
    ),
    "an unknown source of networks": (
        "networks: [cloudfare]",
        "4: hosts.bob.networks",
        "there is no source of networks 'cloudfare' (did you mean 'cloudflare'?)",
    ),
    "a source twice": (
        "networks: [cloudflare, cloudflare]",
        "4: hosts.bob.networks",
        "is a duplicate",
    ),
    "a netmask": ("networks: [203.0.113.0/255.255.255.0]", "4: hosts.bob.networks", "expected a"),
    "a network that is none": ("networks: [203.0.113.300]", "4: hosts.bob.networks", "expected a"),
    "an octal address": ("networks: [010.0.0.1]", "4: hosts.bob.networks", "got '010.0.0.1'"),
    "a network as wide as a provider": (
        "networks: [198.0.0.0/8]",
        "4: hosts.bob.networks",
        "198.0.0.0/8: /16 is the widest",
    ),
    "an IPv6 network as wide": ("networks: ['2a00::/24']", "4: hosts.bob.networks", "/48 is"),
    "loopback": ("networks: [127.0.0.1]", "4: hosts.bob.networks", "no packet can come"),
    "multicast": ("networks: ['ff02::/64']", "4: hosts.bob.networks", "no packet can come"),
    "a translation prefix": (
        "networks: ['64:ff9b::/96']",
        "4: hosts.bob.networks",
        "IPv4 addresses behind NAT64",
    ),
    "a part of a local one": (
        "networks: ['64:ff9b:1:7::/64']",
        "4: hosts.bob.networks",
        "/112 is the widest",
    ),
    "the unspecified address": ("networks: ['::']", "4: hosts.bob.networks", "no packet can come"),
    "a mapped network": ("networks: ['::ffff:192.0.2.0/120']", "4: hosts.bob.networks", "IPv4"),
    "one network without a list": ("networks: 192.0.2.1", "4: hosts.bob.networks", "a list"),
    "the second line of a list": (
        "networks:\n      - 192.0.2.1\n      - 192.0.2.2/8",
        "6: hosts.bob.networks",
        "192.0.0.0/8",
    ),
}


@pytest.mark.parametrize(("line", "where", "what"), IN_A_HOST.values(), ids=IN_A_HOST)
def test_in_a_host(tmp_path: Path, line: str, where: str, what: str) -> None:
    said = problems(tmp_path, f"{HOST}    {line}\n{ALLOWLISTS}")
    assert [one.partition(f"config.yaml:{where}: ")[0] for one in said] == [""]
    assert what in said[0]


AS_A_HOST = {
    "nothing": ("bob:", "2: hosts.bob", "expected a hostname, or a mapping with"),
    "a number": ("bob: 1.5", "2: hosts.bob", "got 1.5"),
    "a list": ("bob: [a.example.org]", "2: hosts.bob", "got a list"),
    "an address": (
        "bob: 192.0.2.1",
        "2: hosts.bob",
        "fixed addresses belong under `networks`, such as {networks: [192.0.2.1]}",
    ),
    "an address of IPv6": (
        "bob: '[2001:db8::1%eth0]'",
        "2: hosts.bob",
        'fixed addresses belong under `networks`, such as {networks: ["2001:db8::1"]}',
    ),
    "one word": ("bob: yes", "2: hosts.bob", "not a whole hostname"),
    "a newline": ('bob: "bob.example.org\\n"', "2: hosts.bob", r"'\n' cannot be in one"),
    "an escape sequence": ('bob: "\\e[31mbob.example.org"', "2: hosts.bob", r"'\x1b"),
    "neither name nor network": (
        "bob: {max_moves: 3}",
        "2: hosts.bob",
        "needs a hostname, networks or lists",
    ),
    "an empty list of names": ("bob: {hostname: []}", "2: hosts.bob.hostname", "got none"),
    "one name twice": (
        "bob: {hostname: [b.example.org, B.example.org.]}",
        "2: hosts.bob.hostname",
        "'B.example.org.' is a duplicate",
    ),
    "a name in capitals": ("Bob: b.example.org", "2: hosts.Bob", "as key, got 'Bob'"),
    "a name too long": (f"{'b' * 41}: b.example.org", f"2: hosts.{'b' * 41}", "1 to 40"),
    "a name with a line break": ('"b\\nc": b.example.org', r"2: hosts.b\nc", r"got 'b\nc'"),
    "no name": ("'': b.example.org", "2: hosts", "expected a name as key, got ''"),
    "a list as name": ("[a]: b.example.org", "2: hosts", "expected a name as key, got a list"),
}


@pytest.mark.parametrize(("line", "where", "what"), AS_A_HOST.values(), ids=AS_A_HOST)
def test_as_a_host(tmp_path: Path, line: str, where: str, what: str) -> None:
    said = problems(tmp_path, f"hosts:\n  {line}\n{ALLOWLISTS}")
    assert [one.partition(f"config.yaml:{where}: ")[0] for one in said] == [""]
    assert what in said[0]


def test_what_is_mistyped_is_not_said_to_be_missing_as_well(tmp_path: Path) -> None:
    said = problems(tmp_path, f"{HOSTS}allowlists: {{web: {{targets: [file: {{pth: /a}}]}}}}\n")
    assert [one.partition("file.pth: ")[2] for one in said] == [
        "unknown key 'pth' (did you mean 'path'?)"
    ]


@pytest.mark.parametrize("key", ["api_token", "token"])
def test_a_secret_is_not_written_here(tmp_path: Path, key: str) -> None:
    target = f"cloudflare: {{account_id: {'0' * 32}, list: web, {key}: hunter2}}"
    said = problems(tmp_path, f"{HOSTS}allowlists: {{web: {{targets: [{target}]}}}}\n")
    what = (
        f"unknown key {key!r}: no secret is written here; use one of api_token_file, api_token_env"
    )
    assert what in said[0]
    assert "hunter2" not in "".join(said)


IN_AN_ALLOWLIST = {
    "an unknown host": (
        "hosts: [carol]",
        "6: allowlists.web.hosts",
        "'carol' is not among hosts (did you mean 'carl'?)",
    ),
    "a host nobody could mean": (
        "hosts: [zzz]",
        "6: allowlists.web.hosts",
        "'zzz' is not among hosts; under hosts: ",
    ),
    "no host": ("hosts: []", "6: allowlists.web.hosts", "at least 1"),
    # Were this every host, commenting out the last name would let everybody in.
    "nothing for hosts": ("hosts:", "6: allowlists.web.hosts", "got nothing"),
    "a host twice": ("hosts: [carl, carl]", "6: allowlists.web.hosts", "'carl' is a duplicate"),
    "a list as host": ("hosts: [[carl]]", "6: allowlists.web.hosts", "got a list"),
    "hosts as text": ("hosts: carl", "6: allowlists.web.hosts", "expected a list"),
    "an unknown key": ("host: [carl]", "6: allowlists.web.host", "(did you mean 'hosts'?)"),
}


@pytest.mark.parametrize(("line", "where", "what"), IN_AN_ALLOWLIST.values(), ids=IN_AN_ALLOWLIST)
def test_in_an_allowlist(tmp_path: Path, line: str, where: str, what: str) -> None:
    text = f"{HOSTS}allowlists:\n  web:\n    {line}\n    targets: [nftables: {{ports: [1/tcp]}}]\n"
    said = problems(tmp_path, text)
    assert [one.partition(f"config.yaml:{where}: ")[0] for one in said] == [""]
    assert what in said[0]


ELSEWHERE = {
    "an unknown section": ("policies: {}", "9: policies", "(did you mean 'policy'?)"),
    "a section as text": ("policy: strict", "9: policy", "expected a mapping with keep_"),
    "a section twice": ("hosts: {}", "9", "'hosts' is a duplicate key (first in line 1)"),
    "a share above one": ("limits: {max_remove_hosts: 50}", "9: limits.max_remove_hosts", "0 to 1"),
    "a share that is no number": (
        "limits: {max_remove_hosts: .nan}",
        "9: limits.max_remove_hosts",
        "expected a number from 0 to 1, got .nan",
    ),
    "a nameserver by name": (
        "resolver: {nameservers: [dns.example.net]}",
        "9: resolver.nameservers",
        "would have to be resolved first",
    ),
    "more agreement than nameservers": (
        "resolver: {nameservers: [192.0.2.53, 192.0.2.54], agreement: 3}",
        "9: resolver.agreement",
        "3 cannot agree: 2 nameservers are given",
    ),
    "no time at all": ("resolver: {timeout: 0s}", "9: resolver.timeout", "longer than 0s"),
    "metrics for nobody": ("metrics: /tmp/metrics.txt", "9: metrics", "ending in .prom"),
    "a history of nothing": ("history: 0s", "9: history", "longer than 0s"),
    "a page that is none": ("report: /srv/status.txt", "9: report", "ending in .html"),
    "a home of one's own": ("state: ~/state.db", "9: state", "`~` is not expanded here"),
    "a folder": ("state: /var/lib/", "9: state", "expected the path of a file"),
    "a URL without a host": ("heartbeat: https://", "9: heartbeat", "expected a URL"),
    "a heartbeat by file": ("heartbeat: file:///etc/passwd", "9: heartbeat", "expected a URL"),
    "how an unknown source is asked": (
        "sources: {cloudfare: {}}",
        "9: sources.cloudfare",
        "there is no source of networks 'cloudfare'",
    ),
    "a source in the clear": (
        "sources: {cloudflare: {url: 'http://example.org'}}",
        "9: sources.cloudflare.url",
        "https",
    ),
    "one URL without a list": ("notify: ntfy://x/y", "9: notify", "expected a list"),
}


@pytest.mark.parametrize(("line", "where", "what"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_elsewhere(tmp_path: Path, line: str, where: str, what: str) -> None:
    said = problems(tmp_path, f"{MINIMAL}\n{line}\n")
    assert said[0].startswith(f"config.yaml:{where}: ")
    assert what in said[0]


ENCRYPTED = "resolver:\n  nameservers: [https://dns.example.net/dns-query, tls://192.0.2.53]\n"


def test_dns_over_https_without_what_it_needs_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert problems(tmp_path, MINIMAL + ENCRYPTED) == []
    monkeypatch.setitem(sys.modules, "httpcore", None)
    (said,) = problems(tmp_path, MINIMAL + ENCRYPTED)
    assert said == (
        "config.yaml:9: resolver.nameservers: https://dns.example.net/dns-query: "
        "DNS over HTTPS needs the package httpcore; docs/install.md says how to add it"
    )


WHOLE_FILES = {
    "empty": ("", "config.yaml", "the file is empty"),
    "only a comment": ("# hosts:\n", "config.yaml", "the file is empty"),
    "text": ("hello", "config.yaml:1", "expected a mapping with hosts, allowlists"),
    "a list": ("- hosts", "config.yaml:1", "got a list"),
    "no allowlists": (HOSTS, "config.yaml:1", "'allowlists' is missing"),
    "hosts under another name": (
        HOSTS.replace("hosts:", "host:", 1) + ALLOWLISTS,
        "config.yaml:1: host",
        "unknown key 'host' (did you mean 'hosts'?)",
    ),
    "no hosts at all": ("hosts: {}\n" + ALLOWLISTS, "config.yaml:1: hosts", "at least one host"),
    "no allowlist at all": (HOSTS + "allowlists: {}", "config.yaml:4: allowlists", "at least one"),
    "an allowlist without targets": (
        HOSTS + "allowlists:\n  web:\n    hosts: [carl]\n",
        "config.yaml:5: allowlists.web",
        "'targets' is missing",
    ),
    "an allowlist's name too long": (
        MINIMAL.replace("web:", "w" * 19 + ":"),
        f"config.yaml:5: allowlists.{'w' * 19}",
        "1 to 18",
    ),
    "two documents": (MINIMAL + "---\n", "config.yaml:8", "a second document begins here"),
}


@pytest.mark.parametrize(("text", "where", "what"), WHOLE_FILES.values(), ids=WHOLE_FILES)
def test_as_a_whole(tmp_path: Path, text: str, where: str, what: str) -> None:
    said = problems(tmp_path, text)
    assert [one.partition(f"{where}: ")[0] for one in said] == [""]
    assert what in said[0]


def test_every_problem_is_said_in_one_go_and_in_order(tmp_path: Path) -> None:
    text = """\
    hosts:
      alice: 192.0.2.1
      bob:
        hostname: [bob..example.org, ok.example.org]
        ipv6_prefix: sixty-four
        max_adresses: 3
        until: soon
      Carl: carl.example.org
    allowlists:
      web:
        hosts: [alice, carol]
        targets:
          - nftables: {ports: [443/sctp], interfaces: []}
          - nftable
      1web: {}
    resolver: {timeout: 3}
    policy: {canary: on}
    limit: {}
    """
    places = [one.split(": ")[0] + " " + one.split(": ")[1] for one in problems(tmp_path, text)]
    assert places == [
        "config.yaml:2 hosts.alice",
        "config.yaml:4 hosts.bob.hostname",
        "config.yaml:5 hosts.bob.ipv6_prefix",
        "config.yaml:6 hosts.bob.max_adresses",
        "config.yaml:7 hosts.bob.until",
        "config.yaml:8 hosts.Carl",
        "config.yaml:11 allowlists.web.hosts",
        "config.yaml:13 allowlists.web.targets.nftables.interfaces",
        "config.yaml:13 allowlists.web.targets.nftables.ports",
        "config.yaml:14 allowlists.web.targets",
        "config.yaml:15 allowlists.1web",
        "config.yaml:15 allowlists.1web",
        "config.yaml:16 resolver.timeout",
        "config.yaml:17 policy.canary",
        "config.yaml:18 limit",
    ]


def test_a_faulty_host_is_still_among_hosts(tmp_path: Path) -> None:
    text = MINIMAL.replace("alice.example.org", "192.0.2.1")
    assert len(problems(tmp_path, text.replace("web:", "web:\n    hosts: [alice]"))) == 1


def test_both_widths_of_one_host_are_judged(tmp_path: Path) -> None:
    said = problems(
        tmp_path, f"{HOST}    ipv4_prefix: 8\n    ipv6_prefix: 8\n    x: 1\n{ALLOWLISTS}"
    )
    assert [one.split(": ")[1] for one in said] == [
        "hosts.bob.ipv4_prefix",
        "hosts.bob.ipv6_prefix",
        "hosts.bob.x",
    ]


def test_hints_for_ten_thousand_unknown_hosts_end_early(tmp_path: Path) -> None:
    known = "".join(f"  host{n}: h{n}.example.org\n" for n in range(1000))
    asked = ", ".join(f"hots{n}" for n in range(1000))
    lists = ALLOWLISTS.replace("web:", f"web:\n    hosts: [{asked}]")
    said = problems(tmp_path, f"hosts:\n{known}{lists}")
    assert len(said) == 1000
    assert sum("did you mean" in one for one in said) == 20


def test_a_long_value_is_cut_and_controls_are_escaped(tmp_path: Path) -> None:
    text = MINIMAL.replace("alice.example.org", '"\\e[2J\\x07' + "x" * 5000 + '"')
    (said,) = problems(tmp_path, text)
    assert said.isprintable()
    assert len(said) < 300


def test_a_secret_url_is_never_shown(tmp_path: Path) -> None:
    said = problems(tmp_path, MINIMAL + "notify: [hunter2,\n 5]\nheartbeat: {a: hunter2}\n")
    assert len(said) == 3
    assert not any("hunter2" in one for one in said)
