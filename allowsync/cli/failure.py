"""The outermost handler: the message and the exit code of every unforeseen failure."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, Final, TextIO

from allowsync.cli.common import echo_json, printed, say, wants_json
from allowsync.model.outcome import ExitCode, Notice, worst
from allowsync.report.json import stopped_document
from allowsync.system.journald import ERROR, marked
from allowsync.system.worker import give_up
from allowsync.text import abridge, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

# The errors of writing to a stream: full, closed, broken, or without a reader.
_OF_STREAMS: Final = (errno.EBADF, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC, errno.EPIPE)
_FAILED, _USAGE = ExitCode.FAILED, ExitCode.USAGE


def failed(error: BaseException, arguments: Sequence[str]) -> int:
    """Report in one line the error that ended the command. Returns the exit code.

    With `-vv` the traceback follows, and `--output json` still gets a document.
    """
    if isinstance(error, SystemExit):  # from a third party's command, or from click
        return error.code if isinstance(error.code, int) else int(bool(error.code))
    if isinstance(error, OSError) and error.filename is None and error.errno in _OF_STREAMS:
        return unwritten(_FAILED, error)
    code, what = _said(error)
    documented = wants_json(arguments) and not printed
    if not documented:
        say(marked(f"allowsync: {what}", ERROR, 2), err=True)
    if _verbosity(arguments) > 1:
        from traceback import format_exception

        for line in "".join(format_exception(error)).splitlines():
            say(printable(line), err=True)
    if documented:
        echo_json(stopped_document(_schema(arguments), code, [Notice("allowsync", what)]))
    return code


def unwritten(code: int, error: OSError | None = None) -> int:
    """Report that output was lost, which is no success. Returns the exit code.

    An error that cannot be reported keeps its exit code.
    """
    lost = _lost(sys.stdout)
    why = error or lost
    if why and why.errno != errno.EPIPE:  # a reader that has left needs no message
        reason = why.strerror or type(why).__name__
        say(marked(f"allowsync: the output could not be written: {reason}", ERROR, 2), err=True)
    _lost(sys.stderr)
    return worst((ExitCode(code), _FAILED)) if why else code


def _lost(stream: TextIO) -> OSError | None:
    """The error of flushing a stream, or None; lost output is dropped, and not tried again."""
    try:
        stream.flush()
    except (OSError, ValueError) as error:
        number = 1 if stream is sys.stdout else 2
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)
        return error if isinstance(error, OSError) else OSError(errno.EBADF, "it is closed")
    return None


def _said(error: BaseException) -> tuple[ExitCode, str]:
    if isinstance(error, FileNotFoundError) and not _has_working_directory():
        return _USAGE, "the working directory was deleted; change to another, or use absolute paths"
    if isinstance(error, MemoryError):
        give_up("took all memory")
        return _FAILED, "not enough memory: the command was not completed; see 'ulimit -v'"
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - `__str__` of an error may be a third party's code
        text = ""
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return _FAILED, abridge(f"not completed: {where}{error.strerror}")
    what = abridge(f"{type(error).__name__}: {text}")
    give_up(f"is why the command could not go on: {what}")
    return _FAILED, f"internal error: {what} (set ALLOWSYNC_TRACEBACK=1 to see where)"


def _has_working_directory() -> bool:
    try:
        os.getcwd()  # noqa: PTH109 - no Path here
    except OSError:
        return False
    return True


def _verbosity(arguments: Sequence[str]) -> int:
    short = (one.count("v") for one in arguments if one[:1] == "-" and set(one[1:]) == {"v"})
    return sum(short) + arguments.count("--verbose")


def _schema(arguments: Sequence[str]) -> str:
    from allowsync.cli.summaries import COMMANDS

    words = [one for one in arguments if not one.startswith("-")]
    command = next((one for one in words if one in COMMANDS), words[0] if words else "apply")
    return "allowsync.run/1" if command == "apply" else f"allowsync.{command}/1"
