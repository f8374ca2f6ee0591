"""Priorities for lines that systemd's journal reads (sd-daemon(3)). Imports next to nothing."""

import os
from collections.abc import Mapping

ERROR, WARNING, INFO = 3, 4, 6
PRIORITY_OF = {"red": ERROR, "yellow": WARNING}


def read_by_journal(descriptor: int, environ: Mapping[str, str]) -> bool:
    """Whether a descriptor is connected to the journal directly.

    `JOURNAL_STREAM` alone is no proof: a child that is redirected inherits it, too
    (systemd.exec(5)). It holds the device and inode of the stream.
    """
    try:
        found = os.fstat(descriptor)
    except OSError:
        return False
    return environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def marked(text: str, priority: int, descriptor: int) -> str:
    """A line with its priority as a prefix, if the journal reads the descriptor."""
    return f"<{priority}>{text}" if read_by_journal(descriptor, os.environ) else text
