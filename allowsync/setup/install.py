"""Installation of a configuration: whole and valid, or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from allowsync.config import ConfigError, Problem, load
from allowsync.system.files import require_replaceable

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.config.settings import Config


class NotWritten(Exception):
    """The file was not written; the text says why. An existing one is unchanged."""


def write(path: Path, text: str, *, force: bool) -> Config:
    """Write a configuration that only its owner may read or write, once it is valid.

    Args:
        path: The file. Its folder is made if it does not exist.
        text: The configuration.
        force: Whether to replace an existing file.

    Raises:
        NotWritten: The file exists, or could not be written.
        ConfigError: It would not be valid; nothing is left of it.
    """
    if not force and os.path.lexists(path):
        raise NotWritten(
            "it exists already; to change it: allowsync config edit; --force replaces it"
        )
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    made = not path.parent.exists()
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        try:
            _written(draft, text)
            _checked(draft, path)
            _moved(draft, path, force=force)
        finally:
            draft.unlink(missing_ok=True)
            if made and not path.exists():
                path.parent.rmdir()
    except FileExistsError as error:
        raise NotWritten(
            "it exists already; to change it: allowsync config edit; --force replaces it"
        ) from error
    except OSError as error:
        raise NotWritten(error.strerror or str(error)) from error
    return load(path, environ=os.environ, uid=os.geteuid())


def _checked(draft: Path, path: Path) -> None:
    """Load a draft; its problems are reported for the intended file."""
    try:
        load(draft, environ=os.environ, uid=os.geteuid())
    except ConfigError as error:
        raise ConfigError(
            Problem(one.where.replace(str(draft), str(path)), one.what) for one in error.problems
        ) from None


def _written(draft: Path, text: str) -> None:
    with suppress(FileNotFoundError):
        draft.unlink()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(draft, flags, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _moved(draft: Path, path: Path, *, force: bool) -> None:
    if force:
        require_replaceable(path)
        draft.replace(path)
    else:
        path.hardlink_to(draft)  # unlike a rename, it never replaces
