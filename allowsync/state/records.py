"""What goes into the state and comes out of it, as values."""

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
    """A target that came out of a run in another way than before, or was repaired around entries.

    `outcome` is `refused`, `failed`, `unknown`, `repaired`, or `recovered` for one that is well
    again.
    """

    at: datetime
    target: str
    outcome: str
    what: str = ""


class RecordedRun(Value):
    """A run that is on record.

    Attributes:
        started: When it started.
        exit_code: How it ended; None for one that is not over, or did not come to its end.
        seconds: How long it took; likewise.
        offline: Whether it asked no DNS.
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
    """A host is no longer allowed from a network, and why."""

    host: str
    network: Network
    why: str


class TargetRecord(Value):
    """A target something was put into: what may be believed of it once it is configured no more.

    `written` is data that its backend checks, never a command (`Target.remembered`). A target with
    other `places` than it had is another one under the same name; what is in the former places is
    then remembered under a name of its own.
    """

    name: str
    allowlist: str
    backend: str
    written: Mapping[str, Any] = field(default_factory=dict)
    places: tuple[Place, ...] = ()


class EntryChange(Value):
    """One entry put in or taken out, for the history. `action` is `add` or `remove`."""

    target: str
    action: str
    entry: Entry
    why: str
    confirmed: bool = True


class RunRecord(Value):
    """What a run remembers before it applies anything.

    Attributes:
        started: The instant of the run.
        offline: Whether the DNS was not asked.
        hosts: The memory of each host of the run.
        beside: That of each other host: it may go on with a hostname that one of the run had.
        configured: Every host there is. What was known of others is forgotten: who is put back
            into the configuration later starts anew.
        whole: Whether every host is in the run. If not, none is forgotten: one outside of it may
            have a new label, and go on with what is known of its hostname.
        targets: The targets of the run, with what each may hold from now on.
        found: What each of them was found to hold.
        meant: What is about to be put in and taken out.
        began: Which access begins with this run.
        ended: Which access ends with it.
        published: What sources of networks said last.
        ledger: What guards have on record.
        chronology: What is remembered of the clocks.
        traffic: When packets last came from networks, of each target that counts them.
        renamed: The labels that hosts have now, by those that they had before.
        enforced: The name of every target that is configured.
        ends: When the access of hosts ends, of those whose access does.
        again: What was remembered before of those hosts that nothing is new of but the time of the
            last answer: the memory that was read from the state, which tells that it is this one.
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
