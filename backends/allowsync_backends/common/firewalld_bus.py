"""Calls firewalld over the system's D-Bus (firewalld.dbus(5)).

All calls of a run take one connection and a millisecond each; each of `firewall-cmd` takes several
hundred, and each of busctl(1) five.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any, Final

from allowsync.backend.api import BackendError, OutcomeUnknown
from allowsync.system.process import installed
from allowsync_backends.common import command as tools
from allowsync_backends.common import dbus_wire
from allowsync_backends.common.dbus_wire import Call

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

SOCKET: Final = "/run/dbus/system_bus_socket"
TIMEOUT: Final = 50.0  # seconds; a reload takes one
LARGEST: Final = 1 << 24  # octets of a message

SERVICE: Final = "org.fedoraproject.FirewallD1"
RUNTIME: Final = "/org/fedoraproject/FirewallD1"
PERMANENT: Final = f"{RUNTIME}/config"

_BUS: Final = "org.freedesktop.DBus"
_HELLO: Final = Call(_BUS, "/org/freedesktop/DBus", _BUS, "Hello")
_STATE: Final = Call(SERVICE, RUNTIME, f"{_BUS}.Properties", "Get", "ss", (SERVICE, "state"))
_ABSENT: Final = (f"{_BUS}.Error.ServiceUnknown", f"{_BUS}.Error.NameHasNoOwner")


def method(path: str, interface: str, name: str, signature: str = "", *arguments: Any) -> Call:
    """A call of firewalld. Of its interfaces, what follows the name they share: `config.zone`."""
    of = f"{SERVICE}.{interface}" if interface else SERVICE
    return Call(SERVICE, path, of, name, signature, arguments)


class FirewalldRefusal(BackendError):
    """firewalld did not do what it was asked for.

    Attributes:
        code: Why, as firewalld's own errors are named: `INVALID_IPSET`; empty for others.
    """

    def __init__(self, call: Call, error: str, said: str) -> None:
        self.code = said.partition(":")[0] if error == f"{SERVICE}.Exception" else ""
        super().__init__(
            "firewalld does not run; start it with 'systemctl start firewalld'"
            if error in _ABSENT
            else f"firewalld did not do {call.method}: {said.partition(chr(10))[0][:200]}"
        )


def usable() -> str:
    """Why firewalld cannot be used here, or an empty string."""
    if not installed("firewall-cmd"):
        return f"firewalld is not installed: apt install firewalld ({tools.LOOKED_IN})"
    return "" if os.geteuid() == 0 else "only root may ask firewalld: run it with sudo"


class Bus:
    """A connection to the system's D-Bus, within a `with`.

    Raises:
        BackendError: There is none.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._number = 0

    def __enter__(self) -> Bus:
        try:
            self._socket.settimeout(TIMEOUT)
            self._socket.connect(SOCKET)
            self._authenticate()
            self._answer(_HELLO)
        except (OSError, ValueError, FirewalldRefusal) as error:
            self._socket.close()
            why = f"the system's D-Bus at {SOCKET} does not answer: {_reason(error)}"
            raise BackendError(f"firewalld cannot be asked: {why}") from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()

    def ask(self, call: Call, gives: str) -> Any:
        """What a call gives that changes nothing.

        Args:
            call: The call.
            gives: The type of the one value it gives.

        Raises:
            FirewalldRefusal: firewalld refuses, or does not run.
            BackendError: It does not answer, or gives something else.
        """
        try:
            message = self._answer(call)
        except (OSError, ValueError) as error:
            raise BackendError(
                f"firewalld did not answer {call.method}: {_reason(error)}"
            ) from error
        if message.signature != gives:
            raise BackendError(f"what firewalld answers to {call.method} is not understood")
        return message.values[0]

    def change(self, calls: Iterable[Call]) -> None:
        """Make calls that change something, one after the other, up to the first that fails.

        Raises:
            FirewalldRefusal: firewalld refuses, or does not run.
            OutcomeUnknown: It did not answer, and may have done what it was asked for.
        """
        for call in calls:
            try:
                self._answer(call)
            except (OSError, ValueError) as error:
                what = f"firewalld did not answer {call.method}: {_reason(error)}"
                raise OutcomeUnknown(what) from error

    def must_be_in_force(self) -> None:
        """See that firewalld has loaded its configuration.

        Raises:
            BackendError: It has not, or it cannot be asked.
        """
        if self.ask(_STATE, "v") != "RUNNING":
            raise BackendError(
                "firewalld has failed to load its configuration, and may let everything in; "
                "nothing was changed; see 'firewall-cmd --check-config'"
            )

    def _authenticate(self) -> None:
        """Say which user we are; the kernel vouches for it."""
        user = str(os.geteuid()).encode().hex().encode()
        self._send(b"\0AUTH EXTERNAL " + user + b"\r\n")
        if not self._socket.recv(512).startswith(b"OK "):
            raise ValueError("it does not let us in")
        self._send(b"BEGIN\r\n")

    def _answer(self, call: Call) -> dbus_wire.Message:
        self._number += 1
        self._send(dbus_wire.written(call, self._number))
        while True:
            message = dbus_wire.read(self._message())
            if message.answers == self._number:
                break  # all others are signals
        if message.error:
            said = message.values[0] if message.signature.startswith("s") else message.error
            raise FirewalldRefusal(call, message.error, said)
        return message

    def _send(self, data: bytes) -> None:
        while data:
            data = data[self._socket.sendmsg((data,)) :]

    def _message(self) -> bytes:
        head = self._received(dbus_wire.HEAD)
        size = dbus_wire.size(head)
        if size > LARGEST:
            raise ValueError("it writes too much")
        return head + self._received(size - dbus_wire.HEAD)

    def _received(self, count: int) -> bytes:
        found = bytearray()
        while len(found) < count:
            data = self._socket.recv(count - len(found))
            if not data:
                raise ConnectionResetError("the connection was closed")
            found += data
        return bytes(found)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
