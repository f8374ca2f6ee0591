"""A real Traefik in a network namespace, as nobody, with an echo of a web server behind it."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from allowsync_backends.traefik.api import Api, ApiError

from tests.support.internet import STRANGER, STRANGER6

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.netns import Namespace

HTTP: Final = 8000
TCP: Final = 8001
TRUSTING: Final = 8002  # believes the stranger's address about X-Forwarded-For, as that of a proxy
BELIEVING: Final = 8003  # believes anybody
CLAIMED: Final = 8004  # believes the PROXY header of anybody
BEHIND: Final = 9000
URL: Final = "http://127.0.0.1:8080"
NO_CLIENT: Final = 65534

# It takes no empty options.
KEEPING: Final = "{aliasHeadersStrategy: keep}"
STATIC: Final = """
global: {{checkNewVersion: false, sendAnonymousUsage: false}}
api: {{insecure: true}}
log: {{level: ERROR}}
entryPoints:
  web: {{address: ":{http}", forwardedHeaders: {{trustedIPs: ["{trusted}"]}}, http: {entry}}}
  tcp: {{address: ":{tcp}"}}
  trusting: {{address: ":{trusting}", forwardedHeaders: {{trustedIPs: ["{proxy}", "{proxy6}"]}}}}
  believing: {{address: ":{believing}", forwardedHeaders: {{insecure: true}}}}
  claimed: {{address: ":{claimed}", proxyProtocol: {{insecure: true}}}}
  traefik: {{address: "127.0.0.1:8080"}}
providers:
  providersThrottleDuration: 20ms
  file: {{directory: {folder}, watch: true}}
"""

ROUTERS: Final = f"""
http:
  routers:
    app: {{rule: "PathPrefix(`/`)", entryPoints: [web], service: app, middlewares: [allowsync-x]}}
  services: {{app: {{loadBalancer: {{servers: [{{url: "http://127.0.0.1:{BEHIND}"}}]}}}}}}
tcp:
  routers:
    app: {{rule: "HostSNI(`*`)", entryPoints: [tcp], service: app, middlewares: [allowsync-x]}}
  services: {{app: {{loadBalancer: {{servers: [{{address: "127.0.0.1:{BEHIND}"}}]}}}}}}
"""

_WEB: Final = f"""
import http.server
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer.request_queue_size = 200
http.server.ThreadingHTTPServer(("127.0.0.1", {BEHIND}), Answer).serve_forever()
"""


@contextmanager
def traefik(
    program: str, inside: Namespace, base: Path, trusted: str = "10.0.0.0/8", entry: str = KEEPING
) -> Iterator[Path]:
    """The folder that a running Traefik watches, with a router of each kind in it.

    Args:
        program: Which Traefik.
        inside: Where it runs.
        base: Where its files are.
        trusted: The proxies of its entry point for the web.
        entry: Options of that entry point.
    """
    folder = base / "dynamic"
    folder.mkdir(parents=True)
    base.chmod(0o755)
    folder.chmod(0o755)
    static = base / "traefik.yml"
    static.write_text(
        STATIC.format(
            http=HTTP,
            tcp=TCP,
            trusting=TRUSTING,
            believing=BELIEVING,
            claimed=CLAIMED,
            trusted=trusted,
            entry=entry,
            proxy=STRANGER,
            proxy6=STRANGER6,
            folder=folder,
        )
    )
    (folder / "app.yml").write_text(ROUTERS)
    with running(program, inside, static):
        _wait(inside)
        yield folder


@contextmanager
def running(program: str | Path, inside: Namespace, static: Path) -> Iterator[None]:
    """A Traefik by its static configuration, as nobody, and the echo of a web server behind it."""
    web = inside.start(sys.executable, "-c", _WEB)
    process = inside.run(
        lambda: subprocess.Popen(
            [program, f"--configFile={static}"],
            user=NO_CLIENT,
            group=NO_CLIENT,
            extra_groups=[],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
        )
    )
    try:
        yield
    finally:
        for one in (process, web):
            one.kill()
            one.communicate()


def _wait(inside: Namespace) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            inside.run(Api(URL).version)
        except ApiError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
