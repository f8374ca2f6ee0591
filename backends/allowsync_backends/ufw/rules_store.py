"""UFW's files of rules: read whole, replaced in one step, with the previous version kept beside.

Where one of them is a link, its destination is the file, as for UFW; the link stays.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from allowsync.backend.api import BackendError
from allowsync.model.types import Family
from allowsync_backends.file.folder import Folder
from allowsync_backends.ufw.rules_file import Damaged, RulesFile, parsed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

FOLDER: Final = Path("/etc/ufw")
NAMES: Final = {Family.IPV4: "user.rules", Family.IPV6: "user6.rules"}
ENCODING: Final = ("utf-8", "surrogateescape")  # preserves all bytes


def path(family: Family) -> Path:
    """Return the path of a family's rules."""
    return FOLDER / NAMES[family]


def real(family: Family) -> Path:
    """Return the path of the file itself, behind any links."""
    return Path(os.path.realpath(path(family)))


def backup(family: Family) -> Path:
    """Return the path of a family's rules before the last change made here."""
    file = real(family)
    return file.with_name(f"{file.name}.before-allowsync")


def after(family: Family) -> str:
    """Return the rules that UFW appends to those of its users; empty where they are unreadable."""
    name = "after.rules" if family is Family.IPV4 else "after6.rules"
    try:
        return (FOLDER / name).read_text(errors="replace")
    except OSError:
        return ""


def folders() -> tuple[Path, ...]:
    """Return the folders that are written to."""
    return tuple(dict.fromkeys((FOLDER, *(real(family).parent for family in NAMES))))


def read(family: Family) -> RulesFile:
    """Return a family's rules.

    Raises:
        BackendError: They cannot be read, or the file is damaged.
    """
    try:
        text = path(family).read_bytes().decode(*ENCODING)
    except FileNotFoundError as error:
        what = f"{path(family)} does not exist; is the package ufw installed?"
        raise BackendError(what) from error
    except OSError as error:
        raise BackendError(f"{path(family)} cannot be read: {error.strerror}") from error
    try:
        return parsed(text)
    except Damaged as error:
        raise BackendError(_damaged(family, str(error))) from error


def _damaged(family: Family, why: str) -> str:
    what = (
        f"{path(family)} is damaged: {why}. It is left alone; the kernel still has the rules, but "
        "the next start of ufw would not load them. Repair it before anything reloads ufw"
    )
    return f"{what}; {backup(family)} is older but whole" if backup(family).exists() else what


@contextmanager
def _opened(folder: Path, consequence: str) -> Iterator[Folder]:
    """Open a folder for writing; an error of the operating system becomes one of the backend."""
    try:
        with Folder(folder) as opened:
            yield opened
    except OSError as error:
        what = f"{folder} cannot be written: {error.strerror}; {consequence}"
        raise BackendError(what) from error


class Stage(Enum):
    """The time at which a draft is put in place."""

    FIRST = 0  # before the kernel is changed: with additions, and still with removals
    LAST = 1  # when the kernel has dropped the removals: without them


class Drafts:
    """New contents of some of the files, written beside them before anything is replaced.

    A disk that is full, or cannot be written, shows while nothing has been changed.

    Raises:
        BackendError: They could not be written; nothing was changed.
    """

    def __init__(self, contents: Mapping[tuple[Family, Stage], str]) -> None:
        self._contents = contents
        self._files = {family: real(family) for family in NAMES}
        self._kept: set[Family] = set()
        try:
            for (family, stage), text in contents.items():
                with self._folder_of(family, "nothing was changed") as folder:
                    self._write(folder, family, stage, text)
        except BaseException:
            self.discard()
            raise

    def put(self, stage: Stage) -> None:
        """Put the drafts of a stage in place.

        Raises:
            BackendError: Some of them may not be.
        """
        for family in [family for family, when in self._contents if when is stage]:
            with self._folder_of(family, "its rules may be changed in part") as folder:
                if family not in self._kept:
                    self._keep(folder, family)
                    self._kept.add(family)
                folder.replace(self._files[family].name, self._draft(family, stage))
                folder.sync()

    def undo(self) -> None:
        """Restore the files that the first drafts replaced, and remove the other drafts.

        Raises:
            BackendError: They may not be restored.
        """
        for family in self._kept:
            with self._folder_of(family, "the old rules could not be put back") as folder:
                draft = self._draft(family, Stage.FIRST)
                folder.remove(draft)
                folder.link(backup(family).name, draft)
                folder.replace(self._files[family].name, draft)
                folder.sync()

    def discard(self) -> None:
        """Remove the drafts that were not put in place, as far as possible.

        Those of a killed run are among them.
        """
        for family in NAMES if self._contents else ():
            with suppress(OSError, BackendError), self._folder_of(family, "") as folder:
                for stage in Stage:
                    folder.remove(self._draft(family, stage))

    def _folder_of(self, family: Family, consequence: str) -> AbstractContextManager[Folder]:
        return _opened(self._files[family].parent, consequence)

    def _draft(self, family: Family, stage: Stage) -> str:
        return f".{self._files[family].name}.allowsync-{stage.value}"

    def _write(self, folder: Folder, family: Family, stage: Stage, text: str) -> None:
        name, there = self._draft(family, stage), self._files[family].stat()
        folder.remove(name)
        folder.create(name, text.encode(*ENCODING), stat.S_IMODE(there.st_mode))
        if (there.st_uid, there.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(folder.path / name, there.st_uid, there.st_gid)

    def _keep(self, folder: Folder, family: Family) -> None:
        """Give the present file a second name, in one step, replacing an earlier backup."""
        kept = backup(family).name
        folder.remove(f".{kept}")
        folder.link(self._files[family].name, f".{kept}")
        folder.replace(kept, f".{kept}")
        # Two names of one file do not replace each other (rename(2)).
        folder.remove(f".{kept}")
