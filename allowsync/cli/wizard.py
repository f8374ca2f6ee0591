"""The dialogue of `allowsync init`: short questions, each answer validated at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from textwrap import wrap
from typing import TYPE_CHECKING, Final, TypeVar

import click

from allowsync.cli.common import agreed
from allowsync.model.value import replace
from allowsync.setup import answers as read
from allowsync.setup import detect as machine
from allowsync.setup.answers import HostAnswer
from allowsync.setup.fronts import FRONTS, open_questions, watched
from allowsync.setup.preview import HostPreview, cut_off, offered, whereabouts
from allowsync.text import Line, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from allowsync.cli.common import Invocation
    from allowsync.model.answer import Answer
    from allowsync.model.types import Network, Query
    from allowsync.setup.answers import SetupAnswers

    T = TypeVar("T")

WIDTH: Final = 79
MOST_OFFERED: Final = 10  # clients

_JELLYFIN: Final = "8096/tcp"
_WEB: Final = (80, 443)  # the ports of a reverse proxy

# The usual services of ports, for the names of their lists.
_CALLED: Final = {
    "22/tcp": "ssh",
    _JELLYFIN: "jellyfin",
    "8920/tcp": "jellyfin",
    "25565/tcp": "minecraft",
    "32400/tcp": "plex",
    "51820/udp": "wireguard",
}


def called(ports: Iterable[str]) -> str:
    """The default name of an allowlist for some ports."""
    return next((_CALLED[port] for port in ports if port in _CALLED), "friends")


def found_here() -> list[machine.Firewall]:
    """The firewalls of this machine."""
    return machine.firewalls(read.guarding())


def suggestion(found: list[machine.Firewall]) -> str:
    """The firewall to suggest; empty if none is usable."""
    active, docker = machine.ufw_active(), machine.docker_runs()
    return machine.suggested(found, ufw_active=active, docker=docker)


def advise(invocation: Invocation, wishes: SetupAnswers) -> None:
    """Without a dialogue: show doubtful hosts, and the clients that would be cut off."""
    answers = _asked(wishes, wishes.friends)
    places = [whereabouts(one, answers) for one in wishes.friends]
    for one in places:
        if one.doubtful:
            _say_place(invocation, one)
    _say_cut_off(invocation, wishes, places)


def converse(
    invocation: Invocation, wishes: SetupAnswers, path: Path, *, ask_dns: bool
) -> SetupAnswers:
    """Ask for missing answers, and whether to write the configuration.

    Raises:
        Abort: Ctrl-C, the end of input, or a no at the end. Nothing was written.
    """
    talk = _Talk(invocation, wishes, ask_dns)
    talk.say(f"This writes {path} and changes nothing else.", "Ctrl-C ends it.", "")
    if not wishes.friends:
        talk.friends()
    if not talk.wishes.backend:
        talk.firewall()
    if talk.wishes.backend in FRONTS:
        talk.name()
    elif not wishes.ports:
        talk.ports()
    talk.options()
    talk.myself()
    talk.connected()
    talk.consequences()
    talk.name()
    talk.show()
    agreed(f"Write it to {path}?", default=True)
    return talk.wishes


@dataclass(slots=True)
class _Talk:
    """The state of the dialogue."""

    invocation: Invocation
    wishes: SetupAnswers
    ask_dns: bool
    heard: dict[Query, Answer] = field(default_factory=dict)

    def say(self, *lines: str, colour: str = "") -> None:
        self.invocation.echo((Line(line, colour) for line in lines), err=True)

    def ask(self, question: str, understand: Callable[[str], T], default: str | None = None) -> T:
        """Ask until the answer is valid."""
        while True:
            typed = click.prompt(
                question, default=default, show_default=bool(default), err=True, type=str
            )
            try:
                return understand(typed)
            except read.InvalidAnswer as error:
                self.say(f"  {error}", colour="yellow")

    def friends(self) -> None:
        self.say(
            "Which hosts are trusted? A name and a dynamic-DNS hostname (or an address),",
            "such as: alice alice.duckdns.org. An empty line ends the list.",
            "To correct a host, enter its name again; -alice removes it.",
        )
        while True:
            number = len(self.wishes.friends) + 1
            one = self.ask(f"Host {number}", self._friend_or_end, "")
            if one is None and self.wishes.friends:
                return
            if one is None:
                self.say("  At least one trusted host is needed.", colour="yellow")
            elif isinstance(one, str):
                self.wishes = self.wishes.without(one)
                self.say(f"  {one} is removed")
            else:
                self._befriend(one)

    def _befriend(self, one: HostAnswer) -> None:
        fewer = self.wishes.without(one.name)
        if fewer != self.wishes:
            self.say(f"  {one.name} is replaced")
        self.wishes = fewer.befriend(one)
        if self.ask_dns:
            _say_place(self.invocation, self._place(one))

    def _friend_or_end(self, typed: str) -> HostAnswer | str | None:
        """A host; the name of one to remove; None at the end."""
        word = typed.strip()
        if not word.startswith("-"):
            return read.friend(word) if word else None
        name = word.removeprefix("-").strip()
        names = [one.name for one in self.wishes.friends]
        if name not in names:
            raise read.InvalidAnswer(f"there is no {quote(name)} to take out{_among(names)}")
        return name

    def firewall(self) -> None:
        found = found_here()
        self.say("", "Which firewall guards the ports?")
        for one in found:
            if not one.unusable:
                told = f"  {one.name:<10} {one.summary}"
                self.say(*wrap(told, WIDTH, subsequent_indent=" " * 13))
        if lacking := ", ".join(one.name for one in found if one.unusable):
            told = f"Not usable here: {lacking}; 'allowsync backends' shows why."
            self.say(*wrap(told, WIDTH))
        self.say("Or a server or service in front, without ports of its own:")
        for kind in read.fronts():
            self.say(*wrap(f"  {kind.name:<10} {kind.summary}", WIDTH, subsequent_indent=" " * 13))
        if machine.ufw_active():
            self.say("UFW is active: it allows the networks that it has rules for.")
        if machine.docker_runs():
            self.say("Docker is in use: its published ports bypass UFW, but not an nftables gate.")
        if machine.listens(machine.JELLYFIN):
            self.say("Jellyfin seems to run here, at port 8096: it has a filter of its own, too.")
        best = suggestion(found)
        chosen = self.ask("Firewall", read.backend, best or None)
        self.wishes = replace(self.wishes, backend=chosen.name)

    def ports(self) -> None:
        chosen = read.backend(self.wishes.backend)
        self.say("", "Which ports to guard? Such as: 8096/tcp 443/tcp 443/udp.")
        self.say("Everyone else is blocked there.")
        if web := " and ".join(str(one) for one in _WEB if machine.listens(one)):
            self.say(f"A web server listens at {web}: a service behind it is open to")
            self.say("everyone, unless its ports are guarded, too.", colour="yellow")
        usual = _JELLYFIN if machine.listens(machine.JELLYFIN) else None
        found = self.ask("Ports", lambda typed: read.ports(typed, chosen), usual)
        self.wishes = replace(self.wishes, ports=found)

    def name(self) -> None:
        """Ask for the name of the list, if it is missing."""
        if not self.wishes.allowlist:
            usual = called(self.wishes.ports)
            found = self.ask("The name of the list?", read.allowlist, usual)
            self.wishes = replace(self.wishes, allowlist=found)

    def options(self) -> None:
        """Ask for the missing options of the target."""
        chosen = read.backend(self.wishes.backend)
        for one in open_questions(chosen.name, dict(self.wishes.options)):
            usual = one.answer(self.wishes.allowlist)
            value = partial(read.option_value, one.key, chosen=chosen)
            answer = self.ask(one.text, value, usual or None)
            self.wishes = replace(self.wishes, options=(*self.wishes.options, (one.key, answer)))

    def connected(self) -> None:
        """Offer the clients connected now as hosts, by their addresses."""
        ports = watched(self.wishes.backend, self.wishes.ports)
        found = cut_off(_clients(), ports, self._allowed())
        clients = {network: one for one in found if (network := offered(one)) is not None}
        if clients:
            self.say("", "Connected now. For a host whose address changes, use a hostname:")
        for network, one in list(clients.items())[:MOST_OFFERED]:
            what = "add" if network.prefixlen == network.max_prefixlen else f"add {network}"
            question = f"{one.peer} is connected to {one.service}: {what} as a host?"
            if click.confirm(question, default=False, err=True):
                label = self.ask("Its name", read.label, self._unused("guest"))
                self.wishes = self.wishes.befriend(HostAnswer(label, networks=(network,)))

    def _unused(self, name: str) -> str:
        taken = {one.name for one in self.wishes.friends}
        numbered = (f"{name}{number}" for number in range(2, len(taken) + 3))
        return next(one for one in (name, *numbered) if one not in taken)

    def myself(self) -> None:
        """Offer to allow the user, if they would lock themselves out."""
        from allowsync.engine.lockout import current

        session = current()
        if session is None or session.peer.is_loopback:
            return
        mine = machine.Connection(session.peer, session.port)
        if not cut_off([mine], self.wishes.ports, self._allowed()):
            return
        self.say(
            "",
            f"Your own session comes from {session.peer} to port {session.port}/tcp, which will",
            "be guarded. You would be cut off.",
            colour="yellow",
        )
        if click.confirm(f"Always allow {session.peer}, as 'me'?", default=True, err=True):
            self.wishes = self.wishes.befriend(read.friend(f"me {session.peer}"))

    def consequences(self) -> None:
        places = self._places()
        _say_cut_off(self.invocation, self.wishes, places)

    def _allowed(self) -> list[Network]:
        return [network for place in self._places() for network in place.networks]

    def _places(self) -> list[HostPreview]:
        return [self._place(one) for one in self.wishes.friends]

    def _place(self, one: HostAnswer) -> HostPreview:
        """The addresses of a host. A name is resolved once: a timeout takes long."""
        if self.ask_dns and not self.heard.keys() >= set(one.queries):
            self.heard |= _asked(self.wishes, [one])
        return whereabouts(one, self.heard)

    def show(self) -> None:
        from allowsync.setup.render import render

        self.say("", *(f"  {line}" for line in render(self.wishes).splitlines()), "")


def _among(names: Iterable[str]) -> str:
    said = ", ".join(names)
    return f"; there is {said}" if said else " yet"


def _clients() -> list[machine.Connection]:
    """The clients connected now: to sockets of this machine, or through it to a container."""
    from allowsync.setup.tracked_connections import tracked

    return [*machine.connections(), *tracked()]


def _asked(wishes: SetupAnswers, friends: Iterable[HostAnswer]) -> dict[Query, Answer]:
    """The present answers of the DNS."""
    queries = [query for one in friends for query in one.queries]
    if not queries:
        return {}
    from datetime import timedelta

    from allowsync.dns.process import ResolverProcess
    from allowsync.model.nameserver import ResolverSettings

    deadline = timedelta(seconds=8)
    settings = ResolverSettings(nameservers=wishes.nameservers, deadline=deadline)
    with ResolverProcess() as dns:
        return dns.use(settings)(queries)


def _say_place(invocation: Invocation, place: HostPreview) -> None:
    colour = "yellow" if place.doubtful else ""
    invocation.echo((Line(f"  {line}", colour) for line in place.lines), err=True)


def _say_cut_off(
    invocation: Invocation, wishes: SetupAnswers, places: Iterable[HostPreview]
) -> None:
    """Name the clients that are connected now and would lose access."""
    allowed = [network for place in places for network in place.networks]
    found = cut_off(_clients(), wishes.ports, allowed)
    for one in found[:10]:
        what = f"{one.peer} is connected to {one.service} now, and would be cut off"
        invocation.echo([Line(what, "yellow")], err=True)
    if len(found) > 10:
        invocation.echo([Line(f"and {len(found) - 10} more", "yellow")], err=True)
