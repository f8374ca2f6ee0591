"""Certificates made for one test run, and a TLS front for a `NameServer`. Needs `cryptography`.

    authority = Authority(folder)
    with NameServer(zones) as server, TlsFront(server, authority.serves("127.0.0.1")) as front:
        with authority.trusted():
            ...  # ask front.nameserver

What the name server sends over TCP, well formed or not, goes through TLS as it is.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from itertools import count
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from allowsync.model.nameserver import Nameserver, Transport
from testkit.fake_dns.sockets import bound

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from testkit.fake_dns.nameserver import NameServer

DAY: Final = timedelta(days=1)
PATIENCE: Final = 60.0  # seconds that a connection may stand still

_HANDSHAKE: Final = b"\x16"  # how a TLS connection begins (RFC 8446 section 5.1)
_CHUNK: Final = 65536


class Authority:
    """A certificate authority of a test's own.

    Args:
        folder: Where its files are put.
        name: What it calls itself; another name each time unless given.

    Attributes:
        certificate: A PEM file to trust it by.
    """

    def __init__(self, folder: Path, name: str = "") -> None:
        called = name or f"authority {x509.random_serial_number():x}"[:60]
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, called)])
        self._numbers = count()
        now = datetime.now(UTC)
        signed = (
            self._begun(self._name, now - DAY, now + DAY)
            .public_key(self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = folder / "authority.pem"
        self.certificate.write_bytes(signed.public_bytes(Encoding.PEM))

    @contextmanager
    def trusted(self) -> Iterator[None]:
        """Let this process, and those it starts, trust the authority and nobody else."""
        before = os.environ.get("SSL_CERT_FILE")
        os.environ["SSL_CERT_FILE"] = str(self.certificate)
        try:
            yield
        finally:
            if before is None:
                del os.environ["SSL_CERT_FILE"]
            else:
                os.environ["SSL_CERT_FILE"] = before

    def serves(self, *names: str, days: tuple[int, int] = (-1, 1)) -> ssl.SSLContext:
        """What a server needs to prove that it has these names and addresses.

        Args:
            names: Host names, or addresses as text.
            days: From when until when the certificate is valid, in days from now.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.issued(*names, days=days))
        return context

    def issued(self, *names: str, days: tuple[int, int] = (-1, 1)) -> Path:
        """A file with a certificate for these names and addresses, and with its key."""
        now = datetime.now(UTC)
        key = ec.generate_private_key(ec.SECP256R1())
        signed = (
            self._begun(x509.Name([]), now + days[0] * DAY, now + days[1] * DAY)
            .public_key(key.public_key())
            .add_extension(x509.SubjectAlternativeName(list(map(_general, names))), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        file = self._folder / f"server-{next(self._numbers)}.pem"
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(signed.public_bytes(Encoding.PEM) + secret)
        return file

    def identifies(self, name: str) -> tuple[bytes, bytes]:
        """What a client needs to prove who it is: a certificate and its key, in PEM."""
        now = datetime.now(UTC)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        signed = (
            self._begun(subject, now - DAY, now + DAY)
            .public_key(key.public_key())
            .sign(self._key, hashes.SHA256())
        )
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return signed.public_bytes(Encoding.PEM), secret

    def _begun(
        self, subject: x509.Name, since: datetime, until: datetime
    ) -> x509.CertificateBuilder:
        return x509.CertificateBuilder(
            issuer_name=self._name,
            subject_name=subject,
            serial_number=x509.random_serial_number(),
            not_valid_before=since,
            not_valid_after=until,
        )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@dataclass(frozen=True, slots=True)
class Manner:
    """How a front treats those who connect.

    Attributes:
        wait: Seconds until it answers the handshake.
        hang_up: Closes each connection at once.
        close_after: Closes each connection after that many messages to the asker.
        lull: Closes each connection after it was silent for that many seconds.
    """

    wait: float = 0.0
    hang_up: bool = False
    close_after: int | None = None
    lull: float = PATIENCE


class TlsFront:
    """A context manager that lets a name server be asked over TLS, on a port of its own.

    Attributes:
        manner: May be changed at any time; new connections go by it.
        connections: How many there were.
        in_clear: What came over UDP, or over TCP without TLS.
    """

    def __init__(
        self,
        behind: NameServer,
        context: ssl.SSLContext,
        name: str = "",
        manner: Manner | None = None,
    ) -> None:
        self.manner = manner or Manner()
        self.connections = 0
        self.in_clear: list[bytes] = []
        self._behind = behind
        self._context = context
        self._name = name
        self._listener, self._datagrams = bound(behind.address)
        self.port: int = self._listener.getsockname()[1]
        self._waker, self._woken = socket.socketpair()
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._serve, name="tls front", daemon=True)]

    @property
    def nameserver(self) -> Nameserver:
        """This server as a configuration names it."""
        return Nameserver(self._behind.address, self.port, Transport.TLS, name=self._name)

    def __str__(self) -> str:
        return str(self.nameserver)

    def __enter__(self) -> TlsFront:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every connection."""
        self._waker.send(b".")
        self._threads[0].join()
        for one in tuple(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()

    def _serve(self) -> None:
        with self._listener, self._datagrams, self._waker, self._woken:
            while True:
                ready, _, _ = select.select([self._listener, self._datagrams, self._woken], [], [])
                if self._woken in ready:
                    return
                if self._datagrams in ready:
                    self.in_clear.append(self._datagrams.recv(_CHUNK))
                if self._listener in ready:
                    self._accept()

    def _accept(self) -> None:
        raw, _ = self._listener.accept()
        self.connections += 1
        raw.settimeout(PATIENCE)
        self._open.add(raw)
        thread = threading.Thread(target=self._attend, args=(raw, self.manner), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _attend(self, raw: socket.socket, manner: Manner) -> None:
        with raw, suppress(OSError):
            if manner.hang_up:
                return
            time.sleep(manner.wait)
            first = raw.recv(_CHUNK, socket.MSG_PEEK)
            if first[:1] not in (_HANDSHAKE, b""):
                self.in_clear.append(first)
            with self._context.wrap_socket(raw, server_side=True) as secure:
                self._open.add(secure)
                self._open.discard(raw)
                with socket.create_connection((self._behind.address, self._behind.port)) as plain:
                    _pass_on(secure, plain, manner)
                self._open.discard(secure)
        self._open.discard(raw)


def _pass_on(secure: ssl.SSLSocket, plain: socket.socket, manner: Manner) -> None:
    """Carry bytes both ways until one side closes, or the manner says so."""
    sent, whole = b"", 0
    while secure.pending() or (ready := select.select([secure, plain], [], [], manner.lull)[0]):
        if secure.pending() or secure in ready:
            asked = secure.recv(_CHUNK)
            if not asked:
                return
            plain.sendall(asked)
            continue
        data = plain.recv(_CHUNK)
        if not data:
            return
        if manner.close_after is None:
            secure.sendall(data)
            continue
        sent += data
        while whole < manner.close_after and (message := _first(sent)):
            secure.sendall(message)
            sent, whole = sent[len(message) :], whole + 1
        if whole == manner.close_after:
            return


def _first(data: bytes) -> bytes:
    """The first message with its length; nothing where it is not whole."""
    end = 2 + int.from_bytes(data[:2], "big")
    return data[:end] if len(data) >= max(end, 2) else b""
