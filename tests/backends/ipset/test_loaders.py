"""Saved rules that name sets of ours, and firewalld beside a gate."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.ipset import loaders
from allowsync_backends.ipset.options import Variant

from allowsync.model.target import Severity
from tests.support.gates import allow
from tests.support.ipsets import ipset_gate

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.netns import Namespace

pytestmark = pytest.mark.root


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which rules and sets are saved."""
    monkeypatch.setattr(loaders, "SAVED_RULES", (tmp_path / "rules.v4", tmp_path / "rules.v6"))
    monkeypatch.setattr(loaders, "SAVED_SETS", (tmp_path / "ipsets",))
    return tmp_path


@pytest.mark.parametrize("variant", [Variant.NFT, Variant.LEGACY])
def test_saved_rules_that_name_our_sets_are_an_error_until_our_lines_are_out(
    inside: Namespace, saved: Path, variant: Variant
) -> None:
    gate, name = ipset_gate(variant=variant), f"iptables-{variant.value}"
    inside.command(name, "-A", "INPUT", "-p", "tcp", "--dport", "22", "-j", "ACCEPT")
    allow(inside, gate, "81.2.69.1")
    assert list(loaders.saved()) == []
    rules = saved / "rules.v4"
    rules.write_text(inside.command(f"{name}-save"))
    (finding,) = [one for one in inside.run(gate.check) if "rules.v4" in one.what]
    assert finding.severity is Severity.ERROR
    assert "allowsync-x-4" in finding.what
    inside.run(gate.clear)
    with pytest.raises(AssertionError, match="does"):
        inside.command(f"{name}-restore", str(rules))
    command = finding.advice.partition("itself: ")[2].partition(";")[0]
    subprocess.run(["sh", "-ec", command], check=True)
    assert list(loaders.saved()) == []
    inside.command(f"{name}-restore", str(rules))
    assert "--dport 22" in inside.command(name, "-S")


def test_where_the_sets_are_saved_as_well_there_is_nothing_to_say(saved: Path) -> None:
    (saved / "rules.v6").write_text("-A x -m set ! --match-set allowsync-x-6 src -j DROP\n")
    assert len(list(loaders.saved())) == 1
    (saved / "ipsets").write_text("create allowsync-x-6 hash:net family inet6\n")
    assert list(loaders.saved()) == []


@pytest.mark.parametrize(("code", "said"), [(0, 1), (252, 0)])
def test_a_running_firewalld_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, said: int
) -> None:
    program = tmp_path / "firewall-cmd"
    program.write_text(f"#!/bin/sh\nexit {code}\n")
    program.chmod(0o755)
    monkeypatch.setattr("allowsync.system.process.PATH", str(tmp_path))
    assert len(list(loaders.firewalld())) == said
