"""A real Apache with a configuration of its own, whose only page is for who is on our list."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from allowsync_backends.apache import TYPE, ApacheDenyOptions, ApacheOptions
from allowsync_backends.file.backend import FileBackend

from allowsync.model.target import Effect, Placement
from tests.support.internet import SERVER, SERVER6
from tests.support.servers import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.netns import Namespace

PORT: Final = 8080
PROGRAM: Final = "/usr/sbin/apache2"
MODULES: Final = ("authz_core", "authz_host", "status")

# mod_status answers without a file that the children would have to be able to read.
CONFIGURATION: Final = """\
ServerRoot /usr/lib/apache2
ServerName server.example.org
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
DefaultRuntimeDir {folder}
Mutex pthread
User nobody
Group nogroup
StartServers {children}
{modules}
{listen}
<Location "/">
    SetHandler server-status
{inside}
</Location>
{more}
"""


@dataclass(slots=True)
class Apache(ServerProcess):
    """An Apache in a namespace; nothing of it is outside of one folder.

    Attributes:
        inside: The namespace.
        folder: Where its files are.
        mpm: How it shares out its work: `event`, `worker` or `prefork`.
        modules: The modules it loads besides.
        listen: What it listens on.
        more: Directives beside the section with our file.
        around: What stands around the Include of our file; `{}` is its place.
    """

    inside: Namespace
    folder: Path
    mpm: str = "event"
    modules: tuple[str, ...] = MODULES
    listen: tuple[str, ...] = (f"{SERVER}:{PORT}", f"[{SERVER6}]:{PORT}")
    more: str = ""
    around: str = "    {}"

    def __post_init__(self) -> None:
        self.path.parent.mkdir()

    @property
    def path(self) -> Path:
        """Our file."""
        return self.folder / "ours" / "friends.conf"

    @property
    def config(self) -> Path:
        """Its configuration."""
        return self.folder / "apache.conf"

    @property
    def pid_file(self) -> Path:
        """Where it writes its process id."""
        return self.folder / "apache.pid"

    def write(self) -> None:
        """Write its configuration, as it is wanted now."""
        text = CONFIGURATION.format(
            folder=self.folder,
            children=2,
            modules="\n".join(
                f"LoadModule {name}_module modules/mod_{name}.so"
                for name in (f"mpm_{self.mpm}", *self.modules)
            ),
            listen="\n".join(f"Listen {one}" for one in self.listen),
            inside=self.around.format(f"Include {self.path}"),
            more=self.more,
        )
        self.config.write_text(text)

    def backend(
        self, allowlist: str = "x", effect: Effect = Effect.ALLOW, **options: Any
    ) -> FileBackend:
        """What keeps its allowlist, or its denylist."""
        kind = ApacheDenyOptions if effect is Effect.DENY else ApacheOptions
        given = {"path": self.path, "pid_file": self.pid_file, "config": self.config, **options}
        given = {"program": PROGRAM, **given}
        placement = Placement(allowlist, f"{allowlist}/apache", effect=effect)
        made = TYPE.make(placement, kind(**given))
        assert isinstance(made, FileBackend)
        return made

    def start(self) -> None:
        """Start it, and wait until it serves."""
        before = self.mark()
        argv = (PROGRAM, "-f", str(self.config), "-DFOREGROUND")
        log = self.folder / "error.log"
        self.begin(self.inside, argv, lambda: self.mark() != before, log)

    def mark(self) -> object:
        """Another after each restart, which it logs. Children come and go by themselves."""
        return self.log().count("resuming normal operations")

    def log(self) -> str:
        """What it logged."""
        log = self.folder / "error.log"
        return log.read_text() if log.exists() else ""


@contextmanager
def apache(inside: Namespace, folder: Path, **options: Any) -> Iterator[Apache]:
    """A running Apache with an empty file of ours."""
    server = Apache(inside, folder, **options)
    server.write()
    server.path.write_text("Require all denied\n")
    server.start()
    server.path.unlink()
    try:
        yield server
    finally:
        server.stop()
