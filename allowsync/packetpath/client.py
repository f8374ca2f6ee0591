"""Starts the process that asks, and believes it within bounds."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final

from allowsync.packetpath.document import from_questions, to_answers
from allowsync.packetpath.question import Answers, Machine, all_unknown
from allowsync.system.interpreter import python_module
from allowsync.system.process import Command, CommandError, run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allowsync.model.types import Network
    from allowsync.packetpath.question import Question

TIMEOUT: Final = 60.0


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
    several = tuple(questions)
    asked = json.dumps(
        {
            "parent": os.getpid(),
            "questions": from_questions(several),
            "known": list(map(str, known)),
        }
    )
    try:
        done = run(Command(python_module("allowsync.packetpath"), stdin=asked, timeout=timeout))
    except CommandError as error:
        return _unknown(several, str(error))
    if done.code != 0:
        said = done.stderr.strip().splitlines()
        return _unknown(several, f"the copy failed: {said[-1] if said else f'code {done.code}'}")
    return to_answers(json.loads(done.stdout))


def _unknown(questions: tuple[Question, ...], reason: str) -> Answers:
    return all_unknown(questions, reason, Machine())
