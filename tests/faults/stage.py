"""An installation that can be put back to how it was, again and again, and what is seen of it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from allowsync.state.files import last_run_marks, take_mark
from tests.support.program import Installation

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from testkit.fake_dns.nameserver import NameServer
    from tests.faults.harness import Ran, Warm
    from tests.support.netns import Namespace

Memory = dict[str, list[tuple[Any, ...]]]

TABLE = "inet allowsync_web"

ALICE, BOB, PARENTS = "alice.example.org", "bob.example.org", "parents.example.org"
HOMES: Mapping[str, list[str]] = {
    ALICE: ["81.2.69.1", "2a01:4f8:1:2::7"],
    BOB: ["81.2.69.2"],
    PARENTS: ["2a01:4f8:9:9::1"],
}
HOSTS: Mapping[str, str] = {"alice": ALICE, "bob": BOB, "parents": PARENTS}


@dataclass(frozen=True, slots=True)
class Seen:
    """What an installation enforces: the file, what its reader goes by, and the gate.

    A gate is its networks, sorted, and its rules; None where there is none.
    """

    file: str | None = None
    in_force: str | None = None
    gate: tuple[tuple[str, ...], str] | None = None


@dataclass
class Stage:
    """One installation, a name server, and a warm interpreter that runs the program on it."""

    folder: Path
    server: NameServer
    warm: Warm
    inside: Namespace | None = None
    here: Installation = field(init=False)
    _ruleset: str = ""

    def __post_init__(self) -> None:
        self.here = Installation(self.folder / "here", self.server, hosts=dict(HOSTS))
        self.here.resolver = {"timeout": "5s"}  # it does answer, however slow this machine is
        self.here.folder.mkdir()
        self.server.zones.update(HOMES)

    @property
    def in_force(self) -> Path:
        """A second name of the file as it was at the last reload."""
        return self.here.folder / "in-force"

    @property
    def kept(self) -> Path:
        return self.folder / "kept"

    def argv(self, command: str = "apply") -> tuple[str, ...]:
        return (*command.split(), "--config", str(self.here.path), "--output", "json")

    def apply(self) -> Ran:
        done = self.warm.run(*self.argv())
        assert done.code == 0, done
        return done

    def keep(self) -> None:
        """Remember how everything is."""
        shutil.rmtree(self.kept, ignore_errors=True)
        shutil.copytree(self.here.folder, self.kept, copy_function=shutil.copy2)
        if self.inside is not None:
            self._ruleset = self.inside.command("nft", "-s", "list", "ruleset")

    def clean(self) -> None:
        """Let it be as if there had never been a run."""
        shutil.rmtree(self.here.state.parent)
        take_mark(last_run_marks(self.here.state)[1])
        self.here.file.unlink(missing_ok=True)
        self.in_force.unlink(missing_ok=True)
        if self.inside is not None:
            self.inside.nft("flush ruleset\n")

    def put_back(self) -> None:
        """Let everything be as it was."""
        shutil.rmtree(self.here.folder)
        take_mark(last_run_marks(self.here.state)[1])
        shutil.copytree(self.kept, self.here.folder, copy_function=shutil.copy2)
        if self.inside is not None:
            self.inside.nft("flush ruleset\n" + self._ruleset)

    def look(self) -> Seen:
        return Seen(text_of(self.here.file), text_of(self.in_force), self._gate())

    def _gate(self) -> tuple[tuple[str, ...], str] | None:
        if self.inside is None:
            return None
        listed = self.inside.command("nft", "-s", "-j", "list", "ruleset")
        objects = [one for one in json.loads(listed)["nftables"] if "metainfo" not in one]
        if not any("table" in one for one in objects):
            return None
        elements = [one["set"].pop("elem", []) for one in objects if "set" in one]
        networks = sorted(json.dumps(one) for some in elements for one in some)
        return tuple(networks), json.dumps(sorted(map(_without_handle, objects)))

    def leftovers(self) -> frozenset[str]:
        """What is beside the file and the state that need not be there.

        The valid configuration is kept beside the configuration (for root), and outlives a state.
        """
        state = {f"state.db{one}" for one in ("", ".lock", ".last-run")}
        usual = {*state, f".{self.here.path.name}.kept"}
        found = [*self.here.folder.glob(".*"), *self.here.state.parent.iterdir()]
        return frozenset(one.name.partition("-2")[0] for one in found if one.name not in usual)

    def history(self) -> list[tuple[Any, ...]]:
        """What changed at the targets, and why, whenever that was."""
        statement = (
            "SELECT target, action, network, hosts, why, confirmed FROM changes ORDER BY 1, 2, 3"
        )
        with closing(sqlite3.connect(self.here.state)) as raw:
            return raw.execute(statement).fetchall()

    def memory(self) -> Memory:
        """What the state remembers, apart from instants and counts, once it was found sound."""
        asked = {
            "held": "SELECT host, hostname, family, address FROM held ORDER BY 1, 2, 3, 4",
            "tracks": "SELECT host, hostname, family, summary FROM tracks ORDER BY 1, 2, 3",
            "targets": "SELECT name, allowlist, backend FROM targets ORDER BY 1",
            "entries": "SELECT target, network, hosts FROM entries ORDER BY 1, 2",
            "inherited": "SELECT target, network FROM inherited ORDER BY 1, 2",
            "meant": "SELECT target, action, network FROM meant ORDER BY 1, 2, 3",
        }
        with closing(sqlite3.connect(self.here.state)) as raw:
            assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            return {name: raw.execute(statement).fetchall() for name, statement in asked.items()}


def text_of(path: Path) -> str | None:
    """A file's text; None when there is no such file."""
    return path.read_text() if path.exists() else None


def _without_handle(one: dict[str, Any]) -> str:
    (kind,) = one
    return json.dumps({kind: {k: v for k, v in one[kind].items() if k != "handle"}}, sort_keys=True)
