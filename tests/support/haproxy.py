"""A real HAProxy with a configuration of its own, which answers nobody but who is on our list."""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from allowsync_backends.file.backend import FileBackend
from allowsync_backends.file.syntax import TextSyntax
from allowsync_backends.haproxy import TYPE, HaproxyOptions

from allowsync.model.target import Effect, Placement
from tests.support.internet import SERVER, SERVER6
from tests.support.servers import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.netns import Namespace

PORT: Final = 8080
# Another version can be tried with the same tests.
PROGRAM: Final = os.environ.get("ALLOWSYNC_TEST_HAPROXY", "/usr/sbin/haproxy")

# After how many seconds a reload is asked for once more, if the log shows nothing of it.
RELOAD_AGAIN: Final = 2

DENY: Final = "http-request deny unless {{ src -f {path} }}"
REJECT: Final = "tcp-request connection reject unless {{ src -f {path} }}"

CONFIGURATION: Final = """\
global
    stats socket {socket} mode 600 level admin expose-fd listeners
    stats timeout 30s
{more}
defaults
    mode http
    timeout client 20s
    timeout server 20s
    timeout connect 5s
frontend web
    bind {listen}
    {rule}
    http-request return status 200 content-type text/plain string here
"""


@dataclass(slots=True)
class Haproxy(ServerProcess):
    """An HAProxy in a namespace; nothing of it is outside of one folder.

    Attributes:
        inside: The namespace.
        folder: Where its files are.
        rule: The line with our list; `{path}` is its place.
        told: Whether it is told at its socket.
        listen: What it listens on.
        more: Further lines for all of it.
        master: Whether there is a master process.
        words: Further words of its command line.
    """

    inside: Namespace
    folder: Path
    rule: str = DENY
    told: bool = True
    listen: tuple[str, ...] = (f"{SERVER}:{PORT}", f"[{SERVER6}]:{PORT}")
    more: str = ""
    master: bool = True
    words: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """Our file, alone in its folder."""
        return self.folder / "lists" / "friends.lst"

    @property
    def config(self) -> Path:
        """Its configuration."""
        return self.folder / "haproxy.cfg"

    @property
    def socket(self) -> Path:
        """Where it is talked to."""
        return self.folder / "admin.sock"

    @property
    def pid_file(self) -> Path:
        """Where it writes its process id."""
        return self.folder / "haproxy.pid"

    def write(self) -> None:
        """Write its configuration, as it is wanted now."""
        self.path.parent.mkdir(exist_ok=True)
        text = CONFIGURATION.format(
            socket=self.socket,
            listen=",".join(self.listen),
            rule=self.rule.format(path=self.path),
            more=self.more,
        )
        self.config.write_text(text)

    def backend(
        self, allowlist: str = "x", effect: Effect = Effect.ALLOW, **options: Any
    ) -> FileBackend:
        """What keeps its allowlist, or its denylist."""
        given = {"path": self.path, "pid_file": self.pid_file, "config": (self.config,), **options}
        if self.told and "reload" not in options:
            given = {"socket": self.socket, **given}
        given = {"program": PROGRAM, **given}
        made = TYPE.make(
            Placement(allowlist, f"{allowlist}/haproxy", effect=effect), HaproxyOptions(**given)
        )
        assert isinstance(made, FileBackend)
        return made

    def start(self) -> None:
        """Start it, and wait until it serves."""
        kind = "-W" if self.master else "-db"
        argv = (PROGRAM, kind, *self.words, "-p", str(self.pid_file), "-f", str(self.config))
        path = self.folder / "log"
        with path.open("wb") as log:
            self.begin(self.inside, argv, self._serves, path, stdout=log, stderr=log)
        if not self.master:  # in the foreground, such a one writes none
            self.pid_file.write_text(f"{self.process.pid}\n")

    def _serves(self) -> bool:
        written = self.pid_file.exists() or not self.master
        return written and self._answers() and self._listens()

    def _listens(self) -> bool:
        """Whether its master takes signals. It begins as a new program once its worker runs."""
        return not self.master or "Loading success" in self.log()

    def _answers(self) -> bool:
        with suppress(OSError):
            return self.ask("show info").startswith("Name: HAProxy")
        return False

    def ask(self, *commands: str) -> str:
        """What it answers at its socket."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(20)
            connection.connect(str(self.socket))
            connection.sendall(";".join(commands).encode() + b"\n")
            parts = []
            while part := connection.recv(1 << 16):
                parts.append(part)
        return b"".join(parts).decode()

    def listed(self) -> set[str]:
        """What is in force of our list, as HAProxy writes it."""
        lines = self.ask(f"show acl {self.path}").splitlines()
        return {line.split(" ", 1)[1] for line in lines if line.startswith("0x")}

    @property
    def worker(self) -> str:
        """Which process serves, by its id."""
        return next(one for one in self.ask("show info").splitlines() if one.startswith("Pid:"))

    @property
    def uptime(self) -> int:
        """For how many seconds it has."""
        lines = self.ask("show info").splitlines()
        return next(int(one.split()[1]) for one in lines if one.startswith("Uptime_sec:"))

    def reload(self) -> None:
        """Have another worker serve, as an administrator would.

        A master that is re-executing itself can lose the signal: its log then says nothing new,
        and it is told again.
        """
        before, logged, again = self.worker, self.log(), 0.0

        def reloaded() -> bool:
            nonlocal again
            if self.log() == logged and time.monotonic() >= again:
                self.process.send_signal(signal.SIGUSR2)
                again = time.monotonic() + RELOAD_AGAIN
            return self._answers() and self.worker != before

        self.wait_until(reloaded, self.folder / "log")

    def stop(self) -> None:
        """Stop it with all its workers; it takes its pid file away."""
        # Without arguments, super() does not work in a class with slots.
        ServerProcess.stop(self)
        self._is_gone()

    def kill(self) -> None:
        """End it at once; its pid file stays."""
        ServerProcess.kill(self)
        self._is_gone()

    def _is_gone(self) -> None:
        """Wait until its last worker has let go of the socket."""
        deadline = time.monotonic() + 60
        with suppress(FileNotFoundError, ConnectionRefusedError):
            while time.monotonic() < deadline:
                with socket.socket(socket.AF_UNIX) as connection:
                    connection.connect(str(self.socket))
                time.sleep(0.01)

    def mark(self) -> list[str]:
        """What is another after each time it was told something."""
        if not self.told:
            return [self.worker]
        listing = self.ask(f"show acl {self.path}", "show acl").splitlines()
        return [line for line in listing if line.startswith("0x") or str(self.path) in line]

    def log(self) -> str:
        """What it said."""
        return (self.folder / "log").read_text()


@contextmanager
def haproxy(inside: Namespace, folder: Path, **options: Any) -> Iterator[Haproxy]:
    """A running HAProxy with an empty list of ours."""
    server = Haproxy(inside, folder, **options)
    server.write()
    server.path.write_text(TextSyntax().render("x", ()))
    server.start()
    try:
        yield server
    finally:
        server.stop()
