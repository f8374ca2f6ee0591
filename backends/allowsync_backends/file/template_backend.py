"""The backend of a file rendered from a template."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError, OutcomeUnknown
from allowsync.model.target import Capabilities, Effect, Finding
from allowsync.model.types import Entry
from allowsync.model.value import replace
from allowsync_backends.file.backend import FileBackend
from allowsync_backends.file.change import FileChange, names
from allowsync_backends.file.folder import Folder, PartlyOurs
from allowsync_backends.file.syntax import FileContent, claimed, marked_for, unmarked_for
from allowsync_backends.file.template import TemplateError, View, read, render
from allowsync_backends.file.template_mark import Mark, leading, mark_of, several

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from allowsync.model.plan import Plan
    from allowsync.model.types import Network
    from allowsync_backends.file.folder import Contents
    from allowsync_backends.file.template import TemplateSource


class Made(FileContent):
    """A file of ours, and the recorded facts about it.

    Attributes:
        mark: The record of its source; None where that is not known.
        comment: The prefix of each line of the mark; None where that is beside the file.
        whole: Whether it is unchanged since it was written.
    """

    mark: Mark | None = None
    comment: str | None = None
    whole: bool = False

    @property
    def entries(self) -> frozenset[Entry]:
        """The entries it was rendered from, with their hosts."""
        known = map(Entry, self.networks) if self.mark is None else self.mark.entries
        return frozenset(known)


class TemplateBackend(FileBackend):
    """Writes one file by a template, and nothing into a foreign file.

    Attributes:
        template: The template.
        comment: The prefix of the mark's lines at the top of the file; None for a mark beside it.
        never_empty: The networks shown to the template where there are none.
        effect: Whether it is an allowlist's or a denylist's, as recorded in the mark.
    """

    template: Path
    comment: str | None
    never_empty: tuple[Network, ...] = ()
    effect: Effect = Effect.ALLOW

    @property
    def capabilities(self) -> Capabilities:
        """Any network with its hosts, all or nothing."""
        return Capabilities(atomic=True, overlaps=True, labels=True, replaced=True)

    def check(self) -> Sequence[Finding]:
        """Check that the file can be written and is whole, and the output of the template."""
        from allowsync_backends.file.template_trial import unreadable, wrong

        try:
            source = self._source()
        except TemplateError as error:
            return (unreadable(error), *self.reader.findings(self.path))
        try:
            held = tuple(self.read().entries)
        except BackendError:
            held = ()  # reported below
        return (*FileBackend.check(self), *wrong(source, self.allowlist, held))

    def _source(self) -> TemplateSource:
        """Return the template. Raises TemplateError."""
        return replace(read(self.template), never_empty=self.never_empty)

    def _held(self, folder: Folder, found: Contents) -> Made | None:
        """Identify a file: by its mark, by one beside it, or by its first line alone."""
        first, end, rest = found.text.partition("\n")
        text = unmarked_for(self.effect, first) + end + rest
        top = leading(text)
        if top is not None:
            whole = top.mark.is_of(top.text) and text.startswith(top.mark.lines(top.comment))
            return _made(top.mark, top.comment, whole=whole)
        beside = self._beside(folder)
        for mark in reversed(beside):  # of several with one text, the newest
            if mark.is_of(text):
                return _made(mark, None, whole=True)
        owner = claimed(text)
        if owner is None:
            return None
        if beside:
            return replace(_made(beside[-1], None, whole=False), allowlist=owner)
        plain = self.syntax.parse(text)
        return Made(owner, frozenset() if plain is None else plain.networks)

    def _beside(self, folder: Folder) -> tuple[Mark, ...]:
        """Return the marks beside the file, the newest last."""
        note = folder.read(notes(self.path.name)[0])
        text = "" if note is None else note.text
        return several(unmarked_for(self.effect, text))

    def _flaws(self, found: Contents | None, held: FileContent | None) -> Iterator[str]:
        if found is None or not isinstance(held, Made):
            yield f"{self.path} does not exist"
            return
        if not held.whole:
            yield f"{self.path} was edited"
        elif held.comment != self.comment:
            yield f"{self.path} is marked in another way than configured (comment)"
        if held.mark is not None:
            yield from self._outdated(held.mark)
        if found.mode != self.mode:
            yield f"{self.path} has mode {found.mode:04o} instead of {self.mode:04o}"

    def _outdated(self, mark: Mark) -> Iterator[str]:
        try:
            if mark.source != self._source().digest:
                yield f"{self.path} was made before {self.template} was changed"
        except TemplateError as error:
            yield str(error)

    def traces(self, folder: Folder) -> Iterator[str]:
        """Report the same, and a mark in the wrong place."""
        yield from FileBackend.traces(self, folder)
        note, draft = notes(self.path.name)
        leftover = (draft,) if self.comment is None else (note, draft)
        for name in filter(folder.has, leftover):
            yield f"{self.path.with_name(name)} is left over"

    def apply(self, plan: Plan) -> None:
        """Render the text, and replace the file by it in one step, as every file is.

        Raises:
            BackendError: The old file is in place; the text holds what else is known.
            OutcomeUnknown: The new file is in place, but may not be in force.
        """
        if plan.idle:
            return
        with Folder(self.path.parent) as folder:
            before = self._before(folder)
            text, mark = self._text(tuple(_told(plan.final, before)))
            if self.comment is None:
                self._note(folder, mark)
            else:
                text = marked_for(self.effect, mark.lines(self.comment)) + text
            FileChange(folder, self.path, self.reader).replace(text.encode(), self.mode)
            if self.comment is not None:
                self._tidy(folder)

    def _before(self, folder: Folder) -> frozenset[Entry]:
        """Return the entries the file was rendered from; none where there is no file.

        Raises:
            NotOurs: It is foreign.
            BackendError: It could not be read.
        """
        try:
            found = folder.read(self.path.name)
            return frozenset() if found is None else self._ours(folder, found).entries
        except OSError as error:
            raise BackendError(f"{self.path} cannot be read: {error.strerror}") from error

    def _text(self, entries: tuple[Entry, ...]) -> tuple[str, Mark]:
        """Render some entries; return the text and its mark.

        Raises:
            TemplateError: The result cannot be a file.
        """
        try:
            source = self._source()
            text = render(source, View(self.allowlist, entries))
            if not text and self.comment is None:
                raise TemplateError(f"{self.template}: makes no text at all, not even a line break")
        except TemplateError as error:
            raise TemplateError(f"{self.path} was not changed: {error}") from None
        return text, mark_of(self.allowlist, entries, source.digest, text)

    def _note(self, folder: Folder, mark: Mark) -> None:
        """Record beside the file its next content, and those it may have until then.

        Raises:
            BackendError: It could not be written; the file was not touched.
        """
        note, draft = notes(self.path.name)
        try:
            known = self._beside(folder)
            texts = [folder.read(name) for name in (self.path.name, names(self.path.name)[1])]
            present = [one.text for one in texts if one is not None]
            kept = [one for one in known if any(map(one.is_of, present))]
            marks = dict.fromkeys([*(one for one in kept if one != mark), mark])
            folder.remove(draft)
            lines = marked_for(self.effect, "".join(one.lines() for one in marks))
            folder.create(draft, lines.encode(), 0o600)
            folder.replace(note, draft)
            folder.sync()
        except OSError as error:
            raise BackendError(f"{self.path} was not changed: {error.strerror}") from error

    def _tidy(self, folder: Folder) -> None:
        """Remove remains of a mark beside a file that has one at its top.

        Raises:
            OutcomeUnknown: It may be left.
        """
        try:
            for name in notes(self.path.name):
                folder.remove(name)
        except OSError as error:
            what = f"{self.path} was replaced, but the mark beside it may be left: {error.strerror}"
            raise OutcomeUnknown(what) from error

    def clear(self) -> None:
        """Remove the file and its marks, and reload its reader.

        Raises:
            BackendError: Something is left, or the file's reader may still use it.
        """
        FileBackend.clear(self)
        if not self.path.parent.is_dir():
            return
        with Folder(self.path.parent) as folder:
            try:
                if folder.has(self.path.name) and self._beside(folder):
                    raise PartlyOurs(
                        f"{self.path} was edited and is left alone; delete it, or move it away"
                    )
                for name in notes(self.path.name):
                    folder.remove(name)
            except OSError as error:
                raise BackendError(f"{self.path} may be left: {error.strerror}") from error


def notes(name: str) -> tuple[str, str]:
    """Return the names beside a file of its marks, and of their next version."""
    return f".{name}.allowsync", f".{name}.allowsync-next"


def _made(mark: Mark, comment: str | None, *, whole: bool) -> Made:
    networks = frozenset(entry.network for entry in mark.entries)
    return Made(mark.allowlist, networks, mark, comment, whole)


def _told(entries: Iterable[Entry], before: frozenset[Entry]) -> Iterator[Entry]:
    """Yield entries to write: where the hosts are unknown, those written before."""
    known = {entry.network: entry for entry in before}
    return (entry if entry.hosts else known.get(entry.network, entry) for entry in entries)
