"""Sends packets by a fork of this process, and validates its answers."""

from __future__ import annotations

import json
import os
import select
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from allowsync.packetpath.document import from_answers, to_answers
from allowsync.packetpath.question import Answers, Machine, all_unknown
from allowsync.system.fork import Fork, write_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from allowsync.model.types import Network
    from allowsync.packetpath.question import Question

TIMEOUT: Final = 60.0
_ENDING: Final = 1.0  # seconds from end of output to exit
_CHUNK: Final = 65536


def ask(
    questions: Iterable[Question], *, known: Iterable[Network] = (), timeout: float = TIMEOUT
) -> Answers:
    """Ask a copy of this machine's packet filter for the paths of packets.

    Changes nothing of the machine, and leaves nothing of the copy, however this process ends.

    Args:
        questions: The questions; each is expanded to every uplink and address, unless it
            names them.
        known: Allowed networks: not taken as examples of the networks that rules name.
        timeout: The time limit, in seconds; then the answers are unknown.

    Returns:
        The answers; unknown, with the reason, where the machine cannot be read or copied whole.
    """
    several, until = tuple(questions), time.monotonic() + timeout
    try:
        asking = Fork(partial(_answer, os.getpid(), several, tuple(map(str, known))))
    except OSError as error:
        return _unknown(several, f"no process can be made that asks: {error.strerror}")
    how, patience = "", 0.0
    try:
        said = _read(asking.source, until)
        patience = _ENDING
    except TimeoutError:
        return _unknown(several, f"packets were not tried within {timeout:g} s")
    finally:
        how = asking.end(patience)
    try:
        return to_answers(json.loads(said))
    except ValueError:
        return _unknown(several, f"the process that asks ended too early ({how})")


def _read(source: int, until: float) -> bytes:
    """Read a pipe until it is closed.

    Raises:
        TimeoutError: It is open for too long.
    """
    waiting = select.poll()
    waiting.register(source, select.POLLIN)
    said = bytearray()
    while waiting.poll(max(0.0, until - time.monotonic()) * 1000):
        if not (data := os.read(source, _CHUNK)):
            return bytes(said)
        said += data
    raise TimeoutError


def _answer(
    maker: int, questions: Sequence[Question], known: Sequence[str], _: int, sink: int
) -> None:
    """Answer, in a process that may enter namespaces of its own, which its caller must not."""
    from allowsync.packetpath.inquiry import inquire
    from allowsync.packetpath.isolation import end_with_parent

    os.setsid()  # signals of the terminal end the caller, and the caller ends this process
    end_with_parent()
    if os.getppid() != maker:  # the parent ended before prctl
        return
    try:
        answers = inquire(questions, known)
    except Exception as error:  # noqa: BLE001 - after any error the answers are unknown
        answers = _unknown(questions, f"the copy failed: {error!r}")
    write_all(sink, json.dumps(from_answers(answers)).encode())


def _unknown(questions: Sequence[Question], reason: str) -> Answers:
    return all_unknown(questions, reason, Machine())
