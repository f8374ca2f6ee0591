"""Has a copy of this process ask, and believes it within bounds."""

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
_ENDING: Final = 1.0  # seconds from the end of its answers to the end of the process
_CHUNK: Final = 65536


def ask(
    questions: Iterable[Question], *, known: Iterable[Network] = (), timeout: float = TIMEOUT
) -> Answers:
    """Ask a copy of this machine's packet filter what becomes of packets.

    Nothing of the machine changes, and nothing of the copy is left, whatever ends this process.

    Args:
        questions: What is asked; each becomes one question an uplink and address, unless it
            names them.
        known: Networks that are let in, so that they are no example of those that rules name.
        timeout: After how many seconds the answers are unknown.

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
    """What is written to a pipe until it is closed.

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

    os.setsid()  # what is typed at the terminal ends the caller, and the caller this process
    end_with_parent()
    if os.getppid() != maker:  # it ended before the kernel was told
        return
    try:
        answers = inquire(questions, known)
    except Exception as error:  # noqa: BLE001 - whatever it was, nothing is known
        answers = _unknown(questions, f"the copy failed: {error!r}")
    write_all(sink, json.dumps(from_answers(answers)).encode())


def _unknown(questions: Sequence[Question], reason: str) -> Answers:
    return all_unknown(questions, reason, Machine())
