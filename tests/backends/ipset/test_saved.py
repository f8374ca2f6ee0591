"""Saved rules that name sets of ours."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.common import saved_rules
from allowsync_backends.ipset import saved
from allowsync_backends.ipset.options import Variant

from allowsync.model.target import Place, Severity
from tests.support.gates import allow
from tests.support.ipsets import ipset_gate

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.model.target import Finding
    from tests.support.netns import Namespace

OURS = frozenset({Place("ipset", ("allowsync-x-4",)), Place("ipset", ("allowsync-x-6",))})


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which rules and sets are saved."""
    monkeypatch.setattr(saved_rules, "IPTABLES_FILES", (tmp_path / "rules.v4",))
    monkeypatch.setattr(saved, "DIRECT_RULES", tmp_path / "direct.xml")
    monkeypatch.setattr(saved, "UFW_RULES", (tmp_path / "before.rules",))
    monkeypatch.setattr(saved, "UFW_HOOK", tmp_path / "before.init")
    monkeypatch.setattr(saved, "SETS", (tmp_path / "ipsets",))
    monkeypatch.setattr(saved, "EARLY", tmp_path / "early")
    monkeypatch.setattr(saved_rules, "NFT_FILES", (tmp_path / "nftables.conf",))
    return tmp_path


def found() -> list[Finding]:
    """What is said where a target of allowlist x is configured."""
    return list(saved.at_boot(OURS))


@pytest.mark.root
@pytest.mark.parametrize("variant", [Variant.NFT, Variant.LEGACY])
def test_saved_rules_that_name_our_sets_are_an_error_until_our_lines_are_out(
    inside: Namespace, etc: Path, variant: Variant
) -> None:
    gate, name = ipset_gate(variant=variant), f"iptables-{variant.value}"
    inside.command(name, "-A", "INPUT", "-p", "tcp", "--dport", "22", "-j", "ACCEPT")
    allow(inside, gate, "81.2.69.1")
    assert found() == []
    rules = etc / "rules.v4"
    rules.write_text(inside.command(f"{name}-save"))
    (finding,) = [one for one in found() if "rules.v4" in one.what]
    assert finding.severity is Severity.ERROR
    assert "allowsync-x-4" in finding.what
    inside.run(gate.clear)
    with pytest.raises(AssertionError, match="does"):
        inside.command(f"{name}-restore", str(rules))
    follow(finding)
    assert found() == []
    inside.command(f"{name}-restore", str(rules))
    assert "--dport 22" in inside.command(name, "-S")


def follow(finding: Finding) -> None:
    """Carry out the command that a finding gives."""
    command = finding.advice.partition(": ")[2].partition(";")[0]
    subprocess.run(["sh", "-ec", command], check=True)


def test_where_the_sets_are_saved_as_well_there_is_nothing_to_say(etc: Path) -> None:
    (etc / "rules.v4").write_text("-A x -m set ! --match-set allowsync-x-6 src -j DROP\n")
    assert len(found()) == 1
    (etc / "ipsets").write_text("create allowsync-x-6 hash:net family inet6\n")
    assert found() == []


@pytest.mark.root
def test_sets_and_rules_that_were_saved_together_bring_back_an_old_gate(
    inside: Namespace, etc: Path
) -> None:
    gate = ipset_gate(variant=Variant.NFT)
    allow(inside, gate, "81.2.69.1")
    (etc / "ipsets").write_text(inside.command("ipset", "save"))
    (etc / "rules.v4").write_text(inside.command("iptables-nft-save"))
    allow(inside, gate, "81.2.69.2")
    inside.run(gate.clear)
    # A boot: sets first, then the rules.
    inside.command("ipset", "restore", "-exist", "-file", str(etc / "ipsets"))
    inside.command("iptables-nft-restore", str(etc / "rules.v4"))
    assert "81.2.69.1" in inside.command("ipset", "list", "allowsync-x-4")
    rules, members = found()
    assert (rules.severity, members.severity) == (Severity.WARNING, Severity.WARNING)
    assert "rules.v4 holds the gate of x" in rules.what
    assert "ipsets holds 1 entry of set allowsync-x-4" in members.what
    follow(rules)
    follow(members)
    assert found() == []


@pytest.mark.root
def test_what_nft_prints_of_a_gate_of_iptables_is_an_error(inside: Namespace, etc: Path) -> None:
    allow(inside, ipset_gate(variant=Variant.NFT), "81.2.69.1")
    file = etc / "nftables.conf"
    file.write_text(inside.command("nft", "list", "ruleset"))
    with pytest.raises(AssertionError, match="syntax error"):
        inside.command("nft", "-c", "-f", str(file))
    (finding,) = found()
    assert finding.severity is Severity.ERROR
    assert "nftables.conf holds the gate of x" in finding.what


RULE = "-A ufw-before-input -m set ! --match-set allowsync-x-4 src -j DROP"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("before.rules", f"*filter\n{RULE}\nCOMMIT\n"),
        ("rules.v4", "-A INPUT -j SET --add-set allowsync-x-4 src\n"),
        ("direct.xml", '<rule chain="INPUT">-m set --match-set allowsync-x-4 src -j DROP</rule>'),
    ],
)
def test_rules_over_bare_sets_need_the_sets_to_be_there_first(
    etc: Path, name: str, text: str
) -> None:
    (etc / name).write_text(text)
    (finding,) = found()
    assert finding.severity is Severity.ERROR
    assert "schedule install" in finding.advice
    (orphaned,) = saved.at_boot(frozenset())
    assert "no target keeps them" in orphaned.advice
    (etc / "early").touch()
    assert found() == []
    assert len(list(saved.at_boot(frozenset()))) == 1


def test_sets_that_the_hook_of_ufw_makes_are_there(etc: Path) -> None:
    (etc / "before.rules").write_text(f"{RULE}\n")
    (etc / "before.init").write_text("ipset -exist create allowsync-x-4 hash:net family inet\n")
    assert found() == []


def test_other_rules_are_left_alone(etc: Path) -> None:
    (etc / "rules.v4").write_text(
        "# -A x --match-set allowsync-x-4 src\n"
        "-A INPUT -m set --match-set friends src -j ACCEPT\n"
        "-A INPUT -m set --match-set myallowsync-x-4 src -j ACCEPT\n"
        "-A INPUT -m set --match-set allowsync-x-4711 src -j ACCEPT\n"
        "-A INPUT -j allowsync-x-tra\n"
    )
    (etc / "ipsets").write_text("create friends hash:net\nadd friends 192.0.2.1\n")
    assert found() == []
