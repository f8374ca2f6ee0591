"""The first run that knew nothing of a host, in a file beside the state while there are such."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from allowsync.config.secure_file import digest_of
from allowsync.state.errors import StateError
from allowsync.state.files import as_owner
from allowsync.state.kept_files import read_body, read_heading, write_kept
from allowsync.state.lists import instant_of, number_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path


def unheard_path(state: Path) -> Path:
    """The path of the file."""
    return state.with_name(f"{state.name}.unheard")


def read_unheard(state: Path) -> dict[str, datetime]:
    """By host, the first run with nothing known of it; empty where unknown."""
    path = unheard_path(state)
    if not os.path.lexists(path):
        return {}
    try:
        body = read_body(path, read_heading(path)["digest"])
        plain = json.loads(body or b"")
        return {str(host): instant_of(since) for host, since in plain.items()}
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return {}


def write_unheard(state: Path, unheard: Mapping[str, datetime]) -> None:
    """Write the file, as far as possible; delete it where there are no such hosts."""
    path = unheard_path(state)
    if unheard:
        body = json.dumps({host: number_of(since) for host, since in unheard.items()}).encode()
        write_kept(path, {"digest": digest_of(body)}, body)
        return
    try:
        with as_owner(path):
            path.unlink(missing_ok=True)
    except (OSError, StateError):
        return
