"""The terminal that a stream is, where it is one."""

from __future__ import annotations

import os
from typing import IO


def columns(stream: IO[str]) -> int:
    """The width of the terminal that a stream is; 0 where it is none, and nothing is wrapped."""
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (AttributeError, OSError, ValueError):  # closed, a pipe, or no file at all
        return 0
