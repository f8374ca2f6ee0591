"""Backends bring commands along, which are imported when they are called and not before."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from allowsync.cli import run_command_line
from tests.support.distributions import install

if TYPE_CHECKING:
    from pathlib import Path

WALL = '''
import click
from allowsync.cli.common import common, echo_json

@click.group()
def wall():
    """Build a wall of one's own."""

@wall.command()
@click.argument("height", type=int)
@common
def build(invocation, height):
    """Build it."""
    echo_json({"height": height})
'''


@pytest.fixture
def wall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bring(tmp_path, monkeypatch, "wall = contributed_wall:wall", contributed_wall=WALL)


def bring(folder: Path, monkeypatch: pytest.MonkeyPatch, entry: str, **modules: str) -> None:
    install(folder, "masonry", f"[allowsync.commands]\n{entry}\n", modules)
    monkeypatch.syspath_prepend(str(folder))
    for name in modules:
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.mark.usefixtures("wall")
def test_a_command_that_somebody_registers_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["wall", "build", "3", "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"height": 3}


@pytest.mark.usefixtures("wall")
def test_the_help_lists_it_by_what_it_says_of_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["--help"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^  wall +Build a wall of one.s own\.$", out, re.MULTILINE)
    assert out.index("  status ") < out.index("  wall ")


@pytest.mark.usefixtures("wall")
def test_a_name_that_is_nearly_one_is_suggested(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["wal"]) == 2
    assert "did you mean 'wall'?" in capsys.readouterr().err


@pytest.mark.usefixtures("wall")
@pytest.mark.parametrize(
    ("typed", "schema"),
    [
        (["wall", "build", "high"], "allowsync.wall.build/1"),
        (["wall", "paint"], "allowsync.wall/1"),
        (["status", "--colour"], "allowsync.status/1"),
        (["statu"], "allowsync.run/1"),
    ],
)
def test_a_usage_error_has_the_schema_of_the_command_that_was_meant(
    capsys: pytest.CaptureFixture[str], typed: list[str], schema: str
) -> None:
    assert run_command_line([*typed, "--output", "json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["exit_code"]) == (schema, 2)
    assert document["problems"][0]["where"] == "command line"


@pytest.mark.parametrize(
    ("entry", "module", "why"),
    [
        ("wall = contributed_wall:wall", "import nothing_of_that_name", "ModuleNotFoundError"),
        ("wall = contributed_wall:wall", "wall = 3", "it is a int"),
    ],
)
def test_one_that_is_broken_says_why_and_spoils_no_other(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    entry: str,
    module: str,
    why: str,
) -> None:
    bring(tmp_path, monkeypatch, entry, contributed_wall=module)
    assert run_command_line(["wall"]) == 2
    said = capsys.readouterr().err
    assert "the command 'wall' cannot be loaded: " in said
    assert why in said
    assert run_command_line(["--help"]) == 0
    assert "cannot be loaded" in capsys.readouterr().out
    assert run_command_line(["backends"]) == 0


def test_a_command_of_the_core_cannot_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bring(tmp_path, monkeypatch, "backends = contributed_wall:wall", contributed_wall=WALL)
    assert run_command_line(["backends"]) == 0
    assert "nftables" in capsys.readouterr().out


def test_the_command_line_imports_no_command_that_was_not_called() -> None:
    code = (
        "import sys\nfrom allowsync.cli import run_command_line\n"
        "assert run_command_line(['backends', '--help']) == 0\n"
        "loaded = [m for m in sys.modules if m.endswith('.commands') or m == 'httpx']\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
