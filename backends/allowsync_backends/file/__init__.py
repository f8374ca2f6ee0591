"""A file for another program to read: one network a line, JSON, or made from a template."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import API, BackendType
from allowsync_backends.file.options import FileOptions, Format

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.backend.api import Needs
    from allowsync.backend.protocols import Backend
    from allowsync.model.target import Placement

__all__ = ["TYPE", "FileOptions", "Format"]


def _make(placement: Placement, options: FileOptions) -> Backend:
    from allowsync_backends.file.backend import FileBackend
    from allowsync_backends.file.reader import Commands
    from allowsync_backends.file.syntax import JsonSyntax, TextSyntax, of_effect

    if options.template is not None:
        return _from_template(placement, options, options.template)
    form = TextSyntax() if options.format is Format.TEXT else JsonSyntax()
    return FileBackend(
        placement.allowlist,
        options.path,
        of_effect(form, placement.effect),
        options.mode,
        Commands(options.check, options.reload),
    )


def _from_template(placement: Placement, options: FileOptions, template: Path) -> Backend:
    from allowsync_backends.file.reader import Commands
    from allowsync_backends.file.syntax import TextSyntax
    from allowsync_backends.file.template_backend import TemplateBackend

    return TemplateBackend(
        placement.allowlist,
        options.path,
        TextSyntax(),
        options.mode,
        Commands(options.check, options.reload),
        template,
        options.comment,
        options.never_empty,
        placement.effect,
    )


def _needs(options: FileOptions) -> Needs:
    from allowsync.model.value import replace
    from allowsync_backends.file.service import needs

    found = needs(options.path, options.check, options.reload)
    return found if options.template is None else replace(found, reads=(str(options.template),))


TYPE = BackendType(
    "file",
    "A file for another program",
    FileOptions,
    _make,
    needs=_needs,
    api=API,
    denies=FileOptions,
)
