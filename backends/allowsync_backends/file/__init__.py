"""A file for another program to read: one network a line, or JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend import BackendType, Needs
from allowsync_backends.file.options import FileOptions, Format

if TYPE_CHECKING:
    from allowsync.backend import Backend, Placement

__all__ = ["TYPE", "FileOptions", "Format"]


def _make(placement: Placement, options: FileOptions) -> Backend:
    from allowsync_backends.file.backend import FileBackend
    from allowsync_backends.file.change import Commands
    from allowsync_backends.file.syntax import JsonSyntax, TextSyntax

    return FileBackend(
        placement.allowlist,
        options.path,
        TextSyntax() if options.format is Format.TEXT else JsonSyntax(),
        options.mode,
        Commands(options.check, options.reload),
    )


def _needs(options: FileOptions) -> Needs:
    # A file is replaced by another of its name, so the folder is what is written to.
    commands = bool(options.check or options.reload)
    return Needs(writes=(str(options.path.parent),), commands=commands, lasting=True)


TYPE = BackendType("file", "A file for another program to read", FileOptions, _make, needs=_needs)
