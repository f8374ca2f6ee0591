"""Removal of all entries that allowsync owns, from configured and orphaned targets."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.engine.former_guards import (
    NotBelieved,
    denied,
    guard_of_kind,
    guarded_once,
    recorded_target,
)
from allowsync.engine.memory import read_only
from allowsync.engine.orphan_targets import OrphanTarget, of_another, orphans
from allowsync.model.target import Effect
from allowsync.model.value import Value
from allowsync.state import StateDamaged, StateError, Store
from allowsync.state.lock import forget_configuration, installations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from allowsync.backend.driver import Driver
    from allowsync.config.settings import Config, Target
    from allowsync.model.target import Guard, Place, PortRange
    from allowsync.model.types import Network
    from allowsync.state import TargetRecord


class Owned(Value):
    """A target that may hold entries, and the way to remove them.

    Attributes:
        name: The target.
        allowlist: Its allowlist.
        clear: Removes its entries. Raises `BackendError` when it cannot.
        remembered: The target's name in the state, where that differs.
        guard: The ports it guards in this machine's packet filter, as far as known.
        configured: Whether a run would restore it.
        denies: Whether it belongs to a denylist: its entries are blocked.
        held: Returns its networks in the firewall, where it is known by its mark there.
    """

    name: str
    allowlist: str
    clear: Callable[[], None]
    remembered: str = ""
    guard: Guard | None = None
    configured: bool = False
    denies: bool = False
    held: Callable[[], tuple[Network, ...]] = tuple

    @property
    def opened(self) -> tuple[PortRange, ...]:
        """Ports that are open to everyone without it, unless another rule closes them."""
        return () if self.guard is None or self.guard.adds_up else self.guard.ports


class Cleared(Value):
    """The result of clearing a target.

    Attributes:
        name: The target.
        reason: The reason why entries may be left there; empty where none are.
        unrecorded: The reason why the state does not record it; empty where it does.
    """

    name: str
    reason: str = ""
    unrecorded: str = ""


def opened(state: Path) -> Store:
    """Open the state for clearing: read-only where it cannot be written, or without contents.

    An administrator who is locked out opens a gate by this command. It waits for no disk, and a
    damaged state is left for the next run to set aside.
    """
    try:
        store = Store.writing(state)
    except StateDamaged as error:
        return _unwritable(state, error)
    except StateError as error:
        try:
            store = read_only(state, error, [])
        except StateDamaged:
            return _unwritable(state, error)
    try:
        store.targets()
    except StateError as error:
        store.close()
        return _unwritable(state, error)
    return store


def _unwritable(state: Path, error: StateError) -> Store:
    store = Store.nothing(state)
    store.unwritable = error.why
    return store


def everything(config: Config, store: Store) -> list[Owned]:
    """Every configured target, and every orphaned one that may still be enforced."""
    return [
        *(_configured(target, config) for target in config.targets),
        *(_orphaned(one, config) for one in orphans(config, store, gone=True)),
    ]


def clear_all(
    owned: Iterable[Owned], store: Store, at: datetime, configuration: Path
) -> list[Cleared]:
    """Clear each target and delete its record. A failed one keeps it, and stops no other.

    Where none is left, the marks of runs are deleted: no later run misses the state.

    Args:
        owned: The targets.
        store: The state.
        at: The instant for the history.
        configuration: The owner of the state.
    """
    done = list(_clear_each(owned, store, at))
    if not (any(one.reason or one.unrecorded for one in done) or store.targets()):
        store.forget_runs()
        forget_configuration(configuration)
    return done


def _clear_each(owned: Iterable[Owned], store: Store, at: datetime) -> Iterator[Cleared]:
    for one in owned:
        try:
            one.clear()
        except (BackendError, StateError) as error:
            yield Cleared(one.name, str(error))
        else:
            yield Cleared(one.name, unrecorded=_forgotten(one, store, at))


def _forgotten(one: Owned, store: Store, at: datetime) -> str:
    """Delete the record of a cleared target. Return why that failed; empty where it did not."""
    try:
        store.forget_target(one.remembered or one.name, at)
    except StateError as error:
        return f"not recorded: the state cannot be written: {error}"
    return ""


def _configured(target: Target, config: Config) -> Owned:
    def clear() -> None:
        if why := of_another(target, installations(config.state)):
            raise BackendError(why)
        target.driver().clear()

    guard, denies = None, target.effect is Effect.DENY
    if not (target.broken or denies):
        guard = guard_of_kind(target.backend, target.options)
    return Owned(target.name, target.allowlist, clear, guard=guard, configured=True, denies=denies)


def _orphaned(one: OrphanTarget, config: Config) -> Owned:
    """Clear a target by its mark in the firewall, where found there, regardless of the state."""
    found, record = one.driver, one.record

    def clear() -> None:
        driver = found()
        if driver is not None:
            driver.clear()
        elif record is None:
            raise BackendError("it no longer exists")
        else:
            _clear_recorded(record, config)

    if record is None:
        return Owned(one.name, one.allowlist, clear, held=lambda: _held(one))
    guard, denies = guarded_once(record), denied(record)
    return Owned(
        one.name, one.allowlist, clear, record.name, guard, denies=denies, held=lambda: _held(one)
    )


def _held(one: OrphanTarget) -> tuple[Network, ...]:
    with suppress(BackendError):
        driver = one.driver()
        if driver is not None:
            return tuple(entry.network for entry in driver.read().entries)
    return ()


def _clear_recorded(record: TargetRecord, config: Config) -> None:
    """Remove the entries of an orphaned target by its credible records.

    Raises:
        BackendError: It is not known how, or entries are left.
    """
    used = {_key(place) for target in config.targets for place in target.places}
    there = [place for place in record.places if _key(place) not in used]
    if record.places and not there:
        return  # the entries there now belong to a configured target
    if len(there) < len(record.places):
        raise BackendError(_back(f"{record.places[0]} is partly used by another target"))
    _leftover(record, config).clear()
    for place in there:
        if place.kind == "file" and os.path.lexists(place.name[-1]):
            raise BackendError(_back(f"{place} still exists, but lacks allowsync's mark"))


def _leftover(record: TargetRecord, config: Config) -> Driver:
    """The backend of an orphaned target. Raises BackendError."""
    try:
        return recorded_target(record, config.state).driver()
    except NotBelieved as error:
        raise BackendError(_back(str(error))) from error


def _key(place: Place) -> tuple[str, tuple[str, ...]]:
    return place.kind, place.name


def _back(why: str) -> str:
    return f"{why}; put the target back into the configuration, clear it, and take it out again"
