"""The backend of a gate of our own: one table, replaced or updated in single transactions."""

from __future__ import annotations

import re

from allowsync.backend.api import BackendError, Marked
from allowsync.model.target import Capabilities, Current, Place, Traffic
from allowsync.model.value import Value
from allowsync.typed import TYPE_CHECKING, Final
from allowsync_backends.common import command as tools
from allowsync_backends.nftables import inspection, tool
from allowsync_backends.nftables.gate import NftGate, mend_script, rebuild_script
from allowsync_backends.nftables.nft_json import NftListingError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from allowsync.model.plan import Plan
    from allowsync.model.target import Finding
    from allowsync.model.types import Network
    from allowsync.system.process import Completed

_TABLE: Final = r"allowsync_([a-z][a-z0-9_]{0,17})"
# Recorded sources come and go with the packets.
_SEEN: Final = r"(\tset ipv[46]_seen \{\n(?:\t\t(?!elements).*\n)*)\t\telements = [^}]*\}\n"
_COMMENT: Final = r'comment "allowsync:[0-9a-f]{8}:[0-9]+\.[0-9]+(?::([0-9a-f]{8}))?"'


class NftGateBackend(Value):
    """Drives the table `inet allowsync_<allowlist>`."""

    gate: NftGate

    @property
    def capabilities(self) -> Capabilities:
        """Networks of any width, that do not overlap, all or nothing."""
        return Capabilities(atomic=True)

    def check(self) -> Sequence[Finding]:
        """Check that the gate is whole, and can be loaded again."""
        from allowsync_backends.nftables.check import check_gate

        return check_gate(self.read, self._refusal, self.gate.effect)

    def _refusal(self, current: Current) -> str:
        """Return why nft refuses the gate with its content; empty where it does not."""
        return tool.refusal(rebuild_script(self.gate, [one.network for one in current.entries]))

    def read(self) -> Current:
        """Return the table.

        Raises:
            BackendError: It could not be listed or parsed.
        """
        listed = tool.ask("-j", "list", "table", "inet", self.gate.table)
        if listed.code != 0:
            return self._without_listing(tool.complaint(listed))
        try:
            return inspection.current(self.gate, listed.stdout)
        except NftListingError as error:
            return self._without_listing(str(error))

    def _without_listing(self, why: str) -> Current:
        """Tell a missing or dormant table from one that could not be read."""
        name = f"inet {self.gate.table}"
        if name not in tool.tables():
            return inspection.absent(self.gate)
        text = tool.ask("list", "table", *name.split()).stdout
        if inspection.dormant(self.gate, text):
            traffic = Traffic(anew=True) if self.gate.sets else None
            return Current(flaws=(inspection.switched_off(self.gate),), traffic=traffic)
        raise BackendError(f"table {name} cannot be listed: {why}")

    def apply(self, plan: Plan) -> None:
        """Load one script; nft applies all of it or none of it.

        Raises:
            BackendError: Nothing was changed. `again` when the table changed after planning.
            OutcomeUnknown: nft was killed before it reported its end.
        """
        if plan.idle:
            return
        from allowsync_backends.nftables.scripts import update_script

        done = tool.load(
            self._repair(plan) if plan.repair else update_script(self.gate.table, plan)
        )
        if done.code != 0:
            raise self._refused(done, plan)

    def _repair(self, plan: Plan) -> str:
        """Return the gentlest script that repairs everything, for the present table."""
        final = [entry.network for entry in plan.final]
        listed = tool.ask("-s", "-j", "list", "table", "inet", self.gate.table)
        if listed.code == 0 and inspection.mendable(listed.stdout, self.gate):
            return mend_script(self.gate, final)
        return rebuild_script(self.gate, final)

    def _refused(self, done: Completed, plan: Plan) -> BackendError:
        complaint = f"nft changed nothing: {tool.complaint(done)}"
        before = {entry.network for entry in plan.keep + plan.withheld + plan.remove}
        try:
            now = self.read()
        except BackendError:
            return BackendError(complaint)
        moved = {entry.network for entry in now.entries} != before or now.flaws != plan.repair
        return BackendError(complaint, again=moved)

    def snapshot(self) -> Callable[[], bool]:
        """Record the table word for word, even where it was edited by hand.

        Raises:
            BackendError: It could not be listed; from the returned function: not be restored.
        """
        was, held = self._text(), self._held()

        def put_back() -> bool:
            if self._text() == was:
                return False
            # A deleted set takes with it packets that are just being matched. So the table is
            # mended in place, as long as the result is the same.
            if was and held is not None and self._mended(held) and self._text() == was:
                return True
            name = f"inet {self.gate.table}"
            done = tool.load(f"add table {name}\ndelete table {name}\n{was}")
            if done.code != 0:
                raise BackendError(f"table {name} is not as it was: {tool.complaint(done)}")
            return True

        return put_back

    def _held(self) -> list[Network] | None:
        """Return the networks of the gate; None where they are unknown."""
        try:
            return [entry.network for entry in self.read().entries]
        except BackendError:
            return None

    def _mended(self, networks: list[Network]) -> bool:
        """Renew rules and elements inside the table. False where nothing was changed."""
        listed = tool.ask("-s", "-j", "list", "table", "inet", self.gate.table)
        if listed.code != 0 or not inspection.mendable(listed.stdout, self.gate):
            return False
        return tool.load(mend_script(self.gate, networks)).code == 0

    def _text(self) -> str:
        """Return the table as a script that creates it; empty when there is none."""
        name = f"inet {self.gate.table}"
        if name not in tool.tables():
            return ""
        listed = tool.ask("-s", "list", "table", *name.split())
        if listed.code != 0:
            raise BackendError(f"table {name} cannot be listed: {tool.complaint(listed)}")
        return re.sub(_SEEN, r"\1", listed.stdout)

    def clear(self) -> None:
        """Delete the table.

        Raises:
            BackendError: It is still there.
        """
        name = f"inet {self.gate.table}"
        if name not in tool.tables():
            return
        done = tool.load(f"add table {name}\ndelete table {name}\n")
        if done.code != 0:
            raise BackendError(f"table {name} could not be deleted: {tool.complaint(done)}")


def marked(known: Collection[Place]) -> tuple[Marked, ...]:
    """Return the present gates, except those at known places.

    Raises:
        BackendError: The tables cannot be listed.
    """
    if not tools.may(tools.CAP_NET_ADMIN):
        return ()
    tables = [one.split(" ", 1) for one in sorted(tool.tables())]
    places = (Place("nftables table", ("inet", name)) for kind, name in tables if kind == "inet")
    unknown = (one for one in places if one.name[1].startswith("allowsync_") and one not in known)
    named = ((re.fullmatch(_TABLE, place.name[1]), place) for place in unknown)
    return tuple(one for match, place in named if match for one in _gate(match[1], place))


def _gate(allowlist: str, place: Place) -> Iterator[Marked]:
    """Yield a gate, read as text: a dormant table cannot be listed as JSON."""
    text = tool.ask("-s", "list", "table", *place.name).stdout
    comments = re.findall(_COMMENT, text)
    if comments:
        off = any("dormant" in line for line in text.splitlines()[:2])
        backend = NftGateBackend(NftGate(allowlist, ()))
        others = " != @ipv" in text  # a denylist's gate drops no others
        yield Marked(allowlist, place, backend, comments[0], others and not off)
