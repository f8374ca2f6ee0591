"""The ways a server runs: as a systemd unit, as a process with a pid file, in a container.

Each answers the same few questions, and knows how to have a program run where the server is.
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
    """Whether a server runs, and so whether anything has to be told to it."""

    RUNNING = "running"  # or about to: it may have read the former file
    STOPPED = "stopped"  # it reads the file when it starts


class ReloadMethod(Value):
    """How a server is told to read its configuration again.

    Attributes:
        command: Its own command for that, where it is one; run where the server is.
        signal: What its main process takes for it; None when it takes none.
    """

    command: tuple[str, ...] = ()
    signal: signal.Signals | None = None


class Supervisor(Protocol):
    """One way a server runs."""

    def state(self) -> State:
        """Whether it runs.

        Raises:
            BackendError: That could not be found out.
        """
        ...

    def processes(self) -> frozenset[int]:
        """The process ids of the server, seen from here; none when they cannot be seen.

        Raises:
            BackendError: They could not be found out.
        """
        ...

    def inside(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """The command that runs a program where the server is, with a server's rights."""
        ...

    def tell(self, notice: ReloadMethod) -> str:
        """Tell it to read its configuration again; why that failed, or an empty string."""
        ...

    def findings(self, path: Path) -> Iterator[Finding]:
        """What keeps the server from seeing a file of ours."""
        ...


class Unit(Value):
    """A unit of systemd.

    Programs are started by systemd in a unit of their own, not by us: a service that is shut in
    could neither open the server's logs nor bind its ports, which a check of some servers does.

    Attributes:
        name: What it is called.
        names: What processes of the server are called; empty where that does not matter.
    """

    name: str
    names: tuple[str, ...] = field(default=(), compare=False)

    def state(self) -> State:
        """By its ActiveState (systemctl(1))."""
        shown = self._shown("LoadState", "ActiveState")
        if shown.get("LoadState") == "not-found":
            raise BackendError(f"there is no unit {self.name}")
        stopped = shown.get("ActiveState") in {"inactive", "failed"}
        return State.STOPPED if stopped else State.RUNNING

    def is_reloading(self) -> bool:
        """Whether it is reading its configuration, as far as systemd or the server itself say so.

        Raises:
            BackendError: That could not be found out.
        """
        return self._shown("ActiveState").get("ActiveState") == "reloading"

    def processes(self) -> frozenset[int]:
        """All of its control group: those of other users are hidden from a service in /proc."""
        return _of_server(group(self._shown("ControlGroup").get("ControlGroup", "")), self.names)

    def inside(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """Run by systemd, with what it says passed on."""
        return ("systemd-run", "--quiet", "--collect", "--wait", "--pipe", "--", *argv)

    def tell(self, notice: ReloadMethod) -> str:  # noqa: ARG002 - the unit says how
        """`systemctl reload`, which waits for the unit's own ExecReload."""
        return failure(("systemctl", "reload", self.name))

    def findings(self, path: Path) -> Iterator[Finding]:  # noqa: ARG002 - it sees what we see
        """Whether there is such a unit, and whether it runs."""
        return _findings(self, f"unit {self.name}")

    def _shown(self, *properties: str) -> dict[str, str]:
        asked = (f"--property={','.join(properties)}", "--", self.name)
        text = _said(("systemctl", "show", *asked))
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


class Process(Value):
    """A process that wrote its id into a file.

    Attributes:
        pid_file: That file.
        names: What the program may be called (`comm` in proc(5)): an id is given anew one day.
    """

    pid_file: Path
    names: tuple[str, ...]

    def state(self) -> State:
        """Whether the process of that id is there, and is the server."""
        return State.STOPPED if self._main() is None else State.RUNNING

    def processes(self) -> frozenset[int]:
        """It and all that descend from it."""
        main = self._main()
        return frozenset() if main is None else _of_server({main, *descendants(main)}, self.names)

    def inside(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """Just as it is: the server is where we are."""
        return argv

    def tell(self, notice: ReloadMethod) -> str:
        """Its own command where it has one, else the signal."""
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
        """Whether it runs."""
        return _findings(self, f"the server of {self.pid_file}")

    def _main(self) -> int | None:
        """Its id; None when it does not run.

        Raises:
            BackendError: The file, or the process, cannot be looked at.
        """
        try:
            text = self.pid_file.read_text(errors="replace").strip()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BackendError(f"{self.pid_file} cannot be read: {error.strerror}") from error
        if not text:  # so a check of nginx leaves it that finds none
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
        """Send a signal to the process looked at, never to one that came to its id since."""
        with suppress(ProcessLookupError):
            handle = os.pidfd_open(main)
            try:
                if name_of(main) in self.names:
                    signal.pidfd_send_signal(handle, what)
            finally:
                os.close(handle)


class Runtime(Enum):
    """The program that runs containers; both understand what is asked of them here."""

    DOCKER = "docker"
    PODMAN = "podman"


class Container(Value):
    """A container of Docker or Podman.

    Attributes:
        name: What it is called.
        runtime: The program that runs it.
        path: Our file, where it matters that the container sees it.
        names: What processes of the server are called; empty where that does not matter.
    """

    name: str
    runtime: Runtime = Runtime.DOCKER
    path: Path | None = field(default=None, compare=False)
    names: tuple[str, ...] = field(default=(), compare=False)

    def state(self) -> State:
        """By what the runtime says of it."""
        running = self._inspected("{{.State.Running}}")
        return State.RUNNING if running == "true" else State.STOPPED

    def processes(self) -> frozenset[int]:
        """Its first process and all that descend from it, by their ids out here."""
        first = self._inspected("{{.State.Pid}}")
        if not first.isdigit() or first == "0" or not name_of(int(first)):
            return frozenset()
        return _of_server({int(first), *descendants(int(first))}, self.names)

    def inside(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """Run in the container, by a running one."""
        return (self.runtime.value, "exec", self.name, *argv)

    def tell(self, notice: ReloadMethod) -> str:
        """The server's own command in the container, else the signal to its first process."""
        if notice.signal is None or notice.command:
            return failure(self.inside(notice.command), notice.command[0])
        return failure((self.runtime.value, "kill", "--signal", notice.signal.name, self.name))

    def blindness(self) -> str:
        """Why it would not see a file that takes the place of another, or an empty string.

        A file that is mounted by itself stays what it was when another takes its name.

        Raises:
            BackendError: There is no such container, or it could not be looked at.
        """
        mounted = self._inspected("{{range .Mounts}}{{println .Source}}{{end}}").splitlines()
        if self.path is None or os.path.realpath(self.path) not in map(os.path.realpath, mounted):
            return ""
        return (
            f"container {self.name} has {self.path} itself mounted, and goes on seeing the old one"
        )

    def findings(self, path: Path) -> Iterator[Finding]:
        """Whether it is there and runs, and sees what takes the place of the file."""
        yield from _findings(self, f"container {self.name}")
        try:
            blindness = self.blindness()
        except BackendError:
            return
        if blindness:
            yield Finding(Severity.ERROR, blindness, f"mount the folder {path.parent} instead")

    def networking(self) -> str:
        """Its ports and networks as JSON, for `userland_proxy`; empty where they are not told."""
        from allowsync_backends.common.server.userland_proxy import TEMPLATE

        try:
            return self._inspected(TEMPLATE)
        except BackendError:
            return ""

    def _inspected(self, template: str) -> str:
        asked = ("inspect", "--type", "container", "--format", template, self.name)
        return _said((self.runtime.value, *asked)).strip()


def _of_server(pids: Iterable[int], names: tuple[str, ...]) -> frozenset[int]:
    """Those that are the server's own, and not programs it has started, such as scripts.

    One that is hidden from us may be either.
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
    """What a program prints on standard output.

    Raises:
        BackendError: It did not succeed.
    """
    try:
        done = run(Command(argv, timeout=TIMEOUT))
    except CommandError as error:
        raise BackendError(str(error)) from error
    if done.code != 0:
        said = next((line.strip() for line in done.stderr.splitlines() if line.strip()), "")
        raise BackendError(f"{argv[0]} failed with exit code {done.code} ({said[:200]})")
    return done.stdout
