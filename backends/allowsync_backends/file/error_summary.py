"""The gist of a failed program's output. Pure; only ever shown, never parsed."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST: Final = 300  # characters

# Marks of lines that do not explain the failure: nginx, HAProxy, Caddy, CrowdSec, Apache.
_ASIDE: Final = re.compile(
    r'\[(?:warn|notice|info)(?:ing)?\]|"level":"(?:debug|info|warn)"'
    r"|\blevel=(?:debug|info|warn(?:ing)?)\b|^AH00558:",
    re.IGNORECASE,
)


def gist(stderr: str) -> str:
    """Return the first line that is no warning, or the first of all; empty without output.

    A line that ends in a colon comes with the next one; of a log line in JSON, the message.
    """
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    telling = [line for line in lines if not _ASIDE.search(line)] or lines
    return " ".join(_sentence(telling))[:LONGEST]


def _sentence(lines: list[str]) -> Iterator[str]:
    for line in lines[:2]:
        yield _message(line)
        if not line.endswith(":"):
            return


def _message(line: str) -> str:
    if not line.startswith("{"):
        return line
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return line
    return str(entry.get("msg", line)) if isinstance(entry, dict) else line
