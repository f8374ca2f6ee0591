"""The promises of every backend, kept by nginx with each style of file, running all the while."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest
from allowsync_backends.nginx import Style

from allowsync.testing.contract import BackendContract
from tests.support.nginxes import Nginx, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from allowsync.backend import Backend


class WithNginx(BackendContract):
    """The file is one of several in a folder that nginx includes; it may do without."""

    style: ClassVar[Style]
    configuration: ClassVar[str]
    server: Nginx

    @pytest.fixture(autouse=True)
    def target(self, tmp_path: Path) -> Iterator[None]:
        self.server = Nginx(tmp_path)
        self.server.configure(self.configuration.format(folder=tmp_path))
        with serving(self.server):
            yield

    def make(self) -> Backend:
        return self.server.backend(style=self.style)

    def plant(self) -> None:
        (self.server.path.parent / "others.conf").write_text("# mine\n")
        (self.server.path.parent / "friends").write_text("mine too\n")

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
        return sorted(self.server.workers()), {
            path.name: (path.read_bytes(), path.stat().st_ino, path.stat().st_mtime_ns)
            for path in self.server.path.parent.iterdir()
        }


class TestAllow(WithNginx):
    style = Style.ALLOW
    configuration = """
        server {{
          listen unix:{folder}/socket;
          location / {{ include ours/*.conf; proxy_pass http://127.0.0.1:8096; }}
        }}
        """


class TestGeo(WithNginx):
    style = Style.GEO
    configuration = """
        include {folder}/ours/f*.conf;
        server {{ listen unix:{folder}/socket; }}
        """
