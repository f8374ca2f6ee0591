"""The promises of every backend, kept by nginx with each style of file, running all the while."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest
from allowsync_backends.nginx import Style

from tests.support.nginx import Nginx, serving
from tests.support.servers import OneOfSeveral

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from allowsync.backend.protocols import Backend


class WithNginx(OneOfSeveral):
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


class TestRealIp(WithNginx):
    style = Style.REALIP
    configuration = """
        include {folder}/ours/f*.conf;
        server {{ listen unix:{folder}/socket; }}
        """
