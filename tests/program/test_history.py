"""`allowsync history` over several runs: what changed, when, and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from testkit.fake_dns.behaviours import SERVFAIL

if TYPE_CHECKING:
    from tests.support.days import Days

HOME, MOVED, BOB = "81.2.69.1", "81.2.69.7", "81.2.69.2"

FIRST = """\
2026-11-20 15:00:00 UTC
  ? alice     alice.example.org (IPv4): 81.2.69.1
  ? bob       bob.example.org (IPv4): 81.2.69.2
  + alice     allowed from 81.2.69.1 through alice.example.org
  + bob       allowed from 81.2.69.2 through bob.example.org
  + web/file  81.2.69.1 for alice
  + web/file  81.2.69.2 for bob
"""
MOVE = """\
2026-11-20 16:00:00 UTC
  ? alice     alice.example.org (IPv4): 81.2.69.7
  + alice     allowed from 81.2.69.7 through alice.example.org
  + web/file  81.2.69.7 for alice: alice.example.org moved from 81.2.69.1
2026-11-20 16:20:00 UTC
  - alice     no longer allowed from 81.2.69.1: alice.example.org moved to 81.2.69.7
  - web/file  81.2.69.1 for alice: alice.example.org moved to 81.2.69.7
"""


def told(days: Days, *arguments: str) -> str:
    done = days("history", *arguments)
    assert (done.code, done.err) == (0, "")
    return done.out


def test_each_run_that_changed_something_is_told_and_no_other(moved: Days) -> None:
    missing = f"  ~ web/file  repaired: {moved.here.file} does not exist\n"
    whole = told(moved)
    assert " ".join(missing.split()) in " ".join(whole.split())
    assert whole.startswith(FIRST)
    assert whole.endswith(MOVE)
    assert whole.count(" UTC\n") == 3


def test_one_host_is_told_of_what_it_had_part_in(moved: Days) -> None:
    assert told(moved, "alice", "--since", "40m") == MOVE
    assert told(moved, "bob") == (
        "2026-11-20 15:00:00 UTC\n"
        "  ? bob       bob.example.org (IPv4): 81.2.69.2\n"
        "  + bob       allowed from 81.2.69.2 through bob.example.org\n"
        "  + web/file  81.2.69.2 for bob\n"
    )


@pytest.mark.parametrize("since", ["2026-11-20T16:00Z", "2026-11-20T17:00+01:00", "31m", "31m ago"])
def test_how_far_back_can_be_said_in_many_ways(moved: Days, since: str) -> None:
    assert told(moved, "--since", since).endswith(MOVE)
    assert "15:00:00" not in told(moved, "--since", since)


def test_a_week_is_told_unless_asked_otherwise(moved: Days) -> None:
    moved.at(60 * 24 * 7 + 30)
    assert told(moved) == MOVE
    assert told(moved, "--since", "8d").startswith(FIRST.splitlines()[0])


def test_where_nothing_happened_that_is_said(moved: Days) -> None:
    assert told(moved, "--since", "1m") == "nothing changed since 2026-11-20 16:29 UTC\n"
    assert told(moved, "--since", "1m", "--quiet") == ""


def test_without_any_run_that_is_said(over_days: Days) -> None:
    assert told(over_days) == "no run is on record\n"
    assert not over_days.here.state.exists(), "asking writes nothing"


def test_a_clear_is_told_and_what_comes_after_was_not_missing(moved: Days) -> None:
    moved.at(120)("clear --yes")
    moved.at(125)("apply")
    assert told(moved, "--since", "10m").splitlines()[:6] == [
        "2026-11-20 17:00:00 UTC",
        f"  - web/file  {BOB} for bob: cleared",
        f"  - web/file  {MOVED} for alice: cleared",
        "2026-11-20 17:05:00 UTC",
        f"  + web/file  {BOB} for bob",
        f"  + web/file  {MOVED} for alice",
    ]


def test_what_somebody_else_took_out_was_missing(moved: Days) -> None:
    kept = [line for line in moved.here.file.read_text().splitlines() if MOVED not in line]
    moved.here.file.write_text("\n".join(kept) + "\n")
    moved.at(100)("apply")
    assert f"  + web/file  {MOVED} for alice: it was missing\n" in told(moved)


def test_what_was_put_elsewhere_was_not_missing_there(moved: Days) -> None:
    other = moved.here.folder / "other.txt"
    moved.here.targets = [{"file": {"path": str(other)}}]
    moved.at(100)("apply")
    events = json.loads(told(moved, "--since", "5m", "--output", "json"))["events"]
    added = [(one["who"], one["text"]) for one in events if one["what"] == "added"]
    assert added == [("web/file", f"{BOB} for bob"), ("web/file", f"{MOVED} for alice")]


def test_an_outage_is_told_when_it_begins_and_when_it_is_over(
    moved: Days, zones: dict[str, object]
) -> None:
    for minutes, answer in ((100, SERVFAIL), (105, SERVFAIL), (110, [BOB])):
        zones["bob.example.org"] = answer
        moved.at(minutes)("apply")
    assert told(moved, "--since", "15m") == (
        "2026-11-20 16:40:00 UTC\n"
        "  ? bob  bob.example.org (IPv4): no answer from DNS (SERVFAIL)\n"
        "2026-11-20 16:50:00 UTC\n"
        "  ? bob  bob.example.org (IPv4): 81.2.69.2\n"
    )


def test_a_target_that_fails_is_told_once_and_when_it_is_well_again(
    moved: Days, zones: dict[str, object]
) -> None:
    content = moved.here.file.read_bytes()
    moved.here.file.unlink()
    moved.here.file.mkdir()
    zones["bob.example.org"] = ["81.2.69.99"]
    for minutes in (100, 105):
        assert moved.at(minutes)("apply").code == 1
    moved.here.file.rmdir()
    moved.here.file.write_bytes(content)
    assert moved.at(110)("apply").code == 0
    events = json.loads(told(moved, "--since", "15m", "--output", "json"))["events"]
    turns = [(one["at"][11:16], one["what"]) for one in events if one["who"] == "web/file"]
    assert [one for one in turns if one[1] in ("failed", "recovered")] == [
        ("16:40", "failed"),
        ("16:50", "recovered"),
    ]


def test_the_document_says_the_same(moved: Days) -> None:
    document = json.loads(told(moved, "alice", "--since", "40m", "--output", "json"))
    assert document["schema"] == "allowsync.history/1"
    assert document["first_run"].startswith("2026-11-20T15:00:00")
    assert [(one["what"], one["who"]) for one in document["events"]] == [
        ("answer", "alice"),
        ("granted", "alice"),
        ("added", "web/file"),
        ("ended", "alice"),
        ("removed", "web/file"),
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("alicia",), "there is no host 'alicia' (did you mean 'alice'?)"),
        ((HOME,), "there is no host '81.2.69.1'"),
        (("--since", "yesterday"), "expected a time such as 2h"),
        (("--since", "2027-01-01"), "lies in the future"),
    ],
)
def test_what_cannot_be_asked_is_said(
    over_days: Days, arguments: tuple[str, ...], said: str
) -> None:
    done = over_days("history", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_a_damaged_state_is_said(moved: Days) -> None:
    moved.here.state.write_bytes(b"no database" * 100)
    done = moved("history")
    assert (done.code, done.out) == (1, "")
    assert "file is not a database" in done.err
