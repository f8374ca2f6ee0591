"""The running Caddy's configuration, read from its admin API."""

from __future__ import annotations

import http.client
import json
import socket
from typing import TYPE_CHECKING, Any

from allowsync.model.value import Value

if TYPE_CHECKING:
    from allowsync_backends.caddy.snippet import Json

TIMEOUT = 5.0  # seconds


class AdminAddress(Value):
    """The address of an admin API: a host and a port, or a Unix socket."""

    host: str
    port: int = 0
    socket: str = ""


def place(address: str) -> AdminAddress | None:
    """Parse an address in a Caddyfile's form (`tcp/localhost:2019`, `unix//caddy.sock|0220`)."""
    if address.startswith("unix/"):
        return AdminAddress("localhost", socket=address.removeprefix("unix/").partition("|")[0])
    host, _, port = address.removeprefix("tcp/").rpartition(":")
    everywhere = {"": "localhost", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - not bound
    if not (port.isascii() and port.isdigit()):
        return None
    return AdminAddress(everywhere.get(host, host).strip("[]"), int(port))


def loaded(address: str) -> Json | None:
    """Return the configuration in force; None where the admin API does not answer."""
    where = place(address)
    if where is None:
        return None
    connection = _OverSocket(where.socket) if where.socket else _over_tcp(where)
    try:
        # At a Unix socket, Caddy 2.6 accepts an empty Host and no other.
        connection.request("GET", "/config/", headers={"Host": ""} if where.socket else {})
        answer = connection.getresponse()
        document: Any = json.loads(answer.read()) if answer.status == http.client.OK else None
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return None
    finally:
        connection.close()
    return document if isinstance(document, dict) else None


def _over_tcp(where: AdminAddress) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(where.host, where.port, timeout=TIMEOUT)


class _OverSocket(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("127.0.0.1", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(self._path)
