"""Which tests have to notice a change in which module: those that mirror it, the nearest first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = Path(__file__).resolve().parents[2]

SUITES: Final[Mapping[str, tuple[str, ...]]] = {
    "answers": ("model", "believe", "decide"),
    "believe": ("believe", "guards"),
    "chronicle": ("chronicle",),
    "counts": ("counts",),
    "decide": ("decide", "model", "guards", "inherit", "reasons"),
    "explain": ("explain",),
    "guards": ("guards", "guarded_runs"),
    "inherit": ("inherit", "model"),
    "layers": ("layers",),
    "limits": ("limits", "outcome", "unconfirmed"),
    "memory": ("memory", "model", "decide", "guards"),
    "metrics": ("metrics",),
    "model": ("model", "decide", "limits", "plan", "guards"),
    "networks": ("networks", "plan"),
    "outcome": ("outcome", "model"),
    "plan": ("plan", "limits"),
    "reasons": ("reasons",),
    "request": ("request",),
    "scene": ("scene",),
    "spans": ("spans",),
    "special": ("believe",),
    "tracks": ("tracks", "decide", "guards"),
    "whynot": ("whynot",),
}


def source(module: str) -> Path:
    """The file of a module."""
    return ROOT / f"allowsync/{module}.py"


def suite(module: str) -> tuple[str, ...]:
    """The files that test it, those that exist."""
    files = (f"tests/allowsync/test_{name}.py" for name in SUITES[module])
    return tuple(file for file in files if (ROOT / file).exists())
