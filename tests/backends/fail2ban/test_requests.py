"""A service behind a real Fail2ban with its nftables action: who is answered, and who is not."""

from __future__ import annotations

import http.server
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.fail2ban import FAILURES, PORT, REAL, Fail2ban, fail2ban
from tests.support.gates import allow
from tests.support.internet import FRIEND, FRIEND6, STRANGER, STRANGER6
from tests.support.requests import NONE, OK, is_felt_by_nobody, neighbourhood, status
from tests.support.sampling import share

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.netns import Namespace

FRIENDS = (FRIEND, FRIEND6)
STRANGERS = (STRANGER, STRANGER6)
APPLIES = share(30, 6)


class Door(http.server.BaseHTTPRequestHandler):
    """Answers whoever gets through."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(OK)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing: what counts is who asked."""


class DualStack(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    daemon_threads = True


@pytest.fixture
def inside(as_root: None, warm: None) -> Iterator[Namespace]:
    """A namespace with a friend, a stranger, and a service that answers everybody."""
    with neighbourhood() as namespace:
        server = namespace.run(DualStack, ("::", PORT), Door)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield namespace
        server.shutdown()
        server.server_close()


@pytest.fixture
def server(inside: Namespace, tmp_path: Path) -> Iterator[Fail2ban]:
    with fail2ban(inside, tmp_path, action=REAL) as running:
        yield running


@pytest.mark.root
def test_a_friend_who_is_banned_is_answered_after_one_apply(
    inside: Namespace, server: Fail2ban
) -> None:
    server.knock_wrongly(*FRIENDS, *STRANGERS)
    server.until_banned(*FRIENDS, *STRANGERS)
    assert [status(inside, one, PORT) for one in (*FRIENDS, *STRANGERS)] == [NONE] * 4
    allow(inside, server.target().backend, f"{FRIEND}/32", "2a02:8109:9a40::/48")
    assert [status(inside, one, PORT) for one in FRIENDS] == [OK, OK]
    assert [status(inside, one, PORT) for one in STRANGERS] == [NONE, NONE]
    assert server.banned() == sorted(STRANGERS)


@pytest.mark.root
@pytest.mark.slow
def test_no_friend_is_banned_whatever_is_logged_of_him_while_the_list_changes(
    inside: Namespace, server: Fail2ban
) -> None:
    backend = server.target().backend
    allow(inside, backend, f"{FRIEND}/32", f"{FRIEND6}/128")
    server.knock_wrongly(*STRANGERS)
    server.until_banned(*STRANGERS)

    def knock(number: int) -> None:
        server.knock_wrongly(*FRIENDS, *STRANGERS, times=1 + number % FAILURES)

    is_felt_by_nobody("fail2ban", inside, backend, PORT, applies=APPLIES, disturb=knock)
    assert server.banned() == sorted(STRANGERS)
    assert not any(f"Ban {one}" in server.log() for one in FRIENDS)
    assert all(f"Ignore {one} by" in server.log() for one in FRIENDS), "they were found there"
