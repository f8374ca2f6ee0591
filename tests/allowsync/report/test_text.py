"""What a run looks like to a person: whole texts, line by line."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from textwrap import dedent

import pytest

from allowsync.inspect.status import AccessStatus, ScheduleFacts, TargetStatus
from allowsync.inspect.status_problems import exit_code
from allowsync.model.outcome import Notice, Outcome
from allowsync.model.plan import Plan
from allowsync.model.target import Current
from allowsync.model.types import Entry
from allowsync.plan.claims import union
from allowsync.plan.limits import LimitRefusal
from allowsync.plan.planner import Situation, make_plan
from allowsync.plan.result import RunReport, TargetReport
from allowsync.report.text import (
    filled,
    printable,
    run_lines,
    status_lines,
    status_warnings,
    warnings,
)
from allowsync.text import Line
from tests.support.terminal import output_on_terminal
from tests.support.values import (
    GONE,
    HOME,
    HOME6,
    MOVED,
    SERVFAIL,
    T0,
    V4,
    V6,
    Life,
    entry,
    found,
    host,
    net,
)  # fmt: skip


def story() -> RunReport:
    """Alice moved and has IPv6 now, Bob is gone for good, the parents' name is silent."""
    alice = Life(host("alice", families=(V4, V6), keep_replaced=timedelta(0), replaced_runs=1))
    bob = Life(host("bob", absent_runs=14, keep_absent=timedelta(minutes=65)))
    parents = Life(host("parents"))
    for life, address in ((alice, HOME), (bob, "192.0.1.44"), (parents, "198.51.99.9")):
        life.run(found(address))
    for _ in range(14):
        bob.run(GONE)
    alice.instant, parents.instant = bob.instant - timedelta(minutes=5), bob.instant
    alice.run(found(MOVED), found(HOME6))
    parents.instant = T0 + timedelta(minutes=-50)
    parents.run(SERVFAIL, after=timedelta(hours=2))
    decisions = {"alice": alice.decision, "bob": bob.decision, "parents": parents.decision}
    labels = {net(HOME): ("alice",), net("192.0.1.44"): ("bob",), net("198.51.99.9"): ("parents",)}
    others = {net(f"9.9.9.{n}"): ("office",) for n in range(5)}
    here = Situation(
        "jellyfin/nftables",
        Current(frozenset(Entry(one) for one in (*labels, *others))),
        {**union(decisions.values()), **others},
        labels,
        trusted=frozenset(decisions),
    )
    plan = make_plan(here)
    targets = (
        TargetReport("jellyfin/nftables", "jellyfin", Outcome.PLANNED, plan),
        TargetReport("ssh/ufw", "ssh", Outcome.UNCHANGED, Plan("ssh/ufw", keep=(entry(MOVED),))),
    )
    return RunReport(bob.instant, 0.1, True, False, decisions, targets)


def text(report: RunReport, *, every_target: bool = True) -> str:
    return "\n".join(line.text for line in run_lines(report, every_target=every_target))


def test_a_dry_run_reads_as_promised() -> None:
    assert text(story()) == dedent("""\
        jellyfin/nftables
          + 81.2.69.2              alice    alice.example.org moved from 81.2.69.1
          + 2a01:4f8:1:2::/64      alice
          - 81.2.69.1              alice    alice.example.org moved to 81.2.69.2
          - 192.0.1.44             bob      gone from DNS for 1 h 5 min (NXDOMAIN, 14 times)
          ! 198.51.99.9            parents  kept: no answer from DNS for 1 h 10 min (SERVFAIL); expires in 2 d 23 h
          2 to remove, 2 to add, 5 unchanged, 1 kept (DNS unconfirmed)
        ssh/ufw is in sync (1 entry)""")  # noqa: E501


def test_a_target_where_only_others_let_friends_in_says_so() -> None:
    there = Current(frozenset(), others=frozenset({net(HOME), net(MOVED)}))
    one = TargetReport("web/ufw", "web", Outcome.UNCHANGED, Plan("web/ufw"), current=there)
    assert text(replace(story(), targets=(one,))) == "web/ufw is in sync (0 entries, 2 of others)"


def test_a_run_that_the_schedule_has_started_is_told() -> None:
    facts = ScheduleFacts("systemd", started=True)
    lines = status_lines(AccessStatus(T0, T0, {}, (), (), schedule=facts))
    assert "a run is at work, or waits for the network, started by systemd" in [
        one.text for one in lines
    ]


def test_a_run_says_what_it_did_in_the_past_tense() -> None:
    report = story()
    done = replace(report.targets[0], outcome=Outcome.APPLIED)
    applied = replace(report, dry_run=False, targets=(done,))
    assert "2 removed, 2 added, 5 unchanged, 1 kept" in text(applied)


def test_nothing_to_say_is_not_said() -> None:
    report = story()
    quiet = replace(report, targets=report.targets[1:])
    assert text(quiet, every_target=False) == ""


def test_a_repair_is_told_even_where_no_entry_changes() -> None:
    plan = Plan("web/x", keep=(entry(HOME, "alice"),), repair=("table inet x does not exist",))
    report = replace(story(), targets=(TargetReport("web/x", "web", Outcome.PLANNED, plan),))
    assert text(report, every_target=False) == dedent("""\
        web/x
          ~ table inet x does not exist
          0 to remove, 0 to add, 1 unchanged""")


def test_a_failed_target_is_told_as_a_warning_and_nowhere_else() -> None:
    failed = TargetReport("web/x", "web", Outcome.FAILED, reason="could not be read: no nft")
    report = replace(story(), targets=(failed,))
    assert text(report) == text(report, every_target=False) == ""
    assert Line("web/x: could not be read: no nft", "red") in list(warnings(report))


def test_a_refusal_is_a_warning() -> None:
    refusal = LimitRefusal(("alice",), 1, 1, emptied=True, entries=(entry(HOME, "alice"),))
    plan = Plan("web/x", withheld=(entry(HOME, "alice"),))
    refused = TargetReport("web/x", "web", Outcome.REFUSED, plan, refusal=refusal)
    report = replace(story(), targets=(refused,))
    said = [line.text for line in warnings(report)]
    assert any("refused to remove alice" in one for one in said)
    assert "0 unchanged, 1 retained" in text(report)


def test_what_was_not_believed_is_named_with_its_host() -> None:
    life = Life(host())
    life.run(found("10.0.0.1", "104.16.0.1", HOME))
    report = replace(story(), decisions={"alice": life.decision}, targets=())
    said = [line.text for line in warnings(report)]
    assert said[0].startswith("alice: alice.example.org: 10.0.0.1 rejected: a private address")
    assert "proxied" in said[1]


def test_a_host_of_which_nothing_is_known_is_named() -> None:
    life = Life(host())
    life.run(SERVFAIL)
    notice = Notice("clock", "went backwards")
    report = replace(story(), decisions={"alice": life.decision}, targets=(), notices=(notice,))
    assert [line.text for line in warnings(report)] == [
        "clock: went backwards",
        "alice: no answer yet: alice.example.org (SERVFAIL)",
    ]


@output_on_terminal(80)
def test_status_tells_who_is_allowed_where() -> None:
    alice, bob = Life(host("alice")), Life(host("bob", until=T0))
    alice.run(found(HOME))
    alice.run(SERVFAIL)
    bob.run(found(HOME))
    office = Life(host("office", hostnames=(), networks=(net("203.0.113.0/24"),)))
    office.run()
    carol = Life(host("carol"))
    carol.run(SERVFAIL)
    lives = (alice, bob, office, carol)
    standing = AccessStatus(
        alice.instant + timedelta(minutes=1),
        alice.instant,
        {life.host.name: life.decision for life in lives},
        (
            TargetStatus("web/x", True, (entry(HOME, "alice"),)),
            TargetStatus("web/y", False, (), "table is missing; 1 to add"),
        ),
        (Notice("old/z", "is no longer configured"),),
    )
    assert [line.text for line in status_lines(standing)] == [
        "alice  alice.example.org",
        f"    {HOME}  stale     since 2026-11-20 15:00 UTC, confirmed 6 min ago,",
        "               SERVFAIL, expires in 3 d",
        "bob  bob.example.org  until 2026-11-20 15:00 UTC",
        "    access has ended",
        "office",
        "    203.0.113.0/24  fixed     since 2026-11-20 15:00 UTC",
        "carol  carol.example.org",
        "    no answer yet: no access",
        "",
        "web/x is in sync (1 entry)",
        "web/y is out of sync (0 entries)",
        "last run 1 min ago",
    ]
    assert list(status_warnings(standing)) == [
        Line("web/y: out of sync: table is missing; 1 to add", "red"),
        Line("old/z: is no longer configured", "yellow"),
        Line("alice: using the last known address (SERVFAIL); expires in 3 d", "yellow"),
        Line("carol: no answer yet: no access", "yellow"),
    ]
    told = [line.text for line in status_warnings(standing, beside=True)]
    assert "alice: using the last known address (SERVFAIL); expires in 3 d" not in told
    assert len(told) == 3
    assert exit_code(standing) == 1


@pytest.mark.parametrize(("names", "lines"), [("abc", ["a", "b", "c"]), ("abcd", ["a, b, c, d"])])
def test_what_is_the_same_of_many_hosts_is_one_line(names: str, lines: list[str]) -> None:
    lives = [Life(host(name)) for name in names]
    for life in lives:
        life.run(found(HOME))
        life.run(SERVFAIL)
    decisions = {life.host.name: life.decision for life in lives}
    standing = AccessStatus(lives[0].instant, lives[0].instant, decisions, (), ())
    what = "using the last known address (SERVFAIL); expires in 3 d"
    assert list(status_warnings(standing)) == [Line(f"{one}: {what}", "yellow") for one in lines]


def test_a_number_stays_with_its_unit_where_a_line_is_full() -> None:
    assert filled("confirmed 19 min 55 s ago", "  ", "  ", 15) == [
        "  confirmed",
        "  19 min 55 s",
        "  ago",
    ]
    assert filled("in 63 d 1 h", "", "", 10) == ["in 63 d", "1 h"]


def test_control_characters_never_reach_a_terminal() -> None:
    assert printable("a\x1b[31mb\nc\u202ed\x00") == "a\\x1b[31mb\\nc\\u202ed\\x00"
    assert printable("Zoë, 東京 ok") == "Zoë, 東京 ok"
