"""Facts about processes, from proc(5) and cgroups(7)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import signal

_PROC: Final = Path("/proc")
_CGROUP: Final = Path("/sys/fs/cgroup")


def called(program: str) -> str:
    """Return the name of a process that runs a program: the kernel keeps 15 bytes (proc(5))."""
    return os.fsencode(program.rpartition("/")[2])[:15].decode(errors="replace")


def name_of(pid: int) -> str:
    """Return the name of a process; empty when there is none of that id, or only a dead one."""
    state, name, _ = _stat(pid)
    return "" if state in {"Z", "X"} else name


def is_hidden(pid: int) -> bool:
    """Whether a process of that id exists and is hidden from us (`hidepid`, proc(5))."""
    if (_PROC / str(pid)).exists():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not name_of(pid)  # it may have started between the two checks


def takes(pid: int, what: signal.Signals) -> bool | None:
    """Whether a process handles a signal when it is sent now; None when that is not visible."""
    try:
        lines = (_PROC / str(pid) / "status").read_text(errors="replace").splitlines()
    except OSError:
        return None
    masks = {name: value for name, _, value in (line.partition(":") for line in lines)}
    try:
        caught, blocked = (int(masks[name], 16) for name in ("SigCgt", "SigBlk"))
    except (KeyError, ValueError):
        return None
    return bool((caught & ~blocked) >> (what - 1) & 1)


def command_line(pid: int) -> str:
    """Return a process's command line, as started or set later; empty when it is not visible."""
    try:
        text = (_PROC / str(pid) / "cmdline").read_text(errors="replace")
    except OSError:
        return ""
    return text.replace("\0", " ").strip()


def descendants(pid: int) -> frozenset[int]:
    """Return the descendants of a process: those that are alive and visible."""
    below: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            state, _, parent = _stat(int(entry.name))
            if state not in {"", "Z", "X"}:
                below.setdefault(parent, []).append(int(entry.name))
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        born = set(below.get(waiting.pop(), ())) - found
        found |= born
        waiting.extend(born)
    return frozenset(found)


def group(name: str) -> frozenset[int]:
    """Return the processes of a control group and of those below; none where it cannot be read.

    Args:
        name: Its path in systemd's form, `/system.slice/nginx.service`.
    """
    if not name.startswith("/") or name == "/":
        return frozenset()
    pids: set[int] = set()
    for place in (_CGROUP, _CGROUP / "systemd"):
        for listing in (place / name.lstrip("/")).rglob("cgroup.procs"):
            try:
                pids.update(map(int, listing.read_text().split()))
            except OSError:
                continue
    return frozenset(pids)


def _stat(pid: int) -> tuple[str, str, int]:
    """Return state, name and parent of a process; the name is in brackets and may hold any."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return "", "", 0
    start, end = text.find("("), text.rfind(")")
    state, parent, *_ = text[end + 1 :].split()
    return state, text[start + 1 : end], int(parent)
