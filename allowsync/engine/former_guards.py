"""What targets guarded that are no longer configured, as far as the state can be believed."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from allowsync.backend.api import BackendError
from allowsync.backend.driver import needs_of, places_of
from allowsync.config.errors import ConfigError
from allowsync.model.target import Effect
from allowsync.state.files import owner

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from allowsync.backend.api import AnyBackendType
    from allowsync.config.settings import Target
    from allowsync.model.target import Guard, Place
    from allowsync.state import TargetRecord


def guard_of_kind(kind: AnyBackendType, options: object) -> Guard | None:
    """What a target guards, as far as that can be found out."""
    from allowsync.backend.declared import guard_of

    with suppress(BackendError):
        return guard_of(kind, options)
    return None


def guarded_once(record: TargetRecord) -> Guard | None:
    """What a target guarded when it was configured, as far as the state knows it."""
    if denied(record):
        return None
    with suppress(BackendError, ConfigError):
        return guard_of_kind(*rebuilt(record))
    return None


def denied(record: TargetRecord) -> bool:
    """Whether a target was a denylist's: it closed nothing to others."""
    from allowsync.config.targets import effect_of

    return effect_of(record.written) is Effect.DENY


class NotBelieved(BackendError):
    """What the state says of a target is not to be acted on."""


def recorded_target(record: TargetRecord, state: Path, installation: str = "") -> Target:
    """A target as the state remembers it, by what may be believed of that.

    Args:
        record: What the state knows of it.
        state: The state. What another user may have written there is believed only where any user
            could do as much.
        installation: What tells the configuration whose target it is from others.

    Raises:
        BackendError: There is no such backend any more.
        NotBelieved: It is not known enough of it, or that does not fit together.
    """
    from allowsync.config.allowlists import is_name
    from allowsync.config.settings import Target
    from allowsync.config.targets import effect_of

    try:
        kind, options = rebuilt(record)
    except ConfigError as error:
        raise NotBelieved("the state does not keep what it takes to clear it") from error
    other = owner(state)
    if other != os.geteuid() and not needs_of(kind, options).any_user:
        raise NotBelieved(f"the state is owned by user {other}: root does not trust its records")
    if not is_name(record.allowlist) or (
        record.places and places_of(kind, options, record.allowlist) != record.places
    ):
        raise NotBelieved("what the state says of it does not fit together")
    for place in record.places:
        if place.kind == "file" and os.path.realpath(place.name[-1]) != place.name[-1]:
            raise NotBelieved(f"{place} is reached by a link")
    return Target(
        record.name,
        record.allowlist,
        kind,
        options,
        remembered=record.written,
        installation=installation,
        effect=effect_of(record.written),
    )


def rebuilt(record: TargetRecord) -> tuple[AnyBackendType, Any]:
    """The backend of a target as the state remembers it, and its options.

    Raises:
        BackendError: There is no such backend any more.
        ConfigError: The state does not hold all of its options.
    """
    from allowsync.backend.registry import BrokenBackend, UnknownBackend, load_type
    from allowsync.config import rebuild_options

    try:
        kind: AnyBackendType = load_type(record.backend)
    except (BrokenBackend, UnknownBackend) as error:
        raise BackendError(str(error)) from error
    return kind, rebuild_options(kind, record.written)


def succeeds(target: Target, places: Collection[Place], former: Iterable[TargetRecord]) -> bool:
    """Whether a target takes the place of one that is configured no more.

    Its allowlist was renamed, or its backend is another: where ports are guarded, it guards some of
    those, and else it is for the same allowlist or in the same place. A target that only adds to
    what a firewall allows closed nothing.
    """
    guard = guard_of_kind(target.backend, target.options)
    for record in former:
        if denied(record):
            continue
        once = guarded_once(record)
        if guard is None or once is None:
            same = record.allowlist == target.allowlist or not set(places).isdisjoint(record.places)
            if guard is once and same:
                return True
        elif not once.adds_up and any(
            one.shared(other) for one in guard.ports for other in once.ports
        ):
            return True
    return False
