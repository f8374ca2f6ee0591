"""What if: an outage, a move, an end, rehearsed, and held against the real runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from testkit.fake_dns.behaviours import SERVFAIL

if TYPE_CHECKING:
    from tests.support.days import Days
    from tests.support.program import Installation

ALICE, BOB, MOVED = "81.2.69.1/32", "81.2.69.2/32", "81.2.70.7/32"
# Off the beat of the runs, so that no clock runs out just when a run starts.
CLOCKS = {
    "keep_absent": "33m", "absent_runs": 3, "keep_unavailable": "52m", "keep_replaced": "13m",
}  # fmt: skip

CASES: dict[str, tuple[dict[str, str], dict[str, object]]] = {
    "moved": ({"bob": "81.2.70.7"}, {"bob.example.org": ["81.2.70.7"]}),
    "all at once": (
        {"alice": "NXDOMAIN", "bob.example.org": "SERVFAIL"},
        {"alice.example.org": None, "bob.example.org": SERVFAIL},
    ),
}


def rehearsed(days: Days, at: str, assumed: dict[str, str]) -> dict[str, Any]:
    words = [word for one in assumed.items() for word in ("--assume", "=".join(one))]
    done = days("apply --dry-run --output json --at", at, *words)
    assert done.code in (0, 3, 4), done.err
    return done.document


def everything(here: Installation) -> dict[str, bytes]:
    files = [one for one in here.folder.rglob("*") if one.is_file() and one != here.path]
    return {str(one): one.read_bytes() for one in files}


@pytest.mark.parametrize("case", CASES)
def test_a_rehearsal_comes_to_what_the_real_runs_come_to(
    over_days: Days, zones: dict[str, object], case: str
) -> None:
    assumed, answers = CASES[case]
    over_days.here.policy = dict(CLOCKS)
    assert over_days("apply").code == 0
    over_days.at(5)
    before = everything(over_days.here)
    told = {minutes: rehearsed(over_days, f"+{minutes}m", assumed) for minutes in (5, 25, 65)}
    assert everything(over_days.here) == before
    for name, answer in answers.items():
        zones.pop(name)
        if answer is not None:
            zones[name] = answer
    for run in range(14):
        real = over_days.at(5 + run * 5)("apply --output json").document
        document = told.get(run * 5)
        if document is None:
            continue
        networks = {
            one["host"]: [(each["network"], each["basis"]) for each in one["grants"]]
            for one in real["hosts"]
        }
        assert networks == {
            one["host"]: [(each["network"], each["basis"]) for each in one["grants"]]
            for one in document["hosts"]
        }
        (target,) = document["rehearsal"]["targets"]
        assert [one["network"] for one in target["entries"]] == over_days.here.allowed
        assert document["exit_code"] == real["exit_code"]
        assert document["rehearsal"]["runs"] == run + 1


def test_it_tells_who_is_in_and_out_and_when_each_lost_access(over_days: Days) -> None:
    over_days.here.policy = dict(CLOCKS)
    over_days("apply")
    over_days.at(5)
    assumed = {"alice": "SERVFAIL", "bob": "81.2.70.7"}
    alice, bob = rehearsed(over_days, "+1h", assumed)["rehearsal"]["hosts"]
    assert (alice["in"], alice["networks"], alice["retained"]) == (False, [], [])
    (lost,) = alice["lost"]
    assert (lost["network"], lost["at"][:16]) == (ALICE, "2026-11-20T15:55")
    assert "no answer from DNS for 55 min" in lost["why"]
    assert (bob["in"], bob["networks"], [one["network"] for one in bob["lost"]]) == (
        True, [MOVED], [BOB],
    )  # fmt: skip
    done = over_days(
        "apply --dry-run --at +1h", "--assume", "alice=SERVFAIL", "--assume", "bob=81.2.70.7"
    )
    lines = done.out.splitlines()
    assert lines[0] == "assumed: alice=SERVFAIL, bob=81.2.70.7"
    assert lines[1].startswith("until 2026-11-20 16:05 UTC: assumes a run every 5 min (13 runs)")
    assert "alice: out since 2026-11-20 15:55 UTC" in lines
    assert "bob: in" in lines
    assert "  + 81.2.70.7  fresh" in lines
    assert "web/file would hold 1 entry (2 removed, 1 added)" in lines


def test_a_limit_that_would_keep_a_host_is_told(over_days: Days) -> None:
    over_days.here.policy = dict(CLOCKS)
    over_days("apply")
    document = rehearsed(over_days.at(5), "+1h", {"alice": "NXDOMAIN", "bob": "NXDOMAIN"})
    kept = [one["retained"] for one in document["rehearsal"]["hosts"]]
    assert kept == [[ALICE], [BOB]]
    assert document["exit_code"] == 4
    assert "retained" in over_days(
        "apply --dry-run --at +1h", "--assume", "alice=NXDOMAIN", "--assume", "bob=NXDOMAIN"
    ).out  # fmt: skip


def test_an_access_that_ends_meanwhile_is_lost(over_days: Days) -> None:
    over_days.here.hosts["bob"] = {
        "hostname": "bob.example.org", "families": ["ipv4"], "until": "2026-11-20T15:42:00Z",
    }  # fmt: skip
    over_days("apply")
    document = rehearsed(over_days, "2026-11-20T16:00:00+00:00", {})
    alice, bob = document["rehearsal"]["hosts"]
    assert (alice["in"], bob["in"]) == (True, False)
    assert bob["lost"][0]["at"][:16] == "2026-11-20T15:45"
    assert document["assumed"] == []


def test_without_an_instant_it_is_one_run(over_days: Days) -> None:
    over_days("apply")
    before = everything(over_days.here)
    done = over_days("apply --dry-run --output json", "--assume", "alice=SERVFAIL")
    assert (done.code, everything(over_days.here)) == (3, before)
    assert done.document["assumed"] == [{"subject": "alice", "answer": "SERVFAIL"}]
    (grant,) = done.document["hosts"][0]["grants"]
    assert (grant["basis"], grant["reason"]) == ("stale", "SERVFAIL")
    text = over_days("apply --dry-run", "--assume", "alice=SERVFAIL").out
    assert text.startswith("assumed: alice=SERVFAIL\n")
    assert "(SERVFAIL); expires in 3 d" in text
    code = over_days("apply --dry-run --detailed-exitcode", "--assume", "bob=81.2.70.7").code
    assert code == 10


def test_before_the_first_run_nothing_is_written_either(over_days: Days) -> None:
    document = rehearsed(over_days, "+10m", {"alice": "81.2.70.7"})
    (target,) = document["rehearsal"]["targets"]
    assert [one["network"] for one in target["entries"]] == [BOB, MOVED]
    assert everything(over_days.here) == {}
    assert not over_days.here.state.parent.exists()


def test_guards_look_at_what_is_assumed(over_days: Days, zones: dict[str, object]) -> None:
    over_days("apply")
    zones["*"] = ["81.2.70.7"]  # every name of the zone has the address that Bob is to have
    document = rehearsed(over_days.at(5), "+5m", {"bob": "81.2.70.7"})
    assert [one["networks"] for one in document["rehearsal"]["hosts"]] == [[ALICE], [BOB]]
    assert document["hosts"][1]["queries"][0]["rejected"]


def test_without_a_state_that_can_be_read_it_goes_without_history(over_days: Days) -> None:
    over_days("apply")
    over_days.here.state.write_bytes(b"garbage" * 4096)
    before = everything(over_days.here)
    done = over_days("apply --dry-run --at +10m", "--assume", "bob=SERVFAIL")
    assert "rehearsed without history" in done.err
    assert "web/file would hold 2 entries (0 removed, 0 added)" in done.out
    assert everything(over_days.here) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--assume", "alice=SERVFAIL"), "--assume and --at need --dry-run"),
        (("--at", "+3d"), "--assume and --at need --dry-run"),
        (("--dry-run", "--offline", "--at", "+3d"), "exclude --offline"),
        (("--dry-run", "--assume", "alice"), "expected HOST=ANSWER, got 'alice'"),
        (("--dry-run", "--assume", "alize=NXDOMAIN"), "did you mean 'alice'?"),
        (("--dry-run", "--assume", "alice=BROKEN"), "expected SERVFAIL, REFUSED, TIMEOUT"),
        (("--dry-run", "--assume", "office=NXDOMAIN"), "office has no hostname"),
        (("--dry-run", "--at", "2020-01-01"), "lies in the past"),
        (("--dry-run", "--at", "tomorrow"), "expected a time such as +3d"),
        (("--dry-run", "--at", "+9000d"), "are too many to rehearse"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(
    over_days: Days, words: tuple[str, ...], said: str
) -> None:
    over_days.here.hosts["office"] = {"networks": ["81.2.71.0/24"]}
    done = over_days("apply", *words)
    assert done.code == 2
    assert said in " ".join(done.err.split())
    assert everything(over_days.here) == {}
