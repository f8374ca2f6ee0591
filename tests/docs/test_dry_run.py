"""The dry run that README and the first page begin with is what such a run prints."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from xml.etree import ElementTree as ET

import pytest

from allowsync.model.outcome import Outcome
from allowsync.model.plan import Plan
from allowsync.model.target import Current
from allowsync.model.types import Entry
from allowsync.plan.claims import union
from allowsync.plan.planner import Situation, make_plan
from allowsync.plan.result import RunReport, TargetReport
from allowsync.report.text import run_lines
from tests.support.documents import ROOT, blocks_of
from tests.support.values import GONE, SERVFAIL, T0, V4, V6, Life, entry, found, host, net

COMMAND: Final = "$ sudo allowsync apply --dry-run\n"
OLD, NEW, NEW6 = "198.51.100.20", "203.0.113.7", "2001:db8:7:1::5"
BOBS, PARENTS, PARENTS6 = "192.0.2.44", "198.51.100.9", "2001:db8:7:100::9"
DOCUMENTATION = tuple(net(one) for one in ("0.0.0.0/1", "128.0.0.0/1", "2001:db8::/32"))


def lives() -> tuple[Life, Life, Life]:
    """Alice moved and has IPv6 now, Bob's name is gone, the parents' name server is silent."""
    alice = Life(
        host("alice", families=(V4, V6), hostnames=("alice.duckdns.org",), accept=DOCUMENTATION)
    )
    bob = Life(host("bob", accept=DOCUMENTATION))
    parents = Life(host("parents", families=(V4, V6), ipv6_prefix=56, accept=DOCUMENTATION))
    bob.run(found(BOBS))
    for _ in range(13):
        bob.run(GONE)
    alice.instant = bob.instant - timedelta(minutes=10)
    alice.run(found(OLD), GONE)
    alice.run(found(NEW), found(NEW6))
    parents.instant = T0 + timedelta(minutes=5)
    parents.run(found(PARENTS), found(PARENTS6))
    parents.run(SERVFAIL, SERVFAIL, after=bob.instant - parents.instant)
    return alice, bob, parents


def printed() -> str:
    decisions = {life.host.name: life.decision for life in lives()}
    held = {
        net(OLD): ("alice",),
        net(BOBS): ("bob",),
        net(PARENTS): ("parents",),
        net("2001:db8:7:100::/56"): ("parents",),
        net("203.0.113.128/25"): ("office",),
    }
    situation = Situation(
        "jellyfin/nftables",
        Current(frozenset(Entry(one) for one in held)),
        {**union(decisions.values()), net("203.0.113.128/25"): ("office",)},
        held,
        trusted=frozenset(decisions),
    )
    plan = make_plan(situation)
    targets = (
        TargetReport("jellyfin/nftables", "jellyfin", Outcome.PLANNED, plan),
        TargetReport(
            "notes/file", "notes", Outcome.UNCHANGED, Plan("notes/file", keep=(entry(NEW),))
        ),
    )
    report = RunReport(lives()[0].instant, 0.1, True, False, decisions, targets)
    return "".join(f"{line.text}\n" for line in run_lines(report, every_target=True))


def test_the_dry_run_shown_first_is_what_is_printed() -> None:
    first = next(one.text for one in blocks_of(ROOT / "README.md"))
    assert first == COMMAND + printed()


def test_the_picture_of_it_has_the_same_lines() -> None:
    picture = ET.parse(ROOT / "docs/dry-run.svg")
    lines = [one.text for one in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert lines == (COMMAND + printed()).splitlines()
    assert "(dry-run.svg)" in (ROOT / "docs/index.md").read_text()


@pytest.mark.parametrize("page", ["README.md", "docs/index.md"])
def test_the_status_page_is_shown_as_the_program_writes_it(page: str) -> None:
    assert "status-page.svg)" in (ROOT / page).read_text()
    shown = "".join(ET.parse(ROOT / "docs/status-page.svg").getroot().itertext())
    for words in (
        "In sync, using last known addresses.",
        "expires 2026-11-23",
        "in sync (4 entries)",
    ):
        assert words in shown
