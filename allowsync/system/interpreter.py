"""Processes of our own: isolated Python that runs a module of this installation."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

# A distribution package may be outside Python's search path: its program adds that folder itself.
_START: Final = (
    "import runpy, sys; folder = sys.argv.pop(1); module = sys.argv.pop(1); "
    "sys.path[:0] = [] if folder in sys.path else [folder]; "
    "runpy.run_module(module, run_name='__main__')"
)
_INSTALLED_IN: Final = str(Path(__file__).absolute().parents[2])


def python_module(name: str) -> tuple[str, ...]:
    """The command that runs a module in isolation, without other folders or the environment.

    Args:
        name: The module, as for `python -m`.
    """
    return (sys.executable, "-I", "-c", _START, _INSTALLED_IN, name)
