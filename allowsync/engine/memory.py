"""The input of a run: configuration, state and clocks, read before any query is sent."""

from __future__ import annotations

import os

from allowsync.engine.orphan_targets import left_over, orphans
from allowsync.model.clock import Clock
from allowsync.model.outcome import Notice
from allowsync.model.value import Value, field, replace
from allowsync.policy.clock import knows, read
from allowsync.policy.decision import has_ended
from allowsync.policy.tracking import by_label, renamed
from allowsync.state import StateDamaged, StateError, Store
from allowsync.state.files import unrecorded_mark
from allowsync.state.lock import state_before
from allowsync.text import said
from allowsync.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from allowsync.config.settings import Config
    from allowsync.engine.fleet.view import FleetView
    from allowsync.engine.options import Request
    from allowsync.engine.orphan_targets import OrphanTarget
    from allowsync.engine.published import Learnt
    from allowsync.model.access_order import StandingOrders
    from allowsync.model.clock import Chronology, Pulse
    from allowsync.model.memory import HostMemory, TargetMemory
    from allowsync.model.networks import Coverage
    from allowsync.model.types import Entry, Host, Network
    from allowsync.plan.result import RunReport
    from allowsync.policy.clock import Now
    from allowsync.policy.published import SourceRecord
    from allowsync.policy.sightings import Ledger
    from allowsync.state import TargetRecord

    Steps = Callable[[Store, Sequence[Notice]], RunReport]


class Memory(Value):
    """The input of a run.

    Attributes:
        config: The configuration, its hosts completed with the networks of their sources.
        request: The request.
        store: The state.
        pulse: The machine's clocks at the start.
        now: The instant of the run, and the reliability of its clock.
        chronology: The remembered clock readings.
        hosts: The memory of each host, by label.
        ledger: The sightings.
        unconfirmed: Targets whose last change waits for a confirmation, and since when.
        learnt: The networks of sources; None where no host names any.
        renamed: The present labels of hosts, by those of the run before.
        orphans: The orphaned targets.
        disorder: Notices of unreadable access orders.
        orders: The access orders, as far as readable; None where there are none.
        forgotten: The latest instant of a run that the state lacks; None where it lacks none.
        moved: The former state of the configuration, where the present one has no run.
        unsure: Whether targets may hold entries of an unrecorded run.
        here: The networks in all targets, which bound the use of an older state.
        fleet: The view of the fleet; None where the machine belongs to none.
    """

    config: Config
    request: Request
    store: Store
    pulse: Pulse
    now: Now
    chronology: Chronology
    hosts: Mapping[str, HostMemory]
    ledger: Ledger
    unconfirmed: Mapping[str, datetime]
    learnt: Learnt | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)
    orphans: tuple[OrphanTarget, ...] = ()
    disorder: tuple[Notice, ...] = ()
    orders: StandingOrders | None = None
    forgotten: datetime | None = None
    moved: str = ""
    unsure: bool = False
    here: Coverage | None = None
    fleet: FleetView | None = None

    @property
    def behind(self) -> bool:
        """Whether the state is older than the last recorded run, or gone."""
        return self.forgotten is not None or bool(self.moved)

    @property
    def lost(self) -> bool:
        """Whether memory was lost, and no orphaned gate with its hosts is in force.

        Such a gate holds hosts known nowhere else: an empty new one would lock them out.
        """
        lost = self.store.lost or self.behind
        return lost and not any(one.drops for one in self.orphans)

    def target(self, name: str) -> TargetMemory | None:
        """The memory of a target, each host by its present label."""
        known = self.store.target(name)
        if known is not None and self.here is not None:
            from allowsync.engine.older_state import still_claimed

            known = still_claimed(known, self.here)
        if known is not None and self.renamed:
            apart = None if known.apart is None else _relabelled(known.apart, self.renamed)
            entries = _relabelled(known.entries, self.renamed)
            known = replace(known, entries=entries, apart=apart)
        if known is None or not self.behind:
            return known
        from allowsync.engine.older_state import as_unknown

        hosts = self.config.hosts.items() if self.here is not None else ()
        trusted = {label for label, host in hosts if not has_ended(host, self.now)}
        return as_unknown(known, trusted, self.now, self.forgotten)

    def former(self) -> Iterator[TargetRecord]:
        """The records of orphaned targets."""
        configured = {target.name for target in self.config.targets}
        yield from (one for name, one in self.store.targets().items() if name not in configured)

    @property
    def hosts_of_run(self) -> list[Host]:
        """The hosts of these allowlists, in configured order."""
        return self.request.hosts(self.config)

    @property
    def edge(self) -> tuple[Network, ...]:
        """The networks published by Cloudflare; empty where unknown."""
        return () if self.learnt is None else self.learnt.proxies

    @property
    def published(self) -> Mapping[str, SourceRecord]:
        """The records of sources to remember."""
        return {} if self.learnt is None else self.learnt.published

    @property
    def notices(self) -> Iterator[Notice]:
        """Notices about state and clock, orphaned targets, sources, and channels."""
        unread = self.store.unwritable and self.chronology.last is None
        if self.behind and not (unread or knows(self.chronology, self.forgotten)):
            yield Notice(str(self.config.state), _older(self.chronology, self.moved))
        else:
            yield from _clock_notice(self.now, self.chronology)
        yield from self.disorder
        yield from left_over(self.config, self.orphans)
        yield from () if self.learnt is None else self.learnt.notices
        yield from () if self.fleet is None else self.fleet.notices
        yield from self.config.broken_channels
        yield from self.config.hosts_trouble


def memory_of(config: Config, request: Request, store: Store, pulse: Pulse) -> Memory:
    """Read the input of a run. Raises StateError."""
    chronology = store.chronology()
    forgotten = store.forgotten_run()
    known = forgotten is not None or chronology.last is not None or request.rehearsed
    moved = "" if known else state_before(config.path, config.state)
    behind = forgotten is not None or bool(moved)
    now = read(chronology, pulse, forgotten)
    fleet = None if config.fleet is None else _of_fleet(config, request, store, now)
    config = config if fleet is None else fleet.config
    config, orders, disorder = _with_orders(config, request, store, pulse)
    learnt = _learn(config, request, store, now)
    filled = config if learnt is None else learnt.config
    remembered: Mapping[str, HostMemory] = store.hosts()
    here: Coverage | None = None
    if behind and remembered:
        from allowsync.engine.older_state import held_now, still_held

        here = held_now(filled)
        remembered = remembered if here is None else still_held(remembered, here)
    if fleet is not None:
        remembered = fleet.known(remembered, now)
    # All kinds of firewall are searched where the state is of no help, and at boot, when other
    # programs load their saved rules.
    everywhere = request.offline or (chronology.last is None and not request.rehearsed)
    return Memory(
        filled,
        request,
        store,
        pulse,
        now,
        chronology,
        _inherited(list(filled.hosts.values()), remembered, now),
        store.ledger(),
        {} if request.insists else store.unconfirmed(),
        learnt,
        renamed(filled.hosts.values(), remembered),
        tuple(orphans(filled, store, request.only, everywhere=everywhere)),
        disorder,
        orders,
        forgotten,
        moved,
        behind or os.path.lexists(unrecorded_mark(config.state)),
        here,
        fleet,
    )


def _inherited(
    hosts: Sequence[Host], remembered: Mapping[str, HostMemory], now: Now
) -> Mapping[str, HostMemory]:
    """The memory of each host. Imports the matching by hostname only where some moved."""
    known = by_label(hosts, remembered)
    if known is not None:
        return known
    from allowsync.policy.inheritance import inherit

    return inherit(hosts, remembered, now)


def _of_fleet(config: Config, request: Request, store: Store, now: Now) -> FleetView:
    """Look at the fleet's documents once. Raises StateError."""
    from allowsync.engine.fleet.view import view_of

    view = view_of(config, request, now)
    if not (request.dry_run or request.confirming):
        from allowsync.engine.fleet.orders import take_over

        take_over(view, store)
    return view


def _with_orders(
    config: Config, request: Request, store: Store, pulse: Pulse
) -> tuple[Config, StandingOrders | None, tuple[Notice, ...]]:
    """The configuration with access orders given by command; mostly there are none."""
    none = store.orders() is None and not os.path.lexists(f"{config.state}.revoked")
    if none and not request.assumed:
        return config, None, ()
    from allowsync.engine.access_orders import ordered

    return ordered(config, store, pulse, request.assumed)


def _relabelled(entries: Iterable[Entry], labels: Mapping[str, str]) -> tuple[Entry, ...]:
    return tuple(
        replace(one, hosts=tuple(sorted({labels.get(host, host) for host in one.hosts})))
        for one in entries
    )


def with_history(config: Config, request: Request, started: datetime, steps: Steps) -> RunReport:
    """Carry out steps with the state's history, or without it where that is damaged.

    A transient read error looks like damage in SQLite, too (SQLITE_IOERR_CORRUPTFS): a state is set
    aside only after two such errors, over a connection of its own each time.
    """
    path = config.state
    notices: list[Notice] = []
    try:
        with _opened(path, request, notices) as store:
            return steps(store, notices)
    except StateDamaged:
        notices.clear()
    try:
        with _opened(path, request, notices) as store:
            return steps(store, notices)
    except StateDamaged as error:
        with _without_history(path, request, started, error, notices) as store:
            return steps(store, notices)


def _opened(path: Path, request: Request, notices: list[Notice]) -> Store:
    try:
        return Store.reading(path) if request.dry_run else Store.writing(path)
    except StateDamaged:
        raise
    except StateError as error:
        return read_only(path, error, notices)


def read_only(path: Path, error: StateError, notices: list[Notice]) -> Store:
    """The state opened for reading, where it cannot be written; else an empty one."""
    notices.append(Notice(str(error.path), error.why))
    try:
        store = Store.reading(path)
    except StateDamaged:
        raise
    except StateError:
        store = Store.nothing(path)
    store.unwritable = error.why
    return store


def _without_history(
    path: Path, request: Request, started: datetime, error: StateDamaged, notices: list[Notice]
) -> Store:
    store = Store.nothing(path)
    what = f"{error.why}; going on without history: nothing is removed in this run"
    if request.dry_run:
        notices.append(Notice(str(path), what))
        return store
    aside = store.set_aside(started)
    notices.append(Notice(str(path), f"{what}. The file was set aside as {aside}"))
    anew = Store.writing(path)
    anew.lost = True
    return anew


def _learn(config: Config, request: Request, store: Store, now: Now) -> Learnt | None:
    if not (config.sources_in_use or config.lists_in_use):
        return None
    from allowsync.engine.published import known_lists, learn, recalled

    force, keep = request.force, not (request.dry_run or request.rehearsed)
    lists = known_lists(config, now.instant, force=force, keep=keep)
    if request.offline or request.rehearsed:
        return recalled(config, store, lists)
    hosts = [host for host in request.hosts(config) if not has_ended(host, now)]
    targets = [target for target in config.targets if request.takes(target)]
    names = [name for host in hosts for name in host.publishers]
    names += [name for target in targets for name in target.sources]
    return learn(config, store, dict.fromkeys(names), now.instant, lists, force=force)


def _older(known: Chronology, moved: str) -> str:
    """The message for a state without the last run."""
    stays = "entries that it does not know stay for now"
    if moved:
        return f"knows of no run: the state was {moved} until now; {stays}; move that one here"
    if known.last is None:
        return f"is gone with what the last run knew; {stays}"
    last = f"{known.last.wall:%Y-%m-%d %H:%M} UTC"
    what = f"is an older one, of {last}: what later runs learnt is forgotten, and later commands"
    again = "repeat grants, revocations and approvals made since"
    return f"{what}; {stays}, and nothing expires in this run; {again}"


def _clock_notice(now: Now, known: Chronology) -> Iterator[Notice]:
    if now.clock is Clock.STEADY or known.last is None:
        return
    how = "went backwards"
    if now.clock is Clock.JUMPED:
        how = f"jumped ahead by {said(now.gaps[-1].by)} more than can have passed"
    last = f"{known.last.wall:%Y-%m-%d %H:%M} UTC"
    yield Notice("clock", f"{how} since the last run ({last}): nothing expires in this run")
