"""Removing everything allowsync owns, from targets that are configured and from those that were."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.backend.driver import Driver, needs_of
from allowsync.config.errors import ConfigError
from allowsync.engine.orphan_targets import OrphanTarget, orphans
from allowsync.model.target import Placement
from allowsync.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from allowsync.config.settings import Config, Target
    from allowsync.state import Store, TargetRecord


class Owned(Value):
    """A target something may be in, and how to get at it.

    `make` raises `BackendError` when its backend or its options are not there any more.
    `remembered` is what the state calls it, where that is another name.
    """

    name: str
    allowlist: str
    make: Callable[[], Driver]
    remembered: str = ""


class Cleared(Value):
    """What came of clearing a target; `reason` is empty when nothing of ours is left there."""

    name: str
    reason: str = ""


def everything(
    config: Config, store: Store, *, environ: Mapping[str, str], uid: int
) -> list[Owned]:
    """Every target that is configured, and every one that was and may still be enforced."""
    return [
        *(_configured(target) for target in config.targets),
        *(_orphaned(one, environ, uid, _stranger(config, uid)) for one in orphans(config, store)),
    ]


def clear_all(owned: Iterable[Owned], store: Store, at: datetime) -> list[Cleared]:
    """Clear each target and forget it. One that fails is remembered, and stops no other.

    Args:
        owned: The targets.
        store: What is remembered of them.
        at: The instant at which the history tells of it.

    Raises:
        StateError: A target was cleared but could not be forgotten.
    """
    return list(_clear_each(owned, store, at))


def _clear_each(owned: Iterable[Owned], store: Store, at: datetime) -> Iterator[Cleared]:
    for one in owned:
        try:
            one.make().clear()
        except BackendError as error:
            yield Cleared(one.name, str(error))
        else:
            store.forget_target(one.remembered or one.name, at)
            yield Cleared(one.name)


def _configured(target: Target) -> Owned:
    return Owned(target.name, target.allowlist, target.driver)


def _stranger(config: Config, uid: int) -> int:
    """Who may have written a state that root reads; 0 when only root may."""
    try:
        return config.state.stat().st_uid if uid == 0 else 0
    except OSError:
        return 0


def _orphaned(one: OrphanTarget, environ: Mapping[str, str], uid: int, stranger: int) -> Owned:
    """What was found in the firewall is cleared there, whatever the state says of it."""
    found, record = one.driver, one.record

    def make() -> Driver:
        driver = found()
        if driver is not None:
            return driver
        if record is None:
            raise BackendError("it is not there any more")
        return _recorded(record, environ, uid, stranger).make()

    return Owned(one.name, one.allowlist, make, "" if record is None else record.name)


def _recorded(record: TargetRecord, environ: Mapping[str, str], uid: int, stranger: int) -> Owned:
    def make() -> Driver:
        from allowsync.backend.registry import BrokenBackend, UnknownBackend, load_type
        from allowsync.config import rebuild_options

        try:
            kind = load_type(record.backend)
            options = rebuild_options(kind, record.written, environ=environ, uid=uid)
        except (BrokenBackend, UnknownBackend) as error:
            raise BackendError(str(error)) from error
        except ConfigError as error:
            raise BackendError("; ".join(one.what for one in error.problems)) from error
        if stranger and not needs_of(kind, options).any_user:
            # Such a target writes files and runs commands, which a state could make up.
            raise BackendError(
                f"the state belongs to user {stranger}, who must not have it cleared by root: "
                "put the target into the configuration, clear, and take it out again"
            )
        return Driver(kind, Placement(record.allowlist, record.name), options)

    return Owned(record.name, record.allowlist, make)
