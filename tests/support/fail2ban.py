"""A real Fail2ban with a folder of its own, and doors that log who knocks wrongly."""

from __future__ import annotations

import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from allowsync_backends.fail2ban import TYPE, Fail2banOptions

from allowsync.model.target import Placement
from tests.support.within import Within

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.netns import Namespace

SERVER: Final = "/usr/bin/fail2ban-server"
CLIENT: Final = "fail2ban-client"  # where it is found first: see `tests.support.warm_tools`
ACTIONS: Final = Path("/etc/fail2ban/action.d")  # as the package brings them along
PORT: Final = 8080
FAILURES: Final = 3  # as many are banned for

MAIN: Final = """\
[Definition]
loglevel = INFO
logtarget = {folder}/fail2ban.log
syslogsocket = auto
socket = {folder}/socket
pidfile = {folder}/pid
dbfile = {folder}/bans.sqlite3
dbmaxmatches = 10
dbpurgeage = 1d
allowipv6 = yes
[Thread]
"""
JAIL: Final = """\
[{name}]
enabled = true
backend = polling
filter = knock
logpath = {folder}/{name}.log
maxretry = {failures}
findtime = 1h
bantime = 1h
usedns = no
action = {action}
"""
FILTER: Final = r"""
[Definition]
failregex = ^\s*wrong knock from <HOST>$
datepattern = {^LN-BEG}EPOCH
"""
# Packets of those who are banned are answered at once, so that nobody has to wait for nothing.
REAL: Final = f'nftables[type=multiport, name=%(__name__)s, port="{PORT}", blocktype="reject"]'


@dataclass(slots=True)
class Fail2ban:
    """A server in a namespace, with a jail for each of some doors.

    Attributes:
        inside: The namespace, whose packets it refuses.
        folder: Where all of its files are.
        jails: The names of its jails.
        action: What a jail does with those it bans; nothing at all by default.
        local: What the administrator wrote into jail.local.
    """

    inside: Namespace
    folder: Path
    jails: tuple[str, ...] = ("door",)
    action: str = ""
    local: str = ""
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def config(self) -> Path:
        """The folder of its configuration."""
        return self.folder / "etc"

    @property
    def file(self) -> Path:
        """The file that is kept for the allowlist `x`."""
        return self.config / "jail.d" / "allowsync-x.local"

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.folder / "socket"

    def write(self) -> None:
        """Write its configuration as it is wanted now."""
        for name in ("jail.d", "filter.d", "action.d"):
            (self.config / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(ACTIONS / "nftables.conf", self.config / "action.d")
        (self.config / "fail2ban.conf").write_text(MAIN.format(folder=self.folder))
        (self.config / "filter.d" / "knock.conf").write_text(FILTER)
        texts = [
            JAIL.format(name=name, folder=self.folder, failures=FAILURES, action=self.action)
            for name in self.jails
        ]
        (self.config / "jail.conf").write_text("\n".join(texts))
        (self.config / "jail.local").write_text(self.local)
        for name in self.jails:
            (self.folder / f"{name}.log").touch()

    def target(self, allowlist: str = "x", **options: Any) -> Within:
        """The backend of an allowlist, as seen from within the namespace."""
        chosen = {"jails": self.jails, "config": self.config, "socket": self.socket, **options}
        backend = TYPE.make(
            Placement(allowlist, f"{allowlist}/fail2ban"), Fail2banOptions(**chosen)
        )
        return Within(self.inside, backend)

    def start(self) -> None:
        """Start it, and wait until all of its jails run."""
        argv = (SERVER, "-c", str(self.config), "-x", "-f", "start")
        quiet = subprocess.DEVNULL
        self._process = self.inside.run(
            lambda: subprocess.Popen(argv, stdout=quiet, stderr=quiet, stdin=quiet)
        )
        self.until_ready()

    def until_ready(self) -> None:
        """Wait until all of its jails run."""
        deadline = time.monotonic() + 60
        while not all(f"Jail '{name}' started" in self.log() for name in self.jails):
            assert self._process is None or self._process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)

    def stop(self) -> None:
        """End it, if it runs."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=120)
            self._process = None
            self.socket.unlink(missing_ok=True)
            (self.folder / "fail2ban.log").unlink(missing_ok=True)

    def kill(self) -> None:
        """End it without a chance to tidy up: its socket stays, and nobody listens there."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(timeout=120)
        self._process = None
        (self.folder / "fail2ban.log").unlink(missing_ok=True)

    def client(self, *words: str) -> str:
        """What its own client answers, as its administrator would ask."""
        argv = (CLIENT, "-c", str(self.config), *words)
        done = self.inside.run(
            lambda: subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
        )
        return done.stdout

    def ignored(self, jail: str = "door") -> list[str]:
        """What a jail ignores, sorted, as Fail2ban shows it."""
        lines = self.client("get", jail, "ignoreip").splitlines()[1:]
        return sorted(line[3:] for line in lines)

    def banned(self, jail: str = "door") -> list[str]:
        """Whom a jail has banned, sorted."""
        return sorted(self.client("get", jail, "banip").split())

    def knock_wrongly(self, *addresses: str, jail: str = "door", times: int = FAILURES) -> None:
        """Log failures of some addresses, as a service would."""
        now = int(time.time())
        lines = [f"{now} wrong knock from {one}\n" for one in addresses for _ in range(times)]
        with (self.folder / f"{jail}.log").open("a") as log:
            log.writelines(lines)

    def until_banned(self, *addresses: str, jail: str = "door") -> None:
        """Wait until some addresses are banned."""
        deadline = time.monotonic() + 60
        while not set(addresses) <= set(self.banned(jail)):
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)

    def log(self) -> str:
        """What it logged since it was started."""
        log = self.folder / "fail2ban.log"
        return log.read_text() if log.exists() else ""


@contextmanager
def fail2ban(inside: Namespace, folder: Path, **options: Any) -> Iterator[Fail2ban]:
    """A running Fail2ban."""
    server = Fail2ban(inside, folder, **options)
    server.write()
    server.start()
    try:
        yield server
    finally:
        server.stop()
