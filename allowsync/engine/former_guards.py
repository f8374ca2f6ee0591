"""What targets guarded that are no longer configured, as far as the state can be believed."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from allowsync.backend.api import BackendError
from allowsync.config.errors import ConfigError
from allowsync.model.target import Effect

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

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
