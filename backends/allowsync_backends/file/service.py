"""What a file needs of the service it is written by; for every backend that is built on one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import Needs

if TYPE_CHECKING:
    from pathlib import Path


def needs(path: Path, *commands: tuple[str, ...]) -> Needs:
    """What a target needs that keeps one file, and has some commands run.

    A file is replaced by another of its name, so the folder is what is written to. Where that is
    not root's own, root needs the capability that lets it disregard whose it is.
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
