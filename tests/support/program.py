"""The installed `allowsync`, run as people run it: a process, a file, a name server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.warm_start import warm_program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from testkit.fake_dns.nameserver import NameServer
    from tests.support.netns import Namespace

EXECUTABLE = Path(sys.executable).with_name("allowsync")
TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """How a process ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        document = json.loads(self.out)
        assert isinstance(document, dict)
        return document


def allowsync(
    *arguments: str | Path,
    prefix: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    cold: bool = False,
) -> ProgramResult:
    """Run it with the fixed locale of cron and nothing else from our environment.

    A process that has it imported becomes it, in our namespaces; where something is put before it,
    or it is to be cold, it is started.
    """
    argv = [str(EXECUTABLE), *map(str, arguments)]
    given = {name: os.environ[name] for name in ("PATH", "RUNTIME_DIRECTORY")}
    given |= {"HOME": "/nonexistent", **(environ or {})}
    if not (cold or prefix) and (warm := warm_program()).serves(given):
        done = ProgramResult(*warm.run(argv, given, TIMEOUT))
    else:
        done = _started([*prefix, *argv], given)
    assert "Traceback" not in done.err, done.err
    return done


def allowsync_in(inside: Namespace, *arguments: str | Path) -> str:
    """Run it in a namespace, where it must succeed. Returns what it prints."""
    done = inside.run(allowsync, *arguments)
    assert done.code == 0, done.err
    return done.out


def _started(argv: Sequence[str], environ: Mapping[str, str]) -> ProgramResult:
    done = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        stdin=subprocess.DEVNULL,
        env=environ,
        check=False,
    )
    return ProgramResult(done.returncode, done.stdout, done.stderr)


@dataclass
class Installation:
    """A configuration in a folder of its own, a name server, and a `file` target.

    The configuration is written anew before each command unless it is frozen.
    """

    folder: Path
    server: NameServer
    hosts: dict[str, object] = field(default_factory=dict)
    policy: dict[str, object] = field(default_factory=dict)
    more: dict[str, object] = field(default_factory=dict)
    resolver: dict[str, object] = field(default_factory=dict)
    targets: list[object] = field(default_factory=list)
    freeze: bool = False

    @property
    def path(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def file(self) -> Path:
        return self.folder / "allowed.txt"

    @property
    def state(self) -> Path:
        return self.folder / "state" / "state.db"

    @property
    def allowed(self) -> list[str]:
        """The networks in the file."""
        lines = self.file.read_text().splitlines()
        return [line for line in lines if not line.startswith("#")]

    def write(self) -> None:
        targets = self.targets or [{"file": {"path": str(self.file)}}]
        document = {
            "hosts": self.hosts,
            "allowlists": {"web": {"targets": targets}},
            "resolver": {"nameservers": [str(self.server)], "timeout": "1s", **self.resolver},
            "policy": self.policy,
            "state": str(self.state),
            **self.more,
        }
        self.path.write_text(json.dumps(document, indent=1))  # JSON is YAML
        self.path.chmod(0o600)

    def __call__(
        self, command: str, *arguments: str, environ: Mapping[str, str] | None = None
    ) -> ProgramResult:
        if not self.freeze:
            self.write()
        return allowsync(*command.split(), *arguments, "--config", self.path, environ=environ)


def killed_when(here: Installation, server: object, hook: str) -> None:
    """A run that is killed by a hook of the server that it writes to, which is called once."""
    here.write()
    argv = [str(EXECUTABLE), "apply", "--config", str(here.path)]
    with subprocess.Popen(
        argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={"HOME": "/nonexistent"}
    ) as process:

        def kill() -> None:
            setattr(server, hook, lambda: None)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()

        setattr(server, hook, kill)
        assert process.wait(60) == -signal.SIGKILL
