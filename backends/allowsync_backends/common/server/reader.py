"""A server as the reader of a file: checked by itself, told, and looked at afterwards."""

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
LINGER = 1.0  # seconds for the former ones to stop taking new connections
SETTLE = 0.05  # seconds after which a new process that is a former one in truth has gone, too
STEP = 0.01


def _unknown(_: Path) -> None:
    """Where nothing is known of the proxies that a server believes."""


class ServerProgram(Value):
    """What is particular about one kind of server.

    Attributes:
        name: What it is called in messages.
        check: Its own check of its whole configuration, as run where it is.
        notice: How it is told to read that again.
        renews: Whether it shows in new processes that it has. One that does not answers the
            notice itself, with an exit code.
        inspect: What keeps a file from having an effect in a running configuration.
        leaving: Words in the command line of a former process that takes nothing new any more, but
            still has something to finish. Empty where it does not say so.
        spawns: Whether it starts processes unasked, too: one of those goes with the former ones.
        proxies: Which proxies a running configuration believes; None where that is not known.
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
    """A server that is checked and told by what is known of it, or as the configuration says.

    A server that does not run needs not be told: it reads the file when it starts.

    Attributes:
        server: What kind of server it is.
        running: How it runs.
        check: A command in place of its own check; empty for that.
        reload: A command in place of its own reload; empty for that.
    """

    server: ServerProgram
    running: Supervisor
    check: tuple[str, ...] = ()
    reload: tuple[str, ...] = ()

    @property
    def is_told(self) -> bool:
        """Always: by a configured command, or by its own means."""
        return True

    @property
    def is_startable(self) -> bool:
        """False: a server that does not run is not told, so a notice that fails means something."""
        return False

    def objection_to(self, draft: str) -> str:
        """What a check of drafts says, where the configuration has one."""
        return failure(on_draft(self.check, draft)) if checks_drafts(self.check) else ""

    def objection(self) -> str:
        """What the server's check says of its configuration with the file that is in place."""
        if checks_drafts(self.check):
            return ""
        if self.check:
            return failure(self.check)
        if isinstance(self.running, Container):
            try:
                blindness = self.running.blindness()
                # Nothing can be run in a container that does not run.
                if blindness or self.running.state() is State.STOPPED:
                    return blindness
            except BackendError as error:
                return str(error)
        return self._checked()

    def _checked(self) -> str:
        return failure(self.running.inside(self.server.check), self.server.check[0])

    def take_notice(self) -> str:
        """Tell the server, and wait until it goes by what it was told."""
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
        """Wait for processes that were not there before, and for the former ones to step back.

        Raises:
            BackendError: The processes could not be looked at.
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
        """Whether there are processes that were not there before, and that stay.

        A script has the name of the server that starts it, until it is executed.
        """
        if not self.running.processes() - before:
            return False
        self._let_go(before)
        if self.server.spawns:
            time.sleep(SETTLE)
        return bool(self.running.processes() - before)

    def _let_go(self, before: frozenset[int]) -> None:
        """Wait a moment for the former processes, which may take connections until they are told.

        The main one stays. One that has something to finish may stay as long as that takes.
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
        """Whether it runs, sees the file, takes its own configuration, and uses the file."""
        found = [*missing_programs(self.check, self.reload), *self.running.findings(path)]
        if not found and not self.check:
            objection = self._checked()
            if objection:
                what = f"{self.server.name} does not take its configuration: {objection}"
                return (Finding(Severity.ERROR, what),)
        return (*found, *self.server.inspect(path), *self._about_gateways(path))

    def _about_gateways(self, path: Path) -> Iterator[Finding]:
        """Whether headers are believed of clients that Docker's own proxy passes on."""
        if isinstance(self.running, Container):
            from allowsync_backends.common.server.userland_proxy import about_gateways

            yield from about_gateways(self.running.networking(), self.trusted_proxies(path))

    def trusted_proxies(self, path: Path) -> TrustedProxies | None:
        """Which proxies the server believes."""
        return self.server.proxies(path)


def printed(running: Supervisor, argv: tuple[str, ...]) -> str | None:
    """What a program prints that is run where a server is; None where it does not succeed."""
    try:
        done = run(Command(running.inside(argv), timeout=TIMEOUT))
    except CommandError:
        return None
    return done.stdout if done.code == 0 else None
