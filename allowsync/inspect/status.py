"""Access status: the remembered state compared with the contents of the targets.

Sends no DNS query and writes nothing.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from allowsync.backend.api import BackendError
from allowsync.engine.access_orders import ordered
from allowsync.engine.orphan_targets import OrphanTarget, left_over, orphans
from allowsync.engine.prepare import draft
from allowsync.engine.published import Learnt, known_lists, recalled
from allowsync.engine.rollback.pending import waiting
from allowsync.inspect.host_use import HostUse, TargetTraffic, host_uses
from allowsync.model.clock import Chronology
from allowsync.model.outcome import ExitCode, Notice, Outcome
from allowsync.model.types import Entry, by_network
from allowsync.model.value import Value, field, replace
from allowsync.policy.clock import at_rest
from allowsync.policy.decision import Decision, recall
from allowsync.policy.inheritance import inherit
from allowsync.state import StateError, Store
from allowsync.state.access_log import CHANGED, RECOVERED, REPAIRED
from allowsync.system.clock import pulse

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from datetime import datetime

    from allowsync.config.settings import Allowlist, Config, Target
    from allowsync.inspect.block_status import BlockStatus
    from allowsync.model.access_order import Revocation
    from allowsync.model.target import Traffic
    from allowsync.model.types import Family, Network
    from allowsync.plan.result import TargetReport
    from allowsync.policy.clock import Now
    from allowsync.state.records import RecordedRun


FAILURES_LOOKED_AT: Final = timedelta(days=28)


class TargetStatus(Value):
    """The status of one target.

    Attributes:
        target: Its full name.
        in_step: Whether it holds exactly the desired entries.
        entries: Its entries, with the hosts that own them as far as remembered.
        reason: The problem, as text; empty when there is none.
        readable: Whether it could be read.
        others: Foreign networks at the same place.
        beside: The families that another target of the allowlist holds instead of this one.
        ineffective: Entries that let no packet in, each with the reason.
        flaws: Flaws around the entries.
        lacking: The missing entries.
        unwanted: The unexpected entries.
        openings: Ways by which strangers reach the guarded ports.
        failing: The run since which it fails; None where it is in sync, or was when last recorded.
        traffic: The last packets from its networks; None where these are not counted.
    """

    target: str
    in_step: bool
    entries: tuple[Entry, ...]
    reason: str = ""
    readable: bool = True
    others: frozenset[Network] = frozenset()
    beside: frozenset[Family] = frozenset()
    ineffective: Mapping[Network, str] = field(default_factory=dict)
    flaws: tuple[str, ...] = ()
    obstacles: Mapping[str, str] = field(default_factory=dict)
    lacking: tuple[Entry, ...] = ()
    unwanted: tuple[Entry, ...] = ()
    openings: tuple[str, ...] = ()
    failing: datetime | None = None
    traffic: Traffic | None = None

    @property
    def state(self) -> str:
        """Its state in one to three words."""
        if not self.readable:
            return "failed"
        if self.openings:
            return "open"
        return "in sync" if self.in_step else "out of sync"

    @property
    def well(self) -> bool:
        """Whether it holds exactly the desired entries, and admits no stranger."""
        return self.in_step and not self.openings

    @property
    def trouble(self) -> str:
        """Its problems, as text; empty when there are none."""
        own = () if self.in_step else (self.reason,)
        return "; ".join((*own, *self.openings))


class ScheduleFacts(Value):
    """The scheduler that starts the runs of a configuration.

    Attributes:
        scheduler: `systemd` or `cron`; empty where neither does.
        next_run: The time of the next run; None where unknown.
        interval: The time between runs; None where unknown.
        trouble: The reason why it starts no runs, and the remedy; empty where it does.
        started: Whether a run it started has not ended yet.
    """

    scheduler: str = ""
    next_run: datetime | None = None
    interval: timedelta | None = None
    trouble: str = ""
    started: bool = False


class AccessStatus(Value):
    """The facts that `status` reports.

    Attributes:
        now: The instant.
        last_run: The start of the last run.
        decisions: The decision for each host, by name.
        targets: The status of each target.
        notices: Further problems.
        retained: By host, networks that are no longer granted and not withdrawn yet.
        gates: Orphaned gates, which drop packets from other source addresses.
        unclear: Hosts of unknown access: one of their targets holds entries whose host is unknown,
            or the state could not be read.
        revocations: Hosts and networks that were revoked by command.
        latest: The last recorded run.
        leftovers: Orphaned targets, and their remaining parts.
        schedule: The scheduler; None where it was not checked.
        findings: Errors of `check`, as far as checked: place and fact.
        uses: The last packet from the networks of each host.
        unconfirmed: Targets whose last change was not confirmed; runs do not change them.
        blocked: The status of the targets of denylists.
        unread: Whether the state could not be read: its facts are missing here.
    """

    now: datetime
    last_run: datetime | None
    decisions: Mapping[str, Decision]
    targets: tuple[TargetStatus, ...]
    notices: tuple[Notice, ...]
    retained: Mapping[str, tuple[Network, ...]] = field(default_factory=dict)
    gates: tuple[TargetStatus, ...] = ()
    unclear: frozenset[str] = frozenset()
    revocations: tuple[Revocation, ...] = ()
    latest: RecordedRun | None = None
    leftovers: tuple[OrphanTarget, ...] = ()
    schedule: ScheduleFacts | None = None
    findings: tuple[Notice, ...] = ()
    uses: Mapping[str, HostUse] = field(default_factory=dict)
    unconfirmed: tuple[Notice, ...] = ()
    blocked: tuple[BlockStatus, ...] = ()
    unread: bool = False


def look(config: Config, now: datetime) -> AccessStatus:
    """Determine the access status. Raises nothing: read errors become notices."""
    notices = [*config.broken_channels, *config.hosts_trouble]
    store, unread = _open(config, notices), False
    with store:
        try:
            remembered, latest, known = store.hosts(), store.last_run(), store.chronology()
            stays = store.open_networks()
            config, orders, disorder = ordered(config, store, replace(pulse(), wall=now))
            notices += disorder
            learnt = recalled(config, store, known_lists(config, now))
            left = orphans(config, store)
            unconfirmed = tuple(waiting(store))
            notices += [*unconfirmed, *left_over(config, left), *learnt.troubles(now)]
        except StateError as error:
            notices.append(Notice(str(error.path), error.why, ExitCode.FAILED))
            unread = True
            store, remembered, latest, stays = Store.nothing(config.state), {}, None, {}
            unconfirmed = ()
            config, orders, disorder = ordered(config, store, replace(pulse(), wall=now))
            notices += disorder
            known, learnt = Chronology(), Learnt(config)
            left = orphans(config, store)
            notices += left_over(config, left)
        still = at_rest(known, now)
        memory = inherit(learnt.config.hosts.values(), remembered, still)
        decisions = {
            name: recall(host, memory[name], still) for name, host in learnt.config.hosts.items()
        }
        targets = tuple(
            _target(target, allowlist, decisions, store, still, notices)
            for allowlist in learnt.config.allowlists.values()
            for target in allowlist.targets
        )
        if any(not one.in_step for one in targets):
            failing = _failing(store, now, notices)
            targets = tuple(replace(one, failing=failing.get(one.target)) for one in targets)
        uses = _uses(config, targets, store, now, notices)
        blocked = _blocked(config, decisions, store, targets, still)
    retained = dict(_retained(decisions, stays))
    gates = tuple(_left_behind(one) for one in left if one.drops)
    unread = unread or bool(store.unwritable)
    unclear = frozenset(decisions if unread else _unclear(config, decisions, targets))
    return AccessStatus(
        now,
        None if latest is None else latest.started,
        decisions,
        targets,
        tuple(notices),
        retained,
        gates,
        unclear,
        orders.revocations,
        latest,
        tuple(left),
        uses=uses,
        unconfirmed=unconfirmed,
        blocked=blocked,
        unread=unread,
    )


def _blocked(
    config: Config,
    decisions: Mapping[str, Decision],
    store: Store,
    targets: Iterable[TargetStatus],
    now: Now,
) -> tuple[BlockStatus, ...]:
    """The status of the targets of denylists; imported only where there are any."""
    if not config.denylists:
        return ()
    from allowsync.inspect.block_status import block_statuses

    held = ((one.target, one.entries) for one in targets)
    return tuple(block_statuses(config, decisions, store, held, now))


def _failing(store: Store, now: datetime, notices: list[Notice]) -> dict[str, datetime]:
    """The run since which each target fails, as far as recorded."""
    found: dict[str, datetime] = {}
    try:
        turns = store.past(now - FAILURES_LOOKED_AT).turns
    except StateError as error:
        notices.append(Notice(str(error.path), error.why, ExitCode.FAILED))
        return found
    for one in turns:
        if one.outcome == RECOVERED:
            found.pop(one.target, None)
        elif one.outcome not in (REPAIRED, CHANGED):
            found.setdefault(one.target, one.at)
    return found


def _uses(
    config: Config,
    targets: Iterable[TargetStatus],
    store: Store,
    now: datetime,
    notices: list[Notice],
) -> dict[str, HostUse]:
    """The last packet from each host's networks, from the state and the targets."""
    hosts = _hosts(config)
    try:
        return host_uses(
            [
                TargetTraffic(one.target, hosts[one.target], one.entries, one.traffic)
                for one in targets
            ],
            store,
            now,
        )
    except StateError as error:
        notices.append(Notice(str(error.path), error.why, ExitCode.FAILED))
        return {}


def _hosts(config: Config) -> dict[str, tuple[str, ...]]:
    """The hosts of each target of an allowlist."""
    every = config.allowlists.values()
    return {one.name: allowlist.hosts for allowlist in every for one in allowlist.targets}


def _unclear(
    config: Config, decisions: Mapping[str, Decision], targets: Iterable[TargetStatus]
) -> Iterator[str]:
    """Undecided hosts that an entry of unknown host may admit."""
    hosts = _hosts(config)
    for target in targets:
        if any(not entry.hosts for entry in target.entries):
            yield from (name for name in hosts[target.target] if decisions[name].undecided)


def _retained(
    decisions: Mapping[str, Decision], stays: Mapping[str, Collection[Network]]
) -> Iterator[tuple[str, tuple[Network, ...]]]:
    """Networks that hosts have according to the history, and are not granted now."""
    for name, decision in decisions.items():
        granted = {grant.network for grant in decision.grants}
        left = [one for one in stays.get(name, ()) if one not in granted]
        if left:
            yield name, tuple(sorted(left, key=by_network))


def _left_behind(one: OrphanTarget) -> TargetStatus:
    """The status of an orphaned gate, which still drops packets from other source addresses."""
    try:
        driver = one.driver()
        held = frozenset() if driver is None else driver.read().entries
    except BackendError as error:
        return TargetStatus(one.name, in_step=False, entries=(), reason=str(error), readable=False)
    return TargetStatus(one.name, in_step=False, entries=tuple(held))


def _open(config: Config, notices: list[Notice]) -> Store:
    try:
        return Store.reading(config.state)
    except StateError as error:
        notices.append(Notice(str(error.path), error.why, ExitCode.FAILED))
        store = Store.nothing(config.state)
        store.unwritable = error.why
        return store


def _target(
    target: Target,
    allowlist: Allowlist,
    decisions: Mapping[str, Decision],
    store: Store,
    now: Now,
    notices: list[Notice],
) -> TargetStatus:
    try:
        memory = store.target(target.name)
    except StateError as error:
        notices.append(Notice(str(error.path), error.why, ExitCode.FAILED))
        memory = None
    mine = [decisions[name] for name in allowlist.hosts]
    beside = allowlist.targets
    meant = draft(target, mine, memory, None, now, allow_empty=True, beside=beside)
    report = meant.report
    labels = {} if memory is None else {one.network: one.hosts for one in memory.entries}
    held = report.current.entries if report.current is not None else frozenset()
    return TargetStatus(
        target.name,
        report.outcome is Outcome.UNCHANGED and not report.ineffective,
        tuple(
            Entry(one.network, one.hosts or labels.get(one.network, ()))
            for one in sorted(held, key=lambda entry: by_network(entry.network))
        ),
        _reason(report),
        report.current is not None,
        frozenset()
        if report.current is None
        else frozenset(report.current.others | report.current.temporary),
        frozenset() if meant.situation is None else meant.situation.beside,
        report.ineffective,
        () if report.current is None else report.current.flaws,
        {} if report.current is None else report.current.obstacles,
        () if report.plan is None else report.plan.add,
        () if report.plan is None else report.plan.remove,
        traffic=meant.traffic,
    )


def _reason(report: TargetReport) -> str:
    plan = report.plan
    if plan is None or plan.idle:
        return report.said
    parts = [
        *plan.repair,
        f"{len(plan.add)} to add" if plan.add else "",
        f"{len(plan.remove)} to remove" if plan.remove else "",
    ]
    return "; ".join(part for part in parts if part)
