"""What is rehearsed on a machine that follows: nothing that only another machine would hear."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.fleets import Machine, Machines

if TYPE_CHECKING:
    from pathlib import Path

    from testkit.fake_dns.nameserver import NameServer

ALICE = {"hostname": "alice.example.org", "families": ["ipv4"]}
BOB = {"hostname": "bob.example.org", "families": ["ipv4"]}


@pytest.fixture
def applier(tmp_path: Path, server: NameServer) -> Machine:
    """It follows a list of alice, and decides by itself about bob."""
    (tmp_path / "store").mkdir()
    machines = Machines(tmp_path, server, {"file": str(tmp_path / "store")})
    machines.resolver(alice=ALICE)("apply")
    machine = machines.applier()
    machine.hosts = {"bob": BOB}
    own = {"targets": [{"file": {"path": str(machine.folder / "own.txt")}}], "hosts": ["bob"]}
    web = {"follow": True, "targets": [{"file": {"path": str(machine.file)}}]}
    machine.more = {"allowlists": {"web": web, "ssh": own}}
    assert machine("apply").code == 0
    return machine


@pytest.mark.parametrize("subject", ["alice", "alice.example.org"])
def test_nothing_is_assumed_of_a_host_that_another_machine_asks_for(
    applier: Machine, subject: str
) -> None:
    done = applier(f"apply --dry-run --assume {subject}=81.2.69.9")
    assert (done.code, done.out) == (2, "")
    assert f"another machine asks the DNS for {subject}; assume it there" in done.err


@pytest.mark.parametrize("subject", ["bob", "bob.example.org"])
def test_a_host_of_its_own_can_be_rehearsed(applier: Machine, subject: str) -> None:
    done = applier(f"apply --dry-run --assume {subject}=81.2.69.9")
    assert done.code == 0
    assert "+ 81.2.69.9" in done.out
    assert applier.allowed == ["81.2.69.1/32"]


def test_a_name_that_both_machines_ask_for_can_be_rehearsed(applier: Machine) -> None:
    applier.hosts = {"bob": BOB, "alice": ALICE}
    applier.more["allowlists"]["ssh"]["hosts"] = ["bob", "alice"]  # type: ignore[index]
    done = applier("apply --dry-run --assume alice.example.org=81.2.69.9")
    assert done.code == 0
    assert "+ 81.2.69.9" in done.out
