"""What the pages of web servers advise is attacked: forged headers, directly and through a proxy.

The proxies do what a CDN does, too: they append to X-Forwarded-For, in the same line or by one
of their own, set CF-Connecting-IP, and pass on every other header as the client wrote it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import pytest
from allowsync_backends.caddy.options import Matcher
from allowsync_backends.nginx import Style
from allowsync_backends.traefik import TYPE as TRAEFIK_TYPE
from allowsync_backends.traefik import TraefikOptions

from allowsync.model.target import Placement
from tests.backends.nginx.test_requests import GUARDED
from tests.support.apache import MODULES, apache
from tests.support.caddy import NEWER, caddy
from tests.support.documents import ROOT, blocks_of
from tests.support.haproxy import DENY, PROGRAM, haproxy
from tests.support.internet import FRIEND, SERVER, STRANGER
from tests.support.nginx import Nginx, guarding, serving
from tests.support.requests import OK, apply_one, neighbourhood, status
from tests.support.terminal import eventually
from tests.traefik.real import HTTP, URL, traefik

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from allowsync.backend.protocols import Backend
    from tests.support.netns import Namespace

    Start = Callable[[Namespace, Path], AbstractContextManager[tuple[Backend, int]]]

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("as_root")]

PROXY, ANOTHER = "198.51.100.10", "198.51.100.200"
ADVISED = "192.0.2.10"  # the proxy in the documentation
PORTS: Final = (80, 8000, 8080, 8081)
UP: Final = 10_000  # the port of the proxy is that much above the one that it passes on to
FRONT: Final = "".join(
    f"""
server {{
  listen {PROXY}:{UP + port};
  location / {{
    proxy_pass http://{SERVER}:{port}; proxy_bind {PROXY};
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header CF-Connecting-IP $remote_addr;
  }}
}}
"""
    for port in PORTS
)
# Another one does the same, but adds a line of its own below those of the client.
ADDING: Final = 20_000
BELOW: Final = """
defaults
  mode http
  timeout client 20s
  timeout server 20s
  timeout connect 5s
""" + "".join(
    f"""
listen port-{port}
  bind {PROXY}:{ADDING + port}
  option forwardfor
  http-request set-header CF-Connecting-IP %[src]
  source {PROXY}
  server own {SERVER}:{port}
"""
    for port in PORTS
)
OWN: Final = "X-Forwarded-For"
# Where no header is believed, it knows no client: friends come through the proxy alone.
BY_PROXY_ALONE: Final = "Traefik behind a proxy"
TRAEFIK: Final = Path(sys.executable).with_name("traefik")
HEADERS: Final = (
    {},
    *(
        {OWN: one}
        for one in ("{}", "{}, {}", f"{{}}, {ANOTHER}", f"{ANOTHER}, {{}}", "{}:80", ",{}")
    ),
    *({name: "{}"} for name in ("X-Real-IP", "CF-Connecting-IP", "True-Client-IP", "Client-IP")),
    {"Forwarded": "for={}"},
)


def advised(page: str, word: str) -> str:
    """The block of a page that has a word in it, for the proxy of the test."""
    texts = [one.text for one in blocks_of(ROOT / "docs" / "backends" / page) if word in one.text]
    (recipe,) = (one for one in texts if ADVISED in one)
    return recipe.replace(ADVISED, PROXY)


def by_cdn(recipe: str) -> str:
    """A recipe as it is for Cloudflare."""
    assert OWN in recipe
    return recipe.replace(OWN, "CF-Connecting-IP")


def on_nginx(style: Style, recipe: str) -> Start:
    def start(inside: Namespace, folder: Path) -> AbstractContextManager[tuple[Backend, int]]:
        return guarding(inside, folder, style, f"{recipe}\n{GUARDED[style]}")

    return start


def on_apache(recipe: str) -> Start:
    @contextmanager
    def start(inside: Namespace, folder: Path) -> Iterator[tuple[Backend, int]]:
        modules = (*MODULES, "remoteip")
        with apache(inside, folder, modules=modules, more=recipe) as server:
            yield server.backend(), 8080

    return start


def on_caddy(recipe: str) -> Start:
    @contextmanager
    def start(inside: Namespace, folder: Path) -> Iterator[tuple[Backend, int]]:
        options = "\n".join(recipe.splitlines()[1:-1])  # without its braces
        with caddy(inside, folder, options=options, program=NEWER) as server:
            matcher = Matcher.CLIENT_IP if recipe else Matcher.REMOTE_IP
            yield server.backend(matcher=matcher), 8081

    return start


def on_haproxy(*, behind: bool) -> Start:
    @contextmanager
    def start(inside: Namespace, folder: Path) -> Iterator[tuple[Backend, int]]:
        page = (ROOT / "docs" / "backends" / "haproxy.md").read_text()
        recipe = re.search(r"`(http-request set-src [^`]*)`", page)
        assert recipe is not None
        cdn = folder / "cdn.lst"
        cdn.write_text(f"{PROXY}\n")
        line = recipe[1].replace("/etc/haproxy/cdn.lst", str(cdn))
        line = line.replace("{", "{{").replace("}", "}}")
        rule = f"{line}\n    {DENY}" if behind else DENY
        with haproxy(inside, folder, rule=rule) as server:
            yield server.backend(), 8080

    return start


def on_traefik(**options: Any) -> Start:
    @contextmanager
    def start(inside: Namespace, _: Path) -> Iterator[tuple[Backend, int]]:
        recipe = (ROOT / "docs" / "backends" / "traefik.md").read_text()
        assert "    forwardedHeaders:\n      trustedIPs: [10.0.0.0/8]\n" in recipe
        assert "    depth: 1 " in recipe
        with TemporaryDirectory() as made:
            (base := Path(made)).chmod(0o755)
            with traefik(str(TRAEFIK), inside, base / "real", f"{PROXY}/32") as folder:
                given = TraefikOptions(path=folder / "friends.yml", api=URL, **options)
                yield TRAEFIK_TYPE.make(Placement("x", "x/traefik"), given), HTTP

    return start


NGINX, APACHE = advised("nginx.md", "set_real_ip_from"), advised("apache.md", "RemoteIPHeader")
CADDY = advised("caddy.md", "trusted_proxies static")
CADDY_LAST, CDN = "trusted_proxies_strict", "client_ip_headers CF-Connecting-IP"
# How a server is started, and whether it knows who comes through the proxy.
RECIPES: Final[dict[str, tuple[Start, bool]]] = {
    "Traefik": (on_traefik(), False),
    BY_PROXY_ALONE: (on_traefik(depth=1), True),
    f"{BY_PROXY_ALONE} that is named": (on_traefik(excluded_ips=(ip_network(PROXY),)), True),
    "nginx": (on_nginx(Style.ALLOW, ""), False),
    "nginx behind a proxy": (on_nginx(Style.ALLOW, NGINX), True),
    "nginx behind a proxy, by a variable": (on_nginx(Style.GEO, NGINX), True),
    "nginx behind a CDN": (on_nginx(Style.ALLOW, by_cdn(NGINX)), True),
    "Apache": (on_apache(""), False),
    "Apache behind a proxy": (on_apache(APACHE), True),
    "Apache behind a CDN": (on_apache(by_cdn(APACHE)), True),
    "Caddy": (on_caddy(""), False),
    "Caddy behind a proxy": (on_caddy(CADDY), True),
    "Caddy behind a CDN": (on_caddy(CADDY.replace(CADDY_LAST, f"{CADDY_LAST}\n{CDN}")), True),
    "HAProxy": (on_haproxy(behind=False), False),
    "HAProxy behind a CDN": (on_haproxy(behind=True), True),
}


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Namespace]:
    """A namespace with the proxy in it."""
    with neighbourhood() as one:
        one.batch(f"address add {PROXY}/32 dev lo")
        front = Nginx(tmp_path_factory.mktemp("front"), one)
        front.configure(FRONT)
        with serving(front), adding(one, tmp_path_factory.mktemp("below")):
            yield one


@contextmanager
def adding(inside: Namespace, folder: Path) -> Iterator[None]:
    """A proxy that adds lines to a header, instead of appending to the last one."""
    (config := folder / "haproxy.cfg").write_text(BELOW)
    argv = [PROGRAM, "-q", "-db", "-f", str(config)]
    with inside.run(lambda: subprocess.Popen(argv)) as proxy:
        assert eventually(lambda: f"{PROXY}:{ADDING + PORTS[-1]} " in inside.command("ss", "-Hltn"))
        try:
            yield
        finally:
            proxy.terminate()


def table(inside: Namespace, port: int, source: str, named: str, server: str = SERVER) -> list[str]:
    """The headers with which a client gets in that names an address in each of them."""
    sent: list[dict[str, Any]] = [
        {name: value.replace("{}", named) for name, value in one.items()} for one in HEADERS
    ]
    return [
        str(one) for one in sent if status(inside, source, port, server=server, headers=one) == OK
    ]


@pytest.mark.parametrize("name", RECIPES)
def test_no_header_of_a_stranger_lets_it_in(inside: Namespace, tmp_path: Path, name: str) -> None:
    start, behind = RECIPES[name]
    with start(inside, tmp_path) as (backend, port):
        inside.run(apply_one, backend, [ip_network(FRIEND)])
        every = len(HEADERS)
        assert table(inside, port, STRANGER, FRIEND) == []
        for by in (UP, ADDING):
            assert table(inside, by + port, STRANGER, FRIEND, PROXY) == []
        directly = 0 if name.startswith(BY_PROXY_ALONE) else every
        assert len(table(inside, port, FRIEND, STRANGER)) == directly
        for by in (UP, ADDING):
            assert len(table(inside, by + port, FRIEND, STRANGER, PROXY)) == (
                every if behind else 0
            )
