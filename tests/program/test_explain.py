"""`allowsync explain` over several runs: what is the case, and what was, with what nobody knows."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from testkit.fake_dns.behaviours import SERVFAIL

if TYPE_CHECKING:
    from tests.support.days import Days
    from tests.support.program import Installation

HOME, MOVED, BOB = "81.2.69.1", "81.2.69.7", "81.2.69.2"


def test_a_host_that_is_let_in_is_told_where_and_since_when(moved: Days) -> None:
    done = moved("explain alice")
    first, place, access = done.out.splitlines()
    assert (done.code, done.err, first) == (0, "", "alice is allowed")
    assert place == f"  web/file  allowed by {MOVED} (alice)"
    assert access.startswith(f"alice: {MOVED} through alice.example.org, since 2026-11-20 16:00")
    assert re.search(r", confirmed \d s ago", access)


def test_an_address_somebody_left_is_told_whose_it_was(moved: Days) -> None:
    done = moved("explain", HOME)
    assert done.code == 0
    assert done.out == (
        "81.2.69.1 is not allowed\n"
        "  web/file  not allowed\n"
        "- alice was allowed from 81.2.69.1, 2026-11-20 15:00 to 2026-11-20 16:20 UTC: "
        "alice.example.org moved to 81.2.69.7\n"
        "- to allow it: allowsync grant 81.2.69.1 --for 4h, or allowsync host add NAME 81.2.69.1; "
        "of a host whose address changes, its DDNS hostname\n"
    )


@pytest.mark.parametrize(
    "at", ["2026-11-20T15:30Z", "2026-11-20T16:30+01:00", "60m", "60m ago", "1h"]
)
def test_the_past_can_be_asked_for_in_many_ways(moved: Days, at: str) -> None:
    done = moved("explain", HOME, "--at", at)
    first, place = done.out.splitlines()[:2]
    assert (done.code, place) == (0, f"  web/file  allowed by {HOME} (alice)")
    assert first.startswith(f"{HOME} was allowed on 2026-11-20 15:30:0")


def test_an_answer_about_the_past_is_told_whole(moved: Days) -> None:
    done = moved("explain", HOME, "--at", "2026-11-20T15:30Z")
    assert done.out == (
        "81.2.69.1 was allowed on 2026-11-20 15:30:00 UTC\n"
        "  web/file  allowed by 81.2.69.1 (alice)\n"
        "alice: 81.2.69.1 through alice.example.org, since 2026-11-20 15:00 UTC, until "
        "2026-11-20 16:20 UTC (alice.example.org moved to 81.2.69.7)\n"
        "- from the history; the last run before that was at 2026-11-20 15:00:00 UTC\n"
    )


def test_who_had_not_moved_yet_is_told_of_later(moved: Days) -> None:
    done = moved("explain", MOVED, "--at", "1h")
    assert done.out == (
        f"{MOVED} was not allowed on 2026-11-20 15:30:00 UTC\n"
        "  web/file  not allowed\n"
        "- from the history; the last run before that was at 2026-11-20 15:00:00 UTC\n"
        f"- alice was allowed from {MOVED}, 2026-11-20 16:00 to now\n"
    )


def test_before_the_first_run_it_cannot_be_told(moved: Days) -> None:
    done = moved("explain", HOME, "--at", "2026-11-20T14:59Z")
    assert (done.code, done.out.splitlines()[:3]) == (
        1,
        [
            f"{HOME}: unknown whether it was allowed",
            "- the history does not go back that far: it begins 2026-11-20 15:00 UTC",
            (
                f"- alice was allowed from {HOME}, 2026-11-20 15:00 to 2026-11-20 16:20 UTC: "
                f"alice.example.org moved to {MOVED}"
            ),
        ],
    )


def test_without_any_run_nothing_is_claimed(over_days: Days) -> None:
    past = over_days("explain alice --at 1h")
    assert past.code == 1
    assert past.out == (
        "alice: unknown whether it was allowed\n"
        "- the history does not go back that far: no run is on record\n"
    )
    now = over_days("explain alice")
    assert (now.code, now.out.splitlines()[0]) == (0, "alice is not allowed")
    assert "no answer yet for alice: not asked yet" in now.out
    assert not over_days.here.state.exists(), "asking writes nothing"


def test_before_a_clear_it_was_allowed_and_after_it_was_not(moved: Days) -> None:
    assert moved.at(120)("clear --yes").code == 0
    assert "not allowed: it is out of sync" in moved("explain alice").out
    assert moved.at(125)("apply").code == 0
    before, between = (moved.at(125.01)("explain alice --at", at).out for at in ("6m", "3m"))
    assert f"allowed by {MOVED} (alice)" in before
    assert between.splitlines()[:2] == [
        "alice was not allowed on 2026-11-20 17:02:00 UTC",
        "  web/file  not allowed",
    ]
    assert "- which hosts an allowlist had then is not on record, only what" in between


def test_a_name_of_today_is_said_to_be_one(moved: Days) -> None:
    moved.here.hosts["alice"] = {"hostname": "new.example.org", "families": ["ipv4"]}
    done = moved("explain new.example.org --at 1h")
    assert done.out.splitlines()[0] == "new.example.org was allowed on 2026-11-20 15:30:00 UTC"
    assert "- new.example.org is a name of alice today; its names then are not on" in done.out


def test_who_left_the_configuration_is_still_on_record(moved: Days) -> None:
    del moved.here.hosts["bob"]
    still = moved("explain bob")
    assert (still.code, still.out.splitlines()[:2]) == (
        0,
        ["bob is allowed", f"  web/file  allowed by {BOB} (bob)"],
    )
    assert "removed from the configuration: ends with the next apply" in " ".join(still.out.split())
    moved.at(100)("apply")
    gone = moved("explain bob")
    assert gone.code == 0
    assert gone.out == (
        "bob is not allowed\n"
        "  web/file  not allowed\n"
        "- bob is not in the configuration any more\n"
        f"- bob was allowed from {BOB}, 2026-11-20 15:00 to 2026-11-20 16:40 UTC: "
        "bob is no longer configured or granted\n"
    )
    assert moved("explain bob --output json").document["access"] == []
    assert moved("explain bobby").code == 2
    done = moved("explain bob --at 30m")
    assert done.out.startswith("bob was allowed on 2026-11-20 16:10:")
    assert "(bob is no longer configured or granted)" in " ".join(done.out.split())


def test_what_was_found_missing_is_not_claimed_for_the_time_before(moved: Days) -> None:
    kept = [line for line in moved.here.file.read_text().splitlines() if MOVED not in line]
    moved.here.file.write_text("\n".join(kept) + "\n")
    assert "is not allowed" in moved("explain", MOVED).out
    moved.at(100)("apply")
    assert moved("explain", MOVED).out.startswith(f"{MOVED} is allowed")
    done = moved("explain", MOVED, "--at", "5m")
    assert (done.code, done.out.splitlines()[0]) == (
        1,
        f"{MOVED}: unknown whether it was allowed",
    )
    assert "unknown: it was found missing on 2026-11-20 16:40 UTC" in done.out


def test_a_part_of_a_network_and_who_is_there(moved: Days) -> None:
    done = moved("explain 81.2.69.9/28")
    assert done.out.splitlines()[:2] == [
        "81.2.69.0/28 is allowed in part",
        f"  web/file  allowed in part by {BOB} (bob), {MOVED} (alice)",
    ]


def test_old_knowledge_is_told_as_such(moved: Days, zones: dict[str, object]) -> None:
    zones["alice.example.org"] = SERVFAIL
    moved.at(150)("apply")
    done = " ".join(moved("explain alice").out.split())
    assert "stale, confirmed 1 h ago, SERVFAIL, expires in 2 d 23 h" in done


def test_the_document_says_the_same(moved: Days) -> None:
    moved.at(95)
    for arguments in ((), ("--at", "1h")):
        done = moved("explain alice --output json", *arguments)
        document = json.loads(done.out)
        assert document["schema"] == "allowsync.explain/1"
        assert (document["exit_code"], document["allowed"]) == (0, "yes")
        assert document["past"] is bool(arguments)
        assert [one["network"] for one in document["access"]] == [
            f"{HOME if arguments else MOVED}/32"
        ]
        assert document["targets"][0]["target"] == "web/file"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("alicia",), "there is no address or host 'alicia' (did you mean 'alice'?)"),
        (("81.2.69.1/33",), "'81.2.69.1/33' is not an address: expected one such as"),
        (("300.1.1.1",), "'300.1.1.1' is not an address: expected one such as"),
        (("\x1b[31mred",), "there is no address or host '\\x1b[31mred'"),
        (("alice", "--at", "then"), "expected a time such as 2h"),
        (("alice", "--at", "2026-11-21"), "lies in the future"),
        (("alice", "--at", "2026-13-01"), "expected a time such as 2h"),
        ((), "ADDRESS|HOST|HOSTNAME is missing; usage: allowsync explain"),
    ],
)
def test_what_cannot_be_asked_is_said(
    over_days: Days, arguments: tuple[str, ...], said: str
) -> None:
    done = over_days("explain", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert "\x1b" not in done.err


def test_a_damaged_state_is_said(moved: Days) -> None:
    moved.here.state.write_bytes(b"no database" * 100)
    now, then = moved("explain alice"), moved("explain alice --at 1h")
    assert "file is not a database" in " ".join(now.out.split())
    assert then.code == 1
    assert "file is not a database" in then.err


def test_nothing_from_the_state_acts_on_a_terminal(moved: Days) -> None:
    with closing(sqlite3.connect(moved.here.state)) as raw:
        raw.execute("UPDATE stays SET why = ?, hostname = ?", ("\x1b[2J\nhostile", "\x07.example"))
        raw.commit()
    for command in ("explain", "explain --at 1h"):
        done = moved(command, HOME)
        assert "\\x1b[2J\\nhostile" in done.out
        assert not {"\x1b", "\x07"} & set(done.out)


def test_a_host_of_which_nothing_is_known_is_not_said_to_be_out(here: Installation) -> None:
    assert here("apply").code == 0
    here.state.unlink()
    done = here("explain alice")
    assert (done.code, done.out.splitlines()[0]) == (1, "alice: unknown")
    assert "access unknown" in here("status").out
    here.state.mkdir()
    assert here("explain alice").code == 1
    assert (here("status").code, "no access" in here("status").out) == (1, False)
    here.file.unlink()
    assert here("explain alice").out.splitlines()[1] == "  web/file  not allowed"


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE stays SET network = -1",
        "UPDATE stays SET host = x'ff00'",
        "UPDATE answers SET host = x'ff00'",
    ],
)
def test_a_damaged_history_is_said_in_a_line(here: Installation, damage: str) -> None:
    assert here("apply").code == 0
    with closing(sqlite3.connect(here.state)) as raw, raw:
        assert raw.execute(damage).rowcount
    for command in ("explain alice", "status", "history"):
        done = here(command)
        said = done.out + done.err
        assert "internal error" not in said
        assert "impossible value" in " ".join(said.split()) or done.code == 0
    assert "impossible value" in " ".join(here("explain alice").out.split())


def test_check_names_a_lock_that_no_run_can_hold(here: Installation) -> None:
    here.state.with_name(f"{here.state.name}.lock").mkdir(parents=True)
    done = here("check")
    assert (done.code, "its lock" in done.out) == (1, True)
