"""Who gets in before `apply --confirm`, while it waits, and when nobody answered: by packets."""

from __future__ import annotations

import json
import os
import signal
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from allowsync.state import Busy, Lock
from tests.packets.test_many_applies import Prober
from tests.support.gates import GUARDED
from tests.support.internet import (
    FRIEND,
    FRIEND6,
    SERVER,
    SERVER6,
    STRANGER,
    STRANGER6,
    Internet,
)
from tests.support.probe import IN_VAIN, PATIENCE, tcp_answers, udp_answers
from tests.support.program import allowsync
from tests.support.terminal import Terminal, eventually
from tests.support.ufw import with_ufw

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.echo import Echo
    from tests.support.netns import Namespace

pytestmark = pytest.mark.root

PORTS = [f"{GUARDED}/tcp", f"{GUARDED}/udp"]
TARGETS = {
    "nftables": {"nftables": {"ports": PORTS}},
    "iptables-nft": {"ipset": {"ports": PORTS, "iptables": "nft"}},
    "iptables-legacy": {"ipset": {"ports": PORTS, "iptables": "legacy"}},
    "ufw": {"ufw": {"ports": PORTS}},
}
BOTH = (SERVER, SERVER6)
FRIENDS, STRANGERS = (FRIEND, FRIEND6), (STRANGER, STRANGER6)
FORMER, NEW = "9.9.9.9", "149.112.112.112"  # nobody who knocks here


@dataclass
class Scene:
    """A server with one target, and who may use its port according to the configuration."""

    kind: str
    internet: Internet
    folder: Path

    def allow(self, *networks: str) -> Path:
        """Write a configuration that lets some networks in. Returns its place."""
        path = self.folder / "config.yaml"
        document = {
            "hosts": {"office": {"networks": list(networks)}},
            "allowlists": {"x": {"targets": [TARGETS[self.kind]]}},
            "state": str(self.state),
        }
        path.write_text(json.dumps(document))
        path.chmod(0o600)
        return path

    @property
    def state(self) -> Path:
        return self.folder / "state" / "state.db"

    def apply(self, *networks: str) -> None:
        """Let networks in, and nobody else."""
        done = self.internet.server.run(allowsync, "apply", "--config", self.allow(*networks))
        assert done.code == 0, done.err

    def confirm(self, *networks: str) -> Terminal:
        """Begin to do so, and ask whether to keep it."""
        place = self.allow(*networks)
        words = ("apply", "--confirm", "300s", "--config", place)
        return Terminal(*words, inside=self.internet.server)

    def is_over(self) -> bool:
        """Whether nobody waits any more, and nobody puts anything back."""
        try:
            with Lock(self.state):
                return True
        except Busy:
            return False

    def lets_in(self, *names: str) -> bool:
        """Whether it lets in just those of "friend" and "stranger", and by every way there is."""
        ends = {"friend": self.internet.friend, "stranger": self.internet.stranger}
        return all(
            set(ways(end, PATIENCE if name in names else IN_VAIN)) == {name in names}
            for name, end in ends.items()
        )


def ways(end: Namespace, wait: float) -> Iterator[bool]:
    """Whether each way to the guarded port is open: both transports, both families."""
    for server in BOTH:
        yield tcp_answers(end, server, GUARDED, wait=wait)
        yield udp_answers(end, server, GUARDED, wait=wait)


@dataclass
class Streams:
    """Connections that somebody holds to the guarded port, one by each family."""

    sockets: tuple[socket.socket, ...]

    @staticmethod
    def of(end: Namespace) -> Streams:
        made = tuple(end.run(socket.create_connection, (one, GUARDED)) for one in BOTH)
        return Streams(made)

    def __enter__(self) -> Streams:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self.sockets:
            one.close()

    def go_on(self, wait: float = PATIENCE) -> set[bool]:
        """Whether each of them is still answered."""
        return {_goes_on(one, wait) for one in self.sockets}


def _goes_on(stream: socket.socket, wait: float) -> bool:
    stream.settimeout(wait)
    try:
        stream.sendall(b"knock")
        return stream.recv(64) == b"knock"
    except (TimeoutError, ConnectionError):
        return False


@pytest.fixture(params=TARGETS)
def scene(request: pytest.FixtureRequest, internet: Internet, tmp_path: Path) -> Scene:
    kind = str(request.param)
    if kind == "ufw":
        with_ufw(internet.server)
    return Scene(kind, internet, tmp_path)


def killed(terminal: Terminal) -> None:
    """Whoever asked is gone, at once and without a word; so is the terminal."""
    os.kill(terminal.process.pid, signal.SIGKILL)
    terminal.hang_up()


def test_a_wrong_list_is_in_force_while_it_waits_and_gone_after_that(
    scene: Scene, echo: Echo
) -> None:
    scene.apply(*FRIENDS)
    assert scene.lets_in("friend")
    with Streams.of(scene.internet.friend) as before, scene.confirm(*STRANGERS) as terminal:
        terminal.until("Keep it?")
        assert scene.lets_in("stranger")
        assert before.go_on(IN_VAIN) == {False}
        with Streams.of(scene.internet.stranger) as meanwhile:
            assert meanwhile.go_on() == {True}
            killed(terminal)
            assert eventually(scene.is_over)
            assert scene.lets_in("friend")
            # Whoever got in by mistake is out, with the connection they hold.
            assert meanwhile.go_on(IN_VAIN) == {False}


def test_a_first_gate_goes_as_it_came(scene: Scene, echo: Echo) -> None:
    # UFW keeps everybody out by itself; where there is only a gate, nothing does.
    as_it_was = () if scene.kind == "ufw" else ("friend", "stranger")
    assert scene.lets_in(*as_it_was)
    with scene.confirm(*FRIENDS) as terminal:
        terminal.until("Keep it?")
        assert scene.lets_in("friend")
        with Streams.of(scene.internet.friend) as meanwhile:
            killed(terminal)
            assert eventually(scene.is_over)
            assert scene.lets_in(*as_it_was)
            assert meanwhile.go_on(PATIENCE if as_it_was else IN_VAIN) == {bool(as_it_was)}


def test_who_is_in_both_lists_feels_nothing_and_who_is_in_none_never_gets_in(
    scene: Scene, echo: Echo
) -> None:
    scene.apply(*FRIENDS, FORMER)
    friend, stranger = scene.internet.friend, scene.internet.stranger
    with ExitStack() as stack:
        inside, outside = (
            [stack.enter_context(Prober(end, role, *way, 0)) for way in zip(BOTH, own, strict=True)]
            for end, role, own in ((friend, "friend", FRIENDS), (stranger, "stranger", STRANGERS))
        )
        terminal = stack.enter_context(scene.confirm(*FRIENDS, NEW))
        terminal.until("Keep it?")
        killed(terminal)
        assert eventually(scene.is_over)
        felt, tried = ([one.finish() for one in some] for some in (inside, outside))
    assert [(one.answered, one.connected) for one in felt] == [
        (one.sent, one.connects) for one in felt
    ]
    assert all(one.sent > 50 for one in felt + tried)
    assert [(one.answered, one.connected) for one in tried] == [(0, 0), (0, 0)]
