"""Killed at every call that changes something: the list in force is the old or the new one."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.haproxy import TYPE, HaproxyOptions

from allowsync.model.target import Placement
from tests.support.crash_points import killed, points
from tests.support.gates import planned
from tests.support.haproxy import haproxy
from tests.support.internet import FRIEND
from tests.support.netns import Namespace
from tests.support.sampling import sample, share
from tests.support.scoreboard import record

if TYPE_CHECKING:
    from allowsync.backend.protocols import Backend
    from tests.support.haproxy import Haproxy

CHANGING = ("sendto", "renameat", "linkat", "unlinkat")
OLD, NEW = {f"{FRIEND}/32", "90.0.0.0/24"}, {"81.2.69.0/24", "90.0.1.0/24"}
MOST = 5  # kills in a sample

APPLY = """
import sys
from tests.backends.haproxy.test_crash import NEW, change
change(sys.argv[1], NEW)
"""


def target(folder: str | Path) -> Backend:
    place = Path(folder)
    options = HaproxyOptions(
        path=place / "lists" / "friends.lst",
        socket=place / "admin.sock",
        pid_file=place / "haproxy.pid",
    )
    return TYPE.make(Placement("x", "x/haproxy"), options)


def change(folder: str | Path, wanted: set[str]) -> None:
    """Let file and process hold some networks."""
    backend = target(folder)
    backend.apply(planned(backend.read(), map(ip_network, wanted)))


def in_force(server: Haproxy) -> str:
    return {frozenset(OLD): "old", frozenset(NEW): "new"}[frozenset(server.listed())]


@pytest.mark.slow
@pytest.mark.root
@pytest.mark.usefixtures("as_root")
def test_a_change_killed_anywhere_leaves_the_old_list_or_the_new_one(tmp_path: Path) -> None:
    found = []
    with (
        Namespace() as inside,
        haproxy(inside, tmp_path, listen=("127.0.0.1:8080",)) as server,
    ):
        change(tmp_path, OLD)
        for point in sample(points(CHANGING, APPLY, tmp_path), MOST):
            change(tmp_path, OLD)
            assert killed(point, APPLY, tmp_path), point
            found.append(in_force(server))
            change(tmp_path, NEW)
            assert target(tmp_path).read().flaws == ()
            assert in_force(server) == "new"
            assert [one.name for one in server.path.parent.iterdir()] == ["friends.lst"]
    record("crash_points", kills=len(found))
    assert {"old", "new"} == set(found)
    assert len(found) >= share(10, MOST)
