"""A real nginx that speaks TLS and HTTP/2 in front of a server of a test's own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.ports import unused_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr crit;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {certificate};
    ssl_certificate_key {certificate};
    {more}
    location / {{ proxy_pass {behind}; proxy_ssl_verify off; }}
  }}
}}
"""


@contextmanager
def nginx(folder: Path, certificate: Path, behind: str, more: str = "") -> Iterator[int]:
    """The port of an nginx that passes everything on.

    Args:
        folder: Where its files are put.
        certificate: A PEM file with its key and certificate, good for 127.0.0.1.
        behind: The URL it passes requests on to.
        more: Directives of the server.
    """
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    assert program, "nginx is not installed: apt install nginx-light"
    port = unused_port()
    text = CONFIGURATION.format(
        folder=folder, port=port, certificate=certificate, behind=behind, more=more
    )
    (folder / "nginx.conf").write_text(text)
    child = subprocess.Popen(
        [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"],
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port)
        yield port
    finally:
        child.kill()
        child.wait(timeout=120)


def _wait_for(port: int) -> None:
    for _ in range(500):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(f"nobody listens at {port}")
