"""The lookup of an unreadable configuration, in words: the paths tried, and advice."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING

from allowsync.config.paths import SYSTEM_CONFIGURATION, own_configuration
from allowsync.text import abridge

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def why_unread(given: Path | None, path: Path, environ: Mapping[str, str], uid: int) -> str:
    """The reason why a configuration cannot be read, with a remedy; empty if it can be.

    Args:
        given: The value of `--config`.
        path: The chosen file.
        environ: The environment.
        uid: The user who reads.
    """
    try:
        if path.is_dir():
            return f"this is a folder, not a file; name the file: --config {_within(path)}"
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY))
    except FileNotFoundError:
        if given is None and not environ.get("ALLOWSYNC_CONFIG"):
            return f"file not found; {_places(environ, uid)}"
        by = "--config" if given is not None else "$ALLOWSYNC_CONFIG"
        return f"file not found (given by {by}); {_create('', given)}"
    except PermissionError as error:
        advice = f"; run it as root: {as_root()}" if uid else ""
        return f"cannot be opened: {error.strerror}{advice}"
    except (OSError, ValueError):
        return ""
    return ""


def as_root() -> str:
    """This command line, with sudo."""
    return abridge(f"sudo allowsync {shlex.join(sys.argv[1:])}")


def _within(folder: Path) -> str:
    """The configuration in a folder: the existing one, else the usual name."""
    found = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    usual = folder / SYSTEM_CONFIGURATION.name
    return shlex.quote(str(found[0] if len(found) == 1 else usual))


def _places(environ: Mapping[str, str], uid: int) -> str:
    """Every path that was tried, and advice."""
    system, folder, instead = str(SYSTEM_CONFIGURATION), SYSTEM_CONFIGURATION.parent, ""
    if uid and folder.exists() and not os.access(folder, os.X_OK):
        system += " (only root can look)"
        instead = f"if it is there: {as_root()}; "
    own = own_configuration(environ) if uid else None
    places = ["--config (not given)", "$ALLOWSYNC_CONFIG (not set)", system]
    looked = ", ".join([*places, *([str(own)] if own else [])])
    return f"looked at {looked}; {instead}{_create('sudo ' if uid else sudo(environ))}"


def sudo(environ: Mapping[str, str]) -> str:
    """`sudo `, for a user who became root by sudo; otherwise empty."""
    return "" if environ.get("SUDO_USER", "root") == "root" else "sudo "


def _create(prefix: str, given: Path | None = None) -> str:
    if given is not None:
        return f"to write one: allowsync init {shlex.quote(str(given))}"
    return f"to write one: {prefix}allowsync init"
