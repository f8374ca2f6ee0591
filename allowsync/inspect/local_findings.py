"""Findings of `check` that need neither the network nor packet tests.

`status` uses them, too: configuration, layers, the state's folder, saved rules, and the backends
of this machine. Names, nameservers, sources, channels, remote targets and packets are left to
`check`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.inspect.boot import about_boot
from allowsync.inspect.diagnostics import Located, about_file, about_hosts, about_target
from allowsync.inspect.layers import about_layers
from allowsync.inspect.shared_ports import about_shared_ports
from allowsync.inspect.trusted_proxies import about_trusted_proxies
from allowsync.model.outcome import Notice
from allowsync.model.target import Finding, Severity
from allowsync.state.lock import obstacle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from allowsync.config.settings import Config
    from allowsync.inspect.status import AccessStatus


def about_configuration(config: Config, now: datetime) -> Iterator[Located]:
    """Problems of a configuration as a whole, and of the files it names."""
    yield from about_hosts(config, now)
    yield from about_layers(config)
    yield from about_shared_ports(config)
    if config.denylists:
        from allowsync.inspect.denylist_findings import about_denylists

        yield from about_denylists(config)
    yield from about_trusted_proxies(config)
    files = {"metrics": config.metrics, "report": config.report}
    for key, path in files.items():
        if path is not None:
            yield from about_file(key, path)


def about_state_folder(path: Path) -> Iterator[Located]:
    """Obstacles to recording a run."""
    if why := obstacle(path):
        yield Located(str(path), Finding(Severity.ERROR, f"no run can be recorded: {why}"))


def errors(config: Config, status: AccessStatus) -> tuple[Notice, ...]:
    """Errors of `check` that this machine alone can find, and that a status lacks."""
    readable = {one.target for one in status.targets if one.readable}
    readable |= {one.target for one in status.blocked if one.readable}
    found = [
        *about_configuration(config, status.now),
        *about_state_folder(config.state),
        *about_boot(config),
    ]
    for target in config.targets:
        if target.name in readable and not target.elsewhere:
            found += about_target(target)
    bad = (one for one in found if one.finding.severity is Severity.ERROR)
    return tuple(Notice(one.where, _said(one.finding)) for one in bad)


def _said(finding: Finding) -> str:
    return "; ".join(part for part in (finding.what, finding.advice) if part)
