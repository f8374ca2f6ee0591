"""What is said of a configuration that cannot be read: the places, and the command that helps."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from allowsync.cli import configuration_lookup
from allowsync.cli.configuration_lookup import why_unread
from allowsync.config.paths import SYSTEM_CONFIGURATION
from tests.support.program import allowsync

if TYPE_CHECKING:
    from collections.abc import Iterator

USER = 65534


@contextmanager
def as_user() -> Iterator[None]:
    os.seteuid(USER)
    try:
        yield
    finally:
        os.seteuid(0)


def test_every_place_that_was_looked_at_is_named(tmp_path: Path) -> None:
    own = tmp_path / "allowsync" / "config.yaml"
    said = why_unread(None, own, {"XDG_CONFIG_HOME": str(tmp_path)}, USER)
    for place in ("--config (not given)", "$ALLOWSYNC_CONFIG (not set)", str(own)):
        assert place in said
    assert str(SYSTEM_CONFIGURATION) in said
    assert said.endswith("; to write one: sudo allowsync init")


def test_where_only_root_can_look_the_command_for_root_comes_before_init(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    system = tmp_path / "config.yaml"
    monkeypatch.setattr(configuration_lookup, "SYSTEM_CONFIGURATION", system)
    monkeypatch.setattr("os.access", lambda *_: False)
    monkeypatch.setattr("sys.argv", ["allowsync", "status"])
    said = why_unread(None, Path("/home/me/config.yaml"), {"HOME": "/home/me"}, USER)
    assert f"{system} (only root can look)" in said
    advice = "; if it is there: sudo allowsync status; to write one: sudo allowsync init"
    assert said.endswith(advice)


def test_root_is_sent_to_no_home_and_needs_no_sudo(tmp_path: Path) -> None:
    said = why_unread(None, tmp_path / "none.yaml", {"XDG_CONFIG_HOME": str(tmp_path)}, 0)
    assert str(tmp_path) not in said
    assert said.endswith("; to write one: allowsync init")
    by_sudo = why_unread(None, tmp_path / "none.yaml", {"SUDO_USER": "admin"}, 0)
    assert by_sudo.endswith("; to write one: sudo allowsync init")


def test_a_file_that_was_named_is_the_only_place(tmp_path: Path) -> None:
    missing = tmp_path / "my config.yaml"
    said = why_unread(missing, missing, {}, 0)
    create = f"to write one: allowsync init '{missing}'"
    assert said == f"file not found (given by --config); {create}"
    by_variable = why_unread(None, missing, {"ALLOWSYNC_CONFIG": str(missing)}, 0)
    assert "(given by $ALLOWSYNC_CONFIG)" in by_variable


def test_a_file_that_can_be_read_is_no_matter_of_places(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").touch()
    assert why_unread(None, tmp_path / "config.yaml", {}, 0) == ""
    assert why_unread(None, tmp_path / "config.yaml" / "below", {}, 0) == ""


def test_of_a_folder_the_file_in_it_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "my folder"
    folder.mkdir()
    what = "this is a folder, not a file; name the file: --config"
    assert why_unread(folder, folder, {}, 0) == f"{what} '{folder}/config.yaml'"
    (folder / "home.yml").touch()
    assert why_unread(folder, folder, {}, 0) == f"{what} '{folder}/home.yml'"


@pytest.mark.root
def test_a_file_for_root_alone_is_read_with_sudo(
    as_root: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TemporaryDirectory() as name:  # others cannot look into that of pytest
        Path(name).chmod(0o755)
        config = Path(name) / "config.yaml"
        config.touch(0o600)
        monkeypatch.setattr(sys, "argv", ["allowsync", "host", "list", "--config", str(config)])
        with as_user():
            said = why_unread(config, config, {}, USER)
    advice = f"run it as root: sudo allowsync host list --config {config}"
    assert said == f"cannot be opened: Permission denied; {advice}"


@pytest.mark.parametrize(
    "words", ["status", "apply", "host list", "host add carol c.example.org", "config edit"]
)
def test_every_command_says_it_once(tmp_path: Path, words: str) -> None:
    missing = tmp_path / "none.yaml"
    done = allowsync(*words.split(), environ={"ALLOWSYNC_CONFIG": str(missing)})
    assert (done.code, done.out) == (2, "")
    said = "file not found (given by $ALLOWSYNC_CONFIG); to write one: allowsync init"
    assert done.err == f"{missing}: {said}\n"
