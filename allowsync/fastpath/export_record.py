"""What a run that had nothing to do writes down so that a glance can tell those who watch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from allowsync.system.fingerprint import of_file

if TYPE_CHECKING:
    from allowsync.config.channels import Heartbeat
    from allowsync.config.settings import Config
    from allowsync.model.fingerprint import Row
    from allowsync.plan.result import RunReport


def watching(config: Config, report: RunReport) -> tuple[Row, ...] | None:
    """What to leave, as `allowsync.fastpath.export` reads it; None where it cannot."""
    rows: list[Row] = []
    if config.report is not None:
        return None
    if config.metrics is not None:
        from allowsync.notify.prometheus import template

        rows.append(("metrics", str(config.metrics), template(report)))
    if config.heartbeat is not None:
        from allowsync.notify.heartbeat import summary

        where = _where(config.heartbeat, config.path)
        if where is None:
            return None
        rows += [where, ("pinged", config.heartbeat.kind.value, summary(report))]
    return tuple(rows)


def _where(heartbeat: Heartbeat, configuration: Path) -> Row | None:
    """Where the monitor's URL is read from again."""
    if heartbeat.url_env is not None:
        return ("env", heartbeat.url_env.origin, "")
    if heartbeat.url_credential is not None:
        return ("credential", heartbeat.url_credential.origin, "")
    kept = heartbeat.url_file
    return _slice(configuration if kept is None else Path(kept.origin), heartbeat.secret.value)


def _slice(path: Path, url: str) -> Row | None:
    """Where in a file the URL stands as it is; None where it does not, or the file just changed."""
    real = os.path.realpath(path)
    sight = of_file(real)
    try:
        start = Path(real).read_bytes().find(url.encode())
    except OSError:
        return None
    if start < 0 or not sight.settled or sight != of_file(real):
        return None
    place = (start, len(url.encode()), *sight.numbers)
    return ("slice", real, " ".join(map(str, place)))
