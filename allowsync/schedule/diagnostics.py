"""Whether the installed service has the permissions that the configuration needs now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.inspect.diagnostics import Located
from allowsync.model.target import Finding, Severity
from allowsync.schedule.dropin import EARLY, demands
from allowsync.schedule.files import INSTALL, OURS, Disk, FileState
from allowsync.schedule.requirements import requirements
from allowsync.schedule.units import FOLLOW, SERVICE, UNITS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from allowsync.config.settings import Config
    from allowsync.model.outcome import Notice

_DROP_IN: Final = UNITS / f"{SERVICE}.d/needs.conf"


def about_schedule(
    config: Config, place: Path, disk: Disk, unserved: Collection[Notice] = ()
) -> Iterator[Located]:
    """Findings on the installed service; none without one of ours.

    Args:
        config: The configuration.
        place: Its path for the service.
        disk: The file system with the units.
        unserved: The notices about the service's user that are reported already.
    """
    try:
        if disk.found(UNITS / SERVICE) not in OURS:
            return
        there = disk.found(_DROP_IN) is not FileState.ABSENT
        installed = disk.at(_DROP_IN).read_text(errors="replace") if there else ""
        early, follows = (
            disk.found(UNITS / unit) is not FileState.ABSENT for unit in (EARLY, FOLLOW)
        )
    except OSError:
        return  # without permission to look, there is no finding
    lines = installed.splitlines()
    needed = requirements(config, place)
    missing = [one for one in demands(needed) if one not in lines]
    if needed.root_because and "User=root" not in lines and not unserved:
        missing.append("User=root")
    if missing:
        what = f"the service lacks permissions for {', '.join(missing)}"
        yield Located(SERVICE, Finding(Severity.WARNING, what, INSTALL))
    if needed.restored and needed.needs.before and not early:
        what = "is not installed: saved rules that name our sets would not be loaded at boot"
        yield Located(EARLY, Finding(Severity.WARNING, what, INSTALL))
    if needed.follower is not None and not follows:
        what = "is not installed: a decision of the fleet waits for the next run of the timer"
        yield Located(FOLLOW, Finding(Severity.WARNING, what, INSTALL))
