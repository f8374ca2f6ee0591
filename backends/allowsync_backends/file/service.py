"""Needs of a file from the service that writes it; for every backend built on a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import Needs

if TYPE_CHECKING:
    from pathlib import Path


def needs(path: Path, *commands: tuple[str, ...]) -> Needs:
    """Return the needs of a target that keeps one file, and runs some commands.

    A file is replaced by another of its name, so its folder must be writable. Where that is not
    root's own, root needs the capability to bypass permissions.
    """
    return Needs(
        capabilities=() if _roots(path.parent) else ("CAP_DAC_OVERRIDE",),
        writes=(str(path.parent),),
        commands=any(commands),
        lasting=True,
    )


def _roots(folder: Path) -> bool:
    try:
        return folder.stat().st_uid == 0
    except OSError:
        return True
