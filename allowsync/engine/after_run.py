"""Post-run exports: metrics file and heartbeat.

Neither can fail a run: a failure becomes a notice, and the exit code stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.outcome import ExitCode, Notice
from allowsync.notify.heartbeat import summary
from allowsync.system.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from allowsync.config.settings import Config
    from allowsync.plan.result import RunReport


def leave(config: Config, report: RunReport, code: ExitCode) -> Iterator[Notice]:
    """Write the metrics and ping the heartbeat, as far as they are configured.

    Yields:
        The notices of failures.
    """
    if config.metrics is not None:
        why = _write_metrics(config.metrics, config, report, code)
        if why:
            yield Notice(str(config.metrics), f"the metrics could not be written: {why}")
    if _beats(config):
        yield from _beat(config, code, report.seconds, summary(report))


def broke(config: Config) -> None:
    """Ping the heartbeat after a run that ended in an internal error."""
    if _beats(config):
        list(_beat(config, ExitCode.FAILED, 0.0, "internal error; see the log"))


def _beats(config: Config) -> bool:
    """Whether there is a heartbeat with a readable URL; the run reports an unreadable one."""
    return config.heartbeat is not None and not config.heartbeat.kept.unreadable


def _beat(config: Config, code: ExitCode, seconds: float, said: str) -> Iterator[Notice]:
    from allowsync.notify.heartbeat import RunResult, deliver, ping

    assert config.heartbeat is not None  # noqa: S101 - both callers looked
    request = ping(config.heartbeat, RunResult(code, seconds, said))
    why = "" if request is None else deliver(request)
    if why:
        yield Notice("heartbeat", f"the ping failed: {why}")


def _write_metrics(path: Path, config: Config, report: RunReport, code: ExitCode) -> str:
    from allowsync.notify.prometheus import gauges, text

    content = text(gauges(report, code, _last_good(config)))
    try:
        replace_file(path, content.encode())  # readable: node_exporter runs as another user
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""


def _last_good(config: Config) -> datetime | None:
    from allowsync.state import StateError, Store

    try:
        with Store.reading(config.state) as store:
            return store.last_good_run()
    except StateError:
        return None
