"""Removing everything allowsync owns, from targets that are configured and from those that were."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.backend.driver import Driver, needs_of, places_of
from allowsync.config.errors import ConfigError
from allowsync.engine.orphan_targets import OrphanTarget, of_another, orphans
from allowsync.model.target import Placement
from allowsync.model.value import Value
from allowsync.state.files import owner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from allowsync.backend.api import AnyBackendType
    from allowsync.config.settings import Config, Target
    from allowsync.model.target import Place
    from allowsync.state import Store, TargetRecord


class Owned(Value):
    """A target something may be in, and how to remove that.

    `clear` raises `BackendError` when it cannot. `remembered` is what the state calls the target,
    where that is another name.
    """

    name: str
    allowlist: str
    clear: Callable[[], None]
    remembered: str = ""


class Cleared(Value):
    """What came of clearing a target; `reason` is empty when nothing of ours is left there."""

    name: str
    reason: str = ""


def everything(config: Config, store: Store) -> list[Owned]:
    """Every target that is configured, and every one that was and may still be enforced."""
    return [
        *(_configured(target, store) for target in config.targets),
        *(_orphaned(one, config) for one in orphans(config, store)),
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
            one.clear()
        except BackendError as error:
            yield Cleared(one.name, str(error))
        else:
            store.forget_target(one.remembered or one.name, at)
            yield Cleared(one.name)


def _configured(target: Target, store: Store) -> Owned:
    def clear() -> None:
        if store.target(target.name) is None and (why := of_another(target)):
            raise BackendError(why)
        target.driver().clear()

    return Owned(target.name, target.allowlist, clear)


def _orphaned(one: OrphanTarget, config: Config) -> Owned:
    """What was found in the firewall is cleared there, whatever the state says of it."""
    found, record = one.driver, one.record

    def clear() -> None:
        driver = found()
        if driver is not None:
            driver.clear()
        elif record is None:
            raise BackendError("it is not there any more")
        else:
            _clear_recorded(record, config)

    return Owned(one.name, one.allowlist, clear, "" if record is None else record.name)


def _clear_recorded(record: TargetRecord, config: Config) -> None:
    """Remove what a target left that is no longer configured, by what may be believed of it.

    Raises:
        BackendError: It is not known how, or something is left.
    """
    used = {_key(place) for target in config.targets for place in target.places}
    there = [place for place in record.places if _key(place) not in used]
    if record.places and not there:
        return  # what is there now is a configured target's
    if len(there) < len(record.places):
        raise BackendError(_back(f"{record.places[0]} is partly used by another target"))
    _leftover(record, config).clear()
    for place in there:
        if place.kind == "file" and os.path.lexists(place.name[-1]):
            raise BackendError(_back(f"{place} is still there, and does not carry our mark"))


def _leftover(record: TargetRecord, config: Config) -> Driver:
    """The backend of a target that is no longer configured. Raises BackendError."""
    from allowsync.backend.registry import BrokenBackend, UnknownBackend, load_type
    from allowsync.config import rebuild_options
    from allowsync.config.allowlists import is_name

    try:
        kind: AnyBackendType = load_type(record.backend)
        options = rebuild_options(kind, record.written)
    except (BrokenBackend, UnknownBackend) as error:
        raise BackendError(str(error)) from error
    except ConfigError as error:
        raise BackendError(_back("the state does not keep what it takes to clear it")) from error
    other = owner(config.state)
    if other != os.geteuid() and not needs_of(kind, options).any_user:
        raise BackendError(
            _back(f"the state belongs to user {other}, who must not have it cleared by root")
        )
    if not is_name(record.allowlist) or (
        record.places and places_of(kind, options, record.allowlist) != record.places
    ):
        raise BackendError(_back("what the state says of it does not fit together"))
    for place in record.places:
        if place.kind == "file" and os.path.realpath(place.name[-1]) != place.name[-1]:
            raise BackendError(_back(f"{place} is reached by a link"))
    return Driver(kind, Placement(record.allowlist, record.name), options)


def _key(place: Place) -> tuple[str, tuple[str, ...]]:
    return place.kind, place.name


def _back(why: str) -> str:
    return f"{why}; put the target back into the configuration, clear it, and take it out again"
