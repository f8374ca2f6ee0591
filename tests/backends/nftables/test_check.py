"""What `check` finds around a gate, in real nftables."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.common.ports import Protocol
from allowsync_backends.nftables import TYPE

from allowsync.model.target import Severity
from allowsync.model.types import Entry
from allowsync.system.process import find
from allowsync.testing.io_faults import fake_programs
from tests.support.gates import allow, gate, port
from tests.support.met_packets import guard, seen, with_uplink
from tests.support.values import net

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.netns import Namespace

pytestmark = pytest.mark.root

FRIENDS = (Entry(net("81.2.69.1/32")),)
WEB = (port(8443, Protocol.TCP),)


def shut_out(inside: Namespace, *rules: str, policy: str = "drop") -> bool:
    """Whether packets show that the user's own input chain drops the guarded port."""
    with_uplink(inside)
    body = "\n".join(rules)
    inside.nft(
        "flush ruleset\ntable inet filter {\n"
        "set services { type inet_service; elements = { 22 }; }\n"
        "set web { type inet_service; elements = { 8443 }; }\n"
        "chain jumped { tcp dport 8443 accept\n}\n"
        "chain input {\n"
        f"type filter hook input priority 0; policy {policy};\n"
        f"iif lo accept\nct state established,related accept\nmeta l4proto icmp accept\n{body}\n"
        "}\n}\n"
    )
    allow(inside, gate(ports=WEB), "81.2.69.1")
    assert inside.run(gate(ports=WEB).check) == ()
    findings = seen(inside, guard(8443), FRIENDS)
    assert all(one.what.startswith("host unknown (81.2.69.1) is locked") for one in findings)
    return bool(findings)


@pytest.mark.parametrize(
    "rule",
    [
        "tcp dport 8443 accept",
        "tcp dport { 22, 8443 } accept",
        "tcp dport 8000-9000 accept",
        "th dport 8443 accept",
        "tcp dport vmap { 8443 : accept }",
        "tcp dport vmap { 8443 : jump jumped }",
        "tcp dport @web accept",
        "ip saddr 81.2.69.1 accept",
        "ct state new tcp dport != 22 accept",
        "meta l4proto { tcp, udp } accept",
        "jump jumped",
        "goto jumped",
        "accept",
    ],
)
def test_a_rule_that_may_let_friends_in_draws_no_warning(inside: Namespace, rule: str) -> None:
    assert not shut_out(inside, rule)


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "tcp dport 443 accept",
        "udp dport 8443 accept",
        "tcp dport { 22, 80-90 } accept",
        "tcp dport @services accept",
        "tcp dport 8443 ct state established accept",
        "meta l4proto udp accept",
        "icmp type echo-request accept",
        "tcp dport 8443 counter",
        "tcp dport 22 jump jumped",
    ],
)
def test_a_firewall_that_shuts_friends_out_draws_a_warning(inside: Namespace, rule: str) -> None:
    assert shut_out(inside, rule)


def test_a_policy_of_accept_draws_no_warning(inside: Namespace) -> None:
    assert not shut_out(inside, policy="accept")


def test_an_empty_gate_draws_a_warning(inside: Namespace) -> None:
    allow(inside, gate())
    (finding,) = inside.run(gate().check)
    assert finding.severity is Severity.WARNING
    assert "shut for everyone" in finding.what


def test_a_missing_gate_draws_a_warning_with_advice(inside: Namespace) -> None:
    (finding,) = inside.run(gate().check)
    assert finding.what == "table inet allowsync_x does not exist"
    assert "allowsync apply" in finding.advice


def test_a_ruleset_that_cannot_be_read_is_said_to_be_so(inside: Namespace) -> None:
    allow(inside, gate(), "81.2.69.1")
    inside.nft("table inet other { flags dormant; }\n")
    for finding in inside.run(gate().check):
        assert finding.severity is Severity.INFO


def test_root_can_use_nftables(as_root: None) -> None:
    assert TYPE.usable() == ""


def test_without_the_privilege_it_is_said_what_is_missing(as_root: None) -> None:
    code = "from allowsync_backends.nftables import TYPE; print(TYPE.usable())"
    deprived = ("setpriv", "--inh-caps=-net_admin", "--bounding-set=-net_admin")
    done = subprocess.run(
        (*deprived, sys.executable, "-c", code), capture_output=True, text=True, check=True
    )
    assert "only root" in done.stdout


# A kernel without CONFIG_NFT_FIB refuses every script that asks for the kind of an address.
NO_FIB = """#!/bin/sh
rules=
case "$*" in *-f*) rules=$(cat);; esac
case "$rules" in *fib*) echo "Error: Could not process rule" >&2; exit 1;; esac
[ -n "$rules" ] || exec {nft} "$@"
printf '%s\\n' "$rules" | {nft} "$@"
"""


def test_a_kernel_that_refuses_the_gate_is_an_error(inside: Namespace, tmp_path: Path) -> None:
    def errors() -> list[str]:
        found = inside.run(gate(ports=WEB).check)
        return [one.what for one in found if one.severity is Severity.ERROR]

    assert errors() == []
    fake = tmp_path / "nft"
    fake.write_text(NO_FIB.format(nft=find("nft")))
    fake.chmod(0o755)
    with fake_programs(tmp_path):
        (error,) = errors()
    assert error == "the gate cannot be put up: nft says Error: Could not process rule"
