"""Name servers that send without an end, by each transport: what runs cost, and when they end."""

from __future__ import annotations

import gzip
import select
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from testkit.fake_dns.tls import Authority
from tests.bench import starter
from tests.support.program import EXECUTABLE
from tests.support.sampling import sample
from tests.support.scoreboard import record

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.program import Installation

pytestmark = pytest.mark.slow

DEADLINE: Final = 2
# What the run and the process that asks may need each: far from 150 MiB for both. A body without
# a bound crosses it.
MOST_KIB: Final = 42 * 1024
BLOCK: Final = 1 << 14  # the longest frame that nobody has to agree on (RFC 9113 section 4.2)
KIND: Final = b"content-type: application/dns-message\r\n"
OK: Final = b"HTTP/1.1 200 OK\r\n" + KIND


class Flood(NamedTuple):
    """What a server sends: the head once, then the rest without an end.

    `protocol` is that of ALPN. Without `secure` it answers a handshake with what it sends.
    """

    scheme: str
    rest: bytes
    head: bytes = b""
    protocol: str = "http/1.1"
    secure: bool = True


def frame(kind: int, payload: bytes, flags: int = 0, stream: int = 0) -> bytes:
    """A frame of HTTP/2 (RFC 9113 section 4.1)."""
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags])
    return head + stream.to_bytes(4, "big") + payload


DATA, HEADERS, SETTINGS, PING, CONTINUATION = 0, 1, 4, 6, 9
HELLO: Final = frame(SETTINGS, b"")
# `:status: 200`, and a field with a name of HPACK's static table (RFC 7541 appendix A, 31).
STATUS: Final = b"\x88\x0f\x10\x17application/dns-message"
# A field of 4 KiB goes into the table, and is named again and again.
BOMB: Final = b"\x88\x40\x01x\x7f\x81\x1e" + b"y" * 3999 + b"\xbe" * 12000


def over_http2(rest: bytes, head: bytes = b"") -> Flood:
    return Flood("https", rest, HELLO + head, "h2")


FLOODS: Final = {
    "datagrams of other questions": Flood("udp", b"\0" * 512),
    "tcp: other messages": Flood("tcp", b"\x40\0" + b"\0" * BLOCK),
    "tcp: empty messages": Flood("tcp", b"\0\0"),
    "tls: other messages": Flood("tls", b"\x40\0" + b"\0" * BLOCK),
    "tls: empty messages, a record each": Flood("tls", b"\0\0"),
    "tls: a handshake without an end": Flood("tls", b"\x16\x03\x03\x40\0" + b"\2" * BLOCK, b"",
                                             secure=False),
    "https: a handshake without an end": Flood("https", b"\x16\x03\x03\x40\0" + b"\2" * BLOCK, b"",
                                               secure=False),
    "https: headers": Flood("https", b"x: " + b"y" * 60 + b"\r\n", OK),
    "https: one header": Flood("https", b"y" * BLOCK, OK + b"x: "),
    "https: a body": Flood("https", b"\0" * BLOCK, OK + b"content-length: 1073741824\r\n\r\n"),
    "https: chunks": Flood("https", b"4000\r\n" + b"\0" * BLOCK + b"\r\n",
                           OK + b"transfer-encoding: chunked\r\n\r\n"),
    "https: one chunk's name": Flood("https", b"0" * BLOCK,
                                     OK + b"transfer-encoding: chunked\r\n\r\n"),
    "https: interim responses": Flood("https", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "https: compressed": Flood("https", gzip.compress(bytes(1 << 25)),
                               OK + b"content-encoding: gzip\r\ncontent-length: 99999999\r\n\r\n"),
    "http2: settings": over_http2(frame(SETTINGS, b"\0\3\0\0\0\x64")),
    "http2: pings": over_http2(frame(PING, b"\0" * 8)),
    "http2: headers": over_http2(frame(CONTINUATION, b"\x0f\x10\x7f" + b"\0" * 200, stream=1),
                                 frame(HEADERS, STATUS, stream=1)),
    "http2: a body": over_http2(frame(DATA, b"\0" * BLOCK, stream=1),
                                frame(HEADERS, STATUS, 4, 1)),
    "http2: empty frames": over_http2(frame(DATA, b"", stream=1), frame(HEADERS, STATUS, 4, 1)),
    "http2: headers that grow": over_http2(frame(HEADERS, BOMB, 4, 1)),
    "http2: unknown frames": over_http2(frame(200, b"\0" * BLOCK)),
}  # fmt: skip


class Hose:
    """A server that treats all who come to it to one flood. A context manager."""

    def __init__(self, flood: Flood, authority: Authority) -> None:
        self.flood = flood
        self._over = threading.Event()
        self._context = authority.serves("127.0.0.1")
        if flood.scheme == "https":
            self._context.set_alpn_protocols([flood.protocol])
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._datagrams.bind(("127.0.0.1", self.port))
        self._threads = [threading.Thread(target=self._accept), threading.Thread(target=self._hear)]

    @property
    def address(self) -> str:
        """How a configuration names it."""
        if self.flood.scheme == "https":
            return f"https://127.0.0.1:{self.port}/dns-query"
        prefix = "tls://" if self.flood.scheme == "tls" else ""
        return f"{prefix}127.0.0.1:{self.port}"

    def __enter__(self) -> Hose:
        for one in list(self._threads):
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for one in self._threads:
            one.join(5)
        self._listener.close()
        self._datagrams.close()

    def _accept(self) -> None:
        while not self._over.is_set():
            if select.select([self._listener], [], [], 0.05)[0]:
                one = threading.Thread(target=self._attend, args=self._listener.accept()[:1])
                one.start()
                self._threads.append(one)

    def _attend(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.settimeout(1)
            encrypted = self.flood.secure and self.flood.scheme in ("tls", "https")
            with (
                self._context.wrap_socket(connection, server_side=True) if encrypted else connection
            ) as spoken:
                spoken.recv(BLOCK)
                spoken.sendall(self.flood.head)
                # A record each for small ones: the peer has the more to do.
                rest = self.flood.rest if len(self.flood.rest) > 99 else self.flood.rest * 64
                while not self._over.is_set():
                    spoken.sendall(self.flood.rest if isinstance(spoken, ssl.SSLSocket) else rest)

    def _hear(self) -> None:
        """Say over UDP that TCP is to be asked, or answer with what nobody asked for."""
        while not self._over.is_set():
            if not select.select([self._datagrams], [], [], 0.05)[0]:
                continue
            asked, peer = self._datagrams.recvfrom(BLOCK)
            if self.flood.scheme == "tcp":
                self._datagrams.sendto(asked[:2] + b"\x83\x80" + asked[4:], peer)
            while self.flood.scheme == "udp" and not self._over.is_set():
                with suppress(OSError):
                    self._datagrams.sendto(self.flood.rest, peer)


def measured(here: Installation, environ: dict[str, str]) -> tuple[int, float, int]:
    """Run it, from a process smaller than it: exit code, seconds, and peak memory in KiB."""
    here.write()
    argv = [str(EXECUTABLE), "apply", "--quiet", "--config", str(here.path)]
    small = [sys.executable, "-I", "-S", starter.__file__]
    done = subprocess.run(
        small, input="\0".join(argv), capture_output=True, text=True, env=environ, check=True
    )
    assert "Traceback" not in done.stderr, done.stderr
    code, seconds, _, kib = done.stdout.split()
    return int(code), float(seconds), int(kib)


@pytest.mark.parametrize("kind", sample(FLOODS, 3))
def test_a_server_that_never_ends_costs_neither_memory_nor_time(
    here: Installation, tmp_path: Path, kind: str
) -> None:
    place = tmp_path / "certificates"
    place.mkdir()
    authority = Authority(place)
    environ = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SSL_CERT_FILE": str(authority.certificate)}
    here.resolver = {"nameservers": ["127.0.0.1:1"], "deadline": f"{DEADLINE}s"}
    _, usual, _ = measured(here, environ)  # nobody listens there: what a run takes without waiting
    with Hose(FLOODS[kind], authority) as hose:
        here.resolver["nameservers"] = [hose.address]
        code, seconds, kib = measured(here, environ)
    assert code == 1
    assert kib < MOST_KIB
    assert seconds - usual < DEADLINE + 2
    record("hostile_servers", where=kind, servers=1)
