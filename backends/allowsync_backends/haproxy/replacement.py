"""Replacing the list that a running HAProxy goes by: in one step, or entry by entry."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from allowsync.backend.api import BackendError
from allowsync_backends.haproxy.runtime_api import additions, in_lines, patterns, version_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from allowsync.model.types import Network
    from allowsync_backends.haproxy.runtime_api import Acl
    from allowsync_backends.haproxy.runtime_socket import RuntimeSocket


class Replacement(Protocol):
    """A new list that HAProxy can be told to go by."""

    def commit(self) -> None:
        """Put it in force. Works once.

        Raises:
            BackendError: It may or may not be in force.
        """
        ...

    def close(self) -> None:
        """End the conversation. What is not in force by then never will be."""
        ...


class InOneStep:
    """A version beside the one in force, whole and taken by HAProxy.

    Raises:
        BackendError: It could not be made. The list in force is what it was.
    """

    def __init__(self, talk: RuntimeSocket, acl: Acl, networks: Sequence[Network]) -> None:
        self._talk = talk
        self._acl = acl
        asked = f"prepare acl {acl}"
        (said,) = talk.ask(asked)
        version = version_in(said)
        if version is None:
            raise _refused(asked, said)
        self._version = version
        try:
            _carry_out(talk, additions(acl, networks, version))
        except BaseException:
            self.close()
            raise

    def commit(self) -> None:
        """Let it take the place of the one in force."""
        try:
            _carry_out(self._talk, (f"commit acl @{self._version} {self._acl}",))
        finally:
            self._talk.close()

    def close(self) -> None:
        """Forget it, where it is not in force. The next one would push it out, too."""
        if not self._talk.closed:
            with suppress(BackendError):
                self._talk.ask(f"clear acl @{self._version} {self._acl}")
            self._talk.close()


class OneByOne:
    """The difference to the list in force, for versions of HAProxy that know no other way.

    Raises:
        BackendError: The list in force could not be looked at.
    """

    def __init__(self, talk: RuntimeSocket, acl: Acl, networks: Sequence[Network]) -> None:
        self._talk = talk
        shown = patterns(*talk.ask(f"show acl {acl}"))
        wanted, held = frozenset(networks), shown.held
        leaving = [one for one, network in shown.networks.items() if network not in wanted]
        self._add = tuple(additions(acl, [one for one in networks if one not in held]))
        self._remove = tuple(f"del acl {acl} #{one}" for one in (*leaving, *shown.odd))

    def commit(self) -> None:
        """Add what is missing, then take out what is too much."""
        try:
            _carry_out(self._talk, self._add)
            _carry_out(self._talk, self._remove)
        finally:
            self._talk.close()

    def close(self) -> None:
        """End the conversation."""
        self._talk.close()


def _carry_out(talk: RuntimeSocket, commands: Iterable[str]) -> None:
    """Have commands carried out that say nothing where they succeed.

    Raises:
        BackendError: One did not, or that is not known; others may have.
    """
    for group in in_lines(commands):
        for command, said in zip(group, talk.ask(*group), strict=True):
            if said.strip():
                raise _refused(command, said)


def _refused(command: str, said: str) -> BackendError:
    first = next((line.strip() for line in said.splitlines() if line.strip()), "without a word")
    return BackendError(f"haproxy refused {command!r}: {first[:200]}")
