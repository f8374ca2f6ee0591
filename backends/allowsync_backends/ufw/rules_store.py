"""UFW's files of rules: read whole, replaced in one step, with the one before kept beside."""

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

FOLDER: Final = Path("/etc/ufw")
NAMES: Final = {Family.IPV4: "user.rules", Family.IPV6: "user6.rules"}
ENCODING: Final = ("utf-8", "surrogateescape")  # whatever bytes there are, they come out again


def path(family: Family) -> Path:
    """Where a family's rules are."""
    return FOLDER / NAMES[family]


def backup(family: Family) -> Path:
    """Where a family's rules are as they were before the last change made here."""
    return FOLDER / f"{NAMES[family]}.before-allowsync"


def read(family: Family) -> RulesFile:
    """A family's rules.

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
        "the next start of ufw would not load them. Put it right before anything reloads ufw"
    )
    return f"{what}; {backup(family)} is older but whole" if backup(family).exists() else what


@contextmanager
def _told(consequence: str) -> Iterator[None]:
    """Turn an error of the operating system into one of the backend."""
    try:
        yield
    except OSError as error:
        what = f"{FOLDER} cannot be written: {error.strerror}; {consequence}"
        raise BackendError(what) from error


class Stage(Enum):
    """When a draft is put in place."""

    FIRST = 0  # before the kernel is touched: with what is added, and still with what is to go
    LAST = 1  # when the kernel has let go of it: without


class Drafts:
    """New contents of some of the files, written beside them before anything is replaced.

    A disk that is full, or cannot be written, shows while nothing has been changed.

    Raises:
        BackendError: They could not be written; nothing was changed.
    """

    def __init__(self, contents: Mapping[tuple[Family, Stage], str]) -> None:
        self._contents = contents
        self._kept: set[Family] = set()
        if not contents:
            return
        with _told("nothing was changed"), Folder(FOLDER) as folder:
            try:
                for (family, stage), text in contents.items():
                    _write(folder, family, stage, text)
            except BaseException:
                self._discard(folder)
                raise

    def put(self, stage: Stage) -> None:
        """Put the drafts of a stage in place.

        Raises:
            BackendError: Some of them may not be.
        """
        families = [family for family, when in self._contents if when is stage]
        if not families:
            return
        with _told("its rules may be changed in part"), Folder(FOLDER) as folder:
            for family in families:
                if family not in self._kept:
                    _keep(folder, family)
                    self._kept.add(family)
                folder.replace(NAMES[family], _draft(family, stage))
            folder.sync()

    def undo(self) -> None:
        """Put back what the first drafts replaced, and remove the others.

        Raises:
            BackendError: It may not be back.
        """
        with _told("the old rules could not be put back"), Folder(FOLDER) as folder:
            for family in self._kept:
                draft = _draft(family, Stage.FIRST)
                folder.remove(draft)
                folder.link(backup(family).name, draft)
                folder.replace(NAMES[family], draft)
            folder.sync()

    def discard(self) -> None:
        """Remove the drafts that were not put in place, as far as that can be done."""
        if self._contents:
            with suppress(OSError, BackendError), Folder(FOLDER) as folder:
                self._discard(folder)

    @staticmethod
    def _discard(folder: Folder) -> None:
        """Remove all drafts there may be, those of a run that was killed among them."""
        for family in NAMES:
            for stage in Stage:
                with suppress(OSError):
                    folder.remove(_draft(family, stage))


def _write(folder: Folder, family: Family, stage: Stage, text: str) -> None:
    name, there = _draft(family, stage), path(family).stat()
    folder.remove(name)
    folder.create(name, text.encode(*ENCODING), stat.S_IMODE(there.st_mode))
    if (there.st_uid, there.st_gid) != (os.geteuid(), os.getegid()):
        os.chown(FOLDER / name, there.st_uid, there.st_gid)


def _keep(folder: Folder, family: Family) -> None:
    """Give the present file a second name, in one step, whatever had that name before."""
    spare = f".{backup(family).name}"
    folder.remove(spare)
    folder.link(NAMES[family], spare)
    folder.replace(backup(family).name, spare)
    # Two names of one file do not replace each other (rename(2)).
    folder.remove(spare)


def _draft(family: Family, stage: Stage) -> str:
    return f".{NAMES[family]}.allowsync-{stage.value}"
