"""The log: priorities under systemd, lines of JSON on request, nothing when nothing happens."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.program import EXECUTABLE

if TYPE_CHECKING:
    from tests.support.program import Installation


def in_journal(here: Installation, command: str) -> list[str]:
    """What the journal would read from standard error."""
    here.write()
    place = here.folder / "journal"
    with place.open("w") as stream:
        found = os.fstat(stream.fileno())
        subprocess.run(
            [str(EXECUTABLE), *command.split(), "--config", str(here.path)],
            stderr=stream,
            stdout=subprocess.DEVNULL,
            timeout=60,
            check=False,
            env={"PATH": os.environ["PATH"], "JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"},
        )
    return place.read_text().splitlines()


def test_the_journal_is_told_how_bad_each_line_is(
    here: Installation, zones: dict[str, object]
) -> None:
    assert in_journal(here, "apply") == []
    zones["bob.example.org"] = ["127.0.0.1"]
    (line,) = in_journal(here, "apply")
    assert line.startswith("<4>bob: bob.example.org: 127.0.0.1 rejected")
    here.targets = [{"file": {"path": str(here.folder / "missing" / "file")}}]
    assert any(line.startswith("<3>web/file: ") for line in in_journal(here, "apply"))
    here.policy = {"max_moves": -1}
    assert all(line.startswith("<3>") for line in in_journal(here, "apply"))


def test_whoever_else_reads_sees_no_priorities(
    here: Installation, zones: dict[str, object]
) -> None:
    zones["bob.example.org"] = ["127.0.0.1"]
    done = here("apply", environ={"JOURNAL_STREAM": "8:12345"})
    assert done.err.startswith("bob: ")


def records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_lines_of_json_say_what_changed_and_what_is_wrong(
    here: Installation, zones: dict[str, object]
) -> None:
    here("apply")
    zones["alice.example.org"] = ["81.2.69.77", "2a01:4f8:1:2::7"]
    zones["bob.example.org"] = ["127.0.0.1"]
    done = here("apply --log json")
    (added,) = records(done.out)
    assert added.pop("time").endswith("+00:00")
    assert added == {
        "level": "info",
        "event": "add",
        "target": "web/file",
        "outcome": "applied",
        "network": "81.2.69.77/32",
        "hosts": ["alice"],
        "why": "alice.example.org moved from 81.2.69.1",
    }
    (wrong,) = records(done.err)
    assert (wrong["level"], wrong["event"]) == ("warning", "problem")
    assert wrong["what"].startswith("bob: bob.example.org: 127.0.0.1 rejected")


def test_a_run_with_nothing_to_say_logs_nothing(here: Installation) -> None:
    assert {one["event"] for one in records(here("apply --log json --dry-run").out)} == {
        "add",
        "repair",
    }
    here("apply")
    done = here("apply --log json")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_what_failed_is_an_error_in_the_log(here: Installation) -> None:
    here.targets = [{"file": {"path": str(here.folder / "missing" / "file")}}]
    done = here("apply --log json -q")
    assert (done.code, done.out) == (1, "")
    assert {one["level"] for one in records(done.err)} == {"error"}


@pytest.mark.parametrize("more", ["--output json", "--log xml"])
def test_one_kind_of_json_at_a_time(here: Installation, more: str) -> None:
    assert here(f"apply --log json {more}").code == 2
