"""A denylist at real web servers, by requests: whom it refuses, and whom it leaves alone."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.apache.syntax import RequireNoneSyntax
from allowsync_backends.caddy.syntax import CaddySyntax
from allowsync_backends.file.syntax import DenySyntax, JsonSyntax, TextSyntax
from allowsync_backends.nginx.syntax import GeoSyntax

from allowsync.model.target import Effect, Severity
from allowsync.policy.denylist import NeverBlocked, blocked, spans_of
from tests.support.apache import PORT as APACHE
from tests.support.apache import Apache
from tests.support.caddy import PORT as CADDY
from tests.support.caddy import Caddy
from tests.support.haproxy import PORT as HAPROXY
from tests.support.haproxy import Haproxy
from tests.support.internet import FRIEND, FRIEND6, STRANGER, STRANGER6
from tests.support.nginx import FILM, LISTEN, TO_FILM, Nginx
from tests.support.nginx import PORT as NGINX
from tests.support.requests import NONE, OK, apply_one, neighbourhood, status
from tests.support.values import net

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from allowsync_backends.file.backend import FileBackend
    from allowsync_backends.file.syntax import Syntax

    from tests.support.netns import Namespace

FORBIDDEN = 403
LAN, ELSEWHERE = "192.168.7.9", "91.64.10.9"
ASKING = (STRANGER, STRANGER6, FRIEND, FRIEND6, LAN, ELSEWHERE)
# Lists with bogons name the LAN, and a friend's provider.
LISTED = tuple(
    str(ip_network(one).supernet(new_prefix=bits))
    for one, bits in ((STRANGER, 16), (STRANGER6, 32), (FRIEND, 22), (FRIEND6, 32), (LAN, 16))
)


@pytest.fixture(scope="module")
def inside() -> Iterator[Namespace]:
    with neighbourhood() as one:
        one.batch(f"address add {LAN}/32 dev lo", f"address add {ELSEWHERE}/32 dev lo")
        yield one


def meant() -> list[str]:
    """What is blocked of the list."""
    never = [NeverBlocked(net(one), "granted") for one in (FRIEND, FRIEND6)]
    return list(map(str, blocked(spans_of(map(net, LISTED)), never).networks))


def put(inside: Namespace, backend: FileBackend, *networks: str) -> None:
    inside.run(apply_one, backend, list(map(net, networks)))


def keeps_out(inside: Namespace, backend: FileBackend, port: int, refusal: int) -> None:
    """Blocked networks alone are refused; an empty denylist refuses none."""

    def answers() -> list[int]:
        return [status(inside, one, port) for one in ASKING]

    put(inside, backend)
    assert answers() == [OK] * 6
    put(inside, backend, *meant())
    assert answers() == [refusal, refusal, *[OK] * 4]
    found = inside.run(backend.check)
    assert not [one for one in found if one.severity is Severity.ERROR]
    put(inside, backend)
    assert answers() == [OK] * 6


@pytest.mark.root
@pytest.mark.usefixtures("as_root")
class TestRequests:
    def test_nginx(self, inside: Namespace, tmp_path: Path) -> None:
        server = Nginx(tmp_path, inside)
        refusing = "if ($allowsync_x) { return 403; }"
        server.configure(
            f"{FILM} include ours/friends.conf; server {{ {LISTEN} {refusing} {TO_FILM} }}"
        )
        put(inside, server.denying())
        server.start()
        try:
            keeps_out(inside, server.denying(), NGINX, FORBIDDEN)
        finally:
            server.stop()

    def test_apache(self, inside: Namespace, tmp_path: Path) -> None:
        around = "<RequireAll>\nRequire all granted\n{}\n</RequireAll>"
        server = Apache(inside, tmp_path, around=around)
        server.write()
        backend = server.backend(effect=Effect.DENY)
        put(inside, backend)
        server.start()
        try:
            keeps_out(inside, backend, APACHE, FORBIDDEN)
        finally:
            server.stop()

    @pytest.mark.parametrize("told", [True, False])
    def test_haproxy(self, inside: Namespace, tmp_path: Path, *, told: bool) -> None:
        rule = "http-request deny if {{ src -f {path} }}"
        server = Haproxy(inside, tmp_path, rule=rule, told=told)
        server.write()
        backend = server.backend(effect=Effect.DENY)
        put(inside, backend)
        server.start()
        try:
            keeps_out(inside, backend, HAPROXY, FORBIDDEN)
        finally:
            server.stop()

    def test_caddy(self, inside: Namespace, tmp_path: Path) -> None:
        server = Caddy(inside, tmp_path)
        server.write()
        backend = server.backend(effect=Effect.DENY)
        put(inside, backend)
        server.start()
        try:
            keeps_out(inside, backend, CADDY, NONE)
        finally:
            server.stop()

    def test_apache_never_opens_by_it_what_an_allowlist_shuts(
        self, inside: Namespace, tmp_path: Path
    ) -> None:
        """Beside a condition that is enough by itself, Apache takes it for an error."""
        server = Apache(inside, tmp_path, around="Require ip 203.0.113.9\n{}")
        server.write()
        backend = server.backend(effect=Effect.DENY)
        backend.path.write_text(backend.syntax.render("x", [net(STRANGER)]))
        said = inside.run(backend.reader.objection)
        assert "<RequireNone> directive has no effect in <RequireAny>" in said


FORMS: dict[str, Syntax] = {
    "text": TextSyntax(),
    "json": JsonSyntax(),
    "nginx": GeoSyntax("x"),
    "apache": RequireNoneSyntax(),
    "caddy": CaddySyntax(effect=Effect.DENY),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("networks", [(), (STRANGER, STRANGER6)], ids=["empty", "two"])
def test_a_denylists_file_says_so_and_is_no_allowlists(
    form: Syntax, networks: tuple[str, ...]
) -> None:
    held = frozenset(map(net, networks))
    text = DenySyntax(form).render("x", held)
    found = DenySyntax(form).parse(text)
    assert found is not None
    assert (found.allowlist, found.networks) == ("x", held)
    assert "allowlist" not in text
    assert form.parse(text) is None
    assert DenySyntax(form).parse(form.render("x", held)) is None
