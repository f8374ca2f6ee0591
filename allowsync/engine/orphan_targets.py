"""Orphaned targets: no longer configured, still enforced, and never updated.

They are known from the state, and from the marks that allowsync leaves in the firewall itself,
which outlive a lost state. A mark of another configuration on this machine is foreign, unless that
configuration is known to be gone: then no other run reports it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from enum import Enum

from allowsync.backend.api import BackendError
from allowsync.backend.driver import driver_of, marks_of, needs_of
from allowsync.model.outcome import ExitCode, Notice
from allowsync.model.value import Value
from allowsync.state.lock import installations, is_gone, other_configuration, whose
from allowsync.typed import TYPE_CHECKING, assert_never

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from allowsync.backend.api import AnyBackendType, Marked
    from allowsync.backend.driver import Driver
    from allowsync.config.settings import Config, Target
    from allowsync.model.target import Place
    from allowsync.state import Store, TargetRecord


class OrphanEffect(Enum):
    """The effect of an orphaned target on packets, as text."""

    DROPS = "drops all other packets"
    OPENS = "admits the hosts it held"
    UNSETTLED = "possibly still enforced"
    ENFORCED = "still enforced"

    @property
    def code(self) -> ExitCode:
        """The exit code of a run with it: gates lock out moved hosts, rules still admit them."""
        wrong = self in (OrphanEffect.DROPS, OrphanEffect.OPENS)
        return ExitCode.FAILED if wrong else ExitCode.IN_STEP


class OrphanTarget(Value):
    """A target that is no longer configured.

    Attributes:
        name: Its former name, or one from its place where that is another target's name.
        allowlist: The allowlist it was for.
        record: Its record in the state; None where there is none.
        kind: The kind of target, where it was found in the firewall.
        marked: The mark found there.
        unsettled: Whether the outcome of its last intended change is unknown.
    """

    name: str
    allowlist: str
    record: TargetRecord | None = None
    kind: AnyBackendType | None = None
    marked: Marked | None = None
    unsettled: bool = False

    @property
    def effect(self) -> OrphanEffect:
        """Its effect, as far as its mark shows."""
        if self.marked is not None and self.marked.drops:
            return OrphanEffect.DROPS
        if self.marked is not None and self.marked.opens:
            return OrphanEffect.OPENS
        return OrphanEffect.UNSETTLED if self.unsettled else OrphanEffect.ENFORCED

    @property
    def drops(self) -> bool:
        """Whether it is known to drop every packet from other source addresses."""
        return self.effect is OrphanEffect.DROPS

    @property
    def to_remember(self) -> TargetRecord:
        """The record for the state, where there is none."""
        from allowsync.state import TargetRecord

        kind = "" if self.kind is None else self.kind.name
        places = () if self.marked is None else (self.marked.place,)
        return TargetRecord(self.name, self.allowlist, kind, {}, places)

    def driver(self) -> Driver | None:
        """The backend that reads and clears it in the firewall; None where it was not found there.

        Raises:
            BackendError: It cannot be made.
        """
        if self.kind is None or self.marked is None:
            return None
        return driver_of(self.kind, self.marked)


def orphans(
    config: Config,
    store: Store,
    only: Iterable[str] = (),
    *,
    everywhere: bool = True,
    gone: bool = False,
) -> list[OrphanTarget]:
    """The orphaned targets that may still be enforced.

    Args:
        config: The configuration.
        store: The state.
        only: The allowlists to look at; all where none is named.
        everywhere: Whether all kinds of firewall are searched for marks, or only configured and
            recorded ones.
        gone: Whether to include recorded ones without any remaining entries.
    """
    names = {target.name for target in config.targets}
    known = {} if _others_state(config) else store.targets()
    records = [one for name, one in known.items() if name not in names]
    kinds = kinds_of(config, None if everywhere else [one.backend for one in known.values()])
    found: list[OrphanTarget] = []
    mine = _installations(config)
    for kind, marked in _marks(config, kinds):
        record = next((one for one in known.values() if marked.place in one.places), None)
        ours = marked.installation in mine or is_gone(marked.installation)
        if marked.installation and not ours:
            records = [one for one in records if one is not record]
        elif ours or record is not None:
            name = _name(marked, kind, record, {*names, *(one.name for one in found)})
            found.append(OrphanTarget(name, marked.allowlist, record, kind, marked))
    seen = [one.record for one in found]
    rest = [one for one in records if one not in seen]
    if rest := [one for one in rest if gone or _may_stand(one, config)]:
        unsettled = store.unsettled()
        found += [
            OrphanTarget(one.name, one.allowlist, one, unsettled=one.name in unsettled)
            for one in rest
        ]
    chosen = set(only)
    return [one for one in found if not chosen or one.allowlist in chosen]


def _may_stand(record: TargetRecord, config: Config) -> bool:
    """Whether entries may be left of a target that was not found by a mark.

    Remote targets are not read for this, and a state of another user is not trusted.
    """
    from allowsync.config.errors import ConfigError
    from allowsync.engine.former_guards import recorded_target

    if files := [one.name[-1] for one in record.places if one.kind == "file"]:
        return any(map(os.path.lexists, files))
    with suppress(BackendError, ConfigError):
        target = recorded_target(record, config.state)
        if not needs_of(target.backend, target.options).online:
            current = target.driver().read()
            # A marked target would have been found by its mark, even if empty.
            return bool(current.entries) or not (target.backend.marked or current.flaws)
    return True


def _marks(
    config: Config, kinds: Iterable[AnyBackendType]
) -> Iterator[tuple[AnyBackendType, Marked]]:
    """Marked, unconfigured objects in the firewalls, as far as they can be found."""
    configured = configured_places(config)
    for kind in kinds:
        try:
            marks = marks_of(kind, configured)
        except BackendError:
            continue  # a target of that kind fails for the same reason, and reports it
        yield from ((kind, one) for one in marks if one.place not in configured)


def kinds_of(config: Config, others: Iterable[str] | None = None) -> tuple[AnyBackendType, ...]:
    """The kinds of target that are configured, with some others, or all that are installed."""
    kinds = {target.backend.name: target.backend for target in config.targets if not target.broken}
    loaded = map(_loaded, _installed() if others is None else others)
    return tuple({**{one.name: one for one in loaded if one is not None}, **kinds}.values())


def configured_places(config: Config) -> frozenset[Place]:
    """The places of all targets."""
    return frozenset(place for target in config.targets for place in _places(target))


def _places(target: Target) -> tuple[Place, ...]:
    try:
        return target.places
    except BackendError:
        return ()


def _name(
    marked: Marked, kind: AnyBackendType, record: TargetRecord | None, taken: set[str]
) -> str:
    """A stable name from run to run, though the state may rename it in between."""
    if record is not None and record.name not in taken and "@" not in record.name:
        return record.name
    usual = f"{marked.allowlist}/{kind.name}"
    return usual if usual not in taken else f"{marked.allowlist}/{marked.place.name[-1]}"


def of_another(target: Target, names: Iterable[str] = ()) -> str:
    """The reason why a target may belong to another configuration; empty where it does not.

    Another configuration on this machine created it, or took it over: it has the same name.

    Args:
        target: The target.
        names: Marks of this configuration under its former names.
    """
    ours = {"", target.installation, *names}
    with suppress(BackendError):
        for one in marks_of(target.backend, ()):
            if one.place in target.places and one.installation not in ours:
                return (
                    f"{one.place} belongs to another configuration; nothing was changed; rename "
                    "the allowlist, or take the gate over: allowsync apply --force "
                    f"--only {target.name}"
                )
    return ""


def others_targets(config: Config) -> dict[str, str]:
    """The targets that belong to another configuration, which a run skips, with the reasons."""
    names = installations(config.state)
    return {one.name: why for one in config.targets if (why := of_another(one, names))}


def _installations(config: Config) -> frozenset[str]:
    """The marks of this configuration, under its present and former names."""
    before = frozenset() if _others_state(config) else installations(config.state)
    return before | {one.installation for one in config.targets}


def _installed() -> tuple[str, ...]:
    from allowsync.backend.registry import names

    return names()


def _loaded(name: str) -> AnyBackendType | None:
    from allowsync.backend.registry import BrokenBackend, UnknownBackend, load_type

    try:
        return load_type(name)
    except (BrokenBackend, UnknownBackend):
        return None


def left_over(config: Config, found: Iterable[OrphanTarget]) -> Iterator[Notice]:
    """Notices about orphaned targets, and about a state that belongs to another configuration."""
    if other := _others_state(config):
        yield Notice(str(config.state), whose(other))
    yield from map(told, found)


def _others_state(config: Config) -> Path | None:
    """The configuration beside this one that owns the state."""
    return other_configuration(config.state, config.path)


def told(one: OrphanTarget) -> Notice:
    """The notice about an orphaned target."""
    removal = f"'allowsync clear --only {one.name}' removes it"
    place = "" if one.marked is None else one.marked.place
    match one.effect:
        case OrphanEffect.DROPS:
            what = f"is no longer configured, but {place} still drops all others"
        case OrphanEffect.OPENS:
            what = "is no longer configured but still enforced, and admits the hosts it held"
        case OrphanEffect.UNSETTLED:
            unsettled = "may still be enforced: its last change failed, or was not confirmed"
            what = f"is no longer configured, and {unsettled}"
        case OrphanEffect.ENFORCED:
            what = "is no longer configured but still enforced"
        case _ as never:
            assert_never(never)
    return Notice(one.name, f"{what}; {removal}", one.effect.code)
