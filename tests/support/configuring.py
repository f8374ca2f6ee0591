"""Configurations as text: written to a file, loaded, and what was said about them."""

from __future__ import annotations

import os
from textwrap import dedent
from typing import TYPE_CHECKING

from allowsync.config import ConfigError, load

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from allowsync.config.settings import Config

# Somebody who is not root: demands nothing of owners and modes.
SOMEBODY = 1000
HOME = {"HOME": "/home/somebody"}

HOSTS = """\
hosts:
  alice: alice.example.org
  carl: {networks: [192.0.2.0/24]}
"""

ALLOWLISTS = """\
allowlists:
  web:
    targets:
      - nftables: {ports: [443/tcp]}
"""

MINIMAL = HOSTS + ALLOWLISTS


def written(folder: Path, text: str | bytes) -> Path:
    """A configuration file that root may believe."""
    path = folder / "config.yaml"
    path.write_bytes(text if isinstance(text, bytes) else dedent(text).encode())
    path.chmod(0o600)
    return path


def loaded(
    folder: Path,
    text: str | bytes = MINIMAL,
    *,
    environ: Mapping[str, str] = HOME,
    uid: int = SOMEBODY,
) -> Config:
    return load(written(folder, text), environ=environ, uid=uid)


def problems(
    folder: Path,
    text: str | bytes,
    *,
    environ: Mapping[str, str] = HOME,
    uid: int = SOMEBODY,
) -> list[str]:
    """Every problem of a configuration, without its folder; an empty list when there is none."""
    try:
        loaded(folder, text, environ=environ, uid=uid)
    except ConfigError as error:
        return [str(problem).replace(f"{folder}{os.sep}", "") for problem in error.problems]
    return []
