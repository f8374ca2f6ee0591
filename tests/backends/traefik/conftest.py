"""A target for Traefik in a folder of its own, and a stand-in that watches it."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
from allowsync_backends.traefik import TYPE, TraefikOptions

from allowsync.model.target import Placement
from tests.support.gates import planned
from tests.support.traefik import Standin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from allowsync.backend.protocols import Backend

NAME = "allowsync-x"

APP = """
http:
  routers:
    app: {rule: "PathPrefix(`/`)", service: app, middlewares: [allowsync-x]}
  services: {app: {loadBalancer: {servers: [{url: "http://127.0.0.1:8096"}]}}}
"""


@dataclass(frozen=True)
class Place:
    """A folder that Traefik watches, and our file in it."""

    folder: Path
    options: dict[str, Any]

    @property
    def path(self) -> Path:
        return self.folder / "friends.yml"

    def target(self, **more: Any) -> Backend:
        options = TraefikOptions(path=self.path, **{**self.options, **more})
        return TYPE.make(Placement("x", "x/traefik"), options)

    def put(self, *wanted: str, **more: Any) -> None:
        backend = self.target(**more)
        backend.apply(planned(backend.read(), map(ip_network, wanted)))

    def held(self, **more: Any) -> set[str]:
        return {str(entry.network) for entry in self.target(**more).read().entries}

    def names(self) -> set[str]:
        return {one.name for one in self.folder.iterdir()}

    def findings(self, **more: Any) -> list[str]:
        return [f"{one.severity.value}: {one.what}" for one in self.target(**more).check()]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """The folder, with nobody who watches it."""
    folder = tmp_path / "dynamic"
    folder.mkdir()
    return Place(folder, {})


@pytest.fixture
def standin(place: Place) -> Iterator[Standin]:
    """Somebody who watches it, with a router that uses our middleware."""
    (place.folder / "app.yml").write_text(APP)
    with Standin(place.folder) as running:
        place.options["api"] = running.url
        yield running


@pytest.fixture
def nowhere() -> Iterator[str]:
    """The URL of a port that is taken, and where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@contextmanager
def impatient() -> Iterator[None]:
    """What does not come at once is not waited for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("allowsync_backends.traefik.reader.PATIENCE", 0.1)
        yield
