"""Default paths of the configuration and the state."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

SYSTEM_CONFIGURATION: Final = Path("/etc/allowsync/config.yaml")
SYSTEM_STATE: Final = Path("/var/lib/allowsync/state.db")

_ROOT: Final = 0


def configuration(environ: Mapping[str, str], uid: int) -> Path:
    """The default configuration: `ALLOWSYNC_CONFIG`, the system's, or the user's own.

    The user's own is used only if the system has none, and never by root.
    """
    if named := environ.get("ALLOWSYNC_CONFIG"):
        return Path(named)
    if uid == _ROOT or os.path.lexists(SYSTEM_CONFIGURATION):
        return SYSTEM_CONFIGURATION
    return own_configuration(environ) or SYSTEM_CONFIGURATION


def own_configuration(environ: Mapping[str, str]) -> Path | None:
    """The configuration of a user other than root. None without a home folder."""
    own = _own("XDG_CONFIG_HOME", ".config", environ)
    return own / "allowsync" / "config.yaml" if own else None


def state(environ: Mapping[str, str], uid: int) -> Path | None:
    """The default state database, if neither the command line nor the configuration names one.

    None for a user without a home folder.
    """
    if uid == _ROOT:
        return SYSTEM_STATE
    own = _own("XDG_STATE_HOME", ".local/state", environ)
    return own / "allowsync" / "state.db" if own else None


def _own(variable: str, default: str, environ: Mapping[str, str]) -> Path | None:
    """A base folder of the user. Relative paths are ignored (XDG base directories, 0.8)."""
    named = environ.get(variable, "")
    if named.startswith("/"):
        return Path(named)
    home = environ.get("HOME", "")
    if home.startswith("/"):
        return Path(home) / default
    try:
        return Path.home() / default
    except RuntimeError:  # no entry in the user database either
        return None
