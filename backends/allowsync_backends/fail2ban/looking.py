"""What jails of a running server ignore and have banned."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from allowsync.backend import BackendError
from allowsync.sight import of_file, of_output
from allowsync_backends.fail2ban import answers
from allowsync_backends.fail2ban.client import complaint, understood

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from allowsync.model import Network
    from allowsync.sight import Sight
    from allowsync_backends.fail2ban.client import Client


@dataclass(frozen=True, slots=True)
class Jail:
    """A jail that runs; networks with the text that Fail2ban has for each."""

    ignored: Mapping[Network, str]
    banned: Mapping[Network, str]


@dataclass(frozen=True, slots=True)
class Seen:
    """A server as it was.

    Attributes:
        up: Whether it runs at all.
        jails: Those asked for that run.
        banned: Whom every jail has banned, by its name.
        sights: What all of that was read from; empty where some of it would not show again.
    """

    up: bool
    jails: Mapping[str, Jail] = field(default_factory=dict)
    banned: Mapping[str, Mapping[Network, str]] = field(default_factory=dict)
    sights: tuple[Sight, ...] = ()


def look(client: Client, jails: Iterable[str]) -> Seen:
    """Look at some jails.

    Raises:
        BackendError: There is a server, but it could not be asked.
    """
    done = client.ask("banned")
    if done.code != 0:
        if client.is_down():
            return Seen(up=False, sights=_of_no_server(client))
        raise BackendError(f"Fail2ban does not say whom it has banned: {complaint(done)}")
    running = understood(answers.banned, done)
    banned = {name: answers.by_network_text(texts) for name, texts in running.items()}
    sights: list[Sight] = [of_output(client.argv("banned"), done.stdout)]
    found = {}
    for name in sorted(set(jails) & running.keys()):
        asked = ("get", name, "ignoreip")
        done = client.ask(*asked)
        if done.code != 0:
            raise BackendError(f"jail {name} does not say whom it ignores: {complaint(done)}")
        ignored = answers.by_network_text(understood(answers.ignored, done))
        found[name] = Jail(ignored, banned[name])
        sights.append(of_output(client.argv(*asked), done.stdout))
    return Seen(up=True, jails=found, banned=banned, sights=tuple(sights))


def _of_no_server(client: Client) -> tuple[Sight, ...]:
    """What shows that a server was started. Of one in a container, nothing does so cheaply."""
    return (of_file(client.socket),) if client.inside is None else ()
