"""The backend that fills sets of the user's own ruleset, beside others' elements."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError, OutcomeUnknown
from allowsync.model.target import Capabilities, Current, Effect
from allowsync.model.types import Entry, Family
from allowsync_backends.nftables import shared_set, tool
from allowsync_backends.nftables.gate import SET_TYPES
from allowsync_backends.nftables.nft_json import NftListingError
from allowsync_backends.nftables.scripts import networks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from allowsync.model.plan import Plan
    from allowsync.model.target import Finding, Placement
    from allowsync.model.types import Network
    from allowsync.system.process import Completed
    from allowsync_backends.nftables.options import SharedSets
    from allowsync_backends.nftables.shared_set import SharedSet


@dataclass(slots=True)
class NftSetsBackend:
    """Drives elements with a comment of ours in sets that others own (see `shared_set`)."""

    placement: Placement
    options: SharedSets
    _found: Mapping[Family, SharedSet] = field(default_factory=dict)

    @property
    def mark(self) -> str:
        """The comment that marks an element as ours."""
        return shared_set.mark_of(self.placement.allowlist, self.placement.effect)

    @property
    def _opposite(self) -> str:
        """The comment of elements by a list of that name for the opposite effect."""
        (other,) = (one for one in Effect if one is not self.placement.effect)
        return shared_set.mark_of(self.placement.allowlist, other)

    @property
    def capabilities(self) -> Capabilities:
        """The capacity of the sets, as found; unlimited, as long as they cannot be read."""
        families = tuple(self.options.names)
        try:
            found = self._found or self.look()
        except BackendError:
            return Capabilities(families)
        return Capabilities(
            families,
            {
                family: (0 if one.interval else family.bits, family.bits)
                for family, one in found.items()
            },
            family_entries={
                family: max(0, one.size - len(one.others))
                for family, one in found.items()
                if one.size is not None
            },
            # With others' intervals present, no network can replace an overlapping one
            # in a single transaction.
            atomic=not any(one.interval and one.others for one in found.values()),
        )

    def check(self) -> Sequence[Finding]:
        """Check that the sets exist, fit, and are used by a rule."""
        from allowsync_backends.nftables.check import check_shared

        return check_shared(self.look, self.options.table, self.placement.effect)

    def read(self) -> Current:
        """Return our elements, and all others.

        Raises:
            BackendError: A set is missing, unfit, or could not be read.
        """
        found = self.look()
        return Current(
            frozenset(
                Entry(network)
                for one in found.values()
                for element in one.ours
                for network in element.networks
            ),
            _others(found, temporary=False),
            tuple(_flaw(one) for one in found.values() if shared_set.odd(one)),
            temporary=_others(found, temporary=True),
        )

    def look(self) -> Mapping[Family, SharedSet]:
        """Return the sets.

        Raises:
            BackendError: A set is missing, unfit, or could not be read.
        """
        merging_known = bool(self._found)
        found = {family: self._look_at(family) for family in self.options.names}
        if not merging_known:
            for one in found.values():
                self._refuse_merging(one)
        self._found = found
        return found

    def place(self, family: Family) -> str:
        """Return the place of a family's set: `inet filter trusted4`."""
        return f"{self.options.table} {self.options.names[family]}"

    def _look_at(self, family: Family) -> SharedSet:
        place = self.place(family)
        listed = tool.ask("-j", "list", "set", *place.split())
        if listed.code != 0:
            raise self._unreadable(family, listed)
        try:
            return shared_set.shared_set(place, family, self.mark, listed.stdout, self._opposite)
        except NftListingError as error:
            raise BackendError(f"set {place} cannot be read: {error}") from error

    def _unreadable(self, family: Family, listed: Completed) -> BackendError:
        if self.options.table not in tool.tables():
            what = f"table {self.options.table} does not exist"
            return BackendError(f"{what}; it is yours to create, with its sets and rules")
        place, needed = self.place(family), SET_TYPES[family]
        return BackendError(
            f"set {place} cannot be listed ({tool.complaint(listed)}); if there is none, create "
            f"it: nft add set {place} '{{ type {needed}; flags interval; }}'"
        )

    def _refuse_merging(self, one: SharedSet) -> None:
        if not one.interval:
            return
        listed = tool.ask("-t", "list", "set", *one.place.split())
        if listed.code != 0:
            raise BackendError(f"set {one.place} cannot be listed: {tool.complaint(listed)}")
        if shared_set.merges(listed.stdout):
            raise BackendError(shared_set.merging(one.place))

    def apply(self, plan: Plan) -> None:
        """Delete and add our elements, in one transaction where nft can do it.

        Raises:
            BackendError: Nothing was changed. `again` when a set changed since the plan was made.
            OutcomeUnknown: Part of it may have been done.
        """
        if plan.idle:
            return
        found = self.look() if plan.repair or not self._found else self._found
        self._carry_out(self._stages(found, plan), plan)

    def _stages(self, found: Mapping[Family, SharedSet], plan: Plan) -> list[str]:
        # Where something has to be repaired, kept elements may be missing as well.
        add = plan.final if plan.repair else plan.add
        each = (
            shared_set.scripts(
                one,
                shared_set.SetChange(
                    tuple(networks(plan.remove, family)),
                    tuple(networks(add, family)),
                    tuple(networks(plan.final, family)),
                ),
                self.mark,
            )
            for family, one in found.items()
        )
        stages = ("".join(parts) for parts in zip_longest(*each, fillvalue=""))
        return [stage for stage in stages if stage]

    def _carry_out(self, stages: Sequence[str], plan: Plan) -> None:
        for number, script in enumerate(stages):
            done = tool.load(script)
            if done.code == 0:
                continue
            complaint = tool.complaint(done)
            if number > 0:
                raise OutcomeUnknown(f"removals were made, additions were not: {complaint}")
            raise BackendError(f"nft changed nothing: {complaint}", again=self._moved(plan))

    def _moved(self, plan: Plan) -> bool:
        """Whether the sets changed since the plan was made."""
        before = {entry.network for entry in plan.keep + plan.withheld + plan.remove}
        others = self._networks_of_others()
        try:
            now = self.read()
        except BackendError:
            return False
        ours = {entry.network for entry in now.entries}
        return ours != before or others != self._networks_of_others()

    def _networks_of_others(self) -> list[frozenset[Network]]:
        return [_others(self._found, temporary=temporary) for temporary in (False, True)]

    def clear(self) -> None:
        """Delete our elements.

        Raises:
            BackendError: They are still there. A missing table holds nothing of ours.
        """
        if self.options.table not in tool.tables():
            return
        found = self.look()
        script = "".join(
            shared_set.removal(one, (element.text for element in (*one.ours, *one.turned)))
            for one in found.values()
        )
        if not script:
            return
        done = tool.load(script)
        if done.code != 0:
            raise BackendError(f"our elements could not be deleted: {tool.complaint(done)}")


def _flaw(one: SharedSet) -> str:
    if one.turned:
        return f"set {one.place} holds elements of ours that had the opposite effect"
    return f"set {one.place} holds ranges of ours, or elements of ours that expire"


def _others(found: Mapping[Family, SharedSet], *, temporary: bool) -> frozenset[Network]:
    """Return others' elements in the sets: those with a timeout, or those without."""
    each = (one.networks_of_others(temporary=temporary) for one in found.values())
    return frozenset(network for networks in each for network in networks)
