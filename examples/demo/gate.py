"""The story at a real gate: nftables, TCP over IPv4 and IPv6, and nothing that leaves the machine.

Two network namespaces with a cable between them: a server with a small service on it, and the
internet, where all addresses are. Sockets made inside stay there, so all of it is one
process; only `ip` and allowsync, which starts `nft`, are others.
"""

from __future__ import annotations

import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from threading import Thread
from typing import TYPE_CHECKING, Final

from namespace import Namespace
from people import ALLOWLIST, EVERYBODY
from scene import listed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from people import Visitor

PORT: Final = 8096
GREETING: Final = b"welcome\n"
SERVER: Final = {socket.AF_INET: "192.0.2.80", socket.AF_INET6: "2001:db8::80"}
SEARCH_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_SERVER_SIDE: Final = """\
link add lan type veth peer name wan netns {}
link set lo up
link set lan up
address add 192.0.2.80/32 dev lan
address add 2001:db8::80/128 dev lan nodad
route add 0.0.0.0/0 dev lan
route add ::/0 dev lan
"""
_INTERNET_SIDE: Final = """\
link set lo up
link set wan up
route add 192.0.2.80 dev wan
route add 2001:db8::80 dev wan
"""


class NoGateHereError(Exception):
    """A gate cannot be shown on this machine; the text says why."""


class GateScene:
    """A server with a service on a guarded port, and the internet beside it.

    Raises:
        NoGateHereError: Namespaces, `ip` or `nft` cannot be used here.
    """

    def __init__(self) -> None:
        try:
            self._server, self._internet = Namespace(), Namespace()
        except PermissionError as error:
            raise NoGateHereError(
                "network namespaces may not be made here; it takes root"
            ) from error
        except OSError as error:
            raise NoGateHereError(f"network namespaces: {error.strerror}") from error
        _tool(self._server, "ip", "-batch", "-", typed=_SERVER_SIDE.format(self._internet.path))
        _tool(self._internet, "ip", "-batch", "-", typed=_INTERNET_SIDE + _addresses())
        _tool(self._server, "nft", "list", "tables")
        with self._server.entered():
            self._service = socket.create_server(
                ("::", PORT), family=socket.AF_INET6, backlog=64, dualstack_ipv6=True
            )
        Thread(target=self._serve, name="service", daemon=True).start()

    @property
    def target(self) -> str:
        """An nftables target with a gate of its own."""
        return f"nftables: {{ports: [{PORT}/tcp]}}"

    @property
    def target_name(self) -> str:
        """An nftables target."""
        return f"{ALLOWLIST}/nftables"

    @property
    def open_unguarded(self) -> bool:
        """Nothing else guards the port."""
        return True

    @property
    def shows(self) -> tuple[str, ...]:
        """Connections do."""
        return ()

    def entered(self) -> AbstractContextManager[None]:
        """Be on the server."""
        return self._server.entered()

    def let_in(self, visitor: Visitor) -> str:
        """They get an answer from the service."""
        return f"{visitor.name} connects from {listed(visitor)}"

    def kept_out(self, visitor: Visitor) -> str:
        """Their packets are dropped."""
        return f"{visitor.name} gets no answer at {listed(visitor)}"

    def admitted(self, addresses: Collection[str], patience: float) -> Mapping[str, bool]:
        """Which addresses the service answers, all of them trying at once."""
        with self._internet.entered():
            sockets = [socket.socket(_family(one), socket.SOCK_STREAM) for one in addresses]
        with ThreadPoolExecutor(len(sockets)) as pool:
            answers = pool.map(_is_greeted, sockets, addresses, [patience] * len(sockets))
            return dict(zip(addresses, answers, strict=True))

    def _serve(self) -> None:
        while True:
            connection, _ = self._service.accept()
            with connection, suppress(OSError):  # the client may have left
                connection.sendall(GREETING)


def _is_greeted(client: socket.socket, address: str, patience: float) -> bool:
    """Whether the service is reached from an address. Silence is no; an error is raised."""
    client.settimeout(patience)
    with client:
        client.bind((address, 0))
        try:
            client.connect((SERVER[client.family], PORT))
            return client.recv(len(GREETING)) == GREETING
        except TimeoutError:
            return False


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _addresses() -> str:
    """The commands that give the internet all addresses."""
    every = (address for visitor in EVERYBODY for address in visitor.addresses)
    return "".join(f"address add {one} dev wan nodad\n" for one in every)


def _tool(namespace: Namespace, *argv: str, typed: str = "") -> None:
    """Run a tool of the system in a namespace.

    Raises:
        NoGateHereError: It is not there, or did not succeed.
    """
    environment = {"PATH": SEARCH_PATH, "LC_ALL": "C"}
    try:
        with namespace.entered():
            subprocess.run(
                argv, input=typed, env=environment, capture_output=True, text=True, check=True
            )
    except OSError as error:
        raise NoGateHereError(f"{argv[0]} is not installed or may not be run") from error
    except subprocess.CalledProcessError as error:
        said = str(error.stderr).strip().partition("\n")[0]
        raise NoGateHereError(f"{argv[0]} cannot be used here ({said})") from error
