"""A list in a running HAProxy is replaced in one step, wherever the conversation ends."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from allowsync.backend.api import BackendError, OutcomeUnknown
from allowsync.model.target import Severity
from tests.support.haproxy import PORT, Haproxy
from tests.support.haproxy_lists import between, fails, held, in_file, is_as_before, put
from tests.support.internet import FRIEND, STRANGER
from tests.support.meddler import MeddlerHangUp
from tests.support.requests import OK, status

if TYPE_CHECKING:
    from collections.abc import Callable


pytestmark = [pytest.mark.root]

FORBIDDEN = 403
LAN = "192.168.1.0/24"
ODD = "7.7.7.7/0.0.0.255"


def untouched(command: str, carried_out: Callable[[str], str]) -> str:
    return carried_out(command)


def test_a_change_is_one_step_and_nothing_changed_is_only_looked_at(server: Haproxy) -> None:
    meddler, backend = between(server, untouched)
    with meddler:
        put(server, FRIEND, LAN, backend=backend)
        changed = [one for one in meddler.commands if not one.startswith("show ")]
        meddler.commands.clear()
        put(server, FRIEND, LAN, backend=backend)
    verbs = [one.partition(" acl ")[0] for one in changed]
    assert verbs == ["prepare", "add", "add", "commit"]
    assert {one.partition(" ")[0] for one in meddler.commands} == {"show"}


@pytest.mark.parametrize("verb", ["prepare", "add"])
def test_what_it_refuses_beforehand_changes_nothing_at_all(server: Haproxy, verb: str) -> None:
    def refuse(command: str, carried_out: Callable[[str], str]) -> str:
        return "Permission denied\n" if command.startswith(verb) else carried_out(command)

    meddler, backend = between(server, refuse)
    with meddler:
        error = fails(server, FRIEND, LAN, backend=backend)
    assert f"haproxy refused '{verb} acl " in str(error)
    assert "Permission denied" in str(error)
    assert not isinstance(error, OutcomeUnknown)
    assert is_as_before(server)


def test_a_commit_that_it_refuses_brings_the_old_file_back(server: Haproxy) -> None:
    refused: list[str] = []

    def refuse(command: str, carried_out: Callable[[str], str]) -> str:
        # Two times: what was prepared, and all of it once more.
        if command.startswith("commit") and len(refused) < 2:
            refused.append(command)
            return "Version number out of range.\n"
        return carried_out(command)

    meddler, backend = between(server, refuse)
    with meddler:
        error = fails(server, FRIEND, LAN, backend=backend)
    assert "Version number out of range.; the old file is back in force" in str(error)
    assert not isinstance(error, OutcomeUnknown)
    assert is_as_before(server)


def test_a_reply_to_the_commit_that_is_lost_is_asked_for_again(server: Haproxy) -> None:
    lost: list[str] = []

    def lose(command: str, carried_out: Callable[[str], str]) -> str:
        said = carried_out(command)
        if command.startswith("commit") and not lost:
            lost.append(command)
            raise MeddlerHangUp
        return said

    meddler, backend = between(server, lose)
    with meddler:
        put(server, FRIEND, LAN, backend=backend)
    assert lost
    assert server.listed() == in_file(server) == {f"{FRIEND}/32", LAN}


def test_no_reply_to_any_commit_is_an_outcome_that_nobody_knows(server: Haproxy) -> None:
    def lose(command: str, carried_out: Callable[[str], str]) -> str:
        said = carried_out(command)
        if command.startswith("commit"):
            raise MeddlerHangUp
        return said

    meddler, backend = between(server, lose)
    with meddler:
        error = fails(server, FRIEND, LAN, backend=backend)
    assert isinstance(error, OutcomeUnknown)
    assert "broke off: it was closed" in str(error)
    assert any("was not confirmed" in flaw for flaw in server.backend().read().flaws)
    assert status(server.inside, FRIEND, PORT) == OK
    put(server, FRIEND)
    assert is_as_before(server)


@pytest.mark.parametrize("number", range(1, 13))
def test_hung_up_on_anywhere_a_friend_stays_in_and_the_next_run_puts_it_right(
    server: Haproxy, number: int
) -> None:
    seen: list[str] = []

    def hang_up(command: str, carried_out: Callable[[str], str]) -> str:
        seen.append(command)
        # The sixth is the first commit, after which it is tried once more.
        if len(seen) == 6 or len(seen) >= number:
            raise MeddlerHangUp
        return carried_out(command)

    meddler, backend = between(server, hang_up)
    with meddler:
        error = fails(server, FRIEND, LAN, backend=backend)
    assert "broke off" in str(error)
    # Before the file was changed there is nothing that could be unknown.
    assert isinstance(error, OutcomeUnknown) == any(one.startswith("commit") for one in seen)
    assert status(server.inside, FRIEND, PORT) == OK
    assert status(server.inside, STRANGER, PORT) == FORBIDDEN
    put(server, FRIEND)
    assert is_as_before(server)


def test_an_old_version_is_told_entry_by_entry_first_the_new_ones(server: Haproxy) -> None:
    def old(command: str, carried_out: Callable[[str], str]) -> str:
        if command.startswith(("prepare", "commit", "clear", "add acl @")):
            return "Unknown command.\n"
        said = carried_out(command)
        return "\n".join(line.partition(" curr_ver=")[0] for line in said.split("\n"))

    server.ask(f"add acl {server.path} {ODD}", f"add acl {server.path} {FRIEND}")
    meddler, backend = between(server, old)
    with meddler:
        put(server, FRIEND, LAN, backend=backend)
        put(server, FRIEND, "10.0.0.0/8", backend=backend)
    changes = [one.split()[0] for one in meddler.commands if not one.startswith("show ")]
    assert changes == ["add", "del", "add", "del"]
    assert server.backend().read().flaws == ()
    assert held(server) == {f"{FRIEND}/32", "10.0.0.0/8"}


def test_a_socket_that_says_nothing_is_given_up(
    server: Haproxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("allowsync_backends.haproxy.runtime_socket.PATIENCE", 0.2)
    place = server.folder / "silent.sock"
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(place))
        silent.listen()
        with pytest.raises(BackendError, match="did not answer in time"):
            server.backend(socket=place).read()


@pytest.mark.parametrize("greeting", [b"220 smtp.example.org\r\n", b"\n\n> ", b"\n> \n> ", b"\0"])
def test_something_else_at_the_socket_is_noticed_at_once(server: Haproxy, greeting: bytes) -> None:
    meddler, backend = between(server, untouched, greeting=greeting)
    with meddler, pytest.raises(BackendError, match="does not talk like haproxy"):
        backend.read()
    assert meddler.commands == []


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("show info", "Hello\n"),
        ("show acl", "0 (/x) pattern\n"),
        ("show acl #0", "no reference\n"),
        ("show acl #0", "Unknown ACL identifier. Please use #<id> or <file>.\n"),
    ],
)
def test_an_answer_of_another_kind_is_no_empty_list(server: Haproxy, asked: str, said: str) -> None:
    def answer(command: str, carried_out: Callable[[str], str]) -> str:
        return said if command == asked else carried_out(command)

    meddler, backend = between(server, answer)
    with meddler, pytest.raises(BackendError, match="answered what cannot be understood"):
        backend.read()


def test_several_processes_with_a_list_each_are_not_managed_by_one_socket(
    server: Haproxy,
) -> None:
    def several(command: str, carried_out: Callable[[str], str]) -> str:
        return carried_out(command).replace("Nbproc: 1", "Nbproc: 4")

    meddler, backend = between(server, several)
    with meddler:
        with pytest.raises(BackendError, match="runs as 4 processes with a list each"):
            backend.read()
        (found,) = (one for one in backend.check() if one.severity is Severity.ERROR)
    assert "nbproc" in found.what
