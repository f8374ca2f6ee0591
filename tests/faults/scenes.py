"""Situations a run is disturbed in: what there was, and what has changed since."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.faults.stage import ALICE, TABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.faults.stage import Stage


def nothing(stage: Stage) -> None:
    """Leave everything as it is."""


def friend_moved(stage: Stage) -> None:
    """Alice has other addresses, and Bob is no friend any more."""
    stage.server.zones[ALICE] = ["81.2.69.77", "2a01:4f8:7:7::7"]
    del stage.here.hosts["bob"]
    stage.here.write()


def friend_left(stage: Stage) -> None:
    """Bob is no friend any more."""
    del stage.here.hosts["bob"]
    stage.here.write()


def file_edited(stage: Stage) -> None:
    """A stranger was written into the file, and a friend out of it."""
    text = stage.here.file.read_text().replace("81.2.69.2/32", "6.6.6.6/32")
    stage.here.file.write_text(text)
    stage.in_force.write_text(text)


def state_lost(stage: Stage) -> None:
    """Half of the state is not there any more."""
    half = stage.here.state.read_bytes()[:6000] + b"\0" * 500
    stage.here.state.write_bytes(half)


def reload_fails(stage: Stage) -> None:
    """Alice moved, and the server does not take the new file."""
    friend_moved(stage)
    stage.here.targets = file_target(stage, reload=["/bin/false"])
    stage.here.write()


def nft(script: str) -> Callable[[Stage], None]:
    """Somebody ran nft."""

    def deed(stage: Stage) -> None:
        assert stage.inside is not None
        stage.inside.nft(script)

    return deed


def file_target(stage: Stage, **options: Any) -> list[object]:
    """A file, whose reader goes by what it was at the last reload."""
    path, in_force = str(stage.here.file), str(stage.in_force)
    return [{"file": {"path": path, "reload": ["/bin/ln", "-f", path, in_force], **options}}]


def gate_target(stage: Stage) -> list[object]:
    """A gate of its own."""
    return [{"nftables": {"ports": ["443/tcp", "443/udp"]}}]


def both_targets(stage: Stage) -> list[object]:
    """A file and a gate."""
    return [*file_target(stage), *gate_target(stage)]


@dataclass(frozen=True, slots=True)
class Scene:
    """A run and what came before it.

    Attributes:
        name: What it is called.
        since: What has changed since the run before.
        targets: What the allowlist is enforced at.
        fresh: Whether there was no run before.
        command: What is run.
        code: How it ends when nothing disturbs it.
    """

    name: str
    since: Callable[[Stage], None] = nothing
    targets: Callable[[Stage], Sequence[object]] = file_target
    fresh: bool = False
    command: str = "apply"
    code: int = 0

    def __str__(self) -> str:
        return self.name

    def set_up(self, stage: Stage) -> None:
        """Make it so, and keep it."""
        stage.here.targets = list(self.targets(stage))
        stage.here.write()
        stage.warm.up(*stage.argv())
        if self.fresh:
            stage.clean()
        self.since(stage)
        stage.keep()


def checked(*argv: str, kind: str = "text") -> Callable[[Stage], list[object]]:
    """A file whose content is checked."""
    return lambda stage: file_target(stage, check=list(argv), format=kind)


def reloaded_by_nothing(stage: Stage) -> list[object]:
    """A file whose reader is told, but looks at it by itself."""
    return file_target(stage, reload=["/bin/true"])


FILES = (
    Scene("a first run", fresh=True),
    Scene("a friend moved and one left", friend_moved),
    Scene("checked before", friend_moved, checked("/bin/grep", "-q", "web", "{path}", kind="json")),
    Scene("checked after", friend_moved, checked("/bin/true")),
    Scene("nothing happened"),
    Scene("somebody edited the file", file_edited),
    Scene("the reload fails", reload_fails, code=1),
    Scene("the state is damaged", state_lost),
    Scene("a friend left", friend_left, checked("/bin/true", kind="json")),
)
GATES = (
    Scene("a first run", targets=gate_target, fresh=True),
    Scene("a friend moved and one left", friend_moved, gate_target),
    Scene("somebody flushed the ruleset", nft("flush ruleset\n"), gate_target),
    Scene("somebody emptied the chain", nft(f"flush chain {TABLE} gate\n"), gate_target),
    Scene(
        "somebody let a stranger in", nft(f"add element {TABLE} ipv4 {{ 6.6.6.6 }}\n"), gate_target
    ),
    Scene("a gate and a file", friend_moved, both_targets),
)
CLEARS = (
    Scene("a file", targets=reloaded_by_nothing, command="clear --yes"),
    Scene("a gate", targets=gate_target, command="clear --yes"),
)
