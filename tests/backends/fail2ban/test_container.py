"""A real Fail2ban in a real container, spoken to from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from allowsync_backends.common.server.supervisor import Runtime

from allowsync.backend.api import BackendError
from tests.support.containers import OPTIONS, podman, with_podman
from tests.support.fail2ban import SERVER, Fail2ban
from tests.support.gates import allow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.netns import Namespace

FRIEND, MOVED = "81.2.69.142", "81.2.70.9"


@pytest.fixture
def server(inside: Namespace, tmp_path: Path) -> Iterator[Fail2ban]:
    """It sees this machine's own root as it is, and writes nothing into it."""
    one = Fail2ban(inside, tmp_path)
    one.write()
    with_podman(inside)
    program = (SERVER, "-c", str(one.config), "-x", "-f", "start")
    mounted = ("-v", f"{tmp_path}:{tmp_path}", "--rootfs", "/:O")
    podman(inside, "run", "-d", "--name", "f2b", *OPTIONS, *mounted, *program)
    one.until_ready()
    yield one
    podman(inside, "rm", "-f", "-t", "0", "f2b")


@pytest.mark.root
def test_jails_in_a_container_ignore_friends_and_let_go_of_them(server: Fail2ban) -> None:
    server.knock_wrongly(FRIEND)
    server.until_banned(FRIEND)
    target = server.target(container="f2b", runtime=Runtime.PODMAN, path=server.file)
    assert allow(target.inside, target.backend, f"{FRIEND}/32", f"{MOVED}/32").flaws == ()
    assert (server.ignored(), server.banned()) == ([FRIEND, MOVED], [])
    assert allow(target.inside, target.backend, f"{MOVED}/32").flaws == ()
    assert server.ignored() == [MOVED]

    podman(server.inside, "stop", "-t", "0", "f2b")
    assert allow(target.inside, target.backend, f"{FRIEND}/32").flaws == ()
    assert next(one.what for one in target.check()) == "Fail2ban does not run"

    podman(server.inside, "rm", "f2b")
    with pytest.raises(BackendError, match="podman failed with exit code"):
        target.read()
