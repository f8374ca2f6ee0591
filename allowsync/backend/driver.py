"""A backend as the core uses it: every call is contained, and its result is checked."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from itertools import islice

from allowsync.backend import containment
from allowsync.backend.api import AnyBackendType, BackendType, Marked, Needs
from allowsync.backend.containment import (
    LONGEST,
    UnfitValue,
    contained,
    demand,
    demand_all,
    demand_each,
)
from allowsync.model.target import (
    Capabilities,
    Current,
    Finding,
    Place,
    Placement,
    Severity,
    Traffic,
)
from allowsync.model.types import Entry, Family
from allowsync.model.value import replace
from allowsync.typed import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from typing import TypeVar

    from allowsync.model.plan import Plan

    R = TypeVar("R")

_METHODS: Final = ("apply", "check", "clear", "read")
NETWORKS: Final = (IPv4Network, IPv6Network)
_MOST: Final = 10_000  # findings, places or marks of one target


class Driver:
    """The backend of one target. Raises no exception but `BackendError`, whatever a backend does.

    Args:
        kind: The kind of target.
        placement: Its placement.
        options: Its options.

    Raises:
        BackendError: It could not be made.
    """

    def __init__(self, kind: AnyBackendType, placement: Placement, options: object) -> None:
        self._name = kind.name
        self._backend, self.adopts, self.restorable, self._patience = contained(
            self._name, lambda: kind.make(placement, options), _checked_backend, at=kind.make
        )

    @property
    def capabilities(self) -> Capabilities:
        """The target's capabilities."""
        return self._look(lambda: self._backend.capabilities, checked_capabilities, "capabilities")

    def check(self) -> tuple[Finding, ...]:
        """The backend's findings."""
        return self._look(lambda: self._backend.check(), _checked_findings, "check")

    def read(self) -> Current:
        """The target's current entries and state."""
        return self._look(lambda: self._backend.read(), checked_current, "read")

    def look(self) -> tuple[Current, Capabilities]:
        """The current state of the target, and its capabilities."""

        def both() -> tuple[object, object]:
            return self._backend.read(), self._backend.capabilities

        def checked(given: tuple[object, object]) -> tuple[Current, Capabilities]:
            return checked_current(given[0]), checked_capabilities(given[1])

        return self._look(both, checked, "read")

    def apply(self, plan: Plan) -> None:
        """Make the target hold `plan.final`. Only a later read confirms it."""
        self._change(lambda: self._backend.apply(plan), _nothing, "apply")

    def clear(self) -> None:
        """Remove everything owned."""
        self._change(lambda: self._backend.clear(), _nothing, "clear")

    def adoptable(self, wanted: Iterable[Entry]) -> tuple[Entry, ...]:
        """The given entries that could be adopted."""
        given = tuple(wanted)
        return self._look(lambda: self._backend.adoptable(given), _checked_entries, "adoptable")

    def adopt(self, entries: Iterable[Entry]) -> None:
        """Mark adoptable entries as ours."""
        given = tuple(entries)
        self._change(lambda: self._backend.adopt(given), _nothing, "adopt")

    def snapshot(self) -> Callable[[], bool]:
        """Record all that is ours. The result restores it, and returns whether it differed."""
        put_back = self._look(lambda: self._backend.snapshot(), _checked_callable, "snapshot")
        return lambda: self._change(put_back, _checked_truth, "snapshot")

    def offered(self, method: str, check: Callable[[Any], R]) -> R | None:
        """The result of an optional method of a backend; None without the method."""

        def asked() -> Any:
            found = getattr(self._backend, method, None)
            return None if found is None else found()

        def checked(given: Any) -> R | None:
            return None if given is None else check(given)

        return self._look(asked, checked, method)

    def _look(self, step: Callable[[], Any], check: Callable[[Any], R], method: str) -> R:
        limit = max(containment.LOOKING, self._patience)
        return contained(self._name, step, check, limit=limit, at=self._method(method))

    def _change(self, step: Callable[[], Any], check: Callable[[Any], R], method: str) -> R:
        limit = max(containment.CHANGING, self._patience)
        return contained(self._name, step, check, limit=limit, at=self._method(method))

    def _method(self, name: str) -> object:
        """The function behind a method, for its file and line; a property's getter."""
        found = getattr(type(self._backend), name, None)
        return found.fget if isinstance(found, property) else found


def unusable(kind: AnyBackendType) -> str:
    """The reason why a kind of target cannot be used here, or empty. Raises BackendError."""
    return contained(kind.name, kind.usable, _checked_text, at=kind.usable)


def needs_of(kind: AnyBackendType, options: object) -> Needs:
    """A target's requirements for its service. Raises BackendError."""
    return contained(kind.name, lambda: kind.needs(options), checked_needs, at=kind.needs)


def marks_of(kind: AnyBackendType, known: Collection[Place]) -> tuple[Marked, ...]:
    """The objects with allowsync's mark in a firewall; empty if marks cannot be found.

    Raises:
        BackendError: They could not be found out.
    """
    find = kind.marked
    if find is None:
        return ()
    return contained(kind.name, lambda: find(known), _checked_marks, at=find)


def boot_findings(kind: AnyBackendType, configured: Collection[Place]) -> tuple[Finding, ...]:
    """Findings on our objects, and references to them, in boot files. Raises BackendError."""
    find = kind.at_boot
    if find is None:
        return ()
    return contained(kind.name, lambda: find(configured), _checked_findings, at=find)


def driver_of(kind: AnyBackendType, marked: Marked) -> Driver:
    """The driver that reads and clears a marked object. Raises BackendError."""
    made = replace(kind, make=lambda _placement, _options: marked.backend)
    return Driver(made, Placement(marked.allowlist, str(marked.place)), None)


def places_of(kind: AnyBackendType, options: object, allowlist: str) -> tuple[Place, ...]:
    """The places that hold a target's entries, if its options have a method `places`.

    Raises:
        BackendError: They could not be found out.
    """
    method = getattr(type(options), "places", None)
    if method is None:
        return ()
    return contained(kind.name, lambda: method(options, allowlist), _checked_places, at=method)


def checked_type(kind: object) -> AnyBackendType:
    """The value of an entry point, if it is a valid `BackendType`.

    Raises:
        UnfitValue: It is not.
    """
    if not isinstance(kind, BackendType):
        raise UnfitValue(f"it is a {type(kind).__name__}, not a BackendType")
    for name in ("name", "summary"):
        demand(getattr(kind, name), str, name)
    for name in ("make", "needs", "usable", "guards", "marked", "at_boot"):
        one = getattr(kind, name)
        if not callable(one) and (one is not None or name not in ("marked", "at_boot")):
            raise UnfitValue(f"its `{name}` cannot be called")
    demand(kind.options, type, "options")
    if kind.denies is not None:
        demand(kind.denies, type, "denies")
    demand(kind.api, int, "api")
    return kind


def checked_needs(needs: object) -> Needs:
    """The checked result of `needs`. Raises UnfitValue."""
    demand(needs, Needs, "needs()")
    assert isinstance(needs, Needs)  # noqa: S101 - demanded above
    for name, one in Needs.__fields__.items():
        value = getattr(needs, name)
        if isinstance(one.default, bool):
            demand(value, bool, f"needs().{name}")
        else:
            demand_all(value, tuple, str, f"needs().{name}")
    return needs


def checked_capabilities(given: object) -> Capabilities:
    """The checked result of `capabilities`, without contradictions. Raises UnfitValue."""
    demand(given, Capabilities, "capabilities")
    assert isinstance(given, Capabilities)  # noqa: S101 - demanded above
    families, most = given.families, given.max_entries
    demand_all(families, tuple, Family, "capabilities.families")
    if not families:
        raise UnfitValue("capabilities.families is empty: it could hold nothing")
    for family in families:
        widths = given.prefixes.get(family)
        if not _is_range(widths, family.bits):
            raise UnfitValue(
                f"capabilities.prefixes of {family.value} is {widths!r}, not (shortest, longest) "
                f"between 0 and {family.bits}"
            )
    if most is not None and (type(most) is not int or most < 0):
        raise UnfitValue(f"capabilities.max_entries is {most!r}, not a number or None")
    for family, room in given.family_entries.items():
        if family not in families or type(room) is not int or room < 0:
            raise UnfitValue(f"capabilities.family_entries has {room!r} for {family!r}")
    for name in ("atomic", "overlaps", "labels", "replaced"):
        demand(getattr(given, name), bool, f"capabilities.{name}")
    if given.replaced and not given.labels:
        raise UnfitValue("capabilities.replaced goes with capabilities.labels")
    return given


def checked_current(given: object) -> Current:
    """The checked result of `read`. Raises UnfitValue."""
    demand(given, Current, "read()")
    assert isinstance(given, Current)  # noqa: S101 - demanded above
    demand(given.entries, (frozenset, set), "read().entries")
    demand_all(given.others, (frozenset, set), NETWORKS, "read().others")
    demand_all(given.temporary, (frozenset, set), NETWORKS, "read().temporary")
    demand_all(given.flaws, tuple, str, "read().flaws")
    checked = _checked_entries(given.entries)
    entries = given.entries if type(given.entries) is frozenset else frozenset(checked)
    # Without labels, two entries of a network are equal.
    labelled = [one.network for one in entries if one.hosts or one.replaced]
    if labelled and len({entry.network for entry in entries}) < len(entries):
        raise UnfitValue("read().entries holds a network twice")
    reasons = given.ineffective
    demand_each(reasons, NETWORKS, str, "read().ineffective")
    flaws = tuple(map(_plain, given.flaws))
    demand_each(given.obstacles, str, str, "read().obstacles")
    if not given.obstacles.keys() <= set(flaws):
        raise UnfitValue("read().obstacles names what is not among the flaws")
    traffic = None if given.traffic is None else _checked_traffic(given.traffic)
    others, temporary = frozenset(given.others), frozenset(given.temporary)
    return Current(entries, others, flaws, reasons, temporary, given.obstacles, traffic)


def _checked_traffic(given: object) -> Traffic:
    demand(given, Traffic, "read().traffic")
    assert isinstance(given, Traffic)  # noqa: S101 - demanded above
    for name in ("ages", "counts"):
        demand_each(getattr(given, name), NETWORKS, int, f"read().traffic.{name}")
    if given.remembers is not None:
        demand(given.remembers, int, "read().traffic.remembers")
    return given


def _checked_entries(given: Iterable[object]) -> tuple[Entry, ...]:
    entries = tuple(given)
    for one in entries:
        if not isinstance(one, Entry) or not isinstance(one.network, NETWORKS):
            raise UnfitValue(f"{one!r} is no entry with a network")
        if one.hosts or one.replaced:
            demand_all(one.hosts, tuple, str, f"the hosts of {one!r}")
            demand_all(one.replaced, tuple, str, f"the replaced hosts of {one!r}")
    return entries  # type: ignore[return-value]  # each was looked at


def _checked_backend(backend: Any) -> tuple[Any, bool, bool, float]:
    """A backend, whether it adopts, whether it is restorable, and its patience in seconds."""
    missing = [name for name in _METHODS if not callable(getattr(backend, name, None))]
    if missing:
        what = f"make() gave a {type(backend).__name__} without {', '.join(missing)}"
        raise UnfitValue(what)
    patience = getattr(backend, "patience", 0)
    demand(patience, (int, float), "patience")
    waits = min(float(patience), LONGEST)
    return backend, _has(backend, "adoptable", "adopt"), _has(backend, "snapshot"), waits


def _has(backend: object, *names: str) -> bool:
    return all(hasattr(backend, name) for name in names)


def _checked_findings(given: Iterable[object]) -> tuple[Finding, ...]:
    findings = []
    for one in _few(given, "check()"):
        if not isinstance(one, Finding) or not isinstance(one.severity, Severity):
            raise UnfitValue(f"check() gave {one!r}, which is no Finding")
        demand(one.what, str, "what a Finding says")
        demand(one.advice, str, "the advice of a Finding")
        findings.append(replace(one, what=_plain(one.what), advice=_plain(one.advice)))
    return tuple(findings)


def _checked_places(given: Iterable[object]) -> tuple[Place, ...]:
    places = []
    for one in _few(given, "places()"):
        if not isinstance(one, Place):
            raise UnfitValue(f"places() gives {one!r}, not an allowsync.backend.Place")
        demand(one.kind, str, "the kind of a Place")
        demand_all(one.name, tuple, str, "the name of a Place")
        places.append(Place(_plain(one.kind), tuple(map(_plain, one.name)), one.shared))
    return tuple(places)


def _checked_marks(given: Iterable[object]) -> tuple[Marked, ...]:
    marks = []
    for one in _few(given, "marked()"):
        if not isinstance(one, Marked) or not isinstance(one.place, Place):
            raise UnfitValue(f"marked() gave {one!r}, which is no Marked with a Place")
        demand(one.allowlist, str, "the allowlist of a Marked")
        demand(one.installation, str, "the installation of a Marked")
        marks.append(one)
    return tuple(marks)


def _checked_text(given: object) -> str:
    demand(given, str, "usable()")
    return _plain(given)


def _checked_callable(given: object) -> Callable[[], bool]:
    if not callable(given):
        raise UnfitValue(f"snapshot() gave a {type(given).__name__}, which cannot be called")
    return given


def _checked_truth(given: object) -> bool:
    demand(given, bool, "putting it back")
    return bool(given)


def _plain(text: Any) -> str:
    """A plain `str`, without the overrides of a subclass."""
    return str.__str__(text)


def _nothing(_: object) -> None:
    return None


def _is_range(given: object, bits: int) -> bool:
    if not isinstance(given, tuple) or len(given) != 2:
        return False
    shortest, longest = given
    return type(shortest) is int and type(longest) is int and 0 <= shortest <= longest <= bits


def _few(given: Iterable[object], name: str) -> tuple[object, ...]:
    """The items of a result, of a limited number. Raises UnfitValue."""
    some = tuple(islice(given, _MOST + 1))
    if len(some) > _MOST:
        raise UnfitValue(f"{name} gave more than {_MOST:,}")
    return some
