"""The ignored and the banned networks of a running server's jails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.model.value import Value, field
from allowsync_backends.fail2ban import answers
from allowsync_backends.fail2ban.client import complaint, understood

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from allowsync.model.types import Network
    from allowsync_backends.fail2ban.client import Fail2banClient


class JailState(Value):
    """A running jail; networks with Fail2ban's text for each."""

    ignored: Mapping[Network, str]
    banned: Mapping[Network, str]


class JailSnapshot(Value):
    """The state of a server.

    Attributes:
        up: Whether it runs at all.
        jails: The running ones of the requested jails.
        banned: The networks that each jail has banned, by its name.
    """

    up: bool
    jails: Mapping[str, JailState] = field(default_factory=dict)
    banned: Mapping[str, Mapping[Network, str]] = field(default_factory=dict)


class Observation(Value):
    """The file of a target and its jails, as found.

    Attributes:
        networks: The networks in the file.
        jails: The jails of the running server.
        flaws: Differences between the two, and faults of the file.
        absent: Configured jails that neither run nor would after a restart.
    """

    networks: frozenset[Network]
    jails: JailSnapshot
    flaws: tuple[str, ...]
    absent: tuple[str, ...]


def look(
    client: Fail2banClient, jails: Iterable[str], commands: Sequence[str] = ()
) -> JailSnapshot:
    """Read some jails, after commands to the server where there are any.

    Raises:
        BackendError: There is a server, but it could not be asked.
        OutcomeUnknown: Only some of the commands may have been carried out.
    """
    questions = ["banned", *(f"get {name} ignoreip" for name in sorted(set(jails)))]
    answered = client.converse([*commands, *questions])
    if answered is None:
        return _one_by_one(client, jails)
    first, *rest = answered[len(commands) :]
    if not first:
        return _unanswered(client)
    running = understood(answers.banned, first)
    ignored = {
        name: text for name, text in zip(sorted(set(jails)), rest, strict=True) if name in running
    }
    return _seen(running, ignored)


def _one_by_one(client: Fail2banClient, jails: Iterable[str]) -> JailSnapshot:
    """Return the same by a process for each question, and its exit code.

    A banned identifier may contain the prompt.
    """
    done = client.ask("banned")
    if done.code != 0:
        return _unanswered(client, complaint(done))
    running = understood(answers.banned, done.stdout)
    ignored = {}
    for name in sorted(set(jails) & running.keys()):
        one = client.ask("get", name, "ignoreip")
        if one.code != 0:
            raise BackendError(f"jail {name} does not say whom it ignores: {complaint(one)}")
        ignored[name] = one.stdout
    return _seen(running, ignored)


def _seen(running: Mapping[str, tuple[str, ...]], ignored: Mapping[str, str]) -> JailSnapshot:
    banned = {name: answers.by_network_text(texts) for name, texts in running.items()}
    found = {
        name: JailState(answers.by_network_text(understood(answers.ignored, one)), banned[name])
        for name, one in ignored.items()
    }
    return JailSnapshot(up=True, jails=found, banned=banned)


def _unanswered(client: Fail2banClient, complaint: str = "") -> JailSnapshot:
    """Return a snapshot without a server.

    Raises:
        BackendError: There is one.
    """
    if not client.is_down():
        raise BackendError("Fail2ban does not answer" + (f": {complaint}" if complaint else ""))
    return JailSnapshot(up=False)
