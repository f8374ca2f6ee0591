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

# A ban that was on its way comes in while we look; more often than that, something is wrong.
ROUNDS: Final = 3

# The server shows a width of 0 as none at all, which is a single address.
_PREFIXES: Final = {family: (1, family.bits) for family in Family}


class Goal(Value):
    """What one jail is to ignore.

    Attributes:
        wanted: What it is to ignore from now on.
        held: All that stands in the file; what is not wanted of it is to be ignored no more.
    """

    wanted: frozenset[Network]
    held: frozenset[Network]


class Fail2banBackend(Value):
    """The jails of one target.

    Attributes:
        allowlist: Whose networks they ignore.
        options: Which jails, and where their server is.
    """

    allowlist: str
    options: Fail2banOptions

    @property
    def capabilities(self) -> Capabilities:
        """Any network but the whole internet; a jail after the other."""
        return Capabilities(prefixes=_PREFIXES)

    @property
    def client(self) -> Fail2banClient:
        """What speaks to the server."""
        return Fail2banClient(self.options.config, self.options.socket, self.options.inside)

    @property
    def record(self) -> Record:
        """The file that says what is ours."""
        return Record(self.allowlist, self.options.file(self.allowlist), self.options.jails)

    def check(self) -> Sequence[Finding]:
        """Whether there is a server with these jails, and what its configuration says."""
        from allowsync_backends.fail2ban.check import check

        return check(self.client, self.observe, self.options.jails, self.allowlist)

    def read(self) -> Current:
        """What the file holds. What a running server does not go by is a flaw.

        Raises:
            BackendError: It could not be found out.
        """
        observed = self.observe()
        flaws = (*observed.flaws, *observed.absent)
        return Current(frozenset(map(Entry, observed.networks)), flaws=flaws)

    def observe(self) -> Observation:
        """The file, the running jails, and the differences between them.

        Raises:
            BackendError: It could not be found out.
        """
        recorded = self.record.read()
        seen = look(self.client, self.options.jails)
        flaws = (*recorded.flaws, *self._flaws(recorded, seen))
        return Observation(recorded.networks, seen, flaws, self._absent(seen))

    def _absent(self, seen: JailSnapshot) -> tuple[str, ...]:
        """Jails of the target that do not run, and would not if the server were started anew."""
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
        """Have the jails ignore what is new, release friends, and forget what is old.

        Raises:
            BackendError: Not all of it was done; what is in force of ours stands in the file.
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
        """Have the jails forget what is ours, then remove the file.

        Raises:
            BackendError: Something that is ours may be left.
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
        """Tell the server until it goes by what it was told; without one there is nothing to do.

        Returns:
            How it was seen at last.

        Raises:
            BackendError: It does not, or could not be asked.
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
        """Networks that the jail also ignores by its configuration or another allowlist."""
        ours = [str(network) for network in sorted(held, key=by_network)]
        theirs = reconcile.theirs(configured.ignored.get(jail, ()), ours)
        return theirs | self.record.of_others(jail)
