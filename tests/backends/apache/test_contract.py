"""The promises of every backend, kept by an Apache that checks each change but does not run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from allowsync_backends.apache import ApacheStyle

from tests.support.apache import MODULES, Apache
from tests.support.netns import Namespace
from tests.support.servers import OneOfSeveral
from tests.support.within import Within

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from allowsync.backend.protocols import Backend


@pytest.mark.root
class TestApache(OneOfSeveral):
    """The file is one of several in a folder that Apache includes; it may do without."""

    server: Apache

    @pytest.fixture(autouse=True)
    def target(self, as_root: None, tmp_path: Path) -> Iterator[None]:
        with Namespace() as inside:
            self.server = Apache(inside, tmp_path, listen=("127.0.0.1:8080",))
            self.server.around = f"    IncludeOptional {self.server.path.parent}/*.conf"
            self.server.write()
            yield

    def make(self) -> Backend:
        return Within(self.server.inside, self.server.backend())


@pytest.mark.root
class TestRealIp(OneOfSeveral):
    """The same for a file of the proxies it believes."""

    server: Apache

    @pytest.fixture(autouse=True)
    def target(self, as_root: None, tmp_path: Path) -> Iterator[None]:
        with Namespace() as inside:
            modules = (*MODULES, "remoteip")
            self.server = Apache(inside, tmp_path, listen=("127.0.0.1:8080",), modules=modules)
            self.server.around = "    Require all granted"
            self.server.more = f"IncludeOptional {self.server.path.parent}/*.conf"
            self.server.write()
            yield

    def make(self) -> Backend:
        return Within(self.server.inside, self.server.backend(style=ApacheStyle.REALIP))
