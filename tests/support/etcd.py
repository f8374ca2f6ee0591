"""A real etcd with TLS, users and roles, on ports of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from base64 import b64decode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from testkit.fake_dns.tls import Authority
from tests.support.documents import ROOT
from tests.support.ports import unused_port
from tests.support.unpacked import unpacked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.netns import Namespace

R = TypeVar("R")

PATIENCE: Final = 60.0  # seconds
PASSWORDS: Final = {"root": "of-root", "resolver": "of-resolvers", "applier": "of-appliers"}


def _at(place: Namespace | None, call: Callable[[], R]) -> R:
    return call() if place is None else place.run(call)


@dataclass
class Member:
    """One member of a cluster."""

    name: str
    folder: Path
    host: str = "127.0.0.1"
    place: Namespace | None = None
    port: int = field(default_factory=unused_port)
    peer_port: int = field(default_factory=unused_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"https://{self.host}:{self.port}"

    @property
    def peer_url(self) -> str:
        return f"http://{self.host}:{self.peer_port}"


@dataclass
class Etcd:
    """A cluster that a fleet `home` has its keys in.

    The user `allowsync-resolver` may write there, `allowsync-applier` read the documents alone.

    Attributes:
        folder: Where all is.
        size: How many members.
        places: Instead: the address of each, and the namespace it runs in.
        outside: The namespace where etcdctl runs.
        more: Further options of every member.
    """

    folder: Path
    size: int = 1
    places: list[tuple[str, Namespace]] = field(default_factory=list)
    outside: Namespace | None = None
    more: dict[str, str] = field(default_factory=dict)
    members: list[Member] = field(default_factory=list)
    _guarded: bool = False

    def __enter__(self) -> Etcd:
        self._authority = Authority(self.folder)
        alone: list[tuple[str, Namespace | None]] = [("127.0.0.1", None)] * self.size
        places = self.places or alone
        self._certificate = self._authority.issued(*{host for host, _ in places}, "localhost")
        self.members = [Member(f"m{n}", self.folder, *one) for n, one in enumerate(places)]
        try:
            for one in self.members:
                self.start(one, "new")
            for one in self.members:
                self.wait_for(one)
            self._guard()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for one in self.members:
            self.kill(one)

    @property
    def ca(self) -> Path:
        return self._authority.certificate

    def options(self, user: str) -> dict[str, Any]:
        """A store, as a configuration names it."""
        return {
            "etcd": {
                "endpoints": [one.url for one in self.members],
                "ca": str(self.ca),
                "user": f"allowsync-{user}",
                "password_file": str(self.password(user)),
            }
        }

    def start(self, member: Member, state: str = "existing") -> None:
        """Start a member, with what it had."""
        files = unpacked("etcd", "etcd-server", "etcd-client") / "usr/bin"
        peers = ",".join(f"{one.name}={one.peer_url}" for one in self.members)
        command = {
            "name": member.name,
            "data-dir": str(member.folder / member.name),
            "listen-client-urls": member.url,
            "advertise-client-urls": member.url,
            "listen-peer-urls": member.peer_url,
            "initial-advertise-peer-urls": member.peer_url,
            "initial-cluster": peers,
            "initial-cluster-state": state,
            "cert-file": str(self._certificate),
            "key-file": str(self._certificate),
            "heartbeat-interval": "50",
            "election-timeout": "500",
            **self.more,
        }
        words = [f"--{name}={value}" for name, value in command.items()]
        with (member.folder / f"{member.name}.log").open("ab") as log:
            member.process = _at(
                member.place,
                lambda: subprocess.Popen(
                    [str(files / "etcd"), *words], stdout=log, stderr=log, start_new_session=True
                ),
            )

    def kill(self, member: Member) -> None:
        """End a member at once."""
        if member.process is not None:
            os.killpg(member.process.pid, signal.SIGKILL)
            member.process.wait(PATIENCE)
        member.process = None

    def restore(self, backup: Path) -> None:
        """Begin anew with a backup, as its manual says."""
        peers = ",".join(f"{one.name}={one.peer_url}" for one in self.members)
        for one in self.members:
            self.kill(one)
            shutil.rmtree(one.folder / one.name)
            self.ctl(
                *("snapshot", "restore", str(backup), "--name", one.name),
                *("--initial-cluster", peers, "--initial-advertise-peer-urls", one.peer_url),
                *("--data-dir", str(one.folder / one.name)),
            )
        for one in self.members:
            self.start(one)
        for one in self.members:
            self.wait_for(one)

    @property
    def leading(self) -> Member:
        """The member that leads, as one that can be asked says."""
        for one in self.members:
            if one.process is None:
                continue
            done = self.ctl("endpoint", "status", "-w", "json", member=one, check=False)
            if not done.returncode:
                (said,) = json.loads(done.stdout)
                status = said["Status"]
                if status["leader"] == status["header"]["member_id"]:
                    return one
        raise LookupError("no member leads")

    def wait_for_leader(self) -> Member:
        """The member that leads, once one does."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                return self.leading
            except LookupError:
                assert time.monotonic() < until
                time.sleep(0.1)

    def wait_for(self, member: Member) -> None:
        """Wait until a member answers."""
        until = time.monotonic() + PATIENCE
        while self.ctl("endpoint", "health", member=member, check=False).returncode:
            assert time.monotonic() < until, (member.folder / f"{member.name}.log").read_text()
            time.sleep(0.1)

    def ctl(
        self, *words: str, member: Member | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """etcdctl as root."""
        files = unpacked("etcd", "etcd-server", "etcd-client") / "usr/bin"
        urls = [one.url for one in ([member] if member else self.members)]
        user = f"--user=root:{PASSWORDS['root']}" if self._guarded else ""
        command: list[object] = [
            files / "etcdctl",
            f"--endpoints={','.join(urls)}",
            f"--cacert={self.ca}",
            user,
        ]
        return _at(
            self.outside,
            lambda: subprocess.run(
                [*map(str, filter(None, command)), *words],
                capture_output=True,
                text=True,
                check=check,
                env={**os.environ, "ETCDCTL_API": "3"},
            ),
        )

    def _guard(self) -> None:
        """Make users and roles as the example does, and let nothing be done without them."""
        script = ROOT / "examples" / "fleet" / "etcd-users.sh"
        files = unpacked("etcd", "etcd-server", "etcd-client") / "usr/bin"
        environ = {
            "PATH": f"{files}:{os.environ['PATH']}",
            "ETCDCTL_API": "3",
            "ETCDCTL_ENDPOINTS": ",".join(one.url for one in self.members),
            "ETCDCTL_CACERT": str(self.ca),
        }
        passwords = [self.password("resolver"), self.password("applier")]
        command = [str(script), "home", *map(str, passwords)]
        _at(
            self.outside,
            lambda: subprocess.run(command, env=environ, check=True, capture_output=True),
        )
        self.ctl("user", "add", f"root:{PASSWORDS['root']}")
        self.ctl("user", "grant-role", "root", "root")
        self.ctl("auth", "enable")
        self._guarded = True

    def password(self, user: str) -> Path:
        """A file with the password of a user."""
        file = self.folder / f"{user}.password"
        file.touch(0o600)
        file.write_text(f"{PASSWORDS[user]}\n")
        return file

    def envelope(self, name: str = "web") -> bytes:
        """The envelope of a list, joined from its parts."""
        done = self.ctl("get", "--prefix", f"/allowsync/home/parts/{name}/", "-w", "json")
        return b"".join(b64decode(one["value"]) for one in json.loads(done.stdout)["kvs"])

    def document(self, name: str = "web") -> dict[str, Any]:
        """The head of a list, and its revisions."""
        done = self.ctl("get", f"/allowsync/home/lists/{name}", "-w", "json")
        found = json.loads(done.stdout)["kvs"][0]
        assert isinstance(found, dict)
        return found
