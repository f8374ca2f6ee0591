"""nginx on a rented server follows the address of a home: real requests, a real move."""

from __future__ import annotations

import http.client
import http.server
import re
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from testkit.fake_dns.nameserver import NameServer
from tests.support.documents import ROOT
from tests.support.netns import Namespace
from tests.support.nginx import Nginx, program, serving
from tests.support.program import allowsync_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXAMPLES = ROOT / "examples"
NAME = "home.duckdns.org"
HOME, MOVED = "81.2.69.1", "81.2.69.7"
JELLYFIN = 8920
FRONT = 8080
UPSTREAM = """
include {path};
server {{
  listen 127.0.0.1:{port};
  location / {{ proxy_pass http://jellyfin_home; proxy_connect_timeout 5s; }}
}}
"""
VARIABLE = """
server {{
  listen 127.0.0.1:{port};
  include {path};
  location / {{ proxy_pass http://$jellyfin; proxy_connect_timeout 5s; }}
}}
"""
PROXIES = {"home-upstream": UPSTREAM, "home-variable": VARIABLE}


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        said = str(self.connection.getsockname()[0]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@dataclass
class Rented:
    """The rented server: its nginx, and what allowsync does there."""

    inside: Namespace
    nginx: Nginx
    config: Path
    proxy: str
    zones: dict[str, object] = field(default_factory=dict)

    def apply(self) -> str:
        given = ("--config", str(self.config), "--state", str(self.config.with_name("state.db")))
        return allowsync_in(self.inside, "apply", "--force", *given)

    def ask(self) -> str:
        """What somebody gets who asks nginx: an address of a home, or a status."""
        return self.inside.run(_asked)

    def settles_on(self, wanted: str) -> bool:
        """Whether after a while there is one answer and no other.

        `nginx -s reload` does not wait until those workers are gone that know the former upstream.
        """
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if {self.ask() for _ in range(30)} == {wanted}:
                return True
        return False


def _asked() -> str:
    connection = http.client.HTTPConnection("127.0.0.1", FRONT, timeout=60)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        return answer.read().decode() if answer.status == 200 else str(answer.status)
    finally:
        connection.close()


def own(name: str, nginx: Nginx, server: NameServer) -> Path:
    """The example with the places of this test, and nothing else changed."""
    text, template = (EXAMPLES / f"{name}.yaml").read_text(), EXAMPLES / f"{name}.j2"
    (written,) = re.findall(r"path: (\S+)", text)
    text = text.replace(f"path: {written}", f"path: {nginx.path}")
    there = f"-c, {nginx.config}, -e, {nginx.folder}/error.log]"
    for old, new in (
        ("[nginx, -t, -q]", f"[{program()}, -t, -q, {there}"),
        ("[nginx, -s, reload]", f"[{program()}, -s, reload, {there}"),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    config = nginx.folder / "config.yaml"
    config.write_text(f"{text}\nresolver: {{nameservers: ['{server}']}}\n")
    config.chmod(0o600)
    (nginx.folder / template.name).write_text(template.read_text())
    return config


@pytest.fixture(params=PROXIES)
def rented(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rented]:
    zones: dict[str, object] = {
        NAME: [HOME],
        "alice.duckdns.org": ["81.2.69.20"],
        "bob.ddns.example.net": ["81.2.69.21"],
    }
    with ExitStack() as stack:
        inside = stack.enter_context(Namespace())
        inside.batch(*(f"address add {ip}/32 dev lo" for ip in (HOME, MOVED)))
        for ip in (HOME, MOVED):
            home = inside.run(http.server.ThreadingHTTPServer, (ip, JELLYFIN), _Answer)
            stack.callback(home.server_close)
            threading.Thread(target=home.serve_forever, daemon=True).start()
            stack.callback(home.shutdown)
        server = stack.enter_context(inside.run(lambda: NameServer(zones)))
        nginx = Nginx(tmp_path, inside)
        nginx.configure("")
        stack.enter_context(serving(nginx))
        config = own(request.param, nginx, server)
        yield Rented(inside, nginx, config, PROXIES[request.param], zones)


@pytest.mark.root
@pytest.mark.usefixtures("as_root")
def test_nginx_follows_the_home_and_asks_nobody_when_it_is_nowhere(rented: Rented) -> None:
    assert "upstream/file" in rented.apply()
    proxy = rented.proxy.format(path=rented.nginx.path, port=FRONT)
    rented.nginx.configure(proxy)
    rented.inside.command(program(), "-s", "reload", "-c", str(rented.nginx.config))
    deadline = time.monotonic() + 60
    while f":{FRONT}" not in rented.inside.command("ss", "-Hltn") and time.monotonic() < deadline:
        time.sleep(0.02)
    assert rented.ask() == HOME

    rented.zones[NAME] = [MOVED]
    assert "upstream/file" in rented.apply()
    assert rented.settles_on(MOVED), "though the old address is still kept"
    assert rented.apply() == ""

    rented.zones[NAME] = [HOME]
    rented.apply()
    assert rented.settles_on(HOME)

    text = rented.config.read_text()
    rented.config.write_text(
        text.replace("hosts: [home]", "hosts: [office]").replace(
            "hosts:\n  home:", "hosts:\n  office: {networks: [81.2.70.0/24]}\n  home:", 1
        )
    )
    rented.apply()
    assert rented.settles_on("502")
