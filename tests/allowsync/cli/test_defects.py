"""A defect of ours is one line that a terminal only shows."""

from __future__ import annotations

import sys
from types import ModuleType

import click
import pytest

from allowsync import cli
from allowsync.cli import summaries


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a command `break` that breaks, with what a stranger may have sent in its error."""

    @click.command("break")
    def command() -> None:
        raise ValueError("\x1b[2J\x1b]0;owned\a\nroot: yes")

    module = ModuleType("allowsync.cli.break")
    setattr(module, "break", command)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(summaries.COMMANDS, "break", "Break.")


def test_an_internal_error_is_one_line_without_terminal_control(
    broken: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ALLOWSYNC_TRACEBACK", raising=False)
    assert cli.run_command_line(["break"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("allowsync: internal error: ValueError: \\x1b[2J")
    assert said.endswith("see where)\n")
    assert said.removesuffix("\n").isprintable()


def test_who_asks_for_a_traceback_gets_one(broken: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWSYNC_TRACEBACK", "1")
    with pytest.raises(ValueError, match="owned"):
        cli.run_command_line(["break"])
