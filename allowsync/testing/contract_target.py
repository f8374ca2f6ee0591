"""The target under test of the backend contract: its construction, state and disturbance."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from allowsync.backend.driver import checked_capabilities, places_of
from allowsync.model.plan import Plan
from allowsync.model.target import Placement
from allowsync.testing.example_networks import entries, networks, nth
from allowsync.testing.io_faults import failing_programs, io_watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from allowsync.backend.api import AnyBackendType
    from allowsync.backend.protocols import Backend
    from allowsync.model.target import Capabilities, Current
    from allowsync.model.types import Network

ALLOWLIST: Final = "jellyfin"
NEIGHBOUR: Final = "jellyfin2"  # has the other's name as its prefix
_ALONE: Final = (
    "None, where two allowlists cannot have this target, as both name {} without shared=True; "
    "or say shared=True, where each has entries of its own there"
)


class ContractTarget:
    """The hooks by which a backend's author describes a target, and the tests' operations on it."""

    faults: ClassVar[int] = 12  # the most steps of one call that fail, one at a time
    most: ClassVar[int] = 10_000  # the most entries that a bounded target is filled with
    type: ClassVar[AnyBackendType | None] = None

    def options(self) -> object:
        """The options of this test's target, the same for each call within one test."""
        raise _missing("options", "the options of this test's target")

    def make(self) -> Backend:
        """A new backend on this test's target. Override it to wrap what the type makes."""
        return self._made(ALLOWLIST)

    def neighbour(self) -> Backend | None:
        """The backend of an allowlist with our name as its prefix, with the same options.

        None if a configuration may not have both, as they name a place that is not shared. Such
        a place has to be confirmed by an override, as `shared` is easily forgotten.
        """
        options = self.options()
        ours, theirs = (
            {(one.kind, one.name): one for one in places_of(self._type, options, name)}
            for name in (ALLOWLIST, NEIGHBOUR)
        )
        for one in ours.keys() & theirs.keys():
            if not (ours[one].shared and theirs[one].shared):
                raise _missing("neighbour", _ALONE.format(ours[one]))
        return self._made(NEIGHBOUR)

    def plant(self) -> Iterable[Network]:
        """Add foreign entries at the target or next to it.

        Returns:
            Those of their networks that are in the same place as our entries. `Current.others`
            has to name them. None if the place is all ours.
        """
        raise _missing("plant", "what strangers have at and around the target, put there")

    def plant_temporary(self) -> Network | None:
        """Add a foreign entry that expires, in the same place as our entries; return its network.

        `Current.temporary` has to name it. None if there are no such entries.
        """
        return None

    def times_left(self) -> Iterable[float]:
        """The seconds until each foreign entry that expires does so, in the place of our entries.

        Needed with `plant_temporary`, whose entry has then used up half of its time.
        """
        raise _missing("times_left", "the seconds left of each foreign entry that expires")

    def foreign(self) -> object:
        """The foreign entries at and around the target, as any comparable value."""
        raise _missing("foreign", "what strangers have at and around the target, looked at")

    def damage(self) -> bool:
        """Damage our objects around the entries; False if there are none."""
        return False

    def vanish(self) -> bool:
        """Remove the object that holds our entries: a set, a table, a list, a file.

        False if there is none that can be missing, or if a missing one means no entries.
        """
        return False

    def fingerprint(self) -> object:
        """Everything that a write would change, as any comparable value."""
        return networks(self.make().read())

    def put(self, wanted: Iterable[Network], *, repair: tuple[str, ...] = ()) -> Current:
        """Make the target hold exactly some networks with a new backend; return its state then.

        Like the core: read, compute the difference, apply.
        """
        backend = self.make()
        backend.apply(self.plan(backend.read(), wanted, repair=repair))
        return self.make().read()

    def plan(
        self, before: Current, wanted: Iterable[Network], *, repair: tuple[str, ...] = ()
    ) -> Plan:
        """The plan that makes a target with this state hold exactly some networks."""
        held, target = {entry.network for entry in before.entries}, set(wanted)
        return Plan(
            "contract",
            add=entries(target - held),
            remove=entries(held - target),
            keep=entries(target & held),
            repair=before.flaws or repair,
        )

    def some(self, count: int = 2) -> list[Network]:
        """Networks of every supported family, as narrow as supported."""
        capabilities = self.capabilities
        return [
            nth(family, number, capabilities.prefixes[family][1])
            for family in capabilities.families
            for number in range(1, count + 1)
        ]

    def full(self) -> list[Network]:
        """As many networks as the target says it holds, of every supported family."""
        capabilities = self.capabilities
        most = self.most if capabilities.bounded else 1000
        if capabilities.max_entries is not None:
            most = min(most, capabilities.max_entries)
        found: list[Network] = []
        for turn, family in enumerate(capabilities.families):
            count = (most - len(found)) // (len(capabilities.families) - turn)
            count = min(count, capabilities.family_entries.get(family, count))
            longest = capabilities.prefixes[family][1]
            found += [nth(family, number, longest) for number in range(1, count + 1)]
        return found

    @property
    def capabilities(self) -> Capabilities:
        """The checked capabilities of this test's target."""
        return checked_capabilities(self.make().capabilities)

    @property
    def _type(self) -> AnyBackendType:
        if self.type is None:
            raise _missing("type", "the BackendType that is tested")
        return self.type

    def _made(self, allowlist: str) -> Backend:
        made: Backend = self._type.make(
            Placement(allowlist, f"{allowlist}/{self._type.name}"), self.options()
        )
        return made

    def _faults(
        self, call: Callable[[], object], *, again: Callable[[], object] = lambda: None
    ) -> Iterator[None]:
        """Inject one fault after the other while the loop's body runs.

        Each of the I/O steps of a call fails, a selection of many; then each program that it
        starts fails without doing anything.

        Args:
            call: The call with the steps. It is called without faults first, to count them.
            again: Restores the state before the call.
        """
        call()
        again()
        with io_watch() as watch:
            call()
        again()
        for number in spread(len(watch.steps), self.faults):
            with io_watch(fails=number):
                yield
        if watch.programs:
            with failing_programs(watch.programs):
                yield


def _missing(hook: str, what: str) -> NotImplementedError:
    return NotImplementedError(
        f"the contract needs `{hook}`: {what}; see Tests in docs/writing-a-backend.md"
    )


def spread(count: int, most: int) -> list[int]:
    """A selection of the numbers from 1 to `count`, with the first and the last."""
    if count <= most:
        return list(range(1, count + 1))
    return sorted({1 + number * (count - 1) // (most - 1) for number in range(most)})
