"""`status`, its page, and the page a run leaves."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from tests.support.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.program import Installation


@pytest.fixture
def report(here: Installation) -> Path:
    here.more["report"] = str(here.folder / "who.html")
    return here.folder / "who.html"


def test_status_writes_a_page_instead_of_printing(here: Installation) -> None:
    here("apply")
    file = here.folder / "page.html"
    done = here("status --html", str(file))
    assert (done.code, done.out, done.err) == (0, "", "")
    assert "81.2.69.1" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_page_that_status_cannot_write_is_an_error(here: Installation) -> None:
    done = here("status --html", "/proc/who.html")
    assert done.code == 1
    assert "/proc/who.html: the page could not be written: " in done.err


def test_a_page_replaces_no_pipe_or_device(here: Installation) -> None:
    here("apply")
    pipe = here.folder / "pipe"
    os.mkfifo(pipe)
    done = here("status --html", str(pipe))
    said = "the page could not be written: a device, pipe or socket is not replaced; name a file"
    assert (done.code, f"{pipe}: {said}\n" in done.err, pipe.is_fifo()) == (1, True, True)


def test_every_run_writes_the_page_anew_even_one_with_nothing_to_do(
    here: Installation, report: Path
) -> None:
    for _ in range(3):
        assert here("apply").code == 0
        report.rename(report.with_suffix(".old"))
    assert "81.2.69.1" in report.with_suffix(".old").read_text()


def test_the_page_of_a_run_holds_the_facts_that_status_has(
    here: Installation, report: Path
) -> None:
    here.more["metrics"] = str(here.folder / "missing" / "allowsync.prom")
    assert here("apply").code == 0
    by_run = report.read_text()
    here("status --html", str(report))
    by_status = report.read_text()
    for fact in ('<strong class="bad">metrics:</strong>', "schedule"):
        assert fact in by_run
        assert fact in by_status
    assert "In sync" not in by_run


def test_a_dry_run_writes_no_page(here: Installation, report: Path) -> None:
    here("apply --dry-run")
    assert not report.exists()


def test_a_page_that_cannot_be_written_fails_no_run_and_is_said_once(here: Installation) -> None:
    here.more["report"] = str(here.folder / "missing" / "who.html")
    done = here("apply")
    assert done.code == 0
    assert done.err.count("the page could not be written") == 1
    assert here.allowed


def test_what_is_wrong_is_on_top_and_in_color_on_a_terminal(here: Installation) -> None:
    here("apply")
    here.file.unlink()
    here.freeze = True
    with Terminal("status", "--config", here.path) as terminal:
        first = terminal.until("last run").splitlines()[0]
    assert first.startswith("\x1b[31mweb/file: out of sync:")
    assert here("status").out.count("\x1b") == 0
    with Terminal("status", "--config", here.path, environ={"NO_COLOR": "1"}) as terminal:
        assert "\x1b" not in terminal.until("last run")


def test_status_keeps_to_eighty_columns(here: Installation, zones: dict[str, object]) -> None:
    long = "2a01:4f8:1234:5678:9abc:def0:1234:5678"
    zones["parents.example.org"] = [long]
    here.hosts["parents"] = {"hostname": "parents.example.org", "ipv6_prefix": 128}
    here("apply")
    zones["parents.example.org"] = ["127.0.0.1"]
    here("apply")
    with Terminal("status", "--no-color", "--config", here.path) as terminal:  # of 80 columns
        assert terminal.end() == 3
        shown = terminal.shown
    assert max(map(len, shown.splitlines())) <= 80
    assert f"    {long}  stale" in shown
    assert max(map(len, here("status").out.splitlines())) > 80
