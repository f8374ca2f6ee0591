"""The terminal of a stream."""

from __future__ import annotations

import os
from typing import IO


def columns(stream: IO[str]) -> int:
    """The width of a stream's terminal, in columns; 0 without one: nothing is wrapped then."""
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (AttributeError, OSError, ValueError):  # closed, a pipe, or no file at all
        return 0
