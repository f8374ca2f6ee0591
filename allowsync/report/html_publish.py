"""Writing of the page: in one step, readable by its owner alone unless the owner changed that.

It contains the networks of hosts. A new file is readable by its owner alone; an existing one keeps
its owner and permissions, so that a `chgrp` for a web server lasts.
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
    """Write the page that the configuration names, after a run.

    Args:
        config: The configuration.
        standing: The status.

    Yields:
        A notice if it could not be written.
    """
    if config.report is not None:
        why = publish(config.report, config, standing)
        if why:
            yield Notice(str(config.report), f"the page could not be written: {why}")


def publish(path: Path, config: Config, standing: AccessStatus) -> str:
    """Write the page.

    Returns:
        The reason why it could not be written, or an empty text; on failure the old page stays.
    """
    text = page(standing, _past(config, standing.now))
    try:
        mode, owner = _as_it_is(path)
        replace_file(path, text.encode(), mode, owner)
    except FileNotFoundError:
        return f"folder {path.parent} does not exist; create it, or choose another path"
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""


def _as_it_is(path: Path) -> tuple[int, tuple[int, int] | None]:
    """The permissions and the owner of an existing file; a link's are not used."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return PRIVATE, None
    if stat.S_ISREG(found.st_mode):
        return stat.S_IMODE(found.st_mode) & 0o666, (found.st_uid, found.st_gid)
    return PRIVATE, None


def _past(config: Config, now: datetime) -> Past:
    """The last weeks; empty if the state is unreadable: the page reports that already."""
    try:
        with Store.reading(config.state) as store:
            return store.past(now - SPAN)
    except StateError:
        return Past()
