"""`status` as a whole: what is wrong, the last run and the next, leftovers, what is revoked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from allowsync.schedule.files import INSTALL
from testkit.fake_dns.behaviours import SERVFAIL

if TYPE_CHECKING:
    from tests.support.days import Days
    from tests.support.program import Installation


def test_the_last_run_its_result_and_the_schedule_are_told(here: Installation) -> None:
    assert "no run is on record" in here("status").out
    here("apply")
    done = here("status")
    assert done.code == 0
    *_, last, schedule = done.out.splitlines()
    assert last.startswith("last run ")
    assert last.endswith(" ago: in sync")
    assert schedule == f"no schedule is installed; {INSTALL}"
    told = here("status --output json").document
    assert told["last_exit_code"] == 0
    assert told["schedule"]["trouble"] == schedule
    assert (told["findings"], told["leftovers"]) == ([], [])
    (target,) = told["targets"]
    assert (target["state"], target["open"], target["failing"]) == ("in_sync", [], None)
    assert target["verified"] is not None


def test_what_a_state_knows_that_cannot_be_read_is_unknown(here: Installation) -> None:
    here.server.zones["alice.example.org"] = SERVFAIL
    here("apply")
    here.state.unlink()
    here.state.mkdir()
    done = here("status")
    assert "alice: no answer yet: its access is unknown" in done.err
    assert "when the last run was is unknown: the state could not be read" in done.out
    assert "is gone with" not in here("apply --dry-run").err
    assert here("check --no-packets").out.count(f"{here.state}: ") == 1


def test_a_run_that_failed_is_wrong_until_one_succeeds(here: Installation) -> None:
    here("apply")
    allowed = here.file.read_bytes()
    here.file.unlink()
    here.file.mkdir()
    assert here("apply").code == 1
    done = here("status --output json")
    assert done.code == 1
    (target,) = done.document["targets"]
    assert (target["state"], target["verified"]) == ("failed", None)
    assert target["failing"] == done.document["last_run"]
    done = here("status")
    assert "web/file failed\n" in done.out
    assert done.err.count("web/file: failed: ") == 1
    here.file.rmdir()
    here.file.write_bytes(allowed)
    failed = here("status")
    assert (failed.code, failed.err) == (
        1, "runs: the last one failed (exit code 1): see allowsync history\n",
    )  # fmt: skip
    assert ": failed\n" in failed.out
    here("apply")
    assert here("status").code == 0


def test_what_check_calls_an_error_is_wrong(here: Installation) -> None:
    here("apply")
    here.more = {"metrics": str(here.folder / "missing" / "allowsync.prom")}
    done = here("status")
    assert done.code == 1
    assert "metrics: folder " in done.err
    assert "choose another path" in done.err
    page = here.folder / "page.html"
    assert here("status --html", str(page)).code == 1
    assert "Something is wrong." in page.read_text()


def test_what_was_revoked_is_in_every_list(over_days: Days) -> None:
    over_days("apply")
    assert "revoked" not in over_days("host list").out
    over_days("revoke alice")
    over_days("revoke 81.2.69.9")
    alice, bob = over_days("host list").out.splitlines()
    assert alice.endswith("revoked on 2026-11-20 15:00 UTC")
    assert "revoked" not in bob
    listed = over_days("host list --output json").document
    assert [one["revoked"] is None for one in listed["hosts"]] == [False, True]
    status = over_days("status --output json").document
    assert [one["subject"] for one in status["revoked"]] == ["alice", "81.2.69.9/32"]
    found = over_days("check --no-packets").out
    assert "info: alice: revoked on 2026-11-20 15:00 UTC: it has no access" in found
    assert "    to allow it again: allowsync approve 81.2.69.9/32" in found
    page = over_days.here.folder / "page.html"
    over_days("status --html", str(page))
    assert "81.2.69.9/32" in page.read_text()


def test_missed_runs_are_wrong(over_days: Days) -> None:
    over_days("apply")
    assert over_days.at(179)("status").code == 0
    done = over_days.at(181)("status")
    assert (done.code, "runs: the last one was 3 h 1 min ago" in done.err) == (1, True)


def test_an_end_by_a_clock_that_was_ahead_is_told_with_the_way_out(over_days: Days) -> None:
    guest = {"hostname": "bob.example.org", "families": ["ipv4"]}
    over_days.here.hosts["bob"] = {**guest, "until": "2027-01-31T00:00+00:00"}
    why = "the clock has shown a later time once"
    over_days("apply")
    assert why not in over_days("status").out
    over_days.at(400 * 24 * 60)("apply")
    over_days.at(10)("apply")
    assert why in " ".join(over_days.at(15)("status").out.split())
    assert why in " ".join(over_days("explain bob").out.split())
    over_days.here.hosts["bob"] = {**guest, "until": "2029-01-31T00:00+00:00"}
    over_days.at(20)("apply")
    assert why not in over_days("status").out
    assert "81.2.69.2/32" in over_days.here.allowed


@pytest.mark.parametrize("output", ["text", "json"])
def test_a_status_writes_nothing(here: Installation, output: str) -> None:
    here("apply")
    before = {one: one.read_bytes() for one in here.folder.rglob("*") if one.is_file()}
    here.freeze = True
    here("status --output", output)
    assert {one: one.read_bytes() for one in here.folder.rglob("*") if one.is_file()} == before
