"""What cannot be seen is unknown, with the reason, and nothing is left of a copy that is killed."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from allowsync.packetpath import Question, Verdict, ask
from allowsync.packetpath.document import from_questions
from tests.support.netns import Namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.root

QUESTION = Question(ip_address("203.0.113.7"), "tcp", 8096)
KILLS = 12


@pytest.fixture
def machine(as_root: None) -> Iterator[Namespace]:
    with Namespace() as inside:
        inside.batch(
            "link add eth0 type veth peer name other",
            "link set eth0 up",
            "link set other up",
            "address add 192.0.2.10/24 dev eth0",
            "route add default via 192.0.2.1",
        )
        yield inside


def test_without_rights_it_is_unknown(machine: Namespace) -> None:
    asked = json.dumps({"parent": os.getpid(), "questions": from_questions([QUESTION])})
    argv = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable]
    done = machine.run(
        lambda: subprocess.run(
            [*argv, "-I", "-m", "allowsync.packetpath"],
            input=asked, capture_output=True, text=True, check=True, cwd="/",
        )
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert "Operation not permitted" in told["unknown"]
    assert [one[1] for one in told["answers"]] == ["unknown"]


def test_ipsec_is_named(machine: Namespace) -> None:
    assert [one.verdict for one in machine.run(ask, [QUESTION]).answers] == [Verdict.DELIVERED]
    machine.batch("xfrm policy add src 203.0.113.0/24 dst 192.0.2.10/32 dir in action block")
    told = machine.run(ask, [QUESTION])
    assert [one.verdict for one in told.answers] == [Verdict.UNKNOWN]
    assert told.machine.caveats == ("IPsec policies decide about packets",)
    machine.batch("xfrm policy flush")


def test_an_outgoing_policy_decides_nothing(machine: Namespace) -> None:
    machine.batch("xfrm policy add src 192.0.2.10/32 dst 198.51.100.0/24 dir out action block")
    told = machine.run(ask, [QUESTION])
    assert (told.machine.caveats, told.answers[0].verdict) == ((), Verdict.DELIVERED)


def test_a_place_for_tc_filters_without_any_decides_nothing(machine: Namespace) -> None:
    machine.command("tc", "qdisc", "add", "dev", "eth0", "clsact")
    told = machine.run(ask, [QUESTION])
    assert (told.machine.caveats, told.answers[0].verdict) == ((), Verdict.DELIVERED)


def test_nothing_is_left_of_a_process_that_is_killed(machine: Namespace) -> None:
    before = machine.command("ip", "-d", "address"), machine.command("nft", "list", "ruleset")
    asked = json.dumps({"parent": os.getpid(), "questions": from_questions([QUESTION])})
    killed = set()
    for _ in range(KILLS):
        asking = machine.start(sys.executable, "-I", "-m", "allowsync.packetpath")
        assert asking.stdin is not None
        with asking:
            asking.stdin.write(asked)
            asking.stdin.close()
            time.sleep(random.uniform(0.05, 0.4))
            asking.kill()
        killed.add(asking.pid)
    time.sleep(0.2)
    assert children_of(killed) == []
    after = machine.command("ip", "-d", "address"), machine.command("nft", "list", "ruleset")
    assert after == before


def children_of(sessions: set[int]) -> list[str]:
    """What still runs of tools that one of these has started, by their lock file."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if any(f"XTABLES_LOCKFILE=/proc/{one}/" in environment for one in sessions):
            found.append(process.name)
    return found
