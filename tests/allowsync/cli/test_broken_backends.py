"""A backend that misbehaves, in whatever way, fails alone: beside it, a good target is enforced."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from allowsync.backend import containment
from allowsync.backend.registry import BACKENDS
from allowsync.cli import run_command_line
from allowsync.testing.namespace import namespace as namespace
from tests.support.broken_backends import BROKEN, source
from tests.support.distributions import install
from tests.support.sampling import share

pytestmark = [pytest.mark.io]  # whole commands, with a process that contains what they call

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
        self.after = ""
        self._capture = capfd

    def write(self, *broken: str, rest: str = "") -> None:
        targets = "".join(f"      - {one}\n" for one in broken)
        self.config.write_text(
            f"hosts: {{alice: {{networks: [{ALICE}]}}}}\n"
            f"state: {self.folder}/state.db\n"
            f"allowlists:\n  web:\n    targets:\n{targets}"
            f"      - file: {{path: {self.good}}}\n{self.after}{rest}"
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
    return Place(tmp_path, capfd)


@pytest.fixture
def hurried(here: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The same with a time limit that a test can wait for."""
    monkeypatch.setattr(containment, "LOOKING", 0.2)
    monkeypatch.setattr(containment, "CHANGING", 0.2)
    monkeypatch.setattr(containment, "GRACE", 0.1)
    return here


@pytest.fixture
def gated(here: Place, as_root: None, namespace: None) -> Place:
    """The same with a gate behind them all, in a network namespace."""
    here.after = "      - nftables: {ports: [8096/tcp]}\n"
    return here


def _nft(*arguments: str) -> str:
    return subprocess.run(["nft", *arguments], capture_output=True, text=True, check=True).stdout


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
        [os._exit, os.setuid, os.geteuid(), len(sys.path), sys.getprofile()],
    )


LATE = "did not finish within 0.2 s"
ENDLESS = {name: one for name, one in BROKEN.items() if one[1] == LATE}
PROMPT = {name: one for name, one in BROKEN.items() if name not in ENDLESS}
# In how many runs they are tried: each in its own, or several unlike each other in one.
RUNS = share(len(PROMPT), 10)
TOGETHER = [list(PROMPT)[first::RUNS] for first in range(RUNS)]


@pytest.mark.parametrize("names", TOGETHER, ids=", ".join)
def test_a_broken_backend_fails_alone(
    gated: Place, monkeypatch: pytest.MonkeyPatch, names: list[str]
) -> None:
    whats = {f"broken{number}": PROMPT[name][1] for number, name in enumerate(names)}
    for plugged, name in zip(whats, names, strict=True):
        plug(gated.folder, monkeypatch, plugged, **PROMPT[name][0])
    before = surroundings()
    fail_alone(gated, whats)
    assert ALICE in _nft("list", "ruleset")
    _nft("flush", "ruleset")
    gated.good.unlink()
    starts_without(gated, *whats)
    assert ALICE in _nft("list", "ruleset")
    assert gated.run("apply", "--offline", "--only", "web/file").code == 0
    assert surroundings() == before


# The limit may end a call amid the interpreter's own, which ignores that; it ends the next then.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("parts", "what"), ENDLESS.values(), ids=ENDLESS)
def test_a_backend_without_an_end_fails_alone(
    hurried: Place, monkeypatch: pytest.MonkeyPatch, parts: dict[str, str], what: str
) -> None:
    plug(hurried.folder, monkeypatch, "broken", **parts)
    fail_alone(hurried, {"broken": what})
    hurried.good.unlink()
    starts_without(hurried, "broken")


def fail_alone(here: Place, whats: dict[str, str]) -> None:
    """A run beside broken targets serves all others, and says what is wrong with each."""
    here.write(*whats)
    said = here.run("apply", "--output", "json")
    assert (said.code, here.enforced, said.err) == (1, True, "")
    outcomes = {one["target"]: one for one in said.document["targets"]}  # type: ignore[attr-defined]
    for name, what in whats.items():
        broken = outcomes.pop(f"web/{name}")
        assert broken["outcome"] in ("failed", "unknown")
        assert what in broken["reason"]
    assert {one["outcome"] for one in outcomes.values()} == {"applied"}


def starts_without(here: Place, *names: str) -> None:
    """A run at boot serves all others as well, and names each broken one in a line."""
    said = here.run("apply", "--offline")
    assert (said.code, here.enforced) == (1, True)
    assert [one.partition(": ")[0] for one in said.err.splitlines()] == [
        f"web/{name}" for name in names
    ]


RAISES = "def read(self):\n    raise RuntimeError('told to')\n"
SECRET = (
    "cloudflare: {account_id: 0123456789abcdef0123456789abcdef, list: web, api_token_file: ./gone}"
)


def test_two_at_once_are_told_each_in_its_line(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    plug(here.folder, monkeypatch, "first", module="sys.exit(0)")
    plug(here.folder, monkeypatch, "second", methods=RAISES)
    here.write("first", "second", SECRET)
    said = here.run("apply")
    assert (said.code, here.enforced) == (1, True)
    lines = said.err.splitlines()
    assert [one.partition(": ")[0] for one in lines] == [
        "web/first",
        "web/second",
        "web/cloudflare",
    ]
    assert "file not found" in lines[2]


@pytest.mark.parametrize(
    "command", ["status", "check", "backends", "schedule show", "config show", "clear --yes"]
)
def test_every_command_names_it_and_goes_on(
    here: Place, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    plug(here.folder, monkeypatch, "first", module="raise SystemExit(0)")
    plug(
        here.folder,
        monkeypatch,
        "second",
        methods=RAISES,
        module="def usable():\n    raise KeyError('usable')",
    )
    here.write("first", "second")
    here.run("apply")
    said = here.run(*command.split())
    everything = said.out + said.err
    assert "the backend 'first' cannot be loaded: SystemExit: 0" in everything or (
        command == "config show" and "first" in everything
    )
    assert "internal error" not in everything
    if command in ("status", "check", "clear --yes"):
        assert said.code == 1
    what = {"status": "RuntimeError: told to", "check": "KeyError: 'usable'"}.get(command, "")
    assert what in everything
    if command == "backends":
        assert "unexpected KeyError: 'usable' (backend second, " in everything
        assert "nftables: " in everything
    if command == "clear --yes":
        assert "web/file: cleared" in said.out
        assert not here.enforced


def test_a_schedule_is_installed_for_the_others(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    plug(here.folder, monkeypatch, "broken", module="def needs(options):\n    return 7")
    here.write("broken")
    root = here.folder / "root"
    for folder in ("usr/local/bin", "etc/cron.d"):
        (root / folder).mkdir(parents=True)
    program = root / "usr/local/bin/allowsync"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    copy = root / here.config.relative_to("/")
    copy.parent.mkdir(parents=True)
    copy.write_text(here.config.read_text())
    said = here.run("schedule", "install", "--cron", "--root", str(root))
    assert said.code == 1
    assert said.err.startswith("web/broken: its needs are unknown: needs() is a int, not a Need")
    assert len(said.err.splitlines()) == 1
    assert (root / "etc/cron.d/allowsync").exists()


def test_what_is_remembered_of_a_broken_target_stays(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is neither taken for one that was removed, nor for one that was renamed."""
    plug(here.folder, monkeypatch, "broken")
    here.write("broken")
    assert here.run("apply").code == 0
    module = here.folder / "site-broken/broken_module_broken.py"
    module.write_text("import no_such_module\n")
    monkeypatch.delitem(sys.modules, "broken_module_broken")
    for command in ("apply", "apply --offline", "status"):
        said = here.run(*command.split())
        assert (said.code, "no longer configured" in said.err) == (1, False)
    module.write_text(source("broken"))
    assert here.run("apply").code == 0


def test_a_broken_one_that_is_renamed_is_told_once_and_its_record_stays(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    plug(here.folder, monkeypatch, "broken")
    here.write("broken: {name: before}")
    assert here.run("apply").code == 0
    (here.folder / "site-broken/broken_module_broken.py").write_text("1 / 0\n")
    monkeypatch.delitem(sys.modules, "broken_module_broken")
    here.write("broken: {name: behind}")
    for _ in range(2):
        said = here.run("apply")
        assert said.code == 1
        assert sum(one.startswith("web/behind: ") for one in said.err.splitlines()) == 1
        assert "web/before: is no longer configured but still enforced" in said.err


def test_a_wrong_configuration_still_stops_everything(here: Place) -> None:
    here.write(SECRET, rest="policies: {}\n")
    said = here.run("apply")
    assert (said.code, here.enforced) == (2, False)
    assert "policies" in said.err


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("while True: yield Finding(Severity.ERROR, 'x')", "check() gave more than 10,000"),
        ("yield Finding(Severity.ERROR, type('T', (str,), dict(__format__=None))('told'))", "told"),
        (
            "yield Finding(Severity.ERROR, 'x', type('T', (str,), dict(__len__=None))('told'))",
            "told",
        ),
    ],
)
def test_findings_that_cannot_be_told_are_told_as_one(
    here: Place, monkeypatch: pytest.MonkeyPatch, given: str, told: str
) -> None:
    plug(here.folder, monkeypatch, "odd", methods=f"def check(self):\n    {given}\n")
    here.write("odd: {}")
    said = here.run("check", "--no-packets")
    assert said.code == 1
    assert "web/odd" in said.out
    assert told in said.out
