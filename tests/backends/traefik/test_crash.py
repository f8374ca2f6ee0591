"""Killed anywhere in a change, or while it is confirmed: the old file is in force, or the new."""

from __future__ import annotations

import subprocess
import sys
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.traefik import TYPE, MiddlewareKind, TraefikOptions

from allowsync.model.target import Placement
from tests.support.crash_points import killed, points
from tests.support.files import as_written
from tests.support.gates import planned
from tests.support.sampling import sample, share
from tests.support.scoreboard import record
from tests.support.traefik import Standin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from allowsync.backend.protocols import Backend
    from tests.support.crash_points import Point

CALLS = ("renameat", "linkat", "unlinkat", "fchmod", "fsync", "connect", "sendto")
OLD, NEW = "81.2.69.1/32", "81.2.69.2/32"
NAME = "allowsync-x"
MOST = 5  # kills in a sample

APPLY = """
import sys
from pathlib import Path
from tests.backends.traefik.test_crash import change
change(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
"""


def target(path: Path, api: str) -> Backend:
    options = TraefikOptions(path=path, api=api, kinds=(MiddlewareKind.HTTP, MiddlewareKind.TCP))
    return TYPE.make(Placement("x", "x/traefik"), options)


def change(path: Path, api: str, wanted: str) -> None:
    """Let the file hold one network, and Traefik go by it."""
    backend = target(path, api)
    backend.apply(planned(backend.read(), [ip_network(wanted)]))


def kills(path: Path, traefik: Standin) -> Iterator[Point]:
    """After each place to be killed at, with the old file in force before."""
    program = APPLY, path, traefik.url, NEW
    change(path, traefik.url, OLD)
    for kind, number in sample(points(CALLS, *program), MOST):
        change(path, traefik.url, OLD)
        # Traefik is asked until it goes by the file: less often than when the calls were counted.
        while not killed((kind, number), *program):
            number -= 1
            assert number, kind
            change(path, traefik.url, OLD)
        yield kind, number


@pytest.mark.root
@pytest.mark.usefixtures("as_root")
def test_in_a_read_only_folder_nothing_changes(tmp_path: Path) -> None:
    path = tmp_path / "dynamic" / "friends.yml"
    path.parent.mkdir()
    with Standin(path.parent) as traefik:
        change(path, traefik.url, OLD)
        before = as_written(path)
        folder = path.parent
        mounts = f"mount --bind {folder} {folder} && mount -o remount,ro,bind {folder}"
        argv = ("unshare", "--mount", "sh", "-c", f'{mounts} && exec "$@"', "sh")
        done = subprocess.run(
            (*argv, sys.executable, "-c", APPLY, str(path), traefik.url, NEW),
            capture_output=True,
            text=True,
            check=False,
        )
        told = done.stderr.splitlines()[-1]
        assert told.endswith(f"BackendError: {path} was not changed: Read-only file system")
        assert (as_written(path), traefik.ranges(NAME)) == (before, [OLD])


@pytest.mark.slow
def test_a_change_killed_anywhere_is_the_old_one_or_the_new_and_made_up_for(tmp_path: Path) -> None:
    path, found = tmp_path / "friends.yml", []
    with Standin(tmp_path) as traefik:
        for place in kills(path, traefik):
            backend = target(path, traefik.url)
            (held,) = backend.read().entries
            assert str(held.network) in (OLD, NEW), place
            for kind in ("http", "tcp"):
                assert traefik.ranges(NAME, kind) in ([OLD], [NEW]), place
            found.append(str(held.network))
            change(path, traefik.url, NEW)
            assert backend.read().flaws == (), place
            assert [one.name for one in tmp_path.iterdir()] == ["friends.yml"], place
            assert traefik.ranges(NAME) == [NEW], place
    assert {OLD, NEW} == set(found)
    assert len(found) >= share(12, MOST)
    record("proxies: traefik (killed)", kill_points=len(found), mixed=0)
