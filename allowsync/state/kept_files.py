"""Files beside the state with replaceable content, each written atomically.

The first line is a digest of the heading; the second the heading, as JSON; then comes the body,
whose digest is in the heading. So a heading can be read alone, and never belongs to another body.
A damaged file counts as missing, and so does one that others could have written.
"""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING, Any, Final

from allowsync.config.secure_file import digest_of
from allowsync.state.errors import StateError
from allowsync.state.files import as_owner, prepare_folder
from allowsync.system.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LARGEST: Final = 64 * 1024 * 1024
_HEADING: Final = 8192  # octets, with its digest
_DIGEST: Final = 64
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


def read_heading(path: Path) -> Any:
    """The heading of a kept file; None where there is none that is valid."""
    try:
        with as_owner(path):
            digest, heading, _ = _read(path, _HEADING).split(b"\n", 2)
        return json.loads(heading) if digest.decode() == digest_of(heading) else None
    except (OSError, StateError, ValueError):
        return None


def read_body(path: Path, digest: str) -> bytes | None:
    """The body of a kept file; None where its digest differs."""
    try:
        with as_owner(path):
            read = _read(path, LARGEST)
    except (OSError, StateError):
        return None
    body = read.split(b"\n", 2)[-1]
    return body if digest_of(body) == digest else None


def write_kept(path: Path, heading: Mapping[str, Any], body: bytes) -> bool:
    """Write a heading and a body. Return whether that succeeded."""
    text = json.dumps(heading, separators=(",", ":")).encode()
    try:
        with as_owner(path):
            prepare_folder(path.parent)
            replace_file(path, b"\n".join((digest_of(text).encode(), text, body)), 0o600)
    except (OSError, StateError):
        return False
    return True


def _read(path: Path, most: int) -> bytes:
    """Read the start of a file of this user's that no other can write. Raises OSError."""
    descriptor = os.open(path, _FLAGS)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST or found.st_nlink > 1:
            raise OSError(f"{path} is no file that was kept")
        if found.st_uid != os.geteuid() or found.st_mode & _OTHERS_WRITE:
            raise OSError(f"others can write {path}")
        parts, left = [], min(most, found.st_size)
        while left > 0 and (part := os.read(descriptor, left)):
            parts.append(part)
            left -= len(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)
