"""A place where whole programs run: a namespace with a name server, a folder, and a starter."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.bench import nameserver, starter
from tests.bench.installed import installed
from tests.bench.mounts import bind
from tests.bench.scenario import Figure
from tests.support.netns import Namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.scenario import Sample

# Bound over this one file in a mount namespace, so that programs ask the name server of the place
# as they would ask the system's.
RESOLV_CONF = Path("/etc/resolv.conf")


@dataclass(frozen=True, slots=True)
class Place:
    """A namespace whose loopback has a name server at port 53, the system's for all inside."""

    folder: Path
    namespace: Namespace
    _starter: subprocess.Popen[str]

    @property
    def python(self) -> str:
        """The interpreter that runs the program, with nothing installed."""
        return str(self.folder / "bare" / "bin" / "python")

    def cost(self, *argv: str) -> Sample:
        """Run a program that must succeed and say nothing; what it cost."""
        said = self.folder / "said"
        before = said.stat().st_size
        assert self._starter.stdin is not None
        assert self._starter.stdout is not None
        print("\0".join(argv), file=self._starter.stdin, flush=True)
        code, wall, processor, kib = self._starter.stdout.readline().split()
        if code != "0" or said.stat().st_size != before:
            text = said.read_text()[before:].strip()
            raise RuntimeError(f"{' '.join(argv)} ended with {code}: {text or 'no output'}")
        return {
            Figure.WALL: float(wall),
            Figure.PROCESSOR: float(processor),
            Figure.MEMORY: float(kib) * 1024,
        }

    @property
    def config(self) -> Path:
        """Where the configuration is."""
        return self.folder / "config.yaml"

    def command(self, *arguments: str) -> tuple[str, ...]:
        """The command line of the installed program, on the place's configuration."""
        program = self.folder / "installed" / "bin" / "allowsync"
        return (str(program), *arguments, "--config", str(self.config))

    def configure(self, hosts: int, target: object, *, office: str = "", **more: object) -> None:
        """Write a configuration with that many hosts, and one with a fixed network if asked."""
        people: dict[str, object] = {name.partition(".")[0]: name for name in names(hosts)}
        if office:
            people["office"] = {"networks": [office]}
        document = {
            "hosts": people,
            "allowlists": {"web": {"targets": [target]}},
            "state": str(self.folder / "state.db"),
            **more,
        }
        self.config.write_text(json.dumps(document, indent=1))  # JSON is YAML
        self.config.chmod(0o600)

    def settle(self) -> None:
        """Carry the configuration out, so that the next run has nothing to do."""
        self.cost(*self.command("apply", "--quiet"))

    def run(self) -> Sample:
        """A run that has nothing to do, and therefore says nothing."""
        return self.cost(*self.command("apply"))


def names(hosts: int) -> list[str]:
    """The names of that many hosts."""
    return [f"host{number}.example.org" for number in range(hosts)]


@contextmanager
def place(latency: float) -> Iterator[Place]:
    """A new place whose name server takes `latency` seconds. Needs root."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="allowsync-bench-")))
        namespace = stack.enter_context(Namespace())
        # Ours holds much that runs at the start of each interpreter.
        venv.create(folder / "bare", symlinks=True)
        installed(folder / "installed")
        (folder / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        namespace.run(bind, folder / "resolv.conf", RESOLV_CONF)
        stack.enter_context(nameserver.serving(namespace.run(nameserver.bound, 53), latency))
        process = namespace.run(_start, folder / "said")
        stack.callback(_stop, process)
        yield Place(folder, namespace, process)


def _start(said: Path) -> subprocess.Popen[str]:
    """Start the starter, in the environment that cron gives."""
    with said.open("a") as errors:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", starter.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"},
        )


def _stop(process: subprocess.Popen[str]) -> None:
    with process:
        process.terminate()
