"""Reads our two sets, and fills them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.model.target import Effect, Traffic
from allowsync.model.types import Entry, Family
from allowsync.model.value import Value, field
from allowsync.system.process import Command
from allowsync_backends.ipset import sets, tool
from allowsync_backends.ipset.sets import IpsetListingError, SetContent, Shape, draft_name, set_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from allowsync.model.plan import Plan
    from allowsync.model.types import Network
    from allowsync.system.process import Completed

# Beyond one change in so many entries, a set is refilled and swapped: that takes hardly longer,
# and it is one step.
MANY = 8


class SetsFound(Value):
    """Our sets as found.

    Attributes:
        sets: Each of them, by its name.
        names: The names of all present sets.
        flaws: The faults of ours.
        obstacles: Those that cannot be repaired, each with advice.
    """

    sets: Mapping[str, SetContent]
    names: frozenset[str] = frozenset()
    flaws: tuple[str, ...] = ()
    obstacles: Mapping[str, str] = field(default_factory=dict)

    @property
    def networks(self) -> frozenset[Network]:
        """Their networks."""
        return frozenset(network for one in self.sets.values() for network in one.networks)

    def traffic(self, flaws: Collection[str]) -> Traffic | None:
        """Return the packet counts by source; None where a set has no counters.

        Args:
            flaws: The faults of the sets, and of the rules that count by them.
        """
        counts: dict[Network, int] = {}
        for one in self.sets.values():
            if one.counts is None and one.shape is Shape.SOUND:
                return None
            counts.update(zip(one.networks, one.counts or (), strict=one.counts is not None))
        return Traffic(counts=counts, anew=bool(flaws))

    @property
    def entries(self) -> frozenset[Entry]:
        """Their networks as entries."""
        return frozenset(map(Entry, self.networks))


def names_of(allowlist: str, families: Iterable[Family]) -> dict[str, Family]:
    """Return the names of an allowlist's sets, each with its family."""
    return {set_name(allowlist, family): family for family in families}


def look(ours: Mapping[str, Family], effect: Effect) -> SetsFound:
    """Return our sets of an effect. Networks of the opposite effect do not count.

    Raises:
        BackendError: They could not be listed or parsed.
    """
    names = tool.set_names()
    found: dict[str, SetContent] = {}
    flaws: list[str] = []
    obstacles: dict[str, str] = {}
    for name, family in ours.items():
        found[name] = SetContent(Shape.MISSING)
        if name in names:
            found[name] = _held(_listing(name).stdout, name, family, effect)
        wrong = list(sets.flaws(name, found[name], effect))
        flaws += wrong
        if advice := sets.obstacle(name, found[name]):
            obstacles |= dict.fromkeys(wrong, advice)
        if draft_name(name) in names:
            flaws.append(f"set {draft_name(name)} was left behind")
    return SetsFound(found, names, tuple(flaws), obstacles)


def _listing(name: str) -> Completed:
    listed = tool.ask(Command(("ipset", "list", name), timeout=tool.TIMEOUT))
    if listed.code != 0:
        raise BackendError(f"set {name} cannot be listed: {tool.complaint(listed)}")
    return listed


def _held(listing: str, name: str, family: Family, effect: Effect) -> SetContent:
    try:
        return sets.held(listing, name, family, effect)
    except IpsetListingError as error:
        raise BackendError(str(error)) from error


def fill(ours: Mapping[str, Family], plan: Plan, effect: Effect) -> None:
    """Carry out a plan on our sets.

    Raises:
        BackendError: They are unchanged, or hold more.
        OutcomeUnknown: ipset was killed before it reported its end.
    """
    if not plan.repair:
        done = _changed(ours, plan, effect)
        if done.code == 0:
            return
    now = look(ours, effect)
    wanted = _by_set(ours, plan.final)
    shapes = {name: one.shape for name, one in now.sets.items()}
    if not plan.repair or now.flaws or now.networks != {entry.network for entry in plan.final}:
        done = tool.restore_sets(sets.replacing(wanted, shapes, now.names, effect))
        if done.code != 0:
            raise _refused(done, now, ours, effect)


def _changed(ours: Mapping[str, Family], plan: Plan, effect: Effect) -> Completed:
    """Change the sets as if they were sound, as they were when the plan was made."""
    add, remove = _by_set(ours, plan.add), _by_set(ours, plan.remove)
    if (len(plan.add) + len(plan.remove)) * MANY > len(plan.final):
        touched = {name for name in ours if add[name][1] or remove[name][1]}
        final = _by_set(ours, plan.final)
        return tool.restore_sets(
            sets.swapping({name: final[name] for name in ours if name in touched}, effect)
        )
    script = sets.in_place(_networks(add), _networks(remove))
    return tool.restore_sets(script, exist=True)


def _by_set(
    ours: Mapping[str, Family], entries: Sequence[Entry]
) -> dict[str, tuple[Family, list[Network]]]:
    return {
        name: (family, [one.network for one in entries if Family.of(one.network) is family])
        for name, family in ours.items()
    }


def _networks(
    several: Mapping[str, tuple[Family, list[Network]]],
) -> dict[str, list[Network]]:
    return {name: networks for name, (_, networks) in several.items()}


def _refused(
    done: Completed, now: SetsFound, ours: Mapping[str, Family], effect: Effect
) -> BackendError:
    for advice in now.obstacles.values():
        return BackendError(advice)
    what = f"ipset did not change everything: {tool.complaint(done)}"
    return BackendError(what, again=look(ours, effect) != now)


def destroy(ours: Mapping[str, Family]) -> None:
    """Delete our sets. Those that rules use are emptied first, so that they admit no address.

    Raises:
        BackendError: A set is still there.
    """
    names = tool.set_names()
    drafts = [draft_name(name) for name in ours]
    there = [name for name in (*drafts, *ours) if name in names]
    if not there:
        return
    tool.restore_sets("".join(f"flush {name}\n" for name in there))
    for name in there:
        done = tool.restore_sets(f"destroy {name}\n", exist=True)
        if done.code != 0:
            raise BackendError(
                f"set {name} is empty now, but could not be deleted: {tool.complaint(done)}; "
                f"delete the rules that use it, then 'ipset destroy {name}'"
            )
