"""The status with all findings that need neither DNS queries nor packets of hosts.

`status` and the status page of a run show the same facts.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from allowsync.inspect.local_findings import errors
from allowsync.inspect.packets import guarded, open_ports
from allowsync.inspect.status import look
from allowsync.model.outcome import ExitCode
from allowsync.model.value import replace
from allowsync.schedule.facts import schedule_facts
from allowsync.schedule.files import Disk
from allowsync.schedule.service_user import broken_targets, closed_channels, closed_hosts_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from allowsync.config.settings import Config
    from allowsync.inspect.status import AccessStatus, TargetStatus
    from allowsync.model.outcome import Notice


def full_status(config: Config, now: datetime) -> AccessStatus:
    """The access of hosts by target, with findings, openings and the schedule."""
    found, disk = look(config, now), Disk(Path("/"))
    return replace(
        found,
        targets=tuple(_opened(config, found)),
        notices=(*_unserved(config, disk), *found.notices),
        findings=errors(config, found),
        schedule=schedule_facts(config.path.absolute(), disk, found.now),
    )


def _opened(config: Config, standing: AccessStatus) -> Iterator[TargetStatus]:
    """The targets, with the openings to strangers of the ports that they guard."""
    seen = list(open_ports(guarded(config, standing.targets), ExitCode.FAILED))
    for one in standing.targets:
        openings = tuple(each.what for each in seen if each.where == one.target)
        yield replace(one, openings=openings)


def _unserved(config: Config, disk: Disk) -> Iterator[Notice]:
    """Targets, channels and hosts that scheduled runs cannot serve or read, though we can."""
    found = broken_targets(config, disk)
    yield from (one for one in found if not config.is_broken(one.where))
    yield from closed_channels(config, disk)
    yield from closed_hosts_file(config, disk)
