"""HAProxy in a real container, as the official image runs it, seen from outside."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.common.server.supervisor import Runtime

from allowsync.backend.api import BackendError
from tests.support.containers import podman, run, with_podman
from tests.support.haproxy import PORT, Haproxy
from tests.support.internet import FRIEND, STRANGER
from tests.support.requests import OK, apply_one, neighbourhood, status, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.backend.protocols import Backend

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.usefixtures("as_root")]

NAME = "edge"
FORBIDDEN = 403


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Haproxy]:
    """It runs in a container, and lets the friend in."""
    with neighbourhood() as inside:
        with_podman(inside)
        one = Haproxy(inside, tmp_path)
        one.write()
        inside.run(apply_one, one.backend(), [ip_network(FRIEND)])
        # Its program and what that is linked with are those of this machine.
        argv = ("haproxy", "-W", "-db", "-f", str(one.config))
        run(inside, NAME, argv, tmp_path, Path("/usr"))
        wait_for(inside, FRIEND, PORT)
        yield one
        podman(inside, "rm", "--force", "--all", "--time", "0")


def contained(server: Haproxy, *, told: bool) -> Backend:
    server.told = told
    return server.backend(pid_file=None, container=NAME, runtime=Runtime.PODMAN)


def put(server: Haproxy, backend: Backend, *wanted: str) -> None:
    server.inside.run(apply_one, backend, [ip_network(one) for one in wanted])


def seen(server: Haproxy) -> list[int]:
    return [status(server.inside, one, PORT) for one in (FRIEND, STRANGER)]


def test_it_is_reloaded_by_a_signal_to_the_container(server: Haproxy) -> None:
    backend, worker = contained(server, told=False), server.worker
    put(server, backend, FRIEND, STRANGER)
    assert seen(server) == [OK, OK]
    put(server, backend, FRIEND)
    assert seen(server) == [OK, FORBIDDEN]
    assert server.worker != worker
    server.config.write_text(server.config.read_text() + "nonsense\n")
    with pytest.raises(
        BackendError, match=r"haproxy failed with .*; the old file is back in force"
    ):
        put(server, backend, FRIEND, STRANGER)
    assert seen(server) == [OK, FORBIDDEN]


def test_it_is_told_at_a_socket_that_is_mounted(server: Haproxy) -> None:
    backend, worker = contained(server, told=True), server.worker
    put(server, backend, FRIEND, STRANGER)
    assert seen(server) == [OK, OK]
    assert server.worker == worker
    podman(server.inside, "stop", "--time", "1", NAME)
    put(server, backend, FRIEND)
    podman(server.inside, "start", NAME)
    wait_for(server.inside, FRIEND, PORT)
    assert seen(server) == [OK, FORBIDDEN]
    assert server.inside.run(backend.read).flaws == ()
