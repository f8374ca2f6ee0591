"""Files of proxies that are believed, by requests: nginx, Apache and Caddy keep to them.

Who asks at the address of the stranger here is the proxy in front.
"""

from __future__ import annotations

from contextlib import contextmanager
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
from allowsync_backends.apache import ApacheStyle
from allowsync_backends.caddy import CaddyStyle
from allowsync_backends.nginx import Style

from allowsync.model.target import Severity
from tests.support import apache as apaches
from tests.support import caddy as caddies
from tests.support import nginx as nginxes
from tests.support.faults import put
from tests.support.internet import FRIEND, FRIEND6, STRANGER, STRANGER6
from tests.support.requests import OK, neighbourhood, status
from tests.support.within import Within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from allowsync.model.target import Finding
    from tests.support.netns import Namespace
    from tests.support.servers import Served

    Server = tuple[Served, dict[str, Any], int]

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("as_root")]

REFUSED = 403
HEADER = "CF-Connecting-IP"


@pytest.fixture(scope="module")
def inside() -> Iterator[Namespace]:
    with neighbourhood() as one:
        yield one


@contextmanager
def nginx(folder: Path, inside: Namespace, header: str = HEADER) -> Iterator[Server]:
    server = nginxes.Nginx(folder, inside)
    told = f"real_ip_header {header};" if header else ""
    rules = f"allow {FRIEND}; allow {FRIEND6}; deny all;"
    site = f"server {{ {nginxes.LISTEN} {rules} {nginxes.TO_FILM} }}"
    server.configure(f"{nginxes.FILM} {told} include ours/friends.conf; {site}")
    options: dict[str, Any] = {"style": Style.REALIP}
    put(server, backend=server.backend(**options))
    with nginxes.serving(server):
        yield server, options, nginxes.PORT


@contextmanager
def apache(folder: Path, inside: Namespace, header: str = HEADER) -> Iterator[Server]:
    modules = (*apaches.MODULES, "remoteip")
    server = apaches.Apache(inside, folder, modules=modules)
    server.around = f"    Require ip {FRIEND} {FRIEND6}"
    told = f"RemoteIPHeader {header}\n" if header else ""
    server.more = f"{told}Include {server.path}"
    server.write()
    options: dict[str, Any] = {"style": ApacheStyle.REALIP}
    put(server, backend=server.backend(**options))
    server.start()
    try:
        yield server, options, apaches.PORT
    finally:
        server.stop()


@contextmanager
def caddy(folder: Path, inside: Namespace, header: str = HEADER) -> Iterator[Server]:
    server = caddies.Caddy(inside, folder, program=caddies.NEWER, imports="")
    told = f"client_ip_headers {header}" if header else ""
    server.options = f"servers {{\n import {server.path}\n {told}\n }}"
    server.site = f"@not not client_ip {FRIEND} {FRIEND6}\n respond @not 403\n respond hello"
    server.write()
    options: dict[str, Any] = {"style": CaddyStyle.REALIP}
    put(server, backend=server.backend(**options))
    server.start()
    try:
        yield server, options, caddies.PORT
    finally:
        server.stop()


EACH = pytest.mark.parametrize("made", [nginx, apache, caddy])


@EACH
def test_a_proxy_on_the_list_tells_who_asks_and_nobody_else(
    made: Callable[..., AbstractContextManager[Server]], tmp_path: Path, inside: Namespace
) -> None:
    with made(tmp_path, inside) as (server, options, port):
        believes = [STRANGER] if made is caddy else [STRANGER, STRANGER6]  # it has IPv4 alone here

        def told(source: str, client: str) -> int:
            return status(inside, source, port, headers={HEADER: client})

        for one in believes:
            assert told(one, FRIEND) == REFUSED, "of an empty list nobody is believed"
        put(server, *believes, backend=server.backend(**options))
        for one in believes:
            assert told(one, FRIEND) == OK
            assert told(one, "198.51.100.77") == REFUSED
        assert told(FRIEND, "198.51.100.77") == OK, "a friend is no proxy"
        put(server, "192.0.2.77", backend=server.backend(**options))
        for one in believes:
            assert told(one, FRIEND) == REFUSED, "a proxy that moved is believed no more"


def findings(server: Served, options: dict[str, Any]) -> list[Finding]:
    backend = Within(server.inside, server.backend(**options))
    return [one for one in backend.check() if one.severity is not Severity.INFO]


@EACH
def test_what_is_right_is_not_reported(
    made: Callable[..., AbstractContextManager[Server]], tmp_path: Path, inside: Namespace
) -> None:
    with made(tmp_path, inside) as (server, options, _):
        put(server, STRANGER, backend=server.backend(**options))
        assert findings(server, options) == []
        assert server.backend(**options).trusted_proxies() is None


@EACH
def test_a_file_that_nothing_includes_is_an_error(
    made: Callable[..., AbstractContextManager[Server]], tmp_path: Path, inside: Namespace
) -> None:
    with made(tmp_path, inside) as (server, options, _):
        put(server, STRANGER, backend=server.backend(**options))
        text = server.config.read_text()
        for how in (
            "include ours/friends.conf;",
            f"Include {server.path}",
            f"import {server.path}",
        ):
            text = text.replace(how, "")
        server.config.write_text(text)
        first = findings(server, options)[0]
        assert first.severity is Severity.ERROR
        assert "it has no effect" in first.what


@pytest.mark.parametrize(
    ("made", "what"), [(nginx, "from X-Real-IP"), (apache, "no RemoteIPHeader"), (caddy, "")]
)
def test_a_header_that_is_not_named_is_told(
    made: Callable[..., AbstractContextManager[Server]],
    what: str,
    tmp_path: Path,
    inside: Namespace,
) -> None:
    """Caddy reads X-Forwarded-For then, strictly: that is right behind any proxy."""
    with made(tmp_path, inside, "") as (server, options, _):
        put(server, STRANGER, backend=server.backend(**options))
        found = [one.what for one in findings(server, options)]
        assert len(found) == bool(what)
        assert all(what in one for one in found)


@pytest.mark.parametrize("module", [nginxes, apaches, caddies])
def test_every_network_is_read_back(module: Any) -> None:
    from allowsync_backends.apache.syntax import RemoteIpSyntax
    from allowsync_backends.caddy.syntax import ProxiesSyntax
    from allowsync_backends.nginx.syntax import RealIpSyntax

    syntax: Any = {
        nginxes: RealIpSyntax(),
        apaches: RemoteIpSyntax(),
        caddies: ProxiesSyntax(),
    }[module]
    for names in ((), ("255.255.255.255/32",), ("103.21.244.0/22", "2a06:98c0::/29", "0.0.0.0/0")):
        networks = frozenset(map(ip_network, names))
        held = syntax.parse(syntax.render("edge", networks))
        assert (held.allowlist, held.networks) == ("edge", networks)
    assert syntax.parse("# mine\n") is None
