"""Apache and Caddy in real containers, which are asked, told and looked at from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from allowsync_backends.caddy import DeniedResponse
from allowsync_backends.common.server.supervisor import Runtime

from allowsync.backend.api import BackendError
from tests.support import apache, caddy
from tests.support.apache import Apache
from tests.support.caddy import Caddy
from tests.support.containers import podman, run, with_podman
from tests.support.faults import put
from tests.support.internet import FRIEND, FRIEND6, STRANGER
from tests.support.requests import OK, neighbourhood, status, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from allowsync_backends.file.backend import FileBackend

    from tests.support.netns import Namespace

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.usefixtures("as_root")]

NAME = "web"
FORBIDDEN = 403


@pytest.fixture
def inside() -> Iterator[Namespace]:
    with neighbourhood() as one:
        with_podman(one)
        yield one
        podman(one, "rm", "--force", "--all", "--time", "0")


def goes_all_the_way(server: Apache | Caddy, backend: FileBackend, port: int, mistake: str) -> None:
    """A move, a mistake, a stop: whoever is in stays in."""
    inside = server.inside

    def answers() -> list[int]:
        return [status(inside, one, port) for one in (FRIEND, STRANGER)]

    assert answers() == [OK, FORBIDDEN]
    assert [one.what for one in inside.run(backend.check)] == []
    put(server, FRIEND, STRANGER, backend=backend)
    assert answers() == [OK, OK]
    put(server, FRIEND, backend=backend)
    assert answers() == [OK, FORBIDDEN]

    good = server.config.read_text()
    server.config.write_text(good + mistake)
    with pytest.raises(BackendError, match=r"no_such_thing.*; the old file is back in force"):
        put(server, FRIEND, STRANGER, backend=backend)
    server.config.write_text(good)
    assert answers() == [OK, FORBIDDEN]

    podman(inside, "stop", "--time", "1", NAME)
    put(server, FRIEND, FRIEND6, backend=backend)
    assert "container web does not run" in [one.what for one in inside.run(backend.check)]


def test_an_apache_is_checked_and_told_by_its_own_program(
    inside: Namespace, tmp_path: Path
) -> None:
    server = Apache(inside, tmp_path)
    server.write()
    put(server, FRIEND)
    argv = (apache.PROGRAM, "-f", str(server.config), "-DFOREGROUND")
    run(inside, NAME, argv, tmp_path)
    wait_for(inside, FRIEND, apache.PORT)
    given: dict[str, Any] = {"pid_file": None, "container": NAME, "runtime": Runtime.PODMAN}
    goes_all_the_way(server, server.backend(**given), apache.PORT, "no_such_thing\n")


def test_a_caddy_is_checked_and_told_by_its_own_program(inside: Namespace, tmp_path: Path) -> None:
    server = Caddy(inside, tmp_path)
    server.write()
    given: dict[str, Any] = {"pid_file": None, "container": NAME, "runtime": Runtime.PODMAN}
    backend = server.backend(**given, refusal=DeniedResponse.FORBIDDEN)
    put(server, FRIEND, backend=server.backend(refusal=DeniedResponse.FORBIDDEN))
    argv = (caddy.PROGRAM, "run", "--config", str(server.config), "--adapter", "caddyfile")
    run(inside, NAME, argv, tmp_path)
    wait_for(inside, FRIEND, caddy.PORT)
    goes_all_the_way(server, backend, caddy.PORT, "http://:1 {\n\tno_such_thing\n}\n")
