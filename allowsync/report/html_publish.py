"""Writing the page: in one step, readable by its owner alone unless the owner changed that.

It tells where friends live, by network. A new file is readable by its owner alone; one that is
there keeps its owner and permissions, so that a `chgrp` for a web server lasts.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Final

from allowsync.model.outcome import Notice
from allowsync.report.html_page import page
from allowsync.report.html_timeline import SPAN
from allowsync.state import StateError, Store
from allowsync.state.history import Past
from allowsync.system.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from allowsync.config.settings import Config
    from allowsync.inspect.status import AccessStatus

PRIVATE: Final = 0o600


def keep_current(config: Config, standing: AccessStatus) -> Iterator[Notice]:
    """Write the page the configuration names, after a run.

    Args:
        config: The configuration.
        standing: Who is allowed where.

    Yields:
        What could not be done.
    """
    if config.report is not None:
        why = publish(config.report, config, standing)
        if why:
            yield Notice(str(config.report), f"the page could not be written: {why}")


def publish(path: Path, config: Config, standing: AccessStatus) -> str:
    """Write the page.

    Returns:
        Why it could not be written, or an empty text; then whatever was there still is.
    """
    text = page(standing, _past(config, standing.now))
    try:
        mode, owner = _as_it_is(path)
        replace_file(path, text.encode(), mode, owner)
    except FileNotFoundError:
        return f"folder {path.parent} does not exist; make it, or choose another path"
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""


def _as_it_is(path: Path) -> tuple[int, tuple[int, int] | None]:
    """The permissions and the owner of a file that is there; a link tells nothing."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return PRIVATE, None
    if stat.S_ISREG(found.st_mode):
        return stat.S_IMODE(found.st_mode) & 0o666, (found.st_uid, found.st_gid)
    return PRIVATE, None


def _past(config: Config, now: datetime) -> Past:
    """The last weeks. Without a state that can be read, nothing: the page says so already."""
    try:
        with Store.reading(config.state) as store:
            return store.past(now - SPAN)
    except StateError:
        return Past()
