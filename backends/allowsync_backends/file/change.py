"""One change of a file: new content in, checked, loaded; or the old content back.

A second name of the old file, the undo file, exists beside it from just before the change until all
of it has succeeded. Its presence means that a change was not confirmed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError, OutcomeUnknown
from allowsync.model.value import Value

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync_backends.file.folder import Contents, Folder
    from allowsync_backends.file.reader import FileReader


def names(name: str) -> tuple[str, str]:
    """Return the names beside a file, of its next content and of its last confirmed one.

    They start with a dot and end in no suffix that a server's `include *.conf` would pick up.
    """
    return f".{name}.allowsync-new", f".{name}.allowsync-undo"


class StillUsed(BackendError):
    """A file was restored because its reader needs it."""


class FileChange(Value):
    """A change of one file in an open folder."""

    folder: Folder
    path: Path
    reader: FileReader

    @property
    def _new(self) -> str:
        return names(self.path.name)[0]

    @property
    def _undo(self) -> str:
        return names(self.path.name)[1]

    def replace(self, data: bytes, mode: int) -> None:
        """Put new content in place.

        Raises:
            BackendError: The old content is in place.
            OutcomeUnknown: Either content may be in force.
        """
        try:
            self.folder.remove(self._new)
            self.folder.create(self._new, data, mode)
            self._check_beforehand()
            self._remember()
            self.folder.replace(self.path.name, self._new)
        except OSError as error:
            raise BackendError(f"{self.path} was not changed: {error.strerror}") from error
        self._confirm()

    def remove(self, *, there: bool) -> None:
        """Remove the file.

        Args:
            there: Whether it exists. Without it, only remains of an interrupted run are handled.

        Raises:
            StillUsed: It is still there, unchanged.
            BackendError: It is still there, or its reader may still use it.
        """
        try:
            self.folder.remove(self._new)
            if there:
                self._remember()
                self.folder.remove(self.path.name)
                self.folder.sync()
            if not self.folder.has(self._undo):
                return
            objection = self.reader.objection()
            if objection:
                raise self._kept(objection)
            failure = self.reader.take_notice()
            if failure:
                raise BackendError(f"{self.path} is removed, but {failure}")
            self.folder.remove(self._undo)
            self.folder.sync()
        except OSError as error:
            raise BackendError(f"{self.path} may be left: {error.strerror}") from error

    def _check_beforehand(self) -> None:
        failure = self.reader.objection_to(str(self.path.parent / self._new))
        if failure:
            self.folder.remove(self._new)
            raise BackendError(f"{self.path} was not changed: {failure}")

    def _remember(self) -> None:
        """Keep the last confirmed content. A present undo file is older, and confirmed."""
        if not self.reader.is_told or self.folder.has(self._undo):
            return
        if self.folder.has(self.path.name):
            self.folder.link(self.path.name, self._undo)
        else:
            self.folder.create(self._undo, b"", 0o600)  # empty: there was no file
        self.folder.sync()

    def _confirm(self) -> None:
        """Have the new content checked and loaded, or restore the old one."""
        try:
            self.folder.sync()
            objection = self.reader.objection()
            if objection:
                raise self._rolled_back(objection, told=False)
            failure = self.reader.take_notice()
            if failure:
                raise self._rolled_back(failure, told=True)
            self.folder.remove(self._undo)
            self.folder.sync()
        except OSError as error:
            what = f"{self.path} was replaced, but may not be on the disk: {error.strerror}"
            raise OutcomeUnknown(what) from error

    def _kept(self, objection: str) -> StillUsed:
        """Restore a file that its reader needs: Apache would exit at a reload without it."""
        self._restore()
        self.folder.remove(self._undo)
        self.folder.sync()
        return StillUsed(f"{self.path} cannot be removed as long as it is used: {objection}")

    def _rolled_back(self, failure: str, *, told: bool) -> BackendError:
        """Restore the last confirmed content; return the state after that as an error."""
        try:
            checked = self.folder.read(self.path.name)
            self._restore()
        except OSError as error:
            what = f"{failure}; the old file could not be put back: {error.strerror}"
            return OutcomeUnknown(what)
        again = self.reader.take_notice() if told else ""
        if again and checked is not None and self.reader.is_startable:
            but = f"checked, for when its reader starts, but {again}"
            return self._for_its_start(checked, but)
        if not told and checked is not None and self._is_missed:
            return self._for_its_start(checked, f"but not checked: {failure}")
        if again:
            # The undo file stays, so that the next run asks for the reload again.
            return OutcomeUnknown(f"{failure}; the old file is back, but {again} once more")
        self.folder.remove(self._undo)
        self.folder.sync()
        return BackendError(f"{failure}; the old file is back in force")

    @property
    def _is_missed(self) -> bool:
        """Whether a reader names the file, which was not there before the change, as missing."""
        old = self.folder.read(self._undo)
        is_first = old is not None and not old.data
        return is_first and self.reader.waits and self.path.name in self.reader.objection()

    def _for_its_start(self, content: Contents, but: str) -> BackendError:
        """Put content in place for a reader that may not start without the file.

        It could not be reloaded, as it is probably stopped; or it objects with the file and, for
        want of it, without: it lacks something else as well, as the file of another target. The
        undo file stays, so that the next run asks again.
        """
        self.folder.create(self._new, content.data, content.mode)
        self.folder.replace(self.path.name, self._new)
        self.folder.sync()
        return OutcomeUnknown(f"{self.path} is in place, {but}")

    def _restore(self) -> None:
        old = self.folder.read(self._undo)
        if old is None:
            raise OutcomeUnknown(
                f"{self.path} could not be restored: another process took the old file"
            )
        if not old.data:
            self.folder.remove(self.path.name)
        else:
            self.folder.link(self._undo, self._new)
            self.folder.replace(self.path.name, self._new)
        self.folder.sync()
