"""An idle run of the whole program on a list for HAProxy, and whatever changes after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.backends.ipset.test_idle import apply, settle
from tests.support.haproxy import Haproxy, haproxy
from tests.support.netns import Namespace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("as_root")]

LISTED = {"81.2.69.0/24", "2a02:8109:9a40::/48"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Haproxy]:
    """It runs, and two runs have put everything in place."""
    with (
        Namespace() as inside,
        haproxy(inside, tmp_path, listen=("127.0.0.1:8080",)) as running,
    ):
        running.path.unlink()
        target = {
            "path": str(running.path),
            "socket": str(running.socket),
            "pid_file": str(running.pid_file),
            "config": str(running.config),
        }
        settle(inside, tmp_path, {"haproxy": target})
        yield running


def put_out(server: Haproxy) -> None:
    server.ask(f"del acl {server.path} 81.2.69.0/24")


def let_in(server: Haproxy) -> None:
    server.ask(f"add acl {server.path} 198.51.100.9")


def put_out_and_let_in(server: Haproxy) -> None:
    """The same networks, but other entries."""
    put_out(server)
    server.ask(f"add acl {server.path} 81.2.69.0/24")


def edit(server: Haproxy) -> None:
    with server.path.open("a") as file:
        file.write("# by hand\n")


@pytest.mark.parametrize("deed", [put_out, let_in, edit, Haproxy.reload, put_out_and_let_in])
def test_an_idle_run_says_nothing_until_something_changes(
    server: Haproxy, deed: Callable[[Haproxy], None]
) -> None:
    assert apply(server.inside, server.folder) == ""
    deed(server)
    apply(server.inside, server.folder)
    assert server.listed() == LISTED


def test_one_that_was_stopped_has_nothing_to_be_done(server: Haproxy) -> None:
    server.stop()
    assert apply(server.inside, server.folder) == ""
    assert apply(server.inside, server.folder) == ""


def test_an_emptied_list_is_noticed(server: Haproxy) -> None:
    """Its answer is nothing but the line that ends it."""
    server.ask(f"clear acl {server.path}")
    assert server.ask(f"show acl {server.path}") == "\n"
    assert "web/haproxy" in apply(server.inside, server.folder)
    assert server.listed() == LISTED
