"""One connection to a DoH server, by httpcore: HTTP/2 or HTTP/1.1, as the two agree (RFC 7301).

httpcore and not httpx, which builds on it: it takes half as long to import, and has no proxies,
redirects and compression that would have to be switched off.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import httpcore

from allowsync.dns.failure import Failure, FailureKind
from allowsync.dns.nameservers import unreachable
from allowsync.dns.transport.bootstrap import Addresses, UnknownHost
from allowsync.dns.transport.tls_context import NEEDS_H2, broken, trust
from allowsync.model.value import Value

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Mapping

    from allowsync.model.nameserver import Nameserver

HTTP1: Final = "http/1.1"
HTTP2: Final = "h2"
MEDIA_TYPE: Final = b"application/dns-message"  # RFC 8484 section 6
MAX_BODY: Final = 65535  # octets of a DNS message
TRIES: Final = 2  # of a question whose connection ends, which need not be its own fault

# Bad Request, Upgrade Required, HTTP Version Not Supported (RFC 9110 section 15): sent by servers
# that expect HTTP/2.
_OTHER_VERSION: Final = (400, 426, 505)
# How httpcore words the end of a connection. After a shutdown (GOAWAY) it reads no answer.
_ENDS: Final = ("disconnected", "peer closed", "ConnectionState.CLOSED")
# The exceptions of httpcore, and those that hostile bytes could cause in it.
_BROKEN: Final = (
    httpcore.ProtocolError, httpcore.NetworkError, OSError, ArithmeticError, AssertionError,
    AttributeError, LookupError, RuntimeError, TypeError, ValueError,
)  # fmt: skip


class DohServer(Value):
    """The server to ask.

    Attributes:
        nameserver: The nameserver as configured, for messages.
        url: The URL to post to.
        authority: The `Host` header.
        protocols: The supported versions of HTTP, the preferred first.
        addresses: Its addresses.
        timeout: The limit of each step, in seconds; the loop gives up slower ones.
    """

    nameserver: Nameserver
    url: httpcore.URL
    authority: bytes
    protocols: tuple[str, ...]
    addresses: Addresses
    timeout: float

    @property
    def host(self) -> str:
        """The name or address that the certificate must be valid for."""
        return self.url.host.decode()


class DohConnection:
    """Asks one question at a time, in a thread; reconnects as needed.

    Attributes:
        ready: Whether the server has been authenticated.
        over: Whether the answer is no longer expected.
    """

    def __init__(self, server: DohServer) -> None:
        self.ready = False
        self.over = False
        self._server = server
        self._socket: ssl.SSLSocket | None = None
        self._agreed: str | None = None
        self._shaking = False
        self._pool = httpcore.ConnectionPool(
            ssl_context=trust(server.protocols),
            max_connections=1,
            http2=HTTP2 in server.protocols,
            network_backend=server.addresses,
        )

    def ask(self, wire: bytes) -> bytes | Failure | None:
        """Return the answer, the failure, or None after a timeout. Runs in a thread."""
        tries = 0
        while True:
            tries += 1
            try:
                return self._ask(wire)
            except httpcore.TimeoutException:
                self.close()
                return None
            except _BROKEN as error:
                self.close()
                if self.over or tries == TRIES or not _is_cut(error):
                    return self._failure(error)

    def abandon(self) -> None:
        """Wake the thread, which closes the connection; does not wait for it."""
        self.over = True
        self._shut()

    def close(self) -> None:
        """Close the connection. Not while another thread uses it."""
        with suppress(*_BROKEN):  # h2 may object to the shutdown
            self._pool.close()
        if self._socket is not None:
            self._socket.close()

    def _ask(self, wire: bytes) -> bytes | Failure:
        outcome = self._exchange(wire)
        if isinstance(outcome, Failure):
            self.close()  # do not wait for the rest of it
        return outcome

    def _exchange(self, wire: bytes) -> bytes | Failure:
        server = self._server
        headers = [
            (b"host", server.authority),
            (b"accept", MEDIA_TYPE),
            (b"content-type", MEDIA_TYPE),
            (b"content-length", str(len(wire)).encode()),
        ]
        limits = dict.fromkeys(("connect", "read", "write", "pool"), server.timeout)
        extensions: dict[str, Any] = {"timeout": limits, "trace": self._note}
        with self._pool.stream(
            b"POST", server.url, headers=headers, content=wire, extensions=extensions
        ) as response:
            if wrong := self._wrong_head(response.status, response.headers):
                return wrong
            body = b""
            for chunk in response.iter_stream():
                body += chunk
                if len(body) > MAX_BODY:
                    return self._told(FailureKind.STREAM, "sent more than a DNS message can hold")
        return body

    def _note(self, event: str, told: Mapping[str, Any]) -> None:
        """Follow the progress of httpcore."""
        if event == "connection.connect_tcp.started":
            self._shaking = False
        elif event == "connection.start_tls.started":
            self._shaking = True
        elif event == "connection.start_tls.complete":
            self.ready, self._shaking = True, False
            if self._socket is not None:
                self._socket.close()  # of the previous connection, which h2 may have left open
            self._socket = told["return_value"].get_extra_info("socket")
            self._agreed = self._socket.selected_alpn_protocol()
            if self.over:
                self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                # Not the method of `SSLSocket`, which would go on in clear text.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _wrong_head(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> Failure | None:
        """Return the fault in the head of a response, if there is one."""
        if 300 <= status < 400:
            what = "redirects elsewhere, which is not followed: configure the URL it moved to"
            return self._told(FailureKind.UNTRUSTED, what)
        if status != 200:
            hint = self._hint if status in _OTHER_VERSION else ""
            return self._told(FailureKind.ERROR, f"answered with HTTP status {status}{hint}")
        kinds = [value for name, value in headers if name.lower() == b"content-type"]
        if [one.partition(b";")[0].strip().lower() for one in kinds] != [MEDIA_TYPE]:
            return self._told(
                FailureKind.STREAM, "did not answer with a DNS message: check the path"
            )
        return None

    def _failure(self, error: Exception) -> Failure:
        """Return the failure that an exception means."""
        server = self._server
        if isinstance(error, UnknownHost):
            what = f"cannot reach {server.nameserver}: no address for {server.host}: {error}"
            return Failure(FailureKind.UNREACHABLE, what)
        if isinstance(error, httpcore.ConnectError):
            said = _said(error)
            cause = said if isinstance(said, OSError) else OSError(str(said))
            if self._shaking:
                return broken(server.nameserver, server.host, cause, server.protocols)
            return unreachable(server.nameserver, cause)
        if _is_cut(error):
            if type(_said(error)).__name__ == "StreamReset":  # an event of h2
                return self._told(FailureKind.STREAM, "broke off its answer")
            return self._told(FailureKind.STREAM, "closed the connection before the answer came")
        if self._agreed == HTTP2:
            return self._told(FailureKind.STREAM, "does not keep to HTTP/2")
        return self._told(FailureKind.STREAM, f"does not speak HTTP/1.1{self._hint}")

    @property
    def _hint(self) -> str:
        if HTTP2 in self._server.protocols:
            return ""
        return f"; if it speaks HTTP/2 alone: {NEEDS_H2}"

    def _told(self, kind: FailureKind, what: str) -> Failure:
        return Failure(kind, f"{self._server.nameserver} {what}")


def _is_cut(error: Exception) -> bool:
    """Whether a connection or an answer ended early, with no fault in the received part."""
    if isinstance(error, (httpcore.ReadError, httpcore.WriteError)):
        return True
    if not isinstance(error, httpcore.ProtocolError):
        return False
    said = _said(error)
    return not isinstance(said, (str, Exception)) or any(one in str(said) for one in _ENDS)


def _said(error: Exception) -> object:
    """Return the content of an httpcore error: a text, an event of h2, or its cause."""
    return error.args[0] if error.args else ""
