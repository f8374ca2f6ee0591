"""Heartbeats: whose conventions a URL follows, what is requested, and that nothing can hang."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from allowsync.config.channels import Heartbeat
from allowsync.config.secrets import Secret
from allowsync.model.notification import HeartbeatKind
from allowsync.model.outcome import ExitCode
from allowsync.notify.heartbeat import Ping, RunResult, deliver, ping
from allowsync.notify.http_ping import LARGEST_BODY, kind_of
from tests.support.listener import PortListener

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UUID = "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"
CHECK = f"https://hc-ping.com/{UUID}"
PUSH = "https://kuma.example.net/api/push/hunter2"
GOOD = RunResult(ExitCode.IN_STEP, 0.25, "2 targets in sync")
BAD = RunResult(ExitCode.FAILED, 1.0, "web/file: failed\n1 problem; see the log")


def beat(url: str, ended: RunResult, kind: HeartbeatKind = HeartbeatKind.AUTO) -> Ping | None:
    return ping(Heartbeat(url=Secret(url), kind=kind), ended)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        (CHECK, HeartbeatKind.HEALTHCHECKS),
        ("https://hc-ping.com/pingkey/allowsync", HeartbeatKind.HEALTHCHECKS),
        (f"https://status.example.net/{UUID}/", HeartbeatKind.HEALTHCHECKS),
        ("https://hc.example.net/ping/0123", HeartbeatKind.HEALTHCHECKS),
        ("https://hc.example.net/ping/key/slug?create=1", HeartbeatKind.HEALTHCHECKS),
        (PUSH, HeartbeatKind.UPTIME_KUMA),
        (f"{PUSH}?status=up&msg=OK&ping=", HeartbeatKind.UPTIME_KUMA),
        ("https://example.net/", HeartbeatKind.PLAIN),
        ("https://nosnch.in/c2354d53d2", HeartbeatKind.PLAIN),
    ],
)
def test_a_url_shows_whose_conventions_it_follows(url: str, kind: HeartbeatKind) -> None:
    assert kind_of(url) == kind.value


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (ExitCode.IN_STEP, 0),
        (ExitCode.OLD_KNOWLEDGE, 0),
        (ExitCode.FAILED, 1),
        (ExitCode.REFUSED, 4),
    ],
)
def test_healthchecks_is_told_the_exit_code_where_something_is_wrong(
    code: ExitCode, status: int
) -> None:
    wanted = Ping("POST", f"{CHECK}/{status}", b"so it went")
    assert beat(CHECK, RunResult(code, 0.25, "so it went")) == wanted


def test_a_query_stays_behind_the_status() -> None:
    request = beat("https://hc.example.net/ping/key/slug/?create=1", BAD)
    assert request is not None
    assert request.url == "https://hc.example.net/ping/key/slug/1?create=1"


def test_a_long_story_is_cut_short() -> None:
    request = beat(CHECK, RunResult(ExitCode.FAILED, 0.0, "x" * 10**6))
    assert request is not None
    assert len(request.body) == LARGEST_BODY


@pytest.mark.parametrize(("ended", "status"), [(GOOD, "up"), (BAD, "down")])
def test_uptime_kuma_is_told_up_or_down_and_how_long_it_took(ended: RunResult, status: str) -> None:
    request = beat(f"{PUSH}?status=up&msg=OK&ping=", ended)
    assert request is not None
    assert request.url.startswith(f"{PUSH}?")
    assert parse_qs(urlsplit(request.url).query) == {
        "status": [status],
        "msg": [ended.said.splitlines()[0]],
        "ping": [str(int(ended.seconds * 1000))],
    }


def test_a_plain_url_is_pinged_after_good_runs_only() -> None:
    assert beat("https://example.net/x?y", GOOD) == Ping("GET", "https://example.net/x?y")
    assert beat("https://example.net/x?y", BAD) is None


def test_a_kind_that_is_named_wins_over_how_the_url_looks() -> None:
    assert beat(CHECK, GOOD, HeartbeatKind.PLAIN) == Ping("GET", CHECK)
    request = beat("https://example.net/x", BAD, HeartbeatKind.HEALTHCHECKS)
    assert request is not None
    assert request.url == "https://example.net/x/1"


@pytest.fixture
def listener() -> Iterator[PortListener]:
    with PortListener() as listener:
        yield listener


def test_a_ping_arrives_with_its_body_and_credentials(listener: PortListener) -> None:
    request = Ping("POST", f"http://u%40x:p@{listener.place}/ping/1?create=1", b"so it went")
    assert deliver(request) == ""
    (heard,) = listener.heard
    assert (heard.method, heard.path, heard.body) == ("POST", "/ping/1?create=1", "so it went")
    assert heard.headers["Authorization"] == "Basic dUB4OnA="
    assert heard.headers["User-Agent"].startswith("allowsync/")


def test_a_redirection_is_not_followed_and_counts_for_nothing(listener: PortListener) -> None:
    listener.status, listener.location = 302, f"http://{listener.place}/elsewhere"
    assert deliver(Ping("GET", f"http://{listener.place}/")) == "the answer was HTTP status 302"
    assert listener.paths == ["GET /"]


def test_a_monitor_that_hangs_is_given_up(listener: PortListener) -> None:
    listener.silent = True
    assert "no answer" in deliver(Ping("GET", f"http://{listener.place}/"), 0.3)


def answering(talk: Callable[[socket.socket], None]) -> tuple[threading.Thread, str]:
    """Somebody who takes one connection; the thread and the URL."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = server.accept()
        with server, connection, suppress(OSError):
            connection.recv(1000)
            talk(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread, f"http://127.0.0.1:{server.getsockname()[1]}/"


def test_a_monitor_that_answers_a_byte_at_a_time_is_given_up() -> None:
    enough = threading.Event()

    def drip(connection: socket.socket) -> None:
        for _ in range(40):
            connection.sendall(b"H")
            enough.wait(0.05)

    thread, url = answering(drip)
    assert deliver(Ping("GET", url), 0.4) == "no answer within 0.4 s"
    enough.set()
    thread.join()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/hunter2",
        "https://127.0.0.1:9/hunter2",
        "http://127.0.0.1:99999/hunter2",
        "http://127.0.0.1:x/hunter2",
        "http://[::1/hunter2",
        "http:///hunter2",
        "http://nobody.invalid/hunter2",
        "http://\udcff.example/hunter2",
        "http://127.0.0.1:9/hunter2\x7f",
    ],
)
def test_whatever_goes_wrong_is_said_without_the_url(url: str) -> None:
    why = deliver(Ping("GET", url))
    assert why
    assert "hunter2" not in why


def test_a_server_that_speaks_no_http_is_said_so() -> None:
    thread, url = answering(lambda connection: connection.sendall(b"SSH-2.0-OpenSSH\r\n"))
    assert deliver(Ping("GET", url)) == "no proper answer"
    thread.join()
