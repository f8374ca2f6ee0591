"""nginx in a real container, which is asked, told and looked at from outside."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.common.server.supervisor import Runtime
from allowsync_backends.nginx import Style

from allowsync.backend.api import BackendError
from tests.backends.nginx.test_requests import FORBIDDEN, GUARDED
from tests.support.containers import podman, run, with_podman
from tests.support.internet import FRIEND, FRIEND6, STRANGER
from tests.support.nginx import PORT, Nginx
from tests.support.requests import (
    OK,
    apply_one,
    is_felt_by_nobody,
    neighbourhood,
    status,
    wait_for,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from allowsync.backend.protocols import Backend
    from tests.support.netns import Namespace

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.usefixtures("as_root")]

NAME = "web"


@pytest.fixture
def inside() -> Iterator[Namespace]:
    with neighbourhood() as one:
        with_podman(one)
        yield one
        podman(one, "rm", "--force", "--all", "--time", "0")


@pytest.fixture
def nginx(inside: Namespace, tmp_path: Path) -> Nginx:
    """Its files; the container has yet to be run."""
    made = Nginx(tmp_path, inside)
    made.configure(GUARDED[Style.ALLOW])
    return made


def started(nginx: Nginx, wanted: str, *mounted: Path) -> Backend:
    """Run the container with an allowlist that was there before it."""
    put(nginx.inside, nginx.backend(), wanted)
    run(nginx.inside, NAME, ("nginx", "-c", str(nginx.config)), nginx.folder, *mounted)
    wait_for(nginx.inside, FRIEND, PORT)
    return nginx.backend(pid_file=None, container=NAME, runtime=Runtime.PODMAN)


def put(inside: Namespace, backend: Backend, *wanted: str) -> None:
    inside.run(apply_one, backend, [ip_network(one) for one in wanted])


def test_a_move_goes_through_check_reload_and_confirmation(inside: Namespace, nginx: Nginx) -> None:
    backend = started(nginx, FRIEND)
    assert [one.what for one in inside.run(backend.check)] == []
    put(inside, backend, FRIEND, STRANGER)
    assert status(inside, STRANGER, PORT) == OK
    put(inside, backend, FRIEND)
    assert [status(inside, one, PORT) for one in (FRIEND, STRANGER)] == [OK, FORBIDDEN]
    during = is_felt_by_nobody("nginx (podman)", inside, backend, PORT, applies=5)
    assert set(during.refusals) == {FORBIDDEN}


def test_a_configuration_it_does_not_take_brings_the_old_file_back(
    inside: Namespace, nginx: Nginx
) -> None:
    backend = started(nginx, FRIEND)
    good = nginx.config.read_text()
    nginx.config.write_text(f"listens 80;\n{good}")
    with pytest.raises(BackendError, match=r'unknown directive "listens".*back in force'):
        put(inside, backend, FRIEND, STRANGER)
    assert [status(inside, one, PORT) for one in (FRIEND, STRANGER)] == [OK, FORBIDDEN]
    nginx.config.write_text(good)
    put(inside, backend, FRIEND, STRANGER)
    assert status(inside, STRANGER, PORT) == OK


def test_one_that_is_stopped_reads_the_file_when_it_starts(inside: Namespace, nginx: Nginx) -> None:
    backend = started(nginx, FRIEND)
    podman(inside, "stop", "--time", "0", NAME)
    put(inside, backend, FRIEND, FRIEND6)
    (finding,) = (one for one in inside.run(backend.check) if "does not run" in one.what)
    assert finding.what == f"container {NAME} does not run"
    podman(inside, "start", NAME)
    wait_for(inside, FRIEND6, PORT)


def test_one_that_is_not_there_is_an_error(inside: Namespace, nginx: Nginx) -> None:
    backend = nginx.backend(pid_file=None, container=NAME, runtime=Runtime.PODMAN)
    with pytest.raises(BackendError, match="podman failed with exit code"):
        put(inside, backend, FRIEND)
    assert not nginx.path.exists()


def test_a_file_mounted_by_itself_is_not_replaced_in_vain(inside: Namespace, nginx: Nginx) -> None:
    backend = started(nginx, FRIEND, nginx.path)
    what = f"container {NAME} has {nginx.path} itself mounted, and goes on seeing the old one"
    assert what in [one.what for one in inside.run(backend.check)]
    with pytest.raises(BackendError) as raised:
        put(inside, backend, FRIEND, STRANGER)
    assert str(raised.value) == f"{what}; the old file is back in force"
    assert [status(inside, one, PORT) for one in (FRIEND, STRANGER)] == [OK, FORBIDDEN]
