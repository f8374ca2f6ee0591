"""A backend that misbehaves, in whatever way, fails alone: beside it, a good target is enforced."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from allowsync.backend import containment
from allowsync.backend.registry import BACKENDS
from allowsync.cli import run_command_line
from tests.support.broken_backends import BROKEN, source
from tests.support.distributions import install

ALICE = "203.0.113.7"


class Said(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, object]:
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


class Place:
    """A configuration with good targets, and others of broken backends before and behind them."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.good = folder / "good.txt"
        self.config = folder / "config.yaml"
        self._capture = capfd

    def write(self, *broken: str, rest: str = "") -> None:
        targets = "".join(f"      - {one}\n" for one in broken)
        self.config.write_text(
            f"hosts: {{alice: {{networks: [{ALICE}]}}}}\n"
            f"state: {self.folder}/state.db\n"
            f"allowlists:\n  web:\n    targets:\n{targets}"
            f"      - file: {{path: {self.good}}}\n{rest}"
        )

    def run(self, *arguments: str) -> Said:
        self._capture.readouterr()
        code = run_command_line([*arguments, "--config", str(self.config)])
        sys.stderr.flush()
        return Said(code, *self._capture.readouterr())

    @property
    def enforced(self) -> bool:
        return self.good.exists() and ALICE in self.good.read_text()


@pytest.fixture
def here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Place:
    monkeypatch.setattr(containment, "LOOKING", 0.2)
    monkeypatch.setattr(containment, "CHANGING", 0.2)
    monkeypatch.setattr(containment, "GRACE", 0.1)
    return Place(tmp_path, capfd)


def plug(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, **parts: str) -> None:
    """Install a backend that is broken so."""
    module = f"broken_module_{name}"
    site = folder / f"site-{name}"
    install(site, name, f"[{BACKENDS}]\n{name} = {module}:TYPE\n", {module: source(name, **parts)})
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, module, raising=False)


def surroundings() -> tuple[object, ...]:
    mask = os.umask(0o077)
    os.umask(mask)
    handlers = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]
    streams = [os.fstat(one) for one in (1, 2)]
    return (
        dict(os.environ),
        Path.cwd(),
        mask,
        handlers,
        [(one.st_dev, one.st_ino) for one in streams],
        [sys.stdout, sys.stderr],
        os._exit,
    )


@pytest.mark.parametrize(("parts", "what"), BROKEN.values(), ids=BROKEN)
def test_a_broken_backend_fails_alone(
    here: Place, monkeypatch: pytest.MonkeyPatch, parts: dict[str, str], what: str
) -> None:
    plug(here.folder, monkeypatch, "broken", **parts)
    here.write("broken")
    before = surroundings()
    said = here.run("apply", "--output", "json")
    assert (said.code, here.enforced) == (1, True)
    outcomes = {one["target"]: one for one in said.document["targets"]}  # type: ignore[attr-defined]
    assert outcomes["web/file"]["outcome"] == "applied"
    assert outcomes["web/broken"]["outcome"] in ("failed", "unknown")
    assert what in outcomes["web/broken"]["reason"]
    assert said.err == ""
    here.good.unlink()
    said = here.run("apply", "--offline")
    assert (said.code, here.enforced) == (1, True)
    assert [one for one in said.err.splitlines() if not one.startswith("web/broken: ")] == []
    assert len(said.err.splitlines()) == 1
    assert here.run("apply", "--offline", "--only", "web/file").code == 0
    assert surroundings() == before
