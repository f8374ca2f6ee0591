"""The promises of every backend, kept by files of each format."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest
from allowsync_backends.file import TYPE, FileOptions, Format

from allowsync.backend import Placement
from allowsync.testing.contract import BackendContract

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.backend import Backend


class InAFolder(BackendContract):
    """The target is a file in a folder where somebody else has files too."""

    format: ClassVar[Format]
    folder: Path

    @pytest.fixture(autouse=True)
    def target(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def make(self) -> Backend:
        options = FileOptions(self.folder / "friends", self.format)
        return TYPE.make(Placement("x", "x/file"), options)

    def plant(self) -> None:
        (self.folder / "friends.conf").write_text("mine\n")
        (self.folder / ".hidden").write_text("mine too\n")

    def foreign(self) -> object:
        return {
            path.name: (path.read_text(), path.stat().st_mtime_ns)
            for path in self.folder.iterdir()
            if path.name != "friends"
        }

    def damage(self) -> bool:
        with (self.folder / "friends").open("a") as file:
            file.write(" ")
        return True

    def fingerprint(self) -> object:
        return {
            path.name: (path.read_bytes(), path.stat().st_ino, path.stat().st_mtime_ns)
            for path in self.folder.iterdir()
        }


class TestText(InAFolder):
    format = Format.TEXT


class TestJson(InAFolder):
    format = Format.JSON
