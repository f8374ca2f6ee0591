"""What a process may use, and what came of taking the rest away. Cheap to import."""

from __future__ import annotations

import os

from allowsync.model.value import Value


class Confinement(Value):
    """What rights a process gave up.

    Attributes:
        is_sound: It is not root any more, or has no access to files, or was kept by others from
            what makes root powerful.
        lacking: What could not be given up, and why; empty where there is nothing.
    """

    is_sound: bool
    lacking: str


class Bounds(Value):
    """What the process may use from now on.

    Attributes:
        memory: Bytes of its own, without what is mapped from files.
        processor: Seconds of processor time.
        ports: TCP ports that may be connected to.
        readable: Files that must be found later, by their path; folders with all that is in them.
    """

    memory: int
    processor: int
    ports: tuple[int, ...] = ()
    readable: tuple[str, ...] = ()


def held() -> int:
    """Octets of data that this process has now, which count for `Bounds.memory`."""
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123
        return int(file.read().split()[5]) * os.sysconf("SC_PAGE_SIZE")
