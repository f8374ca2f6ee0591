"""Snapshot and rollback of targets and state (`apply --confirm`)."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.engine.rollback.pending import former
from allowsync.model.plan import Plan
from allowsync.model.value import Value
from allowsync.state import StateError, StateUnwritable, Store
from allowsync.state.files import COMPANIONS, as_owner
from allowsync.state.private_copy import is_whole
from allowsync.system.files import replace_file, sync_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from allowsync.backend.driver import Driver
    from allowsync.config.settings import Target
    from allowsync.model.target import Current
    from allowsync.state import TargetRecord

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TargetSnapshot(Value):
    """A snapshot of a target. `put_back` restores it, and returns whether it differed.

    `put_back` raises `BackendError`.
    """

    target: str
    put_back: Callable[[], bool]


class RollbackResult(Value):
    """The result of a target's rollback.

    Attributes:
        target: Its full name.
        differed: Whether it differed from before.
        reason: The reason why it was not restored; empty when it was.
    """

    target: str
    differed: bool
    reason: str = ""


def keep(target: Target, record: TargetRecord | None) -> TargetSnapshot:
    """Take a snapshot of a target.

    With the options it was applied with, if these differ now: a gate whose ports were changed gets
    its former ports again.

    Raises:
        BackendError: It cannot be read, or could not be restored as it is.
    """
    was = former(target, record) or target
    return kept(target.name, was.driver())


def kept(name: str, backend: Driver) -> TargetSnapshot:
    """Take a snapshot of a backend's target.

    Raises:
        BackendError: It cannot be read, or could not be restored as it is.
    """
    if backend.restorable:
        return TargetSnapshot(name, backend.snapshot())
    before = backend.read()
    if before.entries and before.flaws:
        flaws = "; ".join(before.flaws)
        raise BackendError(f"it could not be restored as it is now ({flaws})")
    return TargetSnapshot(name, lambda: _put_back(name, backend, before))


def _put_back(name: str, backend: Driver, before: Current) -> bool:
    now = backend.read()
    if _same(now, before):
        return False
    if before.flaws:
        backend.clear()  # it did not exist; a possible leftover, a folder, grants no access
    else:
        backend.apply(_plan_back(name, now, before))
    after = backend.read()
    if not _same(after, before) and not (before.flaws and not after.entries):
        raise BackendError("its former state was not restored")
    return True


def _same(one: Current, other: Current) -> bool:
    """Whether a target is as it was: the text of flaws may differ."""
    networks = [{entry.network for entry in current.entries} for current in (one, other)]
    return networks[0] == networks[1] and bool(one.flaws) == bool(other.flaws)


def _plan_back(name: str, now: Current, before: Current) -> Plan:
    held = {entry.network for entry in now.entries}
    meant = {entry.network for entry in before.entries}
    ordered = sorted(before.entries, key=lambda entry: str(entry.network))
    gone = sorted(now.entries, key=lambda entry: str(entry.network))
    return Plan(
        name,
        add=tuple(entry for entry in ordered if entry.network not in held),
        remove=tuple(entry for entry in gone if entry.network not in meant),
        keep=tuple(entry for entry in ordered if entry.network in held),
        repair=now.flaws,
    )


def put_back(targets: Iterable[TargetSnapshot]) -> list[RollbackResult]:
    """Roll every target back. One that fails stops no other."""
    return [_one_put_back(one) for one in targets]


def _one_put_back(one: TargetSnapshot) -> RollbackResult:
    try:
        return RollbackResult(one.target, one.put_back())
    except BackendError as error:
        return RollbackResult(one.target, differed=True, reason=str(error))
    except Exception as error:  # noqa: BLE001 - a defect at one target must not stop the others
        reason = f"unexpected {type(error).__name__}: {error}"
        return RollbackResult(one.target, differed=True, reason=reason)


def keep_state(state: Path) -> Path:
    """Copy the state beside itself; the caller holds the lock. Returns the copy's name.

    Raises:
        StateError: It cannot be opened or copied.
    """
    copy = copy_of(state)
    if os.path.lexists(copy):
        recover(state)
    # Also undoes half-written changes of a crash; a state that does not exist yet is made.
    Store.writing(state).close()
    try:
        with as_owner(state):
            replace_file(copy, state.read_bytes(), 0o600, durable=True)
    except OSError as error:
        raise StateUnwritable(copy, error.strerror) from error
    return copy


def copy_of(state: Path) -> Path:
    """The path of a state's copy while a run waits to be confirmed."""
    return state.with_name(state.name + ".before")


def drop_copy(state: Path) -> None:
    """Remove the copy of a state, and possible files of SQLite beside it. Raises OSError."""
    copy = copy_of(state)
    with as_owner(state):
        for suffix in ("", *COMPANIONS):
            copy.with_name(copy.name + suffix).unlink(missing_ok=True)


def recover(state: Path) -> None:
    """Restore the copy where the watchdog was ended, too (a power cut).

    Unconfirmed changes are not the former contents, least of all when a machine boots. The caller
    holds the lock, so no process is waiting any more. An incomplete copy was never in use: a run
    starts once it is complete.

    Raises:
        StateError: It cannot be restored.
    """
    copy = copy_of(state)
    if is_whole(copy):
        put_state_back(state, _waiting(state, copy))
        return
    try:
        drop_copy(state)
    except OSError as error:
        raise StateUnwritable(copy, error.strerror) from error


def _waiting(state: Path, copy: Path) -> dict[str, datetime]:
    """The targets whose change waits for a confirmation: all, where that cannot be read."""
    try:
        with Store.reading(state) as store:
            return store.unconfirmed()
    except StateError:
        with Store.reading(copy) as store:
            last = store.last_run()
            return dict.fromkeys(store.targets(), EPOCH if last is None else last.started)


def put_state_back(state: Path, waiting: Mapping[str, datetime]) -> None:
    """Replace the state by its copy.

    Args:
        state: The state.
        waiting: The targets whose change waits for a confirmation, and since when. They are
            recorded in the copy before it replaces the state: none is lost by a kill in between.

    Raises:
        StateError: It could not be done.
    """
    copy = copy_of(state)
    with Store.writing(copy) as store:
        for target, since in waiting.items():
            store.set_unconfirmed([target], since)
    try:
        with as_owner(state):
            # A journal belongs to the replaced file (SQLite would play it back into the copy).
            for suffix in COMPANIONS:
                state.with_name(state.name + suffix).unlink(missing_ok=True)
            copy.replace(state)
            sync_folder(str(state.parent))
    except OSError as error:
        raise StateUnwritable(state, error.strerror) from error
