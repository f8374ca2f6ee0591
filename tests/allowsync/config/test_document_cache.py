"""Tests for the document kept beside the state: believed as it was written by us, or not at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allowsync import __version__
from allowsync.config import load
from allowsync.config.document_cache import cached_document
from allowsync.config.schema.context import Reading
from allowsync.config.schema.yaml_loader import read_yaml

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.config.schema.nodes import Node

TEXT = """\
hosts:
  anna: anna.example.org   # where she lives
  office: {networks: [192.0.2.0/24]}
allowlists:
  web:
    targets:
      - file: {path: /tmp/allowed.txt}
"""


class Kept:
    """A configuration that was loaded and kept."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self.config = folder / "config.yaml"
        self.state = folder / "state.db"
        self.file = folder / "state.db.config"
        self.content = f"{TEXT}state: {self.state}\n{more}".encode()
        self.config.write_bytes(self.content)

    def load(self) -> None:
        load(self.config, environ={}, uid=os.geteuid(), keep=True)

    def cached(self, content: bytes | None = None, uid: int | None = None) -> Node | None:
        reading = Reading(self.config, environ={}, uid=os.geteuid() if uid is None else uid)
        return cached_document(self.content if content is None else content, None, reading)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    one = Kept(tmp_path)
    one.load()
    return one


def test_a_kept_document_is_the_parsed_one(kept: Kept) -> None:
    assert kept.cached() == read_yaml(kept.content)


def test_a_kept_document_loads_to_the_same_configuration(kept: Kept) -> None:
    again = load(kept.config, environ={}, uid=os.geteuid())
    kept.file.unlink()
    assert load(kept.config, environ={}, uid=os.geteuid()) == again


def test_only_its_owner_reads_it(kept: Kept) -> None:
    assert kept.file.stat().st_mode & 0o777 == 0o600


def test_the_state_of_the_command_line_wins(kept: Kept, tmp_path: Path) -> None:
    reading = Reading(kept.config, environ={}, uid=os.geteuid())
    assert cached_document(kept.content, tmp_path / "other.db", reading) is None
    assert cached_document(kept.content, kept.state, reading) is not None


def test_another_text_is_parsed(kept: Kept) -> None:
    assert kept.cached(kept.content.replace(b"192.0.2.0", b"192.0.3.0")) is None


def test_another_version_parses_again(kept: Kept) -> None:
    old = kept.file.read_bytes()
    kept.file.write_bytes(old.replace(__version__.encode(), b"0.0.1", 1))
    assert kept.cached() is None
    kept.load()
    assert kept.file.read_bytes() == old


@given(st.floats(0, 1, exclude_max=True), st.integers(0, 255))
def test_damage_is_never_believed(
    tmp_path_factory: pytest.TempPathFactory, part: float, flipped: int
) -> None:
    one = Kept(tmp_path_factory.mktemp("kept"))
    one.load()
    whole = bytearray(one.file.read_bytes())
    at = int(part * len(whole))
    if flipped:
        whole[at] ^= flipped
    else:
        del whole[at:]
    one.file.write_bytes(bytes(whole))
    assert one.cached() in (None, read_yaml(one.content))
    one.load()
    assert one.cached() == read_yaml(one.content)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_what_others_can_write_is_not_believed(kept: Kept, mode: int) -> None:
    kept.file.chmod(mode)
    assert kept.cached() is None


def test_what_belongs_to_another_is_not_believed(kept: Kept) -> None:
    assert kept.cached(uid=os.geteuid() + 1) is None


def test_a_link_is_not_followed(kept: Kept, tmp_path: Path) -> None:
    kept.file.rename(tmp_path / "elsewhere")
    kept.file.symlink_to(tmp_path / "elsewhere")
    assert kept.cached() is None


def test_what_is_no_file_is_not_waited_for(kept: Kept) -> None:
    kept.file.unlink()
    os.mkfifo(kept.file)
    assert kept.cached() is None


@pytest.mark.parametrize(
    "more",
    ["heartbeat: https://hc.example.net/ping/0123\n", "notify: [ntfy://example.net/topic]\n"],
)
def test_a_secret_is_not_kept(tmp_path: Path, more: str) -> None:
    one = Kept(tmp_path, more)
    one.load()
    assert not one.file.exists()


def test_without_its_folder_nothing_is_kept(tmp_path: Path) -> None:
    one = Kept(tmp_path)
    one.config.write_text(f"{TEXT}state: {tmp_path}/missing/state.db\n")
    one.load()
    assert not (tmp_path / "missing").exists()


def test_a_command_that_only_reads_keeps_nothing(tmp_path: Path) -> None:
    one = Kept(tmp_path)
    load(one.config, environ={}, uid=os.geteuid())
    assert not one.file.exists()
