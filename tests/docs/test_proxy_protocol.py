"""What pages say of the PROXY protocol is attacked: forged headers, directly and through a proxy.

The proxy speaks the protocol, version 1 or 2, and passes on what a client wrote, whatever that is.
"""

from __future__ import annotations

import re
import socket
import struct
import subprocess
import sys
from contextlib import contextmanager
from ipaddress import ip_address, ip_network
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import pytest
from allowsync_backends.caddy.options import Matcher
from allowsync_backends.nginx import Style
from allowsync_backends.traefik import TYPE as TRAEFIK_TYPE
from allowsync_backends.traefik import TraefikOptions

from allowsync.model.target import Placement
from tests.backends.nginx.test_requests import GUARDED
from tests.support.caddy import NEWER, caddy
from tests.support.documents import ROOT
from tests.support.haproxy import DENY, PROGRAM, haproxy
from tests.support.internet import FRIEND, SERVER, STRANGER
from tests.support.nginx import LISTEN, guarding
from tests.support.requests import apply_one, neighbourhood
from tests.support.terminal import eventually
from tests.traefik.real import HTTP, KEEPING, URL, traefik

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from allowsync.backend.protocols import Backend
    from tests.support.netns import Namespace

    Start = Callable[[Namespace, Path], AbstractContextManager[tuple[Backend, int]]]

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("as_root")]

PROXY: Final = "198.51.100.10"
ADVISED: Final = "192.0.2.10"  # the proxy in the documentation
PORTS: Final = (80, 8000, 8080, 8081)
BY: Final = {"send-proxy": 10_000, "send-proxy-v2": 20_000}  # its ports are that much above
FRONT: Final = """
defaults
  mode tcp
  timeout client 20s
  timeout server 20s
  timeout connect 5s
""" + "".join(
    f"""
listen {word}-{port}
  bind {PROXY}:{above + port}
  source {PROXY}
  server own {SERVER}:{port} {word}
"""
    for word, above in BY.items()
    for port in PORTS
)
REQUEST: Final = f"GET / HTTP/1.1\r\nHost: {SERVER}\r\nConnection: close\r\n\r\n".encode()
IN_VAIN: Final = 1.0


def first(source: str) -> bytes:
    """The header of version 1 that names an address as the client's."""
    return f"PROXY TCP4 {source} {SERVER} 40000 80\r\n".encode()


def second(source: str) -> bytes:
    """The same of version 2 (haproxy.org, "The PROXY protocol")."""
    ends = ip_address(source).packed + ip_address(SERVER).packed + struct.pack(">HH", 40000, 80)
    return b"\r\n\r\n\x00\r\nQUIT\n\x21\x11" + struct.pack(">H", len(ends)) + ends


def gets_in(inside: Namespace, source: str, place: tuple[str, int], before: bytes = b"") -> bool:
    """Whether a request is answered with the page, and that alone."""
    return inside.run(_gets_in, source, place, before)


def _gets_in(source: str, place: tuple[str, int], before: bytes) -> bool:
    with socket.socket() as asking:
        asking.settimeout(IN_VAIN)
        asking.bind((source, 0))
        try:
            asking.connect(place)
            asking.sendall(before + REQUEST)
            return asking.recv(64).startswith((b"HTTP/1.1 200", b"HTTP/1.0 200"))
        except OSError:
            return False


def on_haproxy(line: str) -> Start:
    @contextmanager
    def start(inside: Namespace, folder: Path) -> Iterator[tuple[Backend, int]]:
        written = line.replace("{", "{{").replace("}", "}}")
        with haproxy(inside, folder, rule=f"{written}\n    {DENY}") as server:
            yield server.backend(), 8080

    return start


def on_haproxy_for_its_proxy_alone() -> Start:
    @contextmanager
    def start(inside: Namespace, folder: Path) -> Iterator[tuple[Backend, int]]:
        line = advised("haproxy.md", r"`(tcp-request connection\s+reject unless { src 192[^`]*)`")
        rule = f"{line.replace('{', '{{').replace('}', '}}')}\n    {DENY}"
        listen = (f"{SERVER}:8080 accept-proxy",)
        with haproxy(inside, folder, rule=rule, listen=listen) as server:
            yield server.backend(), 8080

    return start


def on_nginx(style: Style) -> Start:
    def start(inside: Namespace, folder: Path) -> AbstractContextManager[tuple[Backend, int]]:
        listen = LISTEN.replace(";", " proxy_protocol;")
        guarded = GUARDED[style].replace(LISTEN, listen)
        header = f"set_real_ip_from {PROXY}; real_ip_header proxy_protocol;"
        return guarding(inside, folder, style, f"{header}\n{guarded}")

    return start


def on_caddy() -> Start:
    @contextmanager
    def start(inside: Namespace, folder: Path) -> Iterator[tuple[Backend, int]]:
        wrapper = f"proxy_protocol {{\nallow {PROXY}/32\n}}"
        options = f"servers {{\nlistener_wrappers {{\n{wrapper}\n}}\n}}"
        with caddy(inside, folder, options=options, program=NEWER) as server:
            yield server.backend(matcher=Matcher.REMOTE_IP), 8081

    return start


def on_traefik() -> Start:
    @contextmanager
    def start(inside: Namespace, _: Path) -> Iterator[tuple[Backend, int]]:
        program = str(Path(sys.executable).with_name("traefik"))
        entry = f'{KEEPING}, proxyProtocol: {{trustedIPs: ["{PROXY}/32"]}}'
        with TemporaryDirectory() as made:
            (base := Path(made)).chmod(0o755)
            with traefik(program, inside, base / "real", entry=entry) as folder:
                given = TraefikOptions(path=folder / "friends.yml", api=URL)
                yield TRAEFIK_TYPE.make(Placement("x", "x/traefik"), given), HTTP

    return start


def advised(page: str, pattern: str) -> str:
    """What a page advises, for the proxy of the test."""
    found = re.search(pattern, (ROOT / "docs" / "backends" / page).read_text())
    assert found is not None
    assert ADVISED in found[1]
    return " ".join(found[1].split()).replace(ADVISED, PROXY)


EXPECTED: Final = advised("haproxy.md", r"`(tcp-request connection expect-proxy [^`]*)`")
# How a server is started, and whether friends reach it directly, too.
RECIPES: Final[dict[str, tuple[Start, bool]]] = {
    "HAProxy": (on_haproxy(EXPECTED), True),
    "HAProxy that its proxy alone reaches": (on_haproxy_for_its_proxy_alone(), False),
    "nginx": (on_nginx(Style.ALLOW), False),
    "nginx by a variable": (on_nginx(Style.GEO), False),
    "Caddy": (on_caddy(), True),
    "Traefik": (on_traefik(), True),
}


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Namespace]:
    """A namespace with the proxy in it."""
    config = tmp_path_factory.mktemp("front") / "haproxy.cfg"
    config.write_text(FRONT)
    with neighbourhood() as one:
        one.batch(f"address add {PROXY}/32 dev lo")
        argv = [PROGRAM, "-q", "-db", "-f", str(config)]
        last = f"{PROXY}:{max(BY.values()) + PORTS[-1]} "
        with one.run(lambda: subprocess.Popen(argv)) as proxy:
            assert eventually(lambda: last in one.command("ss", "-Hltn"))
            try:
                yield one
            finally:
                proxy.terminate()


CLAIMS: Final = (
    b"",
    first(FRIEND),
    second(FRIEND),
    first(FRIEND) + second(FRIEND),
    first(FRIEND) * 2,
    first(PROXY) + first(FRIEND),
    b"PROXY UNKNOWN\r\n",
)


@pytest.mark.parametrize("name", RECIPES)
def test_no_proxy_header_of_a_stranger_lets_it_in(
    inside: Namespace, tmp_path: Path, name: str
) -> None:
    start, directly = RECIPES[name]
    with start(inside, tmp_path) as (backend, port):
        inside.run(apply_one, backend, [ip_network(FRIEND)])
        for claim in CLAIMS:
            assert not gets_in(inside, STRANGER, (SERVER, port), claim), claim
            for above in BY.values():
                assert not gets_in(inside, STRANGER, (PROXY, above + port), claim), claim
        for above in BY.values():
            assert gets_in(inside, FRIEND, (PROXY, above + port))
        assert gets_in(inside, FRIEND, (SERVER, port)) is directly


def test_without_the_condition_of_the_recipe_a_claim_counts(
    inside: Namespace, tmp_path: Path
) -> None:
    line = EXPECTED.partition(" if ")[0]
    with on_haproxy(line)(inside, tmp_path) as (backend, port):
        inside.run(apply_one, backend, [ip_network(FRIEND)])
        assert gets_in(inside, STRANGER, (SERVER, port), first(FRIEND))
        assert gets_in(inside, STRANGER, (SERVER, port), second(FRIEND))
