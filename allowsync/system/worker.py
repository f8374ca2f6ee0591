"""A command in a worker process, whose code may end it, and a process that waits for it.

Changes of third-party code to Python can be caught and undone. An end of the process cannot: a
crash of the interpreter, `_exit` by whatever way, another program in our place, our files closed.
So the program continues in a copy of itself as soon as such code is to be loaded. The original only
waits: if the copy ends before its work is done, the command is restarted without the code that was
running then.
"""

from __future__ import annotations

import os
import signal
import struct
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NoReturn

from allowsync import system

if TYPE_CHECKING:
    from collections.abc import Iterable
    from mmap import mmap

# Tells the restarted program which code ended a worker, and how.
VARIABLE: Final = "ALLOWSYNC_ENDED_BY"
_ANY: Final = "*"  # any third-party code: it ran in a thread, or outside of calls
_FORWARDED: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_ROOM: Final = 4096
_HEAD: Final = struct.Struct("d")  # the deadline of a call; 0 without one
# Seconds that a call may exceed its limit before it counts as uninterruptible. They are counted
# by the waiting process, since both may have been stopped for long.
_OVERDUE = 20

# The limits that another process could lower, too.
_LIMITS: Final = ("AS", "CPU", "DATA", "FSIZE", "NOFILE", "NPROC", "STACK")
_LOST: Final = "closed files of allowsync, or changed its user, root, network or limits"
INTERRUPTED: Final = "interrupted the command"

_pages: Final[list[mmap]] = []  # shared by the two processes; empty if this is no worker
_names: Final[set[str]] = set()  # of third-party code
_files: Final[dict[int, object]] = {}  # ours, from before there was such code
_told: Final[dict[str, str]] = {}
_groups: Final[list[int]] = []  # the process group of a worker outside of calls
_end: Final = os._exit


def split(names: Iterable[str]) -> None:
    """Continue as a worker, unless this is one, before code is loaded. The original never returns.

    Args:
        names: Of the third-party code. Our own code is not blamed for an end.
    """
    _names.update(names)
    if _pages or not system.is_program or _ANY in _known():  # with `*`, no such code is loaded
        return
    from mmap import mmap

    from allowsync.system.fork import forked

    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # full or closed: reported at the end
            stream.flush()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {*_FORWARDED, signal.SIGCHLD})
    # If no more process can be made, continue in this one.
    with suppress(OSError):
        page = mmap(-1, _ROOM)
        if (pid := forked()) > 0:
            _wait(pid, page, mask)
        _pages.append(page)
        _groups.append(os.getpgrp())
        files = os.listdir("/proc/self/fd")  # noqa: PTH208 - no Path here
        _files.update({one: _identity(one) for one in map(int, files)})
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def ended_by(name: str, *, ours: bool) -> str:
    """The way some code ended a worker of this command; empty if it did not.

    Args:
        name: Its name.
        ours: Whether it is ours. Third-party code may have ended one at any time.
    """
    known = _known()
    return known.get(name) or ("" if ours else known.get(_ANY, ""))


def at_work() -> bool:
    """Whether this process is a worker."""
    return bool(_pages)


def calls(name: str, place: str, limit: float) -> object:
    """Record the code that is called from now on, in a process group of its own.

    Its signals to its group must not reach the waiting process.

    Args:
        name: Its name.
        place: The file and line where it begins, if known.
        limit: Its time limit, in seconds.

    Returns:
        The argument of `returned`.
    """
    _note(*((name, place) if name in _names else ()))
    _HEAD.pack_into(_pages[0], 0, time.monotonic() + limit)
    _join(0)
    return _belongings()


def returned(before: object) -> None:
    """Record its return. Ends this worker if it lost its user, root, network, limits or files."""
    _join(_groups[0])
    _HEAD.pack_into(_pages[0], 0, 0.0)
    if _belongings() != before:
        name, place, *_ = _noted(_pages[0])
        _note(name, place, _LOST)
        _end(1)
    _note()


def give_up(why: str) -> None:
    """End this worker, if it is one: third-party code may be the reason why it cannot go on."""
    if _pages:
        _note("", "", why)
        _end(1)


def done(code: int) -> None:
    """Record that all is done: however this worker ends, this is the exit code."""
    if _pages:
        _note("", "", "", str(code & 0xFF))


def _note(*fields: str) -> None:
    text = "\t".join(fields).encode(errors="replace")[: _ROOM - _HEAD.size - 1] + b"\0"
    _pages[0][_HEAD.size : _HEAD.size + len(text)] = text


def _noted(page: mmap) -> tuple[str, ...]:
    """The called code, its place, and its fault; and the exit code once all is done."""
    text = page[_HEAD.size :].partition(b"\0")[0].decode(errors="replace")
    return (*text.split("\t"), "", "", "", "")[:4]


def _join(group: int) -> None:
    with suppress(OSError):  # it has become a session of its own
        os.setpgid(0, group)


def _belongings() -> object:
    """Our user, root, network and limits, and those of our files that are unchanged."""
    import resource

    limits = [resource.getrlimit(getattr(resource, f"RLIMIT_{one}")) for one in _LIMITS]
    places = [_identity(one) for one in ("/", "/proc/self/ns/net")]
    kept = [one for one, first in _files.items() if first and _identity(one) == first]
    return os.getresuid(), os.getresgid(), os.getgroups(), places, limits, kept


def _identity(file: int | str) -> object:
    try:
        found = os.stat(file)  # noqa: PTH116 - no Path here
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _wait(pid: int, page: mmap, mask: Iterable[int]) -> NoReturn:
    """Wait for a worker, and end as it does; or restart the program without the code to blame."""
    how, asked = _awaited(pid, page)
    if asked := asked or next(iter(signal.sigpending() & {*_FORWARDED}), 0):
        signal.signal(asked, signal.SIG_IGN)  # discards a pending one: it is reported below
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    name, place, why, code = _noted(page)
    if code:
        os._exit(int(code))
    if asked and why == INTERRUPTED:
        _say("interrupted")
        os._exit(128 + asked)
    if asked:
        signal.signal(asked, signal.SIG_DFL)
        os.kill(os.getpid(), asked)
    _begin_anew(name, (why or how) + (f" ({place})" if place else ""))


def _awaited(pid: int, page: mmap) -> tuple[str, int]:
    """The end of a worker in words, and the signal that was to end it, if there was one."""
    asked = late = 0
    while (how := _how_it_ended(pid)) is None:
        got = signal.sigtimedwait((*_FORWARDED, signal.SIGCHLD), 1.0)
        if got and got.si_signo != signal.SIGCHLD:
            asked = got.si_signo
            # A terminal sends SIGINT to both by itself, if they are one process group.
            if asked != signal.SIGINT or got.si_code <= 0 or os.getpgid(pid) != os.getpgrp():
                os.kill(pid, asked)
        (limit,) = _HEAD.unpack_from(page)
        late = late + 1 if limit and time.monotonic() > limit else 0
        if late > _OVERDUE:
            os.kill(pid, signal.SIGKILL)
    return ("did not return, and could not be interrupted" if late > _OVERDUE else how), asked


def _how_it_ended(pid: int) -> str | None:
    """The end of a worker in words; None while it runs."""
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:  # SIGCHLD is ignored, so the kernel reaped it
        return "ended the process"
    if not ended:
        return None
    code = os.waitstatus_to_exitcode(status)
    return f"ended the process with {f'signal {-code}' if code < 0 else f'exit code {code}'}"


def _begin_anew(name: str, how: str) -> NoReturn:
    known, who = _known(), name or _ANY
    if who not in known:
        known[who] = f"once loaded, it {how}" if name else f"it, or another one, {how}"
        os.environ[VARIABLE] = "\n".join(f"{one}\t{what}" for one, what in known.items())
        with suppress(OSError):
            os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - the command line of this process
    _say(f"could not go on: a backend {how}")
    os._exit(1)


def _say(what: str) -> None:
    with suppress(OSError):  # closed, or a disk is full
        os.write(2, f"allowsync: {what}\n".encode())


def _known() -> dict[str, str]:
    """The ends of workers so far. Hidden from the programs that this one starts."""
    if VARIABLE in os.environ:
        for line in os.environ.pop(VARIABLE).splitlines():
            name, _, how = line.partition("\t")
            _told[name] = how
    return _told
