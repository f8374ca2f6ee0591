"""The backend of Fail2ban: its jails ignore friends, and release those they have banned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.backend.api import BackendError
from allowsync.model.target import Capabilities, Current
from allowsync.model.types import Entry, Family, Network, by_network
from allowsync.model.value import Value
from allowsync.text import counted
from allowsync_backends.fail2ban import reconcile
from allowsync_backends.fail2ban.client import Fail2banClient
from allowsync_backends.fail2ban.jail_reader import JailSnapshot, Observation, look
from allowsync_backends.fail2ban.record import Record, Recorded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from allowsync.model.plan import Plan
    from allowsync.model.target import Finding
    from allowsync_backends.fail2ban.answers import Configured
    from allowsync_backends.fail2ban.options import Fail2banOptions

# A pending ban may arrive while we read; with more of them, something is wrong.
ROUNDS: Final = 3

# The server prints a width of 0 as none at all, which is a single address.
_PREFIXES: Final = {family: (1, family.bits) for family in Family}


class Goal(Value):
    """The networks that one jail has to ignore.

    Attributes:
        wanted: The networks to ignore from now on.
        held: All networks of the file; the unwanted ones of these are to be ignored no more.
    """

    wanted: frozenset[Network]
    held: frozenset[Network]


class Fail2banBackend(Value):
    """The jails of one target.

    Attributes:
        allowlist: The allowlist whose networks they ignore.
        options: The jails, and the place of their server.
    """

    allowlist: str
    options: Fail2banOptions

    @property
    def capabilities(self) -> Capabilities:
        """Any network but the whole internet; one jail after the other."""
        return Capabilities(prefixes=_PREFIXES)

    @property
    def client(self) -> Fail2banClient:
        """The client of the server."""
        return Fail2banClient(self.options.config, self.options.socket, self.options.inside)

    @property
    def record(self) -> Record:
        """The file that records our networks."""
        return Record(self.allowlist, self.options.file(self.allowlist), self.options.jails)

    def check(self) -> Sequence[Finding]:
        """Check that a server with these jails runs, and that its configuration fits."""
        from allowsync_backends.fail2ban.check import check

        return check(self.client, self.observe, self.options.jails, self.allowlist)

    def read(self) -> Current:
        """Return the networks of the file. Deviations of a running server are flaws.

        Raises:
            BackendError: They could not be read.
        """
        observed = self.observe()
        flaws = (*observed.flaws, *observed.absent)
        return Current(frozenset(map(Entry, observed.networks)), flaws=flaws)

    def observe(self) -> Observation:
        """Return the file, the running jails, and the differences between them.

        Raises:
            BackendError: They could not be read.
        """
        recorded = self.record.read()
        seen = look(self.client, self.options.jails)
        flaws = (*recorded.flaws, *self._flaws(recorded, seen))
        return Observation(recorded.networks, seen, flaws, self._absent(seen))

    def _absent(self, seen: JailSnapshot) -> tuple[str, ...]:
        """Return the target's jails that do not run, and would not after a server restart."""
        missing = sorted(set(self.options.jails) - seen.jails.keys()) if seen.up else []
        if not missing:
            return ()
        configured = self.client.configured().jails
        return tuple(f"Fail2ban has no jail {name}" for name in missing if name not in configured)

    def _flaws(self, recorded: Recorded, seen: JailSnapshot) -> Iterator[str]:
        for name, jail in seen.jails.items():
            lacking = len(reconcile.not_ignored(jail, recorded.networks))
            if lacking:
                yield f"jail {name} does not ignore {counted(lacking, 'network')} of the allowlist"
            for banned in reconcile.banned_by(jail.banned, recorded.networks):
                yield f"jail {name} has banned {jail.banned[banned]}, which is on the allowlist"

    def apply(self, plan: Plan) -> None:
        """Make the jails ignore new networks, release friends, and forget old networks.

        Raises:
            BackendError: Not all of it was done; all networks of ours in force are in the file.
            OutcomeUnknown: The same.
        """
        if plan.idle:
            return
        final = frozenset(entry.network for entry in plan.final)
        record, jails = self.record, self.options.jails
        before = record.read()
        everything = before.networks | final
        everywhere = sorted({*before.jails, *jails})
        if before.flaws or (everything, everywhere) != (before.networks, list(before.jails)):
            record.write(everything, everywhere)
        goals = {
            name: Goal(final if name in jails else frozenset(), everything) for name in everywhere
        }
        seen = self._settle(goals)
        if (final, sorted(jails)) != (everything, everywhere):
            record.write(final, jails)
        absent = self._absent(seen)
        if absent:
            raise BackendError("; ".join(absent))

    def clear(self) -> None:
        """Make the jails forget our networks, then remove the file.

        Raises:
            BackendError: Some network of ours may be left.
        """
        from allowsync_backends.file.folder import NotOurs

        try:
            recorded = self.record.read()
        except NotOurs:
            return
        jails = {*recorded.jails, *self.options.jails}
        if recorded.networks:
            self._settle({name: Goal(frozenset(), recorded.networks) for name in jails})
        self.record.remove()

    def _settle(self, goals: Mapping[str, Goal]) -> JailSnapshot:
        """Command the server until its jails are in sync; does nothing without a server.

        Returns:
            The last snapshot of it.

        Raises:
            BackendError: It is not in sync, or could not be asked.
        """
        seen = look(self.client, goals)
        for _ in range(ROUNDS):
            todo = list(self._todo(goals, seen))
            if not todo:
                return seen
            seen = look(self.client, goals, todo)
        left = list(self._todo(goals, seen))
        if left:
            raise BackendError(f"Fail2ban did not apply a change: {left[0][:100]}")
        return seen

    def _todo(self, goals: Mapping[str, Goal], seen: JailSnapshot) -> Iterator[str]:
        configured: Configured | None = None
        for name, jail in seen.jails.items():
            goal = goals[name]
            leaving = (goal.held - goal.wanted) & jail.ignored.keys()
            if leaving and configured is None:
                configured = self.client.configured()
            if leaving and configured is not None:
                leaving -= self._spared(name, goal.held, configured)
            yield from reconcile.commands(name, jail, goal.wanted, leaving)

    def _spared(
        self, jail: str, held: Iterable[Network], configured: Configured
    ) -> frozenset[Network]:
        """Return networks that the jail also ignores by its configuration or another allowlist."""
        ours = [str(network) for network in sorted(held, key=by_network)]
        theirs = reconcile.theirs(configured.ignored.get(jail, ()), ours)
        return theirs | self.record.of_others(jail)
