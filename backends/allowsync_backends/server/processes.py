"""What the kernel tells about processes, by proc(5) and cgroups(7)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_CGROUP: Final = Path("/sys/fs/cgroup")


def name_of(pid: int) -> str:
    """The name of a process; empty when there is none of that id, or only a dead one."""
    state, name, _ = _stat(pid)
    return "" if state in {"Z", "X"} else name


def children(pid: int) -> frozenset[int]:
    """The children of a process that are alive and can be seen."""
    found = set()
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            state, _, parent = _stat(int(entry.name))
            if parent == pid and state not in {"Z", "X"}:
                found.add(int(entry.name))
    return frozenset(found)


def group(name: str) -> frozenset[int]:
    """The processes of a control group and of those below; none where it cannot be read.

    Args:
        name: Its path as systemd gives it, `/system.slice/nginx.service`.
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
    """State, name and parent of a process; the name stands in brackets and may hold any."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return "", "", 0
    name = text[text.find("(") + 1 : text.rfind(")")]
    state, parent, *_ = text[text.rfind(")") + 1 :].split()
    return state, name, int(parent)
