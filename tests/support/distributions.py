"""Distributions that look installed: a folder on `sys.path` with modules and their metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

BACKEND = """
from __future__ import annotations
from dataclasses import dataclass
from allowsync.backend.api import API, BackendType
from allowsync.model.target import Place
from allowsync.config.kinds import Integer, Pattern
from allowsync.config.schema import option

@dataclass(frozen=True, slots=True)
class Options:
{options}

def make(placement, options):
    raise NotImplementedError

TYPE = BackendType("{name}", "A wall of its own", Options, make, api=API)
"""


def backend_module(name: str, options: str) -> str:
    """The source of a module with a backend of that name, and the body of its options' class."""
    body = "\n".join(f"    {line}" for line in options.splitlines())
    return BACKEND.format(name=name, options=body)


def install(
    folder: Path,
    name: str,
    entry_points: str,
    modules: Mapping[str, str] | None = None,
    *,
    version: str = "1.0",
) -> None:
    """Put a distribution into a folder: its metadata as a wheel has it, and its modules."""
    metadata = folder / f"{name}-{version}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (metadata / "entry_points.txt").write_text(entry_points)
    for module, source in (modules or {}).items():
        (folder / f"{module}.py").write_text(source)
