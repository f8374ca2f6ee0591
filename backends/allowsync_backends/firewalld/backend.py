"""The backend of firewalld: its runtime and its permanent configuration, changed together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError, mark
from allowsync.model.target import Capabilities, Current
from allowsync.model.types import BOTH_FAMILIES, Family
from allowsync.model.value import Value
from allowsync_backends.common.firewalld_bus import RUNTIME, Bus, method
from allowsync_backends.firewalld import inspection, rules, sets
from allowsync_backends.firewalld.inspection import FirewalldSnapshot
from allowsync_backends.firewalld.options import FILES, names_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from allowsync.model.plan import Plan
    from allowsync.model.target import Finding
    from allowsync.model.types import Network
    from allowsync_backends.common.firewalld_bus import Call
    from allowsync_backends.firewalld.options import FirewalldOptions
    from allowsync_backends.firewalld.rules import ZoneRules


class FirewalldBackend(Value):
    """Drives the two sets of an allowlist, and its rules in a zone.

    Attributes:
        allowlist: The allowlist.
        options: The options of the target.
        installation: The owner recorded in new sets; empty where it is not known.
    """

    allowlist: str
    options: FirewalldOptions
    installation: str = ""

    @property
    def capabilities(self) -> Capabilities:
        """Networks of any width but 0. firewalld refuses overlapping ones."""
        return Capabilities(
            prefixes={family: (1, family.bits) for family in BOTH_FAMILIES}, max_entries=sets.MOST
        )

    def check(self) -> Sequence[Finding]:
        """Check that sets and rules are sound, and that sets without rules are used."""
        from allowsync_backends.firewalld.check import check

        return check(self.look, self.options)

    def look(self) -> FirewalldSnapshot:
        """Return firewalld's state, at runtime and on the disk.

        Raises:
            BackendError: It does not run, has failed, or its answer is not understood.
        """
        with Bus() as bus:
            return self._seen(bus)

    def _seen(self, bus: Bus) -> FirewalldSnapshot:
        names, ports = names_of(self.allowlist), self.options.ports
        in_force = {name: one for name in names if (one := sets.in_force(bus, name))}
        if len(in_force) < len(names):
            bus.must_be_in_force()
        return FirewalldSnapshot(
            mark(self.allowlist),
            names,
            in_force,
            {name: one for name in names if (one := sets.kept(bus, name))},
            rules.look(bus, self.options.zone, names) if ports else None,
            rules.wanted(names, ports),
            self._elsewhere(bus, names) if ports else (),
        )

    def _elsewhere(self, bus: Bus, names: Iterable[str]) -> tuple[ZoneRules, ...]:
        """Return our rules in zones that the target does not name (any more)."""
        zones = {one.stem for name in names for one in _naming(name) if one.parent.name == "zones"}
        others = (rules.look(bus, one, names) for one in sorted(zones - {self.options.zone}))
        return tuple(one for one in others if one.kept or one.in_force)

    def read(self) -> Current:
        """Return the sets in force, and faults of them or of the permanent configuration.

        Raises:
            BackendError: firewalld does not run, has failed, or its answer is not understood.
        """
        return inspection.current(self.look(), reload=self.options.reload)

    def apply(self, plan: Plan) -> None:
        """Bring sets and rules in sync with the plan, runtime first; end removed networks' streams.

        Sets come before the rules that name them: firewalld loads nothing at all, and lets
        everything in, where a rule names a missing set.

        Raises:
            BackendError: Nothing was changed, or not all; networks admitted before, and those to
                admit now, still are.
            OutcomeUnknown: firewalld did not answer.
        """
        if plan.idle:
            return
        wanted = {
            name: [one.network for one in plan.final if Family.of(one.network) is family]
            for name, family in names_of(self.allowlist).items()
        }
        with Bus() as bus:
            seen = self._seen(bus)
            for refusal, advice in inspection.refusals(seen).items():
                raise BackendError(f"{refusal}; nothing was changed; {advice}")
            bus.change(_made(seen, wanted, self.installation))
            if self.options.reload and len(seen.in_force) < len(wanted):
                bus.change([method(RUNTIME, "", "reload")])
                seen = self._seen(bus)
            bus.change(_filled(seen, wanted))
        self._end_streams(seen.networks, [entry.network for entry in plan.final])
        if missing := ", ".join(name for name in wanted if name not in seen.in_force):
            raise BackendError(f"firewalld has not loaded ipset {missing} yet; {inspection.LOAD}")

    def clear(self) -> None:
        """Remove our rules, empty our sets, and delete them from the disk.

        firewalld drops a set from its runtime at its next reload.

        Raises:
            BackendError: Something of ours may be left. A set that another rule names is empty.
        """
        with Bus() as bus:
            seen = self._seen(bus)
            for one in (*seen.elsewhere, *([] if seen.rules is None else [seen.rules])):
                bus.change(rules.changes(one, frozenset()))
                bus.change(rules.kept_changes(one, frozenset()))
            ours = [name for name in seen.families if name not in seen.foreign]
            for name in (one for one in ours if one in seen.in_force):
                bus.change(sets.filled(name, seen.in_force[name].texts, ()))
            self._end_streams(seen.networks, ())
            for name in (one for one in ours if one in seen.kept):
                _remove(bus, name, seen.kept[name].path)

    def _end_streams(self, gone: Iterable[Network], remaining: Iterable[Network]) -> None:
        from allowsync_backends.common.conntrack import end_streams, taken_away

        if self.options.end_streams:
            end_streams(taken_away(gone, remaining), self.options.ports)


def _made(
    seen: FirewalldSnapshot, wanted: Mapping[str, list[Network]], installation: str
) -> Iterator[Call]:
    """Yield the calls that save the missing parts to the disk, sets first."""
    for name, family in seen.families.items():
        if name not in seen.kept:
            yield sets.created(name, seen.mark, installation, family, wanted[name])
        elif name not in seen.in_force:
            yield sets.saved(seen.kept[name].path, wanted[name])
    if seen.rules is not None:
        yield from rules.kept_changes(seen.rules, seen.wanted)
    for one in seen.elsewhere:
        yield from rules.kept_changes(one, frozenset())


def _filled(seen: FirewalldSnapshot, wanted: Mapping[str, list[Network]]) -> Iterator[Call]:
    """Yield the calls that fill the loaded sets as wanted, and the disk after them."""
    for name, one in seen.in_force.items():
        yield from sets.filled(name, one.texts, wanted[name])
    if seen.rules is not None and len(seen.in_force) == len(wanted):
        yield from rules.changes(seen.rules, seen.wanted)
    for other in seen.elsewhere:
        yield from rules.changes(other, frozenset())
    for name, one in seen.kept.items():
        if len(one.texts) != len(wanted[name]) or one.networks != set(wanted[name]):
            yield sets.saved(one.path, wanted[name])


def _remove(bus: Bus, name: str, path: str) -> None:
    """Delete a set from the disk, unless a file there names it: firewalld would not start."""
    if user := _user_of(name):
        bus.change([sets.saved(path, ())])
        raise BackendError(
            f"ipset {name} is empty now, but was not deleted: {user} names it, and firewalld loads "
            "nothing, and lets everything in, where a set is missing; remove that first"
        )
    bus.change([sets.removed(path)])


def _user_of(name: str) -> str:
    """Return a file of firewalld's, beside the set's own, that names a set; empty without one."""
    return next((str(one) for one in _naming(name) if one.stem != name), "")


def _naming(name: str) -> list[Path]:
    """Return the files of firewalld's that name a set. Raises BackendError."""
    try:
        files = sorted(FILES.rglob("*.xml"))
        return [one for one in files if name in one.read_text(errors="replace")]
    except OSError as error:
        raise BackendError(f"{FILES} cannot be read: {error.strerror}") from error
