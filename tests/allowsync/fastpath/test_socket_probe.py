"""What a glance may ask at a socket, and what an answer is."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from allowsync.fastpath import socket_probe as sockets
from allowsync.fastpath.socket_probe import answered
from allowsync.state.codec import rows
from allowsync.system.fingerprint import of_answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUESTION = "show acl /etc/haproxy/friends.lst"


@contextmanager
def listening(path: Path, *answers: bytes, hang_up: bool = True) -> Iterator[list[bytes]]:
    """Somebody who answers one line with some pieces."""
    asked: list[bytes] = []
    over = threading.Event()

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            asked.append(client.recv(1 << 16))
            for piece in answers:
                client.sendall(piece)
            if not hang_up:
                over.wait(20)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        yield asked
        over.set()
        thread.join(20)


def test_an_answer_ends_when_the_other_side_hangs_up(tmp_path: Path) -> None:
    place = tmp_path / "s"
    with listening(place, b"0x1 81.2.69.1\n", b"\n") as asked:
        assert answered(f"{place}\0{QUESTION}") == b"0x1 81.2.69.1\n\n"
    assert asked == [f"{QUESTION}\n".encode()]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/s",
        f"s\0{QUESTION}",
        "/s\0show acl",
        "/s\0show acl #0",
        "/s\0clear acl /x",
        f"/s\0{QUESTION};clear acl /x",
        f"/s\0{QUESTION} x",
        f"/s\0{QUESTION}\n",
        f"/s\0{QUESTION}\0{QUESTION}",
    ],
)
def test_nothing_is_said_but_that_question(name: str) -> None:
    with pytest.raises(ValueError, match=r"^"):
        answered(name)


def test_nobody_there_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        answered(f"{tmp_path}/s\0{QUESTION}")


def test_an_answer_without_end_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "TIMEOUT", 0.1)
    place = tmp_path / "s"
    with (
        listening(place, b"0x1 81.2.69.1\n", hang_up=False),
        pytest.raises(TimeoutError),
    ):
        answered(f"{place}\0{QUESTION}")


def test_an_answer_that_is_too_long_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "LARGEST", 8)
    place = tmp_path / "s"
    with listening(place, b"0x1 81.2.69.1\n"), pytest.raises(OSError, match="s"):
        answered(f"{place}\0{QUESTION}")


def test_a_sight_is_kept_as_it_is_asked_for_again() -> None:
    sight = of_answer("/s", QUESTION, "0x1 81.2.69.1\n\n")
    assert sight.settled
    assert rows([sight, sight]) == [("socket", f"/s\0{QUESTION}", "0x1 81.2.69.1\n\n")]
    assert not of_answer("/s", QUESTION, "x" * 300_000).settled
