"""A real Traefik: the stand-in is held to it, and requests knock while the allowlist changes."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from allowsync_backends.traefik import TYPE, MiddlewareKind, TraefikOptions
from allowsync_backends.traefik.api import Api

from allowsync.model.target import Placement
from tests.support.requests import is_felt_by_nobody, neighbourhood
from tests.support.sampling import share
from tests.support.traefik import Standin, entry_point
from tests.traefik.comparing import differences
from tests.traefik.headers import wrong
from tests.traefik.real import HTTP, ROUTERS, TCP, URL, traefik

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.netns import Namespace

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.usefixtures("as_root")]

PROGRAM: Final = Path(sys.executable).with_name("traefik")


@pytest.fixture
def inside() -> Iterator[Namespace]:
    with neighbourhood() as inside:
        yield inside


@pytest.fixture
def folder(inside: Namespace) -> Iterator[Path]:
    """The folder that Traefik watches, where its own account can look."""
    with tempfile.TemporaryDirectory() as made:
        base = Path(made)
        base.chmod(0o755)
        with traefik(str(PROGRAM), inside, base / "real") as folder:
            yield folder


def test_it_is_a_traefik_of_today(inside: Namespace, folder: Path) -> None:
    assert str(inside.run(Api(URL).version)).lstrip("v").startswith("3.")


def test_the_standin_tells_what_traefik_tells(
    inside: Namespace, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "app.yml").write_text(ROUTERS)
    points = [entry_point("web", trustedIPs=["10.0.0.0/8"]), entry_point("tcp")]
    standin = Standin(tmp_path, entry_points=points)
    inside.run(standin.__enter__)
    try:
        apis = Api(URL), Api(standin.url)
        found = inside.run(lambda: list(differences(apis[0], folder, apis[1], tmp_path)))
    finally:
        standin.__exit__()
    assert found == []


def test_headers_count_as_documented(inside: Namespace, folder: Path) -> None:
    assert list(wrong(inside, folder)) == []


@pytest.mark.parametrize(("port", "applies"), [(HTTP, share(100, 15)), (TCP, share(50, 8))])
def test_no_change_of_the_list_is_felt(
    inside: Namespace, folder: Path, port: int, applies: int
) -> None:
    options = TraefikOptions(
        path=folder / "friends.yml", kinds=(MiddlewareKind.HTTP, MiddlewareKind.TCP), api=URL
    )
    target = TYPE.make(Placement("x", "x/traefik"), options)
    is_felt_by_nobody("traefik", inside, target, port, applies=applies)
