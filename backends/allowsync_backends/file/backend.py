"""The backend of a file that another program reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.model.target import Capabilities, Current, Finding, Severity, flaw_findings
from allowsync.model.value import Value
from allowsync_backends.file.change import FileChange, names
from allowsync_backends.file.folder import Contents, Folder, NotOurs, PartlyOurs
from allowsync_backends.file.syntax import is_preceded, named_list

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from allowsync.model.plan import Plan
    from allowsync.model.target import TrustedProxies
    from allowsync_backends.file.reader import FileReader
    from allowsync_backends.file.syntax import FileContent, Syntax


class FileBackend(Value):
    """Writes one file, and nothing into a foreign file.

    Attributes:
        allowlist: The allowlist of its networks; named in the file.
        path: The file.
        syntax: Its syntax.
        mode: Its permission bits.
        reader: The program that reads it.
    """

    allowlist: str
    path: Path
    syntax: Syntax
    mode: int
    reader: FileReader

    @property
    def capabilities(self) -> Capabilities:
        """Any network, all or nothing."""
        return Capabilities(atomic=True)

    def check(self) -> Sequence[Finding]:
        """Check that the file can be written and is whole, and that its reader uses it."""
        return (*self._state(), *self.reader.findings(self.path))

    def trusted_proxies(self) -> TrustedProxies | None:
        """Return the trusted proxies of its reader; None where they are not known."""
        return self.reader.trusted_proxies(self.path)

    def _state(self) -> Iterator[Finding]:
        try:
            flaws = self.read().flaws
        except BackendError as error:
            yield Finding(Severity.ERROR, str(error))
            return
        yield from flaw_findings(flaws)

    def read(self) -> Current:
        """Return the networks in the file, and its faults.

        Raises:
            BackendError: It is foreign, or could not be read.
        """
        try:
            with Folder(self.path.parent) as folder:
                found = folder.read(self.path.name)
                held = None if found is None else self._ours(folder, found)
                flaws = (*self._flaws(found, held), *self.traces(folder))
        except OSError as error:
            raise BackendError(f"{self.path} cannot be read: {error.strerror}") from error
        entries = frozenset() if held is None else held.entries
        return Current(entries, flaws=flaws)

    def _ours(self, folder: Folder, found: Contents) -> FileContent:
        """Return the content of a file of ours.

        Raises:
            NotOurs: It is foreign.
        """
        held = self._held(folder, found)
        if held is None:
            if is_preceded(found.text):
                raise PartlyOurs(
                    f"{self.path} has lines above allowsync's heading and is left alone; delete "
                    "these lines, or move it away"
                )
            if of := named_list(found.text):
                raise NotOurs(f"{self.path} is that of {of} and is left alone; move it away")
            raise NotOurs(
                f"{self.path} was not written by allowsync and is left alone; "
                "move it away, or choose another path"
            )
        if held.allowlist != self.allowlist:
            raise NotOurs(f"{self.path} belongs to allowlist {held.allowlist!r}")
        return held

    def _held(self, folder: Folder, found: Contents) -> FileContent | None:  # noqa: ARG002 - for others
        return self.syntax.parse(found.text)

    def _flaws(self, found: Contents | None, held: FileContent | None) -> Iterator[str]:
        if found is None or held is None:
            yield f"{self.path} does not exist"
            return
        if found.data != self.syntax.render(self.allowlist, held.networks).encode():
            yield f"{self.path} was edited"
        if found.mode != self.mode:
            yield f"{self.path} has mode {found.mode:04o} instead of {self.mode:04o}"

    def traces(self, folder: Folder) -> Iterator[str]:
        """Report remains of an interrupted run."""
        new, undo = names(self.path.name)
        if folder.has(undo):
            yield f"a change of {self.path} was not confirmed: its reader may not know it yet"
        if folder.has(new):
            yield f"{self.path.parent / new} is left over from an interrupted run"

    def apply(self, plan: Plan) -> None:
        """Replace the file in one step, then have it checked and loaded by its reader.

        Raises:
            BackendError: The old file is in place; the text holds what else is known.
            OutcomeUnknown: The new file is in place, but may not be in force.
        """
        if plan.idle:
            return
        text = self.syntax.render(self.allowlist, (entry.network for entry in plan.final))
        with Folder(self.path.parent) as folder:
            self._is_there(folder)
            FileChange(folder, self.path, self.reader).replace(text.encode(), self.mode)

    def _is_there(self, folder: Folder) -> bool:
        """Whether the file exists; it is ours then.

        Raises:
            NotOurs: It is foreign.
            BackendError: It could not be read.
        """
        try:
            found = folder.read(self.path.name)
            return found is not None and bool(self._ours(folder, found))
        except OSError as error:
            raise BackendError(f"{self.path} cannot be read: {error.strerror}") from error

    def clear(self) -> None:
        """Remove the file, and reload its reader. A foreign file stays.

        Raises:
            PartlyOurs: It is left, because others wrote into it.
            BackendError: It is still there, or its reader may still use it.
        """
        if not self.path.parent.is_dir():
            return
        with Folder(self.path.parent) as folder:
            try:
                there = self._is_there(folder)
            except PartlyOurs:
                raise
            except NotOurs:
                there = False
            FileChange(folder, self.path, self.reader).remove(there=there)
