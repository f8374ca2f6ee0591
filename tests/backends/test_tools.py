"""What is known of a change by a tool: that it was not begun, or that it may have been made."""

from __future__ import annotations

import pytest
from allowsync_backends import tools
from allowsync_backends.ipset import tool as ipset

from allowsync.backend import BackendError, OutcomeUnknown
from allowsync.shell import Command, CommandBroken


def test_a_program_that_is_not_there_changed_nothing() -> None:
    with pytest.raises(BackendError) as raised:
        tools.change(Command(("no-such-program",)), "install it")
    assert not isinstance(raised.value, OutcomeUnknown)
    assert str(raised.value) == "install it"


@pytest.mark.parametrize("script", ["sleep 60", "kill -9 $$"])
def test_a_program_that_did_not_come_to_its_end_may_have_changed_something(script: str) -> None:
    with pytest.raises(OutcomeUnknown):
        tools.change(Command(("sh", "-c", script), timeout=0.3))


def test_a_change_whose_pipe_broke_may_have_been_made_by_ipset(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(command: Command) -> None:
        raise CommandBroken(command, "Input/output error")

    monkeypatch.setattr(tools, "run", broken)
    with pytest.raises(OutcomeUnknown):
        ipset.restore_sets("create x hash:net\n")


def test_remarks_are_not_taken_for_the_complaint() -> None:
    failed = tools.ask(Command(("sh", "-c", "echo '# Warning: legacy' >&2; echo no >&2; exit 3")))
    assert tools.said(failed) == "no"
    assert tools.said(tools.ask(Command(("sh", "-c", "exit 3")))) == "exit code 3"
