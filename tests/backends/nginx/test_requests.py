"""Real requests: friends in, strangers out, before, during and after every apply."""

from __future__ import annotations

import select
import socket
from base64 import b64encode
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.nginx import Style

from tests.support.internet import FRIEND, FRIEND6, SERVER, SERVER6, STRANGER, STRANGER6
from tests.support.nginx import FILM, LISTEN, PORT, TO_FILM, Nginx, serving
from tests.support.requests import (
    NONE,
    OK,
    RequestSender,
    ServedFlow,
    apply_one,
    is_felt_by_nobody,
    neighbourhood,
    status,
)
from tests.support.sampling import share

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from allowsync.backend.protocols import Backend
    from tests.support.netns import Namespace

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("as_root")]

FORBIDDEN = 403
FRIENDS = (FRIEND, FRIEND6)
EVERYBODY = (FRIEND, FRIEND6, STRANGER, STRANGER6)

# What stands in `http`, by the style of file.
GUARDED = {
    Style.ALLOW: f"{FILM} server {{ {LISTEN} include ours/friends.conf; {TO_FILM} }}",
    Style.GEO: f"""
        {FILM} include ours/friends.conf;
        server {{ {LISTEN} if ($allowsync_x = 0) {{ return 403; }} {TO_FILM} }}
        """,
}


@pytest.fixture(scope="module")
def inside() -> Iterator[Namespace]:
    with neighbourhood() as one:
        yield one


@pytest.fixture
def nginx(tmp_path: Path, inside: Namespace) -> Iterator[Nginx]:
    """One that is not started yet."""
    server = Nginx(tmp_path, inside)
    yield server
    server.stop()


def put(inside: Namespace, backend: Backend, *wanted: str) -> None:
    inside.run(apply_one, backend, [ip_network(one) for one in wanted])


def answers(inside: Namespace, port: int = PORT, server: str = "") -> list[int]:
    """What everybody gets."""
    return [status(inside, one, port, server=server) for one in EVERYBODY]


def guarded(nginx: Nginx, style: Style, *wanted: str) -> Backend:
    """Let it serve friends, and start it."""
    nginx.configure(GUARDED[style])
    backend = nginx.backend(style=style)
    put(nginx.inside, backend, *wanted)
    nginx.start()
    return backend


@pytest.mark.slow
@pytest.mark.parametrize("style", GUARDED)
def test_no_apply_is_felt_by_a_friend_or_used_by_a_stranger(
    inside: Namespace, nginx: Nginx, style: Style
) -> None:
    backend = guarded(nginx, style, FRIEND)
    during = is_felt_by_nobody(
        f"nginx ({style.value})", inside, backend, PORT, applies=share(100, 20)
    )
    assert set(during.refusals) == {FORBIDDEN}
    assert during.least > 100


@pytest.mark.parametrize("style", GUARDED)
def test_who_was_taken_out_is_refused_as_soon_as_the_apply_is_done(
    inside: Namespace, nginx: Nginx, style: Style
) -> None:
    backend = guarded(nginx, style, *FRIENDS)
    assert answers(inside) == [OK, OK, FORBIDDEN, FORBIDDEN]
    for _ in range(5):
        put(inside, backend, FRIEND6)
        assert [status(inside, FRIEND, PORT) for _ in range(20)] == [FORBIDDEN] * 20
        put(inside, backend, *FRIENDS)
        assert [status(inside, FRIEND, PORT) for _ in range(20)] == [OK] * 20


@pytest.mark.parametrize("style", GUARDED)
def test_an_empty_allowlist_shuts_out_everybody(
    inside: Namespace, nginx: Nginx, style: Style
) -> None:
    backend = guarded(nginx, style, *FRIENDS)
    put(inside, backend)
    assert answers(inside) == [FORBIDDEN] * 4


@pytest.mark.parametrize("style", GUARDED)
def test_ipv4_within_ipv6_is_ipv4(inside: Namespace, nginx: Nginx, style: Style) -> None:
    nginx.configure(GUARDED[style].replace(LISTEN, f"listen [::]:{PORT} ipv6only=off;"))
    backend = nginx.backend(style=style)
    put(inside, backend, *FRIENDS)
    with serving(nginx):
        assert answers(inside) == [OK, OK, FORBIDDEN, FORBIDDEN]
        put(inside, backend, "::ffff:0.0.0.0/96")
        assert answers(inside) == [FORBIDDEN] * 4


STREAMS = {
    Style.ALLOW: f"""
        stream {{ server {{
          listen {SERVER}:81; listen [{SERVER6}]:81;
          include ours/friends.conf; proxy_pass 127.0.0.1:8096;
        }} }}
        """,
    Style.GEO: f"""
        stream {{
          include ours/friends.conf;
          map $allowsync_x $behind {{ 1 127.0.0.1:8096; default ""; }}
          server {{ listen {SERVER}:81; listen [{SERVER6}]:81; proxy_pass $behind; }}
        }}
        """,
}


@pytest.mark.parametrize("style", GUARDED)
def test_streams_are_guarded_alike(inside: Namespace, nginx: Nginx, style: Style) -> None:
    nginx.configure(FILM, STREAMS[style])
    backend = nginx.backend(style=style)
    put(inside, backend, *FRIENDS)
    with serving(nginx):
        assert answers(inside, 81) == [OK, OK, NONE, NONE]
        put(inside, backend, FRIEND6)
        assert answers(inside, 81) == [NONE, OK, NONE, NONE]
        assert inside.run(backend.check) == ()


def test_the_address_may_come_from_a_proxy_that_is_trusted(inside: Namespace, nginx: Nginx) -> None:
    """Somebody in front of it, at the address of the stranger here, tells who asks."""
    real = f"set_real_ip_from {STRANGER}; real_ip_header X-Forwarded-For; real_ip_recursive on;"
    nginx.configure(GUARDED[Style.ALLOW].replace(LISTEN, f"{LISTEN} {real}"))
    backend = nginx.backend()
    put(inside, backend, *FRIENDS)
    with serving(nginx):

        def told(source: str, header: str) -> int:
            return status(inside, source, PORT, headers={"X-Forwarded-For": header})

        assert told(STRANGER, FRIEND) == OK
        assert told(STRANGER, FRIEND6) == OK
        assert told(STRANGER, STRANGER6) == FORBIDDEN
        # What a client says of itself stands before what the proxy saw.
        assert told(STRANGER, f"{FRIEND}, {STRANGER6}") == FORBIDDEN
        # Nobody else is believed.
        assert told(STRANGER6, FRIEND) == FORBIDDEN
        assert told(FRIEND, STRANGER6) == OK


def test_a_variable_may_go_by_the_proxy_itself(inside: Namespace, nginx: Nginx) -> None:
    real = f"set_real_ip_from {STRANGER}; real_ip_header X-Forwarded-For;"
    nginx.configure(GUARDED[Style.GEO].replace(LISTEN, f"{LISTEN} {real}").replace("_x", "_edge"))
    backend = nginx.backend(
        style=Style.GEO, variable="allowsync_edge", source="$realip_remote_addr"
    )
    put(inside, backend, STRANGER)
    with serving(nginx):
        headers = {"X-Forwarded-For": FRIEND}
        assert status(inside, STRANGER, PORT, headers=headers) == OK
        assert status(inside, FRIEND, PORT) == FORBIDDEN


FILM_OF_AN_HOUR = """
    server {
      listen 127.0.0.1:8096;
      location / { root FOLDER/films; limit_rate 1k; limit_rate_after 1k; }
    }
    """


@pytest.mark.parametrize("cut_off", [False, True])
def test_a_film_that_runs_goes_on_unless_old_workers_are_given_a_time(
    inside: Namespace, nginx: Nginx, cut_off: bool
) -> None:
    (nginx.folder / "films").mkdir()
    (nginx.folder / "films" / "film").write_bytes(bytes(1 << 20))
    slow = FILM_OF_AN_HOUR.replace("FOLDER", str(nginx.folder))
    direct = TO_FILM.replace("proxy_pass", "proxy_buffering off; proxy_pass")
    nginx.configure(
        GUARDED[Style.ALLOW].replace(FILM, slow).replace(TO_FILM, direct),
        "worker_shutdown_timeout 100ms;" if cut_off else "",
    )
    backend = nginx.backend()
    put(inside, backend, FRIEND)
    with serving(nginx), inside.run(_asked_for, "/film") as film:
        assert film.recv(100).startswith(b"HTTP/1.1 200")
        put(inside, backend, FRIEND6)
        assert status(inside, FRIEND, PORT) == FORBIDDEN
        if cut_off:
            while film.recv(65536):
                pass
            return
        while select.select([film], [], [], 0)[0]:
            assert film.recv(65536)
        # What comes now was not on its way before.
        assert film.recv(65536)


def _asked_for(path: str) -> socket.socket:
    """A connection of the friend that has asked for something."""
    asked = socket.create_connection((SERVER, PORT), timeout=60, source_address=(FRIEND, 0))
    asked.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return asked


def test_a_kept_connection_is_closed_to_who_was_taken_out(inside: Namespace, nginx: Nginx) -> None:
    backend = guarded(nginx, Style.ALLOW, *FRIENDS)
    friend = RequestSender(ServedFlow("friend", SERVER, FRIEND, PORT, keeps=True))
    assert [inside.run(friend.ask) for _ in range(3)] == [OK] * 3
    put(inside, backend, FRIEND6)
    assert inside.run(friend.ask) == FORBIDDEN
    friend.close()


def test_return_is_for_everybody_but_after_a_condition(inside: Namespace, nginx: Nginx) -> None:
    """It belongs to an earlier phase than `allow` and `deny` do."""
    for style, stranger in ((Style.ALLOW, OK), (Style.GEO, FORBIDDEN)):
        nginx.configure(GUARDED[style].replace("proxy_pass http://127.0.0.1:8096", "return 200"))
        backend = nginx.backend(style=style)
        nginx.path.unlink(missing_ok=True)
        put(inside, backend, *FRIENDS)
        with serving(nginx):
            assert answers(inside) == [OK, OK, stranger, stranger]


def test_rules_of_an_inner_block_replace_those_of_the_outer(
    inside: Namespace, nginx: Nginx
) -> None:
    inner = f"{TO_FILM} location /open {{ allow all; proxy_pass http://127.0.0.1:8096; }}"
    nginx.configure(GUARDED[Style.ALLOW].replace(TO_FILM, inner))
    backend = nginx.backend()
    put(inside, backend, *FRIENDS)
    with serving(nginx):
        assert answers(inside) == [OK, OK, FORBIDDEN, FORBIDDEN]
        assert status(inside, STRANGER, PORT, path="/open") == OK
        (finding,) = inside.run(backend.check)
    assert '"location /open" in "server" in "http"' in finding.what


@pytest.mark.parametrize(("onward", "ends"), [("", (OK, OK)), ("/", (OK, OK)), (None, (404, 404))])
def test_a_challenge_that_leads_strangers_to_the_service_is_named(
    inside: Namespace, nginx: Nginx, onward: str | None, ends: tuple[int, int]
) -> None:
    service = "proxy_pass http://127.0.0.1:8096"
    served = f"root {nginx.folder};" if onward is None else f"{service}{onward};"
    challenge = f"location ^~ /.well-known/acme-challenge/ {{ allow all; {served} }}"
    site = f"{TO_FILM} {challenge}"
    nginx.configure(GUARDED[Style.ALLOW].replace(TO_FILM, site))
    backend = nginx.backend()
    put(inside, backend, *FRIENDS)
    with serving(nginx):
        assert answers(inside) == [OK, OK, FORBIDDEN, FORBIDDEN]
        there = "/.well-known/acme-challenge/x"
        met = [status(inside, one, PORT, path=there) for one in (STRANGER, STRANGER6)]
        found = inside.run(backend.check)
    assert tuple(met) == ends
    leading = [one.what for one in found if "passes strangers on" in one.what]
    assert bool(leading) == (OK in ends)


def test_friends_need_no_password(inside: Namespace, nginx: Nginx) -> None:
    """Half of what is shown for `satisfy any` and `auth_request`, by means of a variable."""
    (nginx.folder / "passwords").write_text("carol:{PLAIN}secret\n")
    realm = 'map $allowsync_x $realm { 1 off; default "Films"; }'
    asks = f"{LISTEN} auth_basic $realm; auth_basic_user_file passwords;"
    refuses = f"{LISTEN} if ($allowsync_x = 0) {{ return 403; }}"
    nginx.configure(realm + GUARDED[Style.GEO].replace(refuses, asks))
    backend = nginx.backend(style=Style.GEO)
    put(inside, backend, *FRIENDS)
    signed_in = {"Authorization": "Basic " + b64encode(b"carol:secret").decode()}
    with serving(nginx):
        assert answers(inside) == [OK, OK, 401, 401]
        assert status(inside, STRANGER, PORT, headers=signed_in) == OK


def test_one_file_serves_sites_and_streams(inside: Namespace, nginx: Nginx) -> None:
    nginx.configure(GUARDED[Style.ALLOW], STREAMS[Style.ALLOW])
    backend = nginx.backend()
    put(inside, backend, *FRIENDS)
    with serving(nginx):
        assert answers(inside) == [OK, OK, FORBIDDEN, FORBIDDEN]
        assert answers(inside, 81) == [OK, OK, NONE, NONE]
        assert inside.run(backend.check) == ()
