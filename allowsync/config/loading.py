"""A file → a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.config.cache import Source, cached, keep_valid
from allowsync.config.errors import ConfigError, Problem
from allowsync.config.secure_file import LARGEST_FILE, FileRequirements, RefusedError, read_checked
from allowsync.text import abridge, printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from allowsync.config.settings import Config


def load_file(
    path: Path,
    *,
    environ: Mapping[str, str],
    uid: int,
    state: Path | None = None,
    root: Path | None = None,
    keep: bool = False,
) -> Config:
    """The configuration in a file. Raises ConfigError with everything that is wrong.

    With `keep`, a valid configuration is kept beside the state, for the next to load it.
    """
    try:
        content = read_checked(path, FileRequirements(uid, LARGEST_FILE))
    except RefusedError as refused:  # then it is not read at all
        problem = Problem(printable(str(path)), abridge(str(refused)))
        raise ConfigError([problem]) from None
    source = Source(path, content, state, environ, uid)
    if root is None and (config := cached(source)) is not None:
        return config
    from allowsync.config.document import read_content
    from allowsync.config.schema.context import SYSTEM, Reading

    reading = Reading(path, environ=environ, uid=uid, root=root or SYSTEM)
    config = read_content(content, reading, state)
    if keep and root is None:
        keep_valid(config, source)
    return config
