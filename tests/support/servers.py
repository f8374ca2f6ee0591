"""What servers of a test's own have in common: how one is started, waited for, and ended."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from allowsync.testing.contract import BackendContract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from allowsync_backends.file.backend import FileBackend

    from allowsync.model.types import Network
    from tests.support.netns import Namespace

PATIENCE = 60.0  # seconds


class Served(Protocol):
    """A server of a test's own."""

    @property
    def inside(self) -> Namespace:
        """Where it runs."""
        ...

    @property
    def folder(self) -> Path:
        """Where its files are."""
        ...

    @property
    def path(self) -> Path:
        """Our file, alone in its folder."""
        ...

    @property
    def config(self) -> Path:
        """Its configuration."""
        ...

    @property
    def runs(self) -> bool:
        """Whether it does."""
        ...

    def backend(self, allowlist: str = "x", **options: Any) -> FileBackend:
        """What keeps its allowlist."""
        ...

    def start(self) -> None:
        """Start it."""
        ...

    def stop(self) -> None:
        """Stop it."""
        ...

    def kill(self) -> None:
        """End it at once; its pid file stays."""
        ...

    def mark(self) -> object:
        """What is another after each time it was told something."""
        ...


@dataclass(slots=True)
class ServerProcess:
    """The process of a server, and those that it starts."""

    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def begin(
        self,
        inside: Namespace | None,
        argv: tuple[str, ...],
        ready: Callable[[], bool],
        log: Path,
        **more: Any,
    ) -> None:
        """Start it, and wait until it serves.

        Args:
            inside: The namespace; None for where the test is.
            argv: The program and its arguments.
            ready: Whether it serves.
            log: Where it writes why it does not.
            more: What else to say to `Popen`.
        """
        more = {"stdin": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **more}

        def begin() -> subprocess.Popen[bytes]:
            return subprocess.Popen(argv, start_new_session=True, **more)

        self._process = begin() if inside is None else inside.run(begin)
        self.wait_until(ready, log)

    def wait_until(self, ready: Callable[[], bool], log: Path) -> None:
        """Wait for something that it does, if it does not end."""
        deadline = time.monotonic() + PATIENCE
        while not ready():
            assert self.process.poll() is None, _read(log)
            assert time.monotonic() < deadline, _read(log)
            time.sleep(0.01)

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process that was started."""
        assert self._process is not None
        return self._process

    @property
    def runs(self) -> bool:
        """Whether it was started, and has not ended."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stop it with all it has started."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=PATIENCE)
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def kill(self) -> None:
        """End it at once; its pid file stays."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=PATIENCE)


def _read(log: Path) -> str:
    return log.read_text() if log.exists() else "it said nothing"


class OneOfSeveral(BackendContract):
    """The contract, where our file is one of several in a folder that a server includes."""

    server: Served

    def neighbour(self) -> None:
        """A file is one allowlist's."""

    def plant(self) -> Iterable[Network]:
        self._beside(f"others{self.server.path.suffix}").write_text("# mine\n")
        self._beside("friends").write_text("mine too\n")
        return ()

    def _beside(self, name: str) -> Path:
        return self.server.path.with_name(name)

    def foreign(self) -> object:
        return {
            path.name: (path.read_text(), path.stat().st_mtime_ns)
            for path in self.server.path.parent.iterdir()
            if path != self.server.path
        }

    def damage(self) -> bool:
        with self.server.path.open("a") as file:
            file.write("# by hand\n")
        return True

    def fingerprint(self) -> object:
        return self.server.mark(), {
            path.name: (path.read_bytes(), path.stat().st_ino, path.stat().st_mtime_ns)
            for path in self.server.path.parent.iterdir()
        }
