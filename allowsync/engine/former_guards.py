"""Guards of orphaned targets, as far as the state is credible."""

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
    """The guard of a target, as far as it can be determined."""
    from allowsync.backend.declared import guard_of

    with suppress(BackendError):
        return guard_of(kind, options)
    return None


def guarded_once(record: TargetRecord) -> Guard | None:
    """The former guard of an orphaned target, as far as the state records it."""
    if denied(record):
        return None
    with suppress(BackendError, ConfigError):
        return guard_of_kind(*rebuilt(record))
    return None


def denied(record: TargetRecord) -> bool:
    """Whether a target belonged to a denylist: it closed no port to others."""
    from allowsync.config.targets import effect_of

    return effect_of(record.written) is Effect.DENY


class NotBelieved(BackendError):
    """The state's record of a target is not credible."""


def recorded_target(record: TargetRecord, state: Path, installation: str = "") -> Target:
    """A target from its credible record in the state.

    Args:
        record: The record.
        state: The state. A record that another user may have written is trusted only where any user
            could do as much.
        installation: The identifier of the owning configuration.

    Raises:
        BackendError: The backend is not installed any more.
        NotBelieved: The record is incomplete or inconsistent.
    """
    from allowsync.config.allowlists import is_name
    from allowsync.config.settings import Target
    from allowsync.config.targets import effect_of

    try:
        kind, options = rebuilt(record)
    except ConfigError as error:
        raise NotBelieved("the state lacks the options needed to clear it") from error
    other = owner(state)
    if other != os.geteuid() and not needs_of(kind, options).any_user:
        raise NotBelieved(f"the state is owned by user {other}: root does not trust its records")
    if not is_name(record.allowlist) or (
        record.places and places_of(kind, options, record.allowlist) != record.places
    ):
        raise NotBelieved("its records in the state contradict each other")
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
    """The backend and options of a recorded target.

    Raises:
        BackendError: The backend is not installed any more.
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
    """Whether a target replaces an orphaned one.

    Its allowlist was renamed, or its backend changed: where ports are guarded, it guards some of
    the same, and else it has the same allowlist or the same place. A target that only adds to what
    a firewall allows closed nothing.
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
