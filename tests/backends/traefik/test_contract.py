"""The promises of every backend, kept by files for Traefik of every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from allowsync_backends.traefik import TYPE, MiddlewareKind, TraefikOptions

from allowsync.testing.contract import BackendContract
from tests.support.traefik import Standin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from allowsync.model.types import Network


class InAFolder(BackendContract):
    """The target is a file in a folder with the files of somebody's routers."""

    type = TYPE
    given: ClassVar[dict[str, Any]] = {}
    folder: Path

    @pytest.fixture(autouse=True)
    def target(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def options(self) -> TraefikOptions:
        return TraefikOptions(path=self.folder / "friends.yml", **self.given)

    def neighbour(self) -> None:
        """A file is one allowlist's."""

    def plant(self) -> Iterable[Network]:
        (self.folder / "app.yml").write_text("http: {routers: {app: {rule: PathPrefix(`/`)}}}\n")
        (self.folder / ".hidden.toml").write_text("# mine too\n")
        return ()

    def foreign(self) -> object:
        return {
            path.name: (path.read_text(), path.stat().st_mtime_ns)
            for path in self.folder.iterdir()
            if path.name != "friends.yml"
        }

    def damage(self) -> bool:
        with (self.folder / "friends.yml").open("a") as file:
            file.write("# mine\n")
        return True

    def fingerprint(self) -> object:
        return {
            path.name: (path.read_bytes(), path.stat().st_ino, path.stat().st_mtime_ns)
            for path in self.folder.iterdir()
        }


class TestHttp(InAFolder):
    pass


class TestBothKindsOfVersion2(InAFolder):
    given: ClassVar[dict[str, Any]] = {
        "kinds": (MiddlewareKind.TCP, MiddlewareKind.HTTP),
        "version": 2,
        "depth": 1,
    }


class TestConfirmed(InAFolder):
    """Every change is confirmed by something that answers as Traefik's API does."""

    @pytest.fixture(autouse=True)
    def traefik(self, target: None) -> Iterator[None]:
        with Standin(self.folder) as standin:
            self.given = {"api": standin.url, "kinds": (MiddlewareKind.HTTP, MiddlewareKind.TCP)}  # type: ignore[misc]
            yield
