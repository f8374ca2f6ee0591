"""The target that the contract of backends tries: how to make it, look at it and disturb it."""

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
NEIGHBOUR: Final = "jellyfin2"  # it begins as the other does


class ContractTarget:
    """What the author of a backend says of a target, and what the tests do with it."""

    faults: ClassVar[int] = 12  # how many of the steps of one call fail at most, one at a time
    type: ClassVar[AnyBackendType | None] = None

    def options(self) -> object:
        """The options of this test's target, the same for each call within one test."""
        raise _missing("options", "the options of this test's target")

    def make(self) -> Backend:
        """A new backend on this test's target. Override it to wrap what the type makes."""
        return self._made(ALLOWLIST)

    def neighbour(self) -> Backend | None:
        """The backend of an allowlist whose name begins with ours, with the same options.

        None where a configuration may not have both: they name a place that is not shared.
        """
        options = self.options()
        ours, theirs = (
            {(one.kind, one.name): one.shared for one in places_of(self._type, options, name)}
            for name in (ALLOWLIST, NEIGHBOUR)
        )
        shared = all(ours[one] and theirs[one] for one in ours.keys() & theirs.keys())
        return self._made(NEIGHBOUR) if shared else None

    def plant(self) -> Iterable[Network]:
        """Put something of strangers at the target or next to it.

        Returns:
            The networks among it that stand at the very same place as ours will. `Current.others`
            has to name them. None where the place is all ours.
        """
        raise _missing("plant", "what strangers have at and around the target, put there")

    def plant_temporary(self) -> Network | None:
        """Put an entry of strangers at the very same place that goes by itself; its network.

        `Current.temporary` has to name it. None where there are no such entries.
        """
        return None

    def foreign(self) -> object:
        """What is foreign at and around the target, as any value that can be compared."""
        raise _missing("foreign", "what strangers have at and around the target, looked at")

    def damage(self) -> bool:
        """Damage what is ours around the entries; False where there is nothing to damage."""
        return False

    def fingerprint(self) -> object:
        """Everything that a write would change, as any value that can be compared."""
        return networks(self.make().read())

    def put(self, wanted: Iterable[Network], *, repair: tuple[str, ...] = ()) -> Current:
        """Let a new backend make the target hold exactly some networks; how it is after that.

        The way the core does it: look, take the difference, apply.
        """
        backend = self.make()
        backend.apply(self.plan(backend.read(), wanted, repair=repair))
        return self.make().read()

    def plan(
        self, before: Current, wanted: Iterable[Network], *, repair: tuple[str, ...] = ()
    ) -> Plan:
        """What makes a target that was read hold exactly some networks."""
        held, target = {entry.network for entry in before.entries}, set(wanted)
        return Plan(
            "contract",
            add=entries(target - held),
            remove=entries(held - target),
            keep=entries(target & held),
            repair=before.flaws or repair,
        )

    def some(self, count: int = 2) -> list[Network]:
        """Networks of every family the target takes, as narrow as it takes them."""
        capabilities = self.capabilities
        return [
            nth(family, number, capabilities.prefixes[family][1])
            for family in capabilities.families
            for number in range(1, count + 1)
        ]

    @property
    def capabilities(self) -> Capabilities:
        """What this test's target can hold, refused as the core refuses it."""
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
        """One fault after the other while the loop's body runs.

        Each of the steps of input and output that a call takes fails, some of many; then each
        program that it starts fails, having done nothing.

        Args:
            call: What takes the steps. It is called without faults, for them to be known.
            again: What makes everything as it was before the call.
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
    """Some of the numbers from 1 to `count`, the first and the last among them."""
    if count <= most:
        return list(range(1, count + 1))
    return sorted({1 + number * (count - 1) // (most - 1) for number in range(most)})
