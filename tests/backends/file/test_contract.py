"""The promises of every backend, kept by files of each format."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest
from allowsync_backends.file import TYPE, FileOptions, Format

from allowsync.testing.contract import BackendContract

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from allowsync.model.types import Network


class InAFolder(BackendContract):
    """The target is a file in a folder where somebody else has files too."""

    type = TYPE
    format: ClassVar[Format]
    ours: ClassVar = {"friends"}
    folder: Path

    @pytest.fixture(autouse=True)
    def target(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def options(self) -> FileOptions:
        return FileOptions(self.folder / "friends", self.format)

    def neighbour(self) -> None:
        """A file is one allowlist's."""

    def plant(self) -> Iterable[Network]:
        (self.folder / "friends.conf").write_text("mine\n")
        (self.folder / ".hidden").write_text("mine too\n")
        return ()

    def foreign(self) -> object:
        return {
            path.name: (path.read_text(), path.stat().st_mtime_ns)
            for path in self.folder.iterdir()
            if path.name not in self.ours
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


@pytest.mark.io
@pytest.mark.usefixtures("warm_templates")
class FromATemplate(InAFolder):
    """The file is what a template makes of the networks, in a process of its own."""

    template: ClassVar[str]
    comment: ClassVar[str | None]

    @pytest.fixture(autouse=True)
    def source(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        self.source_file = tmp_path_factory.mktemp("templates") / "friends.j2"
        self.source_file.write_text(self.template)

    def options(self) -> FileOptions:
        place = self.folder / "friends"
        return FileOptions(place, template=self.source_file, comment=self.comment)


class TestTemplate(FromATemplate):
    template = "{% for network in networks %}\nallow {{ network }};\n{% endfor %}\ndeny all;\n"
    comment = "# "


class TestTemplateThatShowsNoNetworks(FromATemplate):
    """Whatever the text holds, it is known what it was made from."""

    template = "{{ networks | length }} friends\n"
    comment = ";; "


class TestTemplateOfAFileWithoutComments(FromATemplate):
    template = "{{ networks | tojson }}"
    comment = None
    ours: ClassVar = {"friends", ".friends.allowsync"}

    def damage(self) -> bool:
        """Such a file is known by its content alone, so an edited one is nobody's but the
        editor's. What can be damaged is its mode."""
        (self.folder / "friends").chmod(0o600)
        return True
