"""The promises of every backend, kept by an Caddy that runs all the while."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from allowsync_backends.caddy import CaddyStyle

from tests.support.caddy import NEWER, Caddy
from tests.support.internet import SERVER
from tests.support.netns import Namespace
from tests.support.servers import OneOfSeveral
from tests.support.within import Within

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from allowsync.backend.protocols import Backend


@pytest.mark.root
class TestCaddy(OneOfSeveral):
    """The file is one of several in a folder that Caddy includes; it may do without."""

    server: Caddy

    @pytest.fixture(autouse=True)
    def target(self, as_root: None, tmp_path: Path) -> Iterator[None]:
        with Namespace() as inside:
            inside.batch(f"address add {SERVER}/32 dev lo")
            self.server = Caddy(inside, tmp_path, site='respond "for everybody"')
            self.server.imports = f"import {self.server.path.parent}/*.caddy"
            self.server.write()
            self.server.start()
            yield
            self.server.stop()

    def make(self) -> Backend:
        return Within(self.server.inside, self.server.backend())


@pytest.mark.root
class TestRealIp(OneOfSeveral):
    """The same for a file of the proxies it believes."""

    server: Caddy

    @pytest.fixture(autouse=True)
    def target(self, as_root: None, tmp_path: Path) -> Iterator[None]:
        with Namespace() as inside:
            inside.batch(f"address add {SERVER}/32 dev lo")
            self.server = Caddy(inside, tmp_path, site="respond hello", program=NEWER, imports="")
            self.server.options = f"servers {{\n import {self.server.path.parent}/*.caddy\n }}"
            self.server.write()
            self.server.start()
            yield
            self.server.stop()

    def make(self) -> Backend:
        return Within(self.server.inside, self.server.backend(style=CaddyStyle.REALIP))
