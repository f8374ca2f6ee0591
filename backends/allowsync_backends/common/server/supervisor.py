"""The ways a server runs: as a systemd unit, as a process with a pid file, in a container.

Each implements the same interface, and runs programs where the server is.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from allowsync.backend.api import BackendError
from allowsync.model.target import Finding, Severity
from allowsync.model.value import Value, field
from allowsync.system.process import Command, CommandError, run
from allowsync_backends.common.server.processes import descendants, group, is_hidden, name_of
from allowsync_backends.file.reader import failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

TIMEOUT = 60.0
LARGEST_ID = 1 << 22  # of a process (proc(5), pid_max)


class State(Enum):
    """Whether a server runs, and so whether it needs a reload."""

    RUNNING = "running"  # or starting: it may have read the old file
    STOPPED = "stopped"  # it reads the file when it starts


class ReloadMethod(Value):
    """The method by which a server reloads its configuration.

    Attributes:
        command: Its own command for that, if there is one; run where the server is.
        signal: The signal that its main process handles; None without one.
    """

    command: tuple[str, ...] = ()
    signal: signal.Signals | None = None


class Supervisor(Protocol):
    """One way a server runs."""

    def state(self) -> State:
        """Whether it runs.

        Raises:
            BackendError: Its state is unknown.
        """
        ...

    def processes(self) -> frozenset[int]:
        """Return the process ids of the server, in our namespace; none when they are not visible.

        Raises:
            BackendError: They could not be listed.
        """
        ...

    def inside(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """Return the command that runs a program where the server is, with a server's rights."""
        ...

    def tell(self, notice: ReloadMethod) -> str:
        """Reload its configuration; return the error, or an empty string."""
        ...

    def findings(self, path: Path) -> Iterator[Finding]:
        """Report why the server does not see a file of ours."""
        ...


class Unit(Value):
    """A unit of systemd.

    systemd starts programs in a unit of their own, outside our sandbox, where a check can open the
    server's logs and bind its ports, as some servers do.

    Attributes:
        name: The name of the unit.
        names: The names of the server's processes; empty where they do not matter.
    """

    name: str
    names: tuple[str, ...] = field(default=(), compare=False)

    def state(self) -> State:
        """Return the state by its ActiveState (systemctl(1))."""
        shown = self._shown("LoadState", "ActiveState")
        if shown.get("LoadState") == "not-found":
            raise BackendError(f"there is no unit {self.name}")
        stopped = shown.get("ActiveState") in {"inactive", "failed"}
        return State.STOPPED if stopped else State.RUNNING

    def is_reloading(self) -> bool:
        """Whether it is reading its configuration, as reported by systemd or the server itself.

        Raises:
            BackendError: Its state is unknown.
        """
        return self._shown("ActiveState").get("ActiveState") == "reloading"

    def processes(self) -> frozenset[int]:
        """Return its control group: processes of other users are hidden from a service in /proc."""
        return _of_server(group(self._shown("ControlGroup").get("ControlGroup", "")), self.names)

    def inside(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """Return a command for systemd, which passes on the output."""
        return ("systemd-run", "--quiet", "--collect", "--wait", "--pipe", "--", *argv)

    def tell(self, notice: ReloadMethod) -> str:  # noqa: ARG002 - the unit says how
        """Run `systemctl reload`, which waits for the unit's own ExecReload."""
        return failure(("systemctl", "reload", self.name))

    def findings(self, path: Path) -> Iterator[Finding]:  # noqa: ARG002 - it sees what we see
        """Check that the unit exists and runs."""
        return _findings(self, f"unit {self.name}")

    def _shown(self, *properties: str) -> dict[str, str]:
        asked = (f"--property={','.join(properties)}", "--", self.name)
        text = _said(("systemctl", "show", *asked))
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


class Process(Value):
    """A process with a pid file.

    Attributes:
        pid_file: The pid file.
        names: The possible names of the program (`comm` in proc(5)): ids are reused.
    """

    pid_file: Path
    names: tuple[str, ...]

    def state(self) -> State:
        """Return whether the process of that id exists, and is the server."""
        return State.STOPPED if self._main() is None else State.RUNNING

    def processes(self) -> frozenset[int]:
        """Return it and its descendants."""
        main = self._main()
        return frozenset() if main is None else _of_server({main, *descendants(main)}, self.names)

    def inside(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """Return the command unchanged: the server runs in our namespace."""
        return argv

    def tell(self, notice: ReloadMethod) -> str:
        """Reload by its own command where it has one, else by the signal."""
        if notice.signal is None:
            return failure(notice.command)
        try:
            main = self._main()
            if main is None:
                return ""
            self._send(main, notice.signal)
        except BackendError as error:
            return str(error)
        except OSError as error:
            return f"process {main} could not be signalled: {error.strerror}"
        return ""

    def findings(self, path: Path) -> Iterator[Finding]:  # noqa: ARG002 - it sees what we see
        """Check that it runs."""
        return _findings(self, f"the server of {self.pid_file}")

    def _main(self) -> int | None:
        """Return its id; None when it does not run.

        Raises:
            BackendError: The file, or the process, cannot be read.
        """
        try:
            text = self.pid_file.read_text(errors="replace").strip()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BackendError(f"{self.pid_file} cannot be read: {error.strerror}") from error
        if not text:  # a check of nginx leaves an empty one
            return None
        if not (text.isascii() and text.isdigit() and 0 < int(text[:8]) <= LARGEST_ID):
            raise BackendError(f"{self.pid_file} holds no process id")
        pid = int(text)
        if is_hidden(pid):
            raise BackendError(
                f"nothing can be seen of process {pid}, whose id {self.pid_file} holds"
            )
        return pid if name_of(pid) in self.names else None

    def _send(self, main: int, what: signal.Signals) -> None:
        """Send a signal to the verified process, never to a later one with the same id."""
        with suppress(ProcessLookupError):
            handle = os.pidfd_open(main)
            try:
                if name_of(main) in self.names:
                    signal.pidfd_send_signal(handle, what)
            finally:
                os.close(handle)


class Runtime(Enum):
    """The container runtime; both accept the commands used here."""

    DOCKER = "docker"
    PODMAN = "podman"


class Container(Value):
    """A container of Docker or Podman.

    Attributes:
        name: The name of the container.
        runtime: The program that runs it.
        path: Our file, where the container has to see it.
        names: The names of the server's processes; empty where they do not matter.
    """

    name: str
    runtime: Runtime = Runtime.DOCKER
    path: Path | None = field(default=None, compare=False)
    names: tuple[str, ...] = field(default=(), compare=False)

    def state(self) -> State:
        """Return the state that the runtime reports."""
        running = self._inspected("{{.State.Running}}")
        return State.RUNNING if running == "true" else State.STOPPED

    def processes(self) -> frozenset[int]:
        """Return its first process and descendants, by their ids on the host."""
        first = self._inspected("{{.State.Pid}}")
        if not first.isdigit() or first == "0" or not name_of(int(first)):
            return frozenset()
        return _of_server({int(first), *descendants(int(first))}, self.names)

    def inside(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """Return a command that runs in the container, while it runs."""
        return (self.runtime.value, "exec", self.name, *argv)

    def tell(self, notice: ReloadMethod) -> str:
        """Reload by the server's own command in the container, else signal its first process."""
        if notice.signal is None or notice.command:
            return failure(self.inside(notice.command), notice.command[0])
        return failure((self.runtime.value, "kill", "--signal", notice.signal.name, self.name))

    def blindness(self) -> str:
        """Return why it would not see a replacement of our file, or an empty string.

        A file mounted by itself stays the old one when another takes its name.

        Raises:
            BackendError: There is no such container, or it could not be inspected.
        """
        mounted = self._inspected("{{range .Mounts}}{{println .Source}}{{end}}").splitlines()
        if self.path is None or os.path.realpath(self.path) not in map(os.path.realpath, mounted):
            return ""
        return (
            f"container {self.name} has {self.path} itself mounted, and goes on seeing the old one"
        )

    def findings(self, path: Path) -> Iterator[Finding]:
        """Check that it exists and runs, and sees a replacement of the file."""
        yield from _findings(self, f"container {self.name}")
        try:
            blindness = self.blindness()
        except BackendError:
            return
        if blindness:
            yield Finding(Severity.ERROR, blindness, f"mount the folder {path.parent} instead")

    def networking(self) -> str:
        """Return its ports and networks as JSON, for `userland_proxy`; empty if unknown."""
        from allowsync_backends.common.server.userland_proxy import TEMPLATE

        try:
            return self._inspected(TEMPLATE)
        except BackendError:
            return ""

    def _inspected(self, template: str) -> str:
        asked = ("inspect", "--type", "container", "--format", template, self.name)
        return _said((self.runtime.value, *asked)).strip()


def _of_server(pids: Iterable[int], names: tuple[str, ...]) -> frozenset[int]:
    """Return the server's own processes, without programs it has started, such as scripts.

    A hidden one may be either.
    """
    return frozenset(pid for pid in pids if not names or name_of(pid) in {"", *names})


def _findings(server: Supervisor, what: str) -> Iterator[Finding]:
    try:
        state = server.state()
    except BackendError as error:
        advice = "unit, pid_file or container says how it runs"
        yield Finding(Severity.ERROR, str(error), advice)
        return
    if state is State.STOPPED:
        yield Finding(Severity.WARNING, f"{what} does not run", "it reads the file when it starts")


def _said(argv: tuple[str, ...]) -> str:
    """Return the standard output of a program.

    Raises:
        BackendError: It failed.
    """
    try:
        done = run(Command(argv, timeout=TIMEOUT))
    except CommandError as error:
        raise BackendError(str(error)) from error
    if done.code != 0:
        said = next((line.strip() for line in done.stderr.splitlines() if line.strip()), "")
        raise BackendError(f"{argv[0]} failed with exit code {done.code} ({said[:200]})")
    return done.stdout
