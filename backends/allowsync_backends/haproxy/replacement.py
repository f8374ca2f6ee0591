"""Replacement of the list in force in a running HAProxy: in one step, or entry by entry."""

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
    """A new list, ready to be put in force."""

    def commit(self) -> None:
        """Put it in force. Works once.

        Raises:
            BackendError: It may or may not be in force.
        """
        ...

    def close(self) -> None:
        """End the conversation. An uncommitted list is dropped."""
        ...


class InOneStep:
    """A version beside the one in force, complete and accepted by HAProxy.

    Raises:
        BackendError: It could not be made. The list in force is unchanged.
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
        """Replace the version in force by it."""
        try:
            _carry_out(self._talk, (f"commit acl @{self._version} {self._acl}",))
        finally:
            self._talk.close()

    def close(self) -> None:
        """Drop it, unless it is in force. The next one would replace it, too."""
        if not self._talk.closed:
            with suppress(BackendError):
                self._talk.ask(f"clear acl @{self._version} {self._acl}")
            self._talk.close()


class OneByOne:
    """The difference to the list in force, for versions of HAProxy without another method.

    Raises:
        BackendError: The list in force could not be read.
    """

    def __init__(self, talk: RuntimeSocket, acl: Acl, networks: Sequence[Network]) -> None:
        self._talk = talk
        shown = patterns(*talk.ask(f"show acl {acl}"))
        wanted, held = frozenset(networks), shown.held
        leaving = [one for one, network in shown.networks.items() if network not in wanted]
        self._add = tuple(additions(acl, [one for one in networks if one not in held]))
        self._remove = tuple(f"del acl {acl} #{one}" for one in (*leaving, *shown.odd))

    def commit(self) -> None:
        """Add missing entries, then remove superfluous ones."""
        try:
            _carry_out(self._talk, self._add)
            _carry_out(self._talk, self._remove)
        finally:
            self._talk.close()

    def close(self) -> None:
        """End the conversation."""
        self._talk.close()


def _carry_out(talk: RuntimeSocket, commands: Iterable[str]) -> None:
    """Run commands that print nothing when they succeed.

    Raises:
        BackendError: One failed, or its outcome is unknown; others may have succeeded.
    """
    for group in in_lines(commands):
        for command, said in zip(group, talk.ask(*group), strict=True):
            if said.strip():
                raise _refused(command, said)


def _refused(command: str, said: str) -> BackendError:
    first = next((line.strip() for line in said.splitlines() if line.strip()), "without a word")
    return BackendError(f"haproxy refused {command!r}: {first[:200]}")
