"""A real nginx of a test's own: its main process, its workers, its configuration, its pid file."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allowsync_backends.file.backend import FileBackend
from allowsync_backends.nginx import TYPE, NginxDenyOptions, NginxOptions, Style

from allowsync.model.target import Effect, Placement
from tests.support.internet import SERVER, SERVER6
from tests.support.servers import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.netns import Namespace

PORT = 80
WORKERS = 2
STREAM = Path("/usr/lib/nginx/modules/ngx_stream_module.so")

# What it needs to stay within its folder. Its workers are of the user who runs the test.
FRAME = """
{modules}
user {user};
worker_processes {workers};
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
"""
HTTP = """
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
{more}
}}
"""
LISTEN = f"listen {SERVER}:{PORT}; listen [{SERVER6}]:{PORT};"
# What stands behind it: a page that is there for whoever gets as far as that.
FILM = 'server { listen 127.0.0.1:8096; location / { return 200 "the film"; } }'
TO_FILM = "location / { proxy_pass http://127.0.0.1:8096; }"


@dataclass(slots=True)
class Nginx(ServerProcess):
    """One that can be started, stopped, and asked for a backend that drives it.

    Attributes:
        folder: Its files; the one of our own is in the folder `ours` there.
        namespace: Where it runs; None for where the test runs.
    """

    folder: Path
    namespace: Namespace | None = None

    def __post_init__(self) -> None:
        self.path.parent.mkdir()

    @property
    def inside(self) -> Namespace:
        """The namespace it runs in."""
        assert self.namespace is not None
        return self.namespace

    @property
    def path(self) -> Path:
        """Our file."""
        return self.folder / "ours" / "friends.conf"

    @property
    def config(self) -> Path:
        """Its main configuration."""
        return self.folder / "nginx.conf"

    @property
    def pid_file(self) -> Path:
        """Where it writes its process id."""
        return self.folder / "nginx.pid"

    def configure(self, http: str, more: str = "") -> None:
        """Write its configuration: what is in `http`, and what is beside."""
        modules = f"load_module {STREAM};" if "stream" in more else ""
        user = "root" if os.geteuid() == 0 else "nobody"
        frame = FRAME.format(folder=self.folder, modules=modules, user=user, workers=WORKERS)
        self.config.write_text(frame + HTTP.format(folder=self.folder, more=http) + more)

    def start(self) -> None:
        """Start it, and wait until it has all of its workers."""
        log = self.folder / "error.log"
        argv = (program(), "-c", str(self.config), "-e", str(log))
        self.begin(self.namespace, argv, self._serves, log)

    def _serves(self) -> bool:
        if not self.pid_file.exists() or not self.pid_file.read_text().strip():
            return False
        return len(self.workers()) >= WORKERS

    @property
    def pid(self) -> int:
        """The process id of its main process."""
        return self.process.pid

    def mark(self) -> object:
        """What is another each time it has read its configuration."""
        return sorted(self.workers())

    def workers(self) -> list[int]:
        """The process ids of its workers."""
        listing = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return list(map(int, listing.read_text().split()))

    def denying(self) -> FileBackend:
        """What keeps its denylist."""
        given = NginxDenyOptions(path=self.path, pid_file=self.pid_file, config=self.config)
        backend = TYPE.make(Placement("x", "x/nginx", effect=Effect.DENY), given)
        assert isinstance(backend, FileBackend)
        return backend

    def backend(
        self, allowlist: str = "x", *, style: Style = Style.ALLOW, **options: Any
    ) -> FileBackend:
        """What keeps its allowlist."""
        given = {"pid_file": self.pid_file, "config": self.config, **options}
        chosen = NginxOptions(path=self.path, style=style, **given)
        backend = TYPE.make(Placement(allowlist, f"{allowlist}/nginx"), chosen)
        assert isinstance(backend, FileBackend)
        return backend


def program() -> str:
    """Where nginx is."""
    found = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin")
    assert found, "nginx is not installed: apt install nginx-light libnginx-mod-stream"
    return found


@contextmanager
def serving(server: Nginx) -> Iterator[Nginx]:
    """It, started, and ended afterwards."""
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def guarding(
    inside: Namespace, folder: Path, style: Style, configuration: str
) -> Iterator[tuple[FileBackend, int]]:
    """A backend of one that runs by a configuration but has no list yet, and its port."""
    server = Nginx(folder, inside)
    server.configure(configuration)
    server.path.write_text("" if style is Style.ALLOW else "geo $allowsync_x { default 0; }")
    with serving(server):
        server.path.unlink()
        yield server.backend(style=style), PORT
