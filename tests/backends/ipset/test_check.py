"""What `check` finds around sets and rules, in real ipset and iptables."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.common.ports import Protocol
from allowsync_backends.ipset import TYPE
from allowsync_backends.ipset.options import Variant

from allowsync.model.target import Severity
from allowsync.model.types import Entry
from tests.support.gates import allow, port
from tests.support.ipsets import bare_sets, ipset_gate
from tests.support.met_packets import guard, seen, with_uplink
from tests.support.values import net

if TYPE_CHECKING:
    from tests.support.netns import Namespace

pytestmark = pytest.mark.root

FRIENDS = (Entry(net("81.2.69.1/32")),)
WEB = (port(8443, Protocol.TCP),)
HOME, HOME6 = "81.2.69.1", "2a02:8109:9a40::/64"


def load(inside: Namespace, *rules: str, table: str = "filter") -> None:
    """Rules for both families of iptables-nft."""
    script = "\n".join((f"*{table}", *rules, "COMMIT", ""))
    for program in ("iptables-nft-restore", "ip6tables-nft-restore"):
        inside.command(program, "-n", stdin=script)


def shut_out(inside: Namespace, *rules: str, policy: str = "DROP") -> bool:
    """Whether packets show that the user's own rules drop the guarded port."""
    with_uplink(inside)
    load(inside, f":INPUT {policy} [0:0]", ":mine - [0:0]", "-A INPUT -i lo -j ACCEPT",
         "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
         "-A INPUT -p icmp -j ACCEPT", "-A mine -p tcp --dport 8443 -j ACCEPT", *rules)  # fmt: skip
    gate = ipset_gate(ports=WEB, variant=Variant.NFT)
    allow(inside, gate, HOME)
    assert inside.run(gate.check) == ()
    findings = seen(inside, guard(8443), FRIENDS)
    assert all(one.what.startswith("host unknown (81.2.69.1) is locked") for one in findings)
    return bool(findings)


@pytest.mark.parametrize(
    "rule",
    [
        "-A INPUT -p tcp --dport 8443 -j ACCEPT",
        "-A INPUT -p tcp -m multiport --dports 22,8000:9000 -j ACCEPT",
        "-A INPUT -m conntrack --ctstate NEW -j ACCEPT",
        "-A INPUT -p tcp ! --dport 22 -j ACCEPT",
        "-A INPUT -j mine",
        "-A INPUT -g mine",
        "-A INPUT -j ACCEPT",
    ],
)
def test_a_rule_that_may_let_friends_in_draws_no_warning(inside: Namespace, rule: str) -> None:
    assert not shut_out(inside, rule)


@pytest.mark.parametrize(
    "rule",
    [
        "-A INPUT -p tcp --dport 443 -j ACCEPT",
        "-A INPUT -p udp --dport 8443 -j ACCEPT",
        "-A INPUT -p tcp --dport 8443 -m conntrack --ctstate ESTABLISHED -j ACCEPT",
        "-A INPUT -p tcp --dport 8443 -j MARK --set-mark 1",
        "-A INPUT -p udp -j mine",
    ],
)
def test_rules_that_shut_friends_out_draw_a_warning(inside: Namespace, rule: str) -> None:
    assert shut_out(inside, rule)


def test_a_policy_of_accept_draws_no_warning(inside: Namespace) -> None:
    assert not shut_out(inside, policy="ACCEPT")


def test_a_missing_gate_draws_warnings_with_advice(inside: Namespace) -> None:
    findings = inside.run(ipset_gate().check)
    assert findings[0].what == "set allowsync-x-4 does not exist"
    assert all("allowsync apply" in finding.advice for finding in findings)


def test_an_empty_gate_draws_a_warning(inside: Namespace) -> None:
    allow(inside, ipset_gate())
    (finding,) = inside.run(ipset_gate().check)
    assert "shut for everyone" in finding.what


def test_rules_of_ours_in_the_other_variant_draw_a_warning(inside: Namespace) -> None:
    allow(inside, ipset_gate(variant=Variant.LEGACY), HOME)
    allow(inside, ipset_gate(), HOME)
    findings = inside.run(ipset_gate().check)
    assert [finding.what.split(" too, ")[0] for finding in findings] == [
        f"{program} has a chain {chain}"
        for program in ("iptables-legacy", "ip6tables-legacy")
        for chain in ("allowsync-x", "allowsync_x")
    ]
    for finding in findings:
        for command in finding.advice.removeprefix("delete it: ").split("; "):
            inside.command(*command.split())
    assert inside.run(ipset_gate().check) == ()


def test_looking_for_legacy_rules_makes_no_legacy_tables(inside: Namespace) -> None:
    gate = ipset_gate(variant=Variant.NFT)
    allow(inside, gate, HOME)
    inside.run(gate.check)
    inside.run(gate.clear)
    assert inside.run(Path("/proc/thread-self/net/ip_tables_names").read_text) == ""


def test_sets_that_no_rule_uses_have_no_effect(inside: Namespace) -> None:
    allow(inside, bare_sets(), HOME)
    first, second = inside.run(bare_sets().check)
    assert (first.severity, second.severity) == (Severity.ERROR, Severity.WARNING)
    assert "no rule uses set allowsync-x-4" in first.what
    for finding in (first, second):
        inside.command(*finding.advice.partition("drop the rest: ")[2].split())
    assert inside.run(bare_sets().check) == ()


def test_a_family_that_is_not_forwarded_needs_no_rule_for_what_is(inside: Namespace) -> None:
    allow(inside, bare_sets(), HOME, HOME6)
    match = "-m set ! --match-set allowsync-x-4 src -j DROP"
    inside.command("sh", "-ec", f"iptables -N DOCKER-USER; iptables -A DOCKER-USER {match}")
    inside.sysctl("net/ipv4/ip_forward", "1")
    (finding,) = inside.run(bare_sets().check)
    assert finding.severity is Severity.INFO
    assert "no rule uses set allowsync-x-6: rules guard what is forwarded" in finding.what
    inside.sysctl("net/ipv6/conf/all/forwarding", "1")
    (finding,) = inside.run(bare_sets().check)
    assert (finding.severity, finding.what) == (
        Severity.ERROR,
        "no rule uses set allowsync-x-6: it has no effect",
    )
    inside.sysctl("net/ipv6/conf/all/forwarding", "0")
    inside.command("sh", "-ec", f"iptables -A INPUT {match}")
    (finding,) = inside.run(bare_sets().check)
    assert finding.severity is Severity.ERROR


DOCKER = (":DOCKER - [0:0]", "-A DOCKER -p tcp --dport 8096 -j DNAT --to-destination :80")


def test_sets_that_containers_ports_pass_by_draw_a_warning(inside: Namespace) -> None:
    allow(inside, bare_sets(), HOME, HOME6)
    load(inside, *DOCKER, table="nat")
    for program, name in (("iptables", "allowsync-x-4"), ("ip6tables", "allowsync-x-6")):
        match = f"-m set ! --match-set {name} src -j DROP"
        inside.command(program, "-N", "DOCKER-USER")
        inside.command(program, *f"-A INPUT {match}".split())
    findings = inside.run(bare_sets().check)
    assert len(findings) == 2
    assert "published by Docker never come by" in findings[0].what
    for finding in findings:
        inside.command(*finding.advice.partition("too: ")[2].split())
    assert inside.run(bare_sets().check) == ()


def test_rules_that_cannot_be_listed_are_said_to_be_so(
    inside: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("allowsync.system.process.PATH", "/nonexistent")
    (finding,) = inside.run(ipset_gate().check)
    missing = "ipset cannot be run; install the package ipset: apt install ipset (looked in /usr"
    assert finding.what.startswith(missing)


def test_root_can_use_ipset(as_root: None) -> None:
    assert TYPE.usable() == ""


@pytest.mark.parametrize("lost", ["net_admin", "net_raw"])
def test_without_the_privilege_it_is_said_what_is_missing(as_root: None, lost: str) -> None:
    code = "from allowsync_backends.ipset import TYPE; print(TYPE.usable())"
    deprived = ("setpriv", f"--inh-caps=-{lost}", f"--bounding-set=-{lost}")
    done = subprocess.run(
        (*deprived, sys.executable, "-c", code), capture_output=True, text=True, check=True
    )
    assert "only root" in done.stdout


def test_a_table_that_iptables_cannot_use_is_an_error(inside: Namespace) -> None:
    inside.nft(
        "table ip mangle { chain PREROUTING "
        "{ type filter hook prerouting priority raw; policy accept; }; }\n"
    )
    found = inside.run(ipset_gate(ports=WEB, variant=Variant.NFT).check)
    (error,) = [one for one in found if one.severity is Severity.ERROR]
    assert "the gate cannot be put up: iptables-nft has no place in table mangle" in error.what
    inside.nft("flush ruleset\n")
    found = inside.run(ipset_gate(ports=WEB, variant=Variant.NFT).check)
    assert [one for one in found if one.severity is Severity.ERROR] == []
