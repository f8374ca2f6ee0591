"""Records written to and read from the state, as values."""

from __future__ import annotations

from allowsync.model.value import Value, field
from allowsync.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from allowsync.model.clock import Chronology
    from allowsync.model.memory import HostMemory, TargetMemory
    from allowsync.model.target import Place, Traffic
    from allowsync.model.types import Entry, Network
    from allowsync.policy.published import SourceRecord
    from allowsync.policy.sightings import Ledger


class TargetTransition(Value):
    """A change of a target's outcome from the run before, or a repair around entries.

    `outcome` is `refused`, `failed`, `unknown`, `repaired`, or `recovered` for one that succeeds
    again.
    """

    at: datetime
    target: str
    outcome: str
    what: str = ""


class RecordedRun(Value):
    """A recorded run.

    Attributes:
        started: Its start.
        exit_code: Its exit code; None for one that is not over, or was killed.
        seconds: Its duration; None likewise.
        offline: Whether it sent no DNS queries.
    """

    started: datetime
    exit_code: int | None = None
    seconds: float | None = None
    offline: bool = False


class AccessStart(Value):
    """A host is allowed from a network from now on. `hostname` is empty for a fixed one."""

    host: str
    network: Network
    hostname: str


class AccessEnd(Value):
    """A host is no longer allowed from a network, with the reason."""

    host: str
    network: Network
    why: str


class TargetRecord(Value):
    """A target with applied entries, as remembered once it is not configured any more.

    `written` is data that its backend checks, never a command (`Target.remembered`). A target with
    other `places` than before is another one under the same name; the entries at the former places
    are then remembered under a name of their own.
    """

    name: str
    allowlist: str
    backend: str
    written: Mapping[str, Any] = field(default_factory=dict)
    places: tuple[Place, ...] = ()


class EntryChange(Value):
    """One entry added or removed, for the history. `action` is `add` or `remove`."""

    target: str
    action: str
    entry: Entry
    why: str
    confirmed: bool = True


class RunRecord(Value):
    """The record of a run before it applies anything.

    Attributes:
        started: The instant of the run.
        offline: Whether the DNS was not asked.
        hosts: The memory of each host of the run.
        beside: The memory of each other host: it may take over a hostname of one in the run.
        configured: Every configured host. The memory of others is deleted: a host that is put back
            into the configuration later starts anew.
        whole: Whether every host is in the run. If not, none is deleted: one outside of it may
            have a new label, and continue the state of its hostname.
        targets: The targets of the run, with the entries each may hold from now on.
        found: The networks found in each of them.
        meant: The intended additions and removals.
        began: The access that begins with this run.
        ended: The access that ends with it.
        published: The last records of network sources.
        ledger: The sightings.
        chronology: The remembered clock readings.
        traffic: The last packets from networks, for each target that counts them.
        renamed: The present labels of hosts, by their former ones.
        enforced: The name of every configured target.
        ends: The end of access of each host that has one.
        again: The memory as read from the state, of hosts of which only the time of the last answer
            is new; its identity shows that it is unchanged.
    """

    started: datetime
    offline: bool
    hosts: Mapping[str, HostMemory]
    configured: frozenset[str]
    targets: tuple[tuple[TargetRecord, TargetMemory], ...]
    found: Mapping[str, frozenset[Network]] = field(default_factory=dict)
    meant: tuple[EntryChange, ...] = ()
    began: tuple[AccessStart, ...] = ()
    ended: tuple[AccessEnd, ...] = ()
    published: Mapping[str, SourceRecord] = field(default_factory=dict)
    ledger: Ledger | None = None
    chronology: Chronology | None = None
    whole: bool = True
    traffic: Mapping[str, Traffic] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[str, HostMemory] = field(default_factory=dict)
    enforced: frozenset[str] = frozenset()
    ends: Mapping[str, datetime] = field(default_factory=dict)
    again: Mapping[str, HostMemory] = field(default_factory=dict)
