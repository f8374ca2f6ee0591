"""What is known of a change by a tool: that it was not begun, or that it may have been made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from allowsync_backends.common import command as tools
from allowsync_backends.ipset import tool as ipset

from allowsync.backend.api import BackendError, OutcomeUnknown
from allowsync.system.process import Command, CommandBroken
from tests.support.program import allowsync

if TYPE_CHECKING:
    from pathlib import Path


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


@pytest.mark.root
def test_without_proc_root_is_taken_to_be_allowed(as_root: None) -> None:
    line = 'mount -t tmpfs none /proc && exec "$@"'
    inside = ("unshare", "--mount", "--pid", "--fork", "sh", "-c", line, "sh")
    done = allowsync("backends", "--output", "json", prefix=inside)
    assert (done.code, done.err) == (0, "")
    found = {one["name"]: one["reason"] for one in done.document["backends"]}
    assert found["nftables"] is found["ipset"] is None


@pytest.mark.parametrize(("user", "may"), [(0, True), (1000, False)])
def test_without_proc_nobody_else_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, user: int, may: bool
) -> None:
    monkeypatch.setattr(tools, "STATUS", tmp_path / "missing")
    monkeypatch.setattr("os.geteuid", lambda: user)
    assert tools.may(tools.CAP_NET_ADMIN) is may
