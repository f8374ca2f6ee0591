"""A server that answers every datagram and every connection, and counts who reached it."""

from __future__ import annotations

import json
import selectors
import socket
import sys
import threading
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.netns import Namespace

RECEIVE_BUFFER = 1 << 20


class Echo:
    """Listens on ports for UDP and TCP, IPv4 and IPv6, in the namespace it is made in.

    Attributes:
        seen: How many datagrams, and pieces of streams, came from each address.
    """

    def __init__(self, ports: Iterable[int]) -> None:
        self.seen: Counter[str] = Counter()
        self._selector = selectors.DefaultSelector()
        self._stop, self._stopped = socket.socketpair()
        self._selector.register(self._stopped, selectors.EVENT_READ)
        for port in ports:
            for family in (socket.AF_INET, socket.AF_INET6):
                self._listen(family, socket.SOCK_DGRAM, port)
                self._listen(family, socket.SOCK_STREAM, port)

    def _listen(self, family: socket.AddressFamily, kind: socket.SocketKind, port: int) -> None:
        listening = socket.socket(family, kind)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind is socket.SOCK_DGRAM:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        listening.bind(("", port))
        if kind is socket.SOCK_STREAM:
            listening.listen(1024)
        listening.setblocking(False)
        self._selector.register(listening, selectors.EVENT_READ, kind)

    def serve(self) -> None:
        """Answer until `stop` is called."""
        while True:
            for key, _ in self._selector.select():
                ready = key.fileobj
                assert isinstance(ready, socket.socket)
                if ready is self._stopped:
                    self._close()
                    return
                # A client that has gone away is no reason to stop.
                with suppress(OSError):
                    self._answer(ready, key.data)

    def _answer(self, ready: socket.socket, kind: socket.SocketKind | None) -> None:
        if kind is socket.SOCK_DGRAM:
            data, sender = ready.recvfrom(65535)
            self.seen[sender[0]] += 1
            ready.sendto(data, sender)
        elif kind is socket.SOCK_STREAM:
            connection, _ = ready.accept()
            connection.setblocking(False)
            self._selector.register(connection, selectors.EVENT_READ)
        else:
            self._answer_stream(ready)

    def _answer_stream(self, connection: socket.socket) -> None:
        data = b""
        try:
            data = connection.recv(65535)
            if data:
                self.seen[connection.getpeername()[0]] += 1
                connection.send(data)
        finally:
            if not data:
                self._selector.unregister(connection)
                connection.close()

    def stop(self) -> None:
        """Let `serve` return."""
        self._stop.send(b"x")

    def _close(self) -> None:
        for key in list(self._selector.get_map().values()):
            self._selector.unregister(key.fileobj)
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        self._stop.close()
        self._selector.close()


class EchoIn:
    """An echo server in a namespace, answered by a thread of this process."""

    def __init__(self, namespace: Namespace, ports: Iterable[int]) -> None:
        self.echo = namespace.run(Echo, ports)
        self._thread = threading.Thread(target=self.echo.serve, name="echo")

    def __enter__(self) -> Echo:
        self._thread.start()
        return self.echo

    def __exit__(self, *_: object) -> None:
        self.echo.stop()
        self._thread.join()


def main() -> None:
    """Serve on the ports given until standard input ends; then print who was seen."""
    echo = Echo(map(int, sys.argv[1:]))
    serving = threading.Thread(target=echo.serve)
    serving.start()
    print("ready", flush=True)
    sys.stdin.read()
    echo.stop()
    serving.join()
    print(json.dumps(echo.seen), flush=True)


if __name__ == "__main__":
    main()
