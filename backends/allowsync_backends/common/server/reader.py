"""A server as the reader of a file: checked, reloaded, and verified."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.model.target import Finding, Severity
from allowsync.model.value import Value, field
from allowsync.system.process import Command, CommandError, run
from allowsync_backends.common.server.processes import command_line
from allowsync_backends.common.server.supervisor import Container, ReloadMethod, State
from allowsync_backends.file.reader import (
    TIMEOUT,
    checks_drafts,
    failure,
    missing_programs,
    on_draft,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from allowsync.model.target import TrustedProxies
    from allowsync_backends.common.server.supervisor import Supervisor

PATIENCE = 10.0  # seconds for a server to start its new processes
LINGER = 1.0  # seconds for the old ones to stop accepting connections
SETTLE = 0.05  # seconds after which a new process of the old generation has gone, too
STEP = 0.01


def _unknown(_: Path) -> None:
    """Return no trusted proxies: they are unknown."""


class ServerProgram(Value):
    """The particulars of one kind of server.

    Attributes:
        name: Its name in messages.
        check: Its own check of its whole configuration, run where the server is.
        notice: The method to reload it.
        renews: Whether a reload shows in new processes. A server without reports the result of the
            reload itself, by an exit code.
        inspect: Reports why a file has no effect in a running configuration.
        leaving: Words in the command line of an old process that accepts nothing new any more, but
            still has requests to finish. Empty for a server without such words.
        spawns: Whether it starts processes unasked, too: one of those ends with the old ones.
        proxies: The trusted proxies of a running configuration; None where they are not known.
    """

    name: str
    check: tuple[str, ...]
    notice: ReloadMethod
    renews: bool
    inspect: Callable[[Path], Iterable[Finding]]
    leaving: str = ""
    spawns: bool = False
    proxies: Callable[[Path], TrustedProxies | None] = field(default=_unknown)


class ServerReader(Value):
    """A server checked and reloaded by its own commands, or by those of the configuration.

    A stopped server needs no reload: it reads the file when it starts.

    Attributes:
        server: The kind of server.
        running: The way it runs.
        check: A command in place of its own check; empty for that.
        reload: A command in place of its own reload; empty for that.
    """

    server: ServerProgram
    running: Supervisor
    check: tuple[str, ...] = ()
    reload: tuple[str, ...] = ()

    @property
    def is_told(self) -> bool:
        """Always true: by a configured command, or by its own method."""
        return True

    @property
    def is_startable(self) -> bool:
        """Always false: a stopped server gets no reload, so a failing reload is a real failure."""
        return False

    @property
    def waits(self) -> bool:
        """Always true: a file in place is not in force before a reload."""
        return True

    def objection_to(self, draft: str) -> str:
        """Return the error of a check of drafts, where the configuration has one."""
        return failure(on_draft(self.check, draft)) if checks_drafts(self.check) else ""

    def objection(self) -> str:
        """Return the error of the server's check with the file in place."""
        if checks_drafts(self.check):
            return ""
        if self.check:
            return failure(self.check)
        if isinstance(self.running, Container):
            try:
                blindness = self.running.blindness()
                # No command can run in a stopped container.
                if blindness or self.running.state() is State.STOPPED:
                    return blindness
            except BackendError as error:
                return str(error)
        return self._checked()

    def _checked(self) -> str:
        return failure(self.running.inside(self.server.check), self.server.check[0])

    def take_notice(self) -> str:
        """Reload the server, and wait until the new configuration is in force."""
        if self.reload:
            return failure(self.reload)
        try:
            if self.running.state() is State.STOPPED:
                return ""
            before = self.running.processes()
            return self.running.tell(self.server.notice) or self._followed(before)
        except BackendError as error:
            return str(error)

    def _followed(self, before: frozenset[int]) -> str:
        """Wait for new processes, and for the old ones to stop.

        Raises:
            BackendError: The processes could not be listed.
        """
        if not self.server.renews or not before:
            return ""
        deadline = time.monotonic() + PATIENCE
        while not self._is_renewed(before):
            if self.running.state() is State.STOPPED:
                return f"{self.server.name} exited during the reload"
            if time.monotonic() > deadline:
                return (
                    f"{self.server.name} was asked to reload, but has started no new process "
                    f"within {PATIENCE:g} s"
                )
            time.sleep(STEP)
        return ""

    def _is_renewed(self, before: frozenset[int]) -> bool:
        """Whether there are new processes that stay.

        A script has the name of the server that starts it, until exec.
        """
        if not self.running.processes() - before:
            return False
        self._let_go(before)
        if self.server.spawns:
            time.sleep(SETTLE)
        return bool(self.running.processes() - before)

    def _let_go(self, before: frozenset[int]) -> None:
        """Wait a moment for the old processes, which may accept connections until then.

        The main one stays. One with requests to finish may stay as long as that takes.
        """
        deadline = time.monotonic() + LINGER
        while time.monotonic() < deadline:
            active = [pid for pid in before & self.running.processes() if not self._leaves(pid)]
            if len(active) <= 1:
                return
            time.sleep(STEP)

    def _leaves(self, pid: int) -> bool:
        return bool(self.server.leaving) and self.server.leaving in command_line(pid)

    def findings(self, path: Path) -> Sequence[Finding]:
        """Check that it runs, sees the file, accepts its own configuration, and uses the file."""
        found = [*missing_programs(self.check, self.reload), *self.running.findings(path)]
        if not found and not self.check:
            objection = self._checked()
            if objection:
                what = f"{self.server.name} does not take its configuration: {objection}"
                return (Finding(Severity.ERROR, what),)
        return (*found, *self.server.inspect(path), *self._about_gateways(path))

    def _about_gateways(self, path: Path) -> Iterator[Finding]:
        """Report trusted headers of clients that arrive through Docker's own proxy."""
        if isinstance(self.running, Container):
            from allowsync_backends.common.server.userland_proxy import about_gateways

            yield from about_gateways(self.running.networking(), self.trusted_proxies(path))

    def trusted_proxies(self, path: Path) -> TrustedProxies | None:
        """Return the trusted proxies of the server."""
        return self.server.proxies(path)


def printed(running: Supervisor, argv: tuple[str, ...]) -> str | None:
    """Return the output of a program run where a server is; None where it fails."""
    try:
        done = run(Command(running.inside(argv), timeout=TIMEOUT))
    except CommandError:
        return None
    return done.stdout if done.code == 0 else None
