"""The resolver process: loads its modules, gives up its rights, then asks.

Nothing is read from the network before the rights are dropped, and nothing is imported or opened
after that: the installation may be readable by root only.
"""

from __future__ import annotations

import _thread
import codecs
import marshal
import os
from contextlib import suppress
from datetime import timedelta

from allowsync.dns.answer_lines import END, confined, written
from allowsync.dns.client import Resolver
from allowsync.model.nameserver import Dnssec, Nameserver, ResolverSettings, Transport
from allowsync.model.types import Family, Query
from allowsync.system.fork import Bounds, Confinement, held, write_all
from allowsync.typed import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from allowsync.dns.alias_reader import AliasReader
    from allowsync.model.answer import Answer

MEMORY: Final = 112 * 2**20  # bytes, beside the run's own at the fork
MEMORY_EACH: Final = 16 * 2**10  # bytes more for each host
SPARE_PROCESSOR: Final = 5  # seconds; the run ends this process long before
STACK: Final = 256 * 1024  # bytes of each thread
HEAD: Final = 4  # bytes that hold the length of a request

_CERTIFICATES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
# The files the C library reads, each time anew, to look up the name of a DoH server.
_HOSTS: Final = ("hosts", "resolv.conf", "nsswitch.conf", "host.conf", "gai.conf")
_DNS_PORT: Final = 53


def serve(requests: int, lines: int, aliases: AliasReader) -> None:
    """Answer requests until the run ends, or ends this process.

    Args:
        requests: The pipe of settings and questions.
        lines: The pipe of answers.
        aliases: Follows aliases.
    """
    os.setsid()  # signals of the terminal end the run, and the run ends this process
    with open(requests, "rb", closefd=False) as source:
        settings, hosts = _settings(_next(source))
        _load(settings)
        for name in os.environ.keys() - _CERTIFICATES:
            del os.environ[name]
        _thread.stack_size(STACK)
        result = _confine(_bounds(settings, hosts))
        write_all(lines, confined(result))
        while result.is_sound:
            _answer(settings, aliases, _next(source), lines)


def _next(source: Any) -> Any:
    """Return the next document from the run.

    Raises:
        SystemExit: The run has closed the pipe.
    """
    head = source.read(HEAD)
    if len(head) < HEAD:
        raise SystemExit
    return marshal.loads(source.read(int.from_bytes(head, "big")))  # noqa: S302 - the run sent it


def _settings(sent: Any) -> tuple[ResolverSettings, int]:
    """Return the resolver settings, and the number of hosts."""
    nameservers, dnssec, timeout, attempts, deadline, hosts = sent
    settings = ResolverSettings(
        nameservers=tuple(
            Nameserver(address, port, Transport(transport), name, url)
            for address, port, transport, name, url in nameservers
        ),
        dnssec=Dnssec(dnssec),
        timeout=timedelta(seconds=timeout),
        attempts=attempts,
        deadline=timedelta(seconds=deadline),
    )
    return settings, hosts


def _load(settings: ResolverSettings) -> None:
    """Import and open everything that the transports need."""
    # A truncated answer is asked for again over TCP, in a thread, whatever the nameserver.
    from allowsync.dns.transport import tcp, workers  # noqa: F401 - they load what is needed

    transports = {one.transport for one in settings.nameservers}
    if transports != {Transport.DNS}:
        from allowsync.dns.transport.tls_context import load

        codecs.lookup("idna")
    if Transport.TLS in transports:
        from allowsync.dns.transport import dot  # noqa: F401

        load()
    if Transport.HTTPS in transports:
        from allowsync.dns.transport import doh

        load(doh.protocols())
        _load_host_modules()


def _load_host_modules() -> None:
    """Load the modules that look up a DoH server's name, by a known and an impossible name."""
    import socket

    for name in (b"localhost", b"x" * 64 + b".invalid"):
        with suppress(OSError):
            socket.getaddrinfo(name, _DNS_PORT)


def _confine(bounds: Bounds) -> Confinement:
    """Give up all rights; none where the C library cannot be called."""
    try:
        from allowsync.system.sandbox import confine
    except (ImportError, MemoryError) as error:
        return Confinement(os.geteuid() != 0, f"everything: no ctypes: {error}")
    return confine(bounds)


def _bounds(settings: ResolverSettings, hosts: int) -> Bounds:
    by_name = any(one.transport is Transport.HTTPS for one in settings.nameservers)
    ports = [one.port for one in settings.nameservers]
    return Bounds(
        memory=held() + MEMORY + hosts * MEMORY_EACH,
        processor=int(settings.deadline.total_seconds()) + SPARE_PROCESSOR,
        ports=(*ports, _DNS_PORT) if by_name else tuple(ports),
        readable=tuple(f"/etc/{name}" for name in _HOSTS if by_name),
    )


def _answer(settings: ResolverSettings, aliases: AliasReader, asked: Any, lines: int) -> None:
    """Ask the questions, and write each answer once it is known."""
    everyone, ends, questions = asked
    queries = [Query(name, Family(family)) for name, family in questions]
    unread = bytearray()

    def told(settled: Sequence[tuple[int, Answer]]) -> None:
        unread.extend(b"".join(written(place, answer) for place, answer in settled))
        with suppress(BlockingIOError):  # the run is busy; asking goes on
            while unread:
                del unread[: os.write(lines, unread)]

    resolver = Resolver(settings, chain_end=aliases.chain_end)
    put = resolver.survey if everyone else resolver.resolve
    os.set_blocking(lines, False)
    put(queries, ends=ends, told=told)
    os.set_blocking(lines, True)
    write_all(lines, bytes(unread) + END)
