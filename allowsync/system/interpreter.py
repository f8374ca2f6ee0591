"""Processes of our own: Python that runs a module of this installation, and heeds nothing else."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

# Where a package put it is not always where Python looks: its program adds that folder itself.
_START: Final = (
    "import runpy, sys; folder = sys.argv.pop(1); module = sys.argv.pop(1); "
    "sys.path[:0] = [] if folder in sys.path else [folder]; "
    "runpy.run_module(module, run_name='__main__')"
)
_INSTALLED_IN: Final = str(Path(__file__).absolute().parents[2])


def python_module(name: str) -> tuple[str, ...]:
    """The command that runs a module, isolated: no folder and no environment brings others along.

    Args:
        name: The module, as `python -m` takes it.
    """
    return (sys.executable, "-I", "-c", _START, _INSTALLED_IN, name)
