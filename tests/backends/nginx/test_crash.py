"""Killed at every system call of a change that matters, while nginx serves: nobody notices."""

from __future__ import annotations

from functools import partial
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.nginx import TYPE, NginxOptions, Style

from allowsync.model.target import Placement
from tests.backends.nginx.test_requests import GUARDED
from tests.support.crash_points import killed
from tests.support.internet import FRIEND, FRIEND6, STRANGER
from tests.support.nginx import PORT, Nginx, program
from tests.support.requests import OK, apply_one, neighbourhood, status
from tests.support.sampling import sample
from tests.support.scoreboard import record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.usefixtures("as_root")]

# Of the file, of the check, of telling nginx, and of what is tidied up when it has followed.
POINTS = (
    *(("fchmod", 1), ("fsync", 1), ("linkat", 1), ("fsync", 2), ("renameat", 1), ("fsync", 3)),
    *(("vfork", 1), ("wait4", 1), ("pidfd_open", 1), ("pidfd_send_signal", 1)),
    *(("unlinkat", 1), ("unlinkat", 2), ("fsync", 4)),
)

APPLY = """
import sys
from pathlib import Path
from tests.backends.nginx.test_crash import change
change(Path(sys.argv[1]), "81.2.69.142", "2a02:8109:9a40:1778::142")
"""


def change(folder: Path, *wanted: str) -> None:
    """Let the allowlist of an nginx, by its folder, be some networks."""
    options = NginxOptions(
        path=folder / "ours" / "friends.conf",
        pid_file=folder / "nginx.pid",
        config=folder / "nginx.conf",
    )
    backend = TYPE.make(Placement("x", "x/nginx"), options)
    apply_one(backend, [ip_network(one) for one in wanted])


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    with neighbourhood() as inside:
        server = Nginx(tmp_path, inside)
        server.configure(GUARDED[Style.ALLOW])
        inside.run(change, tmp_path, FRIEND)
        server.start()
        yield server
        server.stop()


def test_a_change_killed_anywhere_leaves_a_server_that_serves_and_can_be_made_again(
    nginx: Nginx,
) -> None:
    inside, folder = nginx.inside, nginx.folder
    old = nginx.path.read_text()
    inside.run(change, folder, FRIEND, FRIEND6)
    new = nginx.path.read_text()
    found = set()
    for point in (tried := sample(POINTS, 5)):
        inside.run(change, folder, FRIEND)
        assert inside.run(partial(killed, point, APPLY, folder)), point
        found.add(nginx.path.read_text())
        assert [status(inside, one, PORT) for one in (FRIEND, STRANGER)] == [OK, 403]
        inside.command(program(), "-t", "-q", "-c", str(nginx.config))
        inside.run(change, folder, FRIEND, FRIEND6)
        assert [status(inside, one, PORT) for one in (FRIEND, FRIEND6)] == [OK, OK]
        assert list(nginx.path.parent.iterdir()) == [nginx.path]
    record("crash_points", kills=len(tried))
    assert found == {old, new}
