"""A list in a running HAProxy: seen as it is, replaced in one step, and told by a socket."""

from __future__ import annotations

import socket
import time
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from allowsync.backend import BackendError, OutcomeUnknown, Severity
from allowsync.sight import SocketSight
from tests.support.gates import planned
from tests.support.haproxy import PORT, Haproxy, haproxy
from tests.support.internet import FRIEND, STRANGER
from tests.support.meddler import PROMPT, HangUp, Meddler
from tests.support.requests import OK, apply_one, neighbourhood, status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from allowsync_backends.file.backend import FileBackend

    from tests.support.meddler import Meddling

pytestmark = [pytest.mark.root]

FORBIDDEN = 403
LAN = "192.168.1.0/24"
ODD = "7.7.7.7/0.0.0.255"


@pytest.fixture
def server(as_root: None, tmp_path: Path) -> Iterator[Haproxy]:
    """It runs, and lets the friend in."""
    with neighbourhood() as inside, haproxy(inside, tmp_path) as running:
        put(running, FRIEND)
        yield running


def put(server: Haproxy, *wanted: str, backend: FileBackend | None = None) -> None:
    networks = [ip_network(one) for one in wanted]
    server.inside.run(apply_one, backend or server.backend(), networks)


def fails(server: Haproxy, *wanted: str, backend: FileBackend) -> BackendError:
    """What is said of a change that does not succeed."""
    plan = planned(server.backend().read(), map(ip_network, wanted))
    with pytest.raises(BackendError) as raised:
        server.inside.run(backend.apply, plan)
    return raised.value


def held(server: Haproxy) -> set[str]:
    return {str(entry.network) for entry in server.backend().read().entries}


def in_file(server: Haproxy) -> set[str]:
    return {line for line in server.path.read_text().splitlines() if not line.startswith("#")}


def is_as_before(server: Haproxy) -> bool:
    """Whether file and process hold the friend alone, and nothing is left over."""
    listed = {f"{FRIEND}/32"}
    beside = [one.name for one in server.path.parent.iterdir()]
    return (in_file(server), server.listed(), beside) == (listed, listed, [server.path.name])


# --- what is seen ---------------------------------------------------------------------------


def test_an_entry_in_either_is_held(server: Haproxy) -> None:
    server.ask(f"add acl {server.path} 198.51.100.9/24")
    server.ask(f"del acl {server.path} {FRIEND}/32")
    current = server.backend().read()
    assert held(server) == {f"{FRIEND}/32", "198.51.100.0/24"}
    assert current.flaws == (
        "the running haproxy does not know 1 entry of its file",
        "the running haproxy knows 1 entry more than its file",
    )
    # A look at the file alone would see none of it.
    assert isinstance(current.sights[-1], SocketSight)
    assert "198.51.100.9/24" in current.sights[-1].answer


def test_whom_somebody_let_in_at_the_socket_is_out_after_the_next_run(server: Haproxy) -> None:
    server.ask(f"add acl {server.path} {STRANGER}")
    assert status(server.inside, STRANGER, PORT) == OK
    put(server, FRIEND)
    assert status(server.inside, STRANGER, PORT) == FORBIDDEN
    assert is_as_before(server)


def test_whom_somebody_put_out_at_the_socket_is_in_after_the_next_run(server: Haproxy) -> None:
    server.ask(f"clear acl {server.path}")
    assert status(server.inside, FRIEND, PORT) == FORBIDDEN
    put(server, FRIEND)
    assert status(server.inside, FRIEND, PORT) == OK
    assert is_as_before(server)


def test_a_mask_with_gaps_is_no_entry_but_a_flaw_and_goes(server: Haproxy) -> None:
    server.ask(f"add acl {server.path} {ODD}")
    current = server.backend().read()
    assert current.flaws == (f"the running haproxy knows what is no network: '{ODD}'",)
    put(server, FRIEND)
    assert is_as_before(server)


def test_the_same_network_written_otherwise_is_no_difference(server: Haproxy) -> None:
    server.ask(f"clear acl {server.path}")
    server.ask(f"add acl {server.path} {FRIEND}")
    assert server.backend().read().flaws == ()
    assert held(server) == {f"{FRIEND}/32"}


def test_another_reload_reads_what_is_in_the_file(server: Haproxy) -> None:
    put(server, FRIEND, LAN)
    server.reload()
    assert server.backend().read().flaws == ()
    assert server.listed() == {f"{FRIEND}/32", LAN}


def test_ten_thousand_entries_are_put_in_force_and_taken_out(server: Haproxy) -> None:
    many = [f"90.{n // 256}.{n % 256}.0/24" for n in range(5000)]
    many += [str(ip_network(f"2a02:8109:{n:x}::/48")) for n in range(5000)]
    put(server, FRIEND, *many)
    assert server.listed() == {f"{FRIEND}/32", *many}
    put(server, FRIEND)
    assert is_as_before(server)


def test_a_change_that_was_interrupted_before_it_was_in_force_is_completed(
    server: Haproxy,
) -> None:
    text = server.path.read_text()
    undo = server.path.with_name(f".{server.path.name}.allowsync-undo")
    undo.write_text(text)
    server.path.write_text(text + f"{LAN}\n")
    current = server.backend().read()
    assert held(server) == {f"{FRIEND}/32", LAN}
    assert len(current.flaws) == 2
    put(server, FRIEND)
    assert is_as_before(server)


# --- what is said at the socket ----------------------------------------------------------------


def between(
    server: Haproxy, meddle: Meddling, greeting: bytes = PROMPT
) -> tuple[Meddler, FileBackend]:
    """Somebody in between, and a backend that talks to them."""
    place = server.folder / "between.sock"
    return Meddler(place, server.socket, meddle, greeting), server.backend(socket=place)


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
            raise HangUp
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
            raise HangUp
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
            raise HangUp
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
    monkeypatch.setattr("allowsync_backends.haproxy.conversation.PATIENCE", 0.2)
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


# --- whether it is the right one, and whether it runs -----------------------------------------


def test_a_process_that_does_not_use_the_file_is_no_success(server: Haproxy) -> None:
    other = server.path.with_name("others.lst")
    backend = server.backend(path=other)
    (flaw_missing, flaw) = backend.read().flaws
    assert flaw_missing == f"{other} does not exist"
    assert flaw == f"haproxy runs, but has loaded no ACL from {other}: it has no effect"
    plan = planned(backend.read(), [ip_network(LAN)])
    with pytest.raises(BackendError, match="is written for when haproxy uses it") as raised:
        backend.apply(plan)
    assert not isinstance(raised.value, OutcomeUnknown)
    assert LAN in other.read_text(), "the configuration cannot name a file that is not there"
    errors = [one for one in backend.check() if one.severity is Severity.ERROR]
    assert [one.what for one in errors] == [
        flaw,
        f"no ACL in {server.config} reads {other}: it has no effect",
    ]
    assert f"src -f {other}" in errors[0].advice


def test_the_socket_of_the_master_process_is_told_from_that_of_a_worker(
    as_root: None, tmp_path: Path
) -> None:
    place = tmp_path / "master.sock"
    with neighbourhood() as inside, haproxy(inside, tmp_path, words=("-S", str(place))) as server:
        backend = server.backend(socket=place)
        deadline = time.monotonic() + 20
        said = "nobody listens"
        while "nobody listens" in said and time.monotonic() < deadline:
            with pytest.raises(BackendError) as raised:
                backend.read()
            said = str(raised.value)
    assert f"{place} is the socket of HAProxy's master process" in said


def test_one_that_runs_without_its_socket_is_no_success(server: Haproxy) -> None:
    backend = server.backend(socket=server.folder / "nobody.sock")
    with pytest.raises(BackendError, match="haproxy runs, but nobody listens at "):
        backend.read()
    before = server.path.stat()
    error = fails(server, FRIEND, LAN, backend=backend)
    assert "nobody listens" in str(error)
    assert server.path.stat() == before


def test_a_socket_that_may_not_be_used_is_an_error(server: Haproxy) -> None:
    file = server.folder / "file"
    file.touch()
    with pytest.raises(BackendError, match="nobody listens at"):
        server.backend(socket=file).read()
    with pytest.raises(BackendError, match="cannot be connected to: Not a directory"):
        server.backend(socket=file / "admin.sock").read()


def test_one_that_is_started_while_nobody_looks_has_the_file(server: Haproxy) -> None:
    server.stop()
    put(server, FRIEND, LAN)
    current = server.backend().read()
    assert (current.flaws, current.sights) == ((), ())
    server.start()
    assert server.listed() == {f"{FRIEND}/32", LAN}
    assert server.backend().read().flaws == ()


def test_clearing_takes_everybody_out_of_a_process_whose_configuration_is_done_with_it(
    server: Haproxy,
) -> None:
    server.rule = "http-request deny"
    server.write()
    server.inside.run(server.backend().clear)
    assert list(server.path.parent.iterdir()) == []
    assert (server.listed(), status(server.inside, FRIEND, PORT)) == (set(), FORBIDDEN)
    assert server.backend().read().entries == frozenset()
