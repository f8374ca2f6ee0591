"""The process that runs Apprise: messages on standard input, their results on output.

A separate process, so that no library, plug-in or server can harm or delay a run. Its input may
be secret, so it comes on standard input, and no output of Apprise is passed on.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable

TOLD, FAILED, UNFIT, MISSING = "told", "failed", "unfit", "missing"


def main() -> None:
    """Deliver the messages of standard input within its time limit, and print the results.

    In: `{"seconds": 15, "messages": [{"url", "title", "body", "mood"}]}`; a message without a body
    is not sent, its URL only checked. Out: a list of `told`, `failed`, `unfit` or `missing`.
    """
    wanted = json.load(sys.stdin)
    answer = os.fdopen(os.dup(1), "w")
    _silence()
    outcomes = _outcomes(wanted["messages"], float(wanted["seconds"]))
    _end(answer, outcomes)


def _silence() -> None:
    """Discard the output of plug-ins: it is no result, and may hold a secret."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def _outcomes(messages: list[dict[str, str]], seconds: float) -> list[str]:
    try:
        import apprise
    except ImportError:
        return [MISSING] * len(messages)
    ends = time.monotonic() + seconds
    outcomes = [FAILED] * len(messages)

    def deliver(number: int) -> None:
        outcomes[number] = _delivered(apprise, messages[number])

    threads = [
        threading.Thread(target=deliver, args=(number,), daemon=True)
        for number in range(len(messages))
    ]
    _run(threads, ends)
    return list(outcomes)


def _run(threads: Iterable[threading.Thread], ends: float) -> None:
    """Run all at once until the end; unfinished threads are abandoned."""
    started = list(threads)
    for one in started:
        one.start()
    for one in started:
        one.join(max(0.0, ends - time.monotonic()))


def _delivered(apprise: Any, message: dict[str, str]) -> str:
    try:
        channel = apprise.Apprise(asset=apprise.AppriseAsset(app_id="allowsync"))
        if not channel.add(message["url"]):
            return UNFIT
        if not message["body"]:
            return TOLD
        sent = channel.notify(
            message["body"],
            title=message["title"],
            notify_type=message["mood"],
            body_format="text",
        )
    except Exception:  # noqa: BLE001 - whatever a plug-in raises may hold the URL
        return FAILED
    return TOLD if sent else FAILED


def _end(answer: TextIO, outcomes: list[str]) -> None:
    json.dump(outcomes, answer)
    answer.flush()
    os._exit(0)  # a thread that hangs must not keep the process


if __name__ == "__main__":
    main()
