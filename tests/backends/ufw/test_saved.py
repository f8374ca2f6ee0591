"""UFW's chains in rules that netfilter-persistent saved: its own are not loaded then."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.common import saved_rules
from allowsync_backends.ufw import saved

from allowsync.model.target import Place
from tests.support.gates import allow
from tests.support.ufw import backend, kernel

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.netns import Namespace

pytestmark = pytest.mark.root

OURS = frozenset({Place("UFW rules", ("allowsync:x",))})
INIT = "/lib/ufw/ufw-init"


def boot(inside: Namespace, rules: Path) -> str:
    """Load saved rules, then let UFW start, as after a restart. What the kernel holds."""
    inside.command("sh", "-c", "iptables -P INPUT ACCEPT; iptables -F; iptables -X")
    inside.command("iptables-restore", str(rules))
    inside.command(INIT, "start")
    return kernel(inside)


def test_saved_chains_of_ufw_keep_its_own_rules_out_until_they_are_taken_out(
    inside: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = tmp_path / "rules.v4"
    monkeypatch.setattr(saved_rules, "IPTABLES_FILES", (rules,))
    inside.command("iptables", "-t", "mangle", "-A", "INPUT", "-p", "tcp", "--dport", "22")
    target = backend()
    allow(inside, target, "81.2.69.1")
    rules.write_text(inside.command("iptables-save"))
    allow(inside, target, "81.2.69.2")
    before = boot(inside, rules)
    assert "81.2.69.1" in before
    assert "81.2.69.2" not in before
    assert list(saved.at_boot(frozenset())) == []
    (finding,) = saved.at_boot(OURS)
    command = finding.advice.partition(": ")[2].partition(";")[0]
    subprocess.run(["sh", "-ec", command], check=True)
    assert list(saved.at_boot(OURS)) == []
    after = boot(inside, rules)
    assert "81.2.69.1" not in after
    assert "81.2.69.2" in after
    assert "--dport 22" in inside.command("iptables", "-t", "mangle", "-S")
