"""Client of firewalld over the system's D-Bus (firewalld.dbus(5)).

All calls of a run take one connection and a millisecond each; one of `firewall-cmd` takes several
hundred, and one of busctl(1) five.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from struct import error as StructError  # noqa: N812 - what jeepney raises of a message cut short
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jeepney import DBusAddress, DBusErrorResponse, HeaderFields, MessageFlag, new_method_call
from jeepney.io.blocking import DBusConnection, prep_socket
from jeepney.wrappers import unwrap_msg

from allowsync.backend.api import BackendError, OutcomeUnknown
from allowsync.system.process import installed
from allowsync_backends.common import command as tools

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from jeepney import Message

SOCKET: Final = "/run/dbus/system_bus_socket"
TIMEOUT: Final = 50.0  # seconds; a reload takes one

SERVICE: Final = "org.fedoraproject.FirewallD1"
RUNTIME: Final = "/org/fedoraproject/FirewallD1"
PERMANENT: Final = f"{RUNTIME}/config"

_BUS: Final = "org.freedesktop.DBus"
_ABSENT: Final = (f"{_BUS}.Error.ServiceUnknown", f"{_BUS}.Error.NameHasNoOwner")
# Errors of a connection, or of a malformed message.
_BROKEN: Final = (OSError, ValueError, LookupError, TypeError, StructError)


class Call(NamedTuple):
    """A call of one of firewalld's methods.

    Attributes:
        path: The object.
        interface: Its interface.
        method: The method.
        signature: The types of the arguments (D-Bus Specification, "Type System").
        arguments: The arguments: texts, numbers, and lists, dictionaries and tuples of them.
    """

    path: str
    interface: str
    method: str
    signature: str = ""
    arguments: tuple[Any, ...] = ()


_STATE: Final = Call(RUNTIME, f"{_BUS}.Properties", "Get", "ss", (SERVICE, "state"))


def method(path: str, interface: str, name: str, signature: str = "", *arguments: Any) -> Call:
    """Return a call of firewalld. `interface` lacks the common prefix: `config.zone`."""
    of = f"{SERVICE}.{interface}" if interface else SERVICE
    return Call(path, of, name, signature, arguments)


class FirewalldRefusal(BackendError):
    """firewalld refused a call.

    Attributes:
        code: The name of firewalld's own error: `INVALID_IPSET`; empty for others.
    """

    def __init__(self, call: Call, error: str, said: str) -> None:
        self.code = said.partition(":")[0] if error == f"{SERVICE}.Exception" else ""
        super().__init__(
            "firewalld does not run; start it with 'systemctl start firewalld'"
            if error in _ABSENT
            else f"firewalld did not do {call.method}: {said.partition(chr(10))[0][:200]}"
        )


def usable() -> str:
    """Return why firewalld cannot be used here, or an empty string."""
    if not installed("firewall-cmd"):
        return f"firewalld is not installed: apt install firewalld ({tools.LOOKED_IN})"
    return "" if os.geteuid() == 0 else "only root may ask firewalld: run it with sudo"


class Bus:
    """A connection to the system's D-Bus, within a `with`.

    Raises:
        BackendError: The bus does not answer.
    """

    def __enter__(self) -> Bus:
        try:
            self._connection = _connected()
        except (*_BROKEN, DBusErrorResponse) as error:
            why = f"the system's D-Bus at {SOCKET} does not answer: {_reason(error)}"
            raise BackendError(f"firewalld cannot be asked: {why}") from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.close()

    def ask(self, call: Call, gives: str) -> Any:
        """Return the result of a call that changes nothing.

        Args:
            call: The call.
            gives: The type of its one result.

        Raises:
            FirewalldRefusal: firewalld refuses, or does not run.
            BackendError: It does not answer, or the result has another type.
        """
        try:
            message = self._answer(call)
        except _BROKEN as error:
            raise BackendError(
                f"firewalld did not answer {call.method}: {_reason(error)}"
            ) from error
        if message.header.fields.get(HeaderFields.signature) != gives:
            raise BackendError(f"what firewalld answers to {call.method} is not understood")
        return message.body[0]

    def change(self, calls: Iterable[Call]) -> None:
        """Make calls that change something, one after the other, up to the first that fails.

        Raises:
            FirewalldRefusal: firewalld refuses, or does not run.
            OutcomeUnknown: It did not answer, and may have made the change.
        """
        for call in calls:
            try:
                self._answer(call)
            except _BROKEN as error:
                what = f"firewalld did not answer {call.method}: {_reason(error)}"
                raise OutcomeUnknown(what) from error

    def must_be_in_force(self) -> None:
        """Check that firewalld has loaded its configuration.

        Raises:
            BackendError: It has not, or it cannot be asked.
        """
        if self.ask(_STATE, "v") != ("s", "RUNNING"):
            raise BackendError(
                "firewalld has failed to load its configuration, and may let everything in; "
                "nothing was changed; see 'firewall-cmd --check-config'"
            )

    def _answer(self, call: Call) -> Message:
        of = DBusAddress(call.path, SERVICE, call.interface)
        message = new_method_call(of, call.method, call.signature or None, call.arguments)
        message.header.flags |= MessageFlag.no_auto_start
        answer = self._connection.send_and_get_reply(message, timeout=TIMEOUT)
        try:
            unwrap_msg(answer)
        except DBusErrorResponse as error:
            said = error.data[0] if error.data else error.name
            raise FirewalldRefusal(call, error.name, str(said)) from None
        return answer


def _connected() -> DBusConnection:
    with ExitStack() as failed:
        connecting = failed.enter_context(prep_socket(SOCKET, timeout=TIMEOUT))
        made = DBusConnection(connecting)
        failed.pop_all()
        return made


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
