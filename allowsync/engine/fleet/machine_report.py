"""Report of this machine's last run to the store, for `allowsync fleet status` on resolvers.

Sent on a change, and else once an hour. It is for display: a failure is silent and does not affect
the run.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from allowsync.config.secure_file import digest_of
from allowsync.fleet.kept import LastReport, read_last_report, write_last_report
from allowsync.fleet.machines import AppliedList, MachineReport, written
from allowsync.fleet.store import StoreError
from allowsync.fleet.stores import etcd_store, machine_name
from allowsync.state.codec import EPOCH

if TYPE_CHECKING:
    from datetime import datetime

    from allowsync.config.settings import Config
    from allowsync.model.fleet import FleetReport

OFTEN: Final = timedelta(hours=1)


def tell(config: Config, found: FleetReport, exit_code: int, now: datetime) -> None:
    """Put a report into the store where that is etcd, and due. Raises nothing."""
    fleet = config.fleet
    if fleet is None or fleet.store.etcd is None or not found.heard:
        return
    lists = tuple(
        AppliedList(one.name, one.epoch, one.sequence, one.decided)
        for one in found.lists
        if one.epoch is not None and one.sequence is not None and one.decided is not None
    )
    report = MachineReport(machine_name(fleet), now, exit_code, lists)
    place = fleet.store.said
    content = digest_of(written(report._replace(at=EPOCH)))
    last = read_last_report(config.state, place)
    if last is not None and last.content == content and _is_recent(last.at, now):
        return
    why = ""
    try:
        etcd_store(fleet).report(written(report))
    except StoreError as error:
        why = str(error)
    write_last_report(config.state, place, LastReport(content, now, why))


def _is_recent(at: datetime, now: datetime) -> bool:
    return timedelta(0) <= now - at < OFTEN
