"""`allowsync config edit`: what an editor leaves takes effect where it is valid, and only there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from allowsync.cli.common import invocation_of
from allowsync.cli.schedule import renew
from allowsync.config import load
from tests.support.netns import Namespace
from tests.support.program import allowsync
from tests.support.tmux import Tmux

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.program import ProgramResult

CONFIG = """\
hosts: {office: {networks: [81.2.70.0/24]}}   # ours
allowlists: {web: {targets: [file: {path: web.txt}]}}
state: state/state.db
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    path.chmod(0o600)
    return path


def editor(path: Path, script: str) -> str:
    """An editor that does what a script says; its file is "$1"."""
    program = path.parent / "editor"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    return str(program)


def edit(path: Path, script: str, *arguments: str) -> ProgramResult:
    environ = {"EDITOR": editor(path, script), "TMPDIR": str(path.parent)}
    return allowsync("config", "edit", "--config", path, *arguments, environ=environ)


def left(path: Path) -> list[str]:
    return sorted(one.name for one in path.parent.iterdir())


def test_what_is_valid_takes_effect_and_is_tried(path: Path) -> None:
    done = edit(path, 'sed -i s/81.2.70.0/81.2.71.0/ "$1"')
    assert (done.code, done.err) == (0, "")
    assert path.read_text() == CONFIG.replace("81.2.70.0", "81.2.71.0")
    assert "\n+hosts: {office: {networks: [81.2.71.0/24]}}   # ours\n" in done.out
    assert "\n\nA dry run, which changes nothing:\n\n" in done.out
    assert "  + 81.2.71.0/24" in done.out
    assert done.out.endswith("\n\nThe next run applies it; now: allowsync apply\n")
    assert path.stat().st_mode & 0o777 == 0o600
    assert left(path) == ["config.yaml", "editor"]


def test_what_is_not_valid_does_not_and_without_a_terminal_is_thrown_away(path: Path) -> None:
    done = edit(path, 'echo "polcy: {}" >> "$1"')
    assert (done.code, done.out) == (2, "")
    assert f"{path}:4: polcy: " in done.err
    assert done.err.endswith("discarded; the file is unchanged\n")
    assert path.read_text() == CONFIG
    assert left(path) == ["config.yaml", "editor"]


@pytest.mark.parametrize(
    ("script", "code", "what"),
    [
        ("true", 0, "unchanged"),
        ("exit 3", 1, "failed with exit code 3; nothing was changed"),
        ('printf "\\377" > "$1"', 2, "not UTF-8 text"),
        ('rm "$1"', 2, "discarded"),
    ],
)
def test_what_is_no_edit_changes_nothing(path: Path, script: str, code: int, what: str) -> None:
    done = edit(path, script)
    assert (done.code, what in done.out + done.err) == (code, True)
    assert path.read_text() == CONFIG
    assert left(path) == ["config.yaml", "editor"]


def test_without_a_terminal_no_editor_is_started_but_the_one_that_is_named(path: Path) -> None:
    done = allowsync("config", "edit", "--config", path, environ={"TMPDIR": str(path.parent)})
    assert (done.code, done.out) == (1, "")
    assert "there is no terminal to edit at: set VISUAL or EDITOR, or edit the file" in done.err
    assert left(path) == ["config.yaml"]


def test_the_copy_is_for_its_owner_alone_and_has_its_name(path: Path) -> None:
    seen = path.parent / "seen"
    edit(path, f'stat -c "%a %n" "$(dirname "$1")" > {seen}; basename "$1" >> {seen}')
    assert seen.read_text().split()[0] == "700"
    assert seen.read_text().split()[-1] == "config.yaml"


def test_an_edit_beside_a_change_by_another_is_kept_and_said_where(path: Path) -> None:
    done = edit(path, f'sed -i s/70.0/71.0/ "$1"; sed -i s/ours/theirs/ {path}')
    assert (done.code, "it was changed meanwhile" in done.err) == (1, True)
    assert path.read_text() == CONFIG.replace("ours", "theirs")
    (kept,) = path.parent.glob("allowsync-*/config.yaml")
    assert f"your text is in {kept}" in done.err
    assert kept.read_text() == CONFIG.replace("70.0", "71.0")


def test_an_editor_that_is_not_there_is_named(path: Path) -> None:
    for value, what in (("/nowhere/vi", "could not be started"), ("'", "VISUAL cannot be read")):
        done = allowsync("config", "edit", "--config", path, environ={"VISUAL": value})
        assert (done.code, what in done.err) == (1, True)
    done = edit(path, "true", "--output", "json")
    assert (done.code, "has no JSON output" in done.out) == (2, True)


@pytest.mark.root
def test_at_a_terminal_it_is_edited_again_until_it_is_valid(
    as_root: None, path: Path, tmp_path: Path
) -> None:
    script = (
        'if grep -q polcy "$1"; then sed -i s/polcy/policy/ "$1"; else echo "polcy: {}" >> "$1"; fi'
    )
    environ = {"EDITOR": editor(path, script)}
    with (
        Namespace() as inside,
        Tmux(inside, tmp_path, "config", "edit", "--config", path, environ=environ) as screen,
    ):
        screen.until("(e)dit again, or (t)hrow it away?")
        assert path.read_text() == CONFIG
        screen.type("e")
        screen.until("ended with 0")
    assert path.read_text() == f"{CONFIG}policy: {{}}\n"


NFTABLES = (
    "hosts: {alice: alice.example.org}\nallowlists: {web: {targets: [nftables: {ports: [443]}]}}\n"
)
WITH_FILE = NFTABLES.replace("targets: [", "targets: [file: {path: /srv/list.txt}, ").replace(
    "443", "443/tcp"
)


@pytest.mark.parametrize("scheduler", ["systemd", "cron"])
@pytest.mark.parametrize("interval", ["1m", "15m", "2h"])
def test_a_schedule_that_is_installed_may_do_what_targets_need_now(
    tmp_path: Path, interval: str, scheduler: str
) -> None:
    for folder in ("etc/allowsync", "etc/cron.d", "usr/local/bin", "usr/lib/systemd"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "usr/local/bin/allowsync").symlink_to("/opt/allowsync/bin/allowsync")
    config = tmp_path / "etc/allowsync/config.yaml"
    state = "state: /var/lib/allowsync/state.db\n"
    config.write_text(NFTABLES.replace("443", "443/tcp") + state)
    config.chmod(0o600)
    words = ("--root", tmp_path, f"--{scheduler}", "--interval", interval)
    assert allowsync("schedule", "install", *words).code == 0
    before = load(config, environ={}, uid=os.geteuid(), root=tmp_path)
    config.write_text(WITH_FILE + state)
    invocation = invocation_of(None, None, "text", 0, quiet=True, no_color=True)
    renew(invocation, before, tmp_path)
    files = {one: one.read_text() for one in tmp_path.glob("etc/**/*") if one.is_file()}
    assert allowsync("schedule", "install", *words).out.startswith("nothing to do")
    needs = tmp_path / "etc/systemd/system/allowsync.service.d/needs.conf"
    assert (needs in files and "/srv" in files[needs]) == (scheduler == "systemd")
    assert files == {one: one.read_text() for one in tmp_path.glob("etc/**/*") if one.is_file()}
