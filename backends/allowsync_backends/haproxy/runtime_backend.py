"""The backend of a list that a running HAProxy loads through its socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.model.target import Current, Finding, Severity, flaw_findings
from allowsync.model.types import Entry, by_network
from allowsync.model.value import replace
from allowsync.text import counted
from allowsync_backends.file.backend import FileBackend
from allowsync_backends.haproxy.runtime_list import Without

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.model.plan import Plan
    from allowsync.model.types import Network
    from allowsync_backends.haproxy.runtime_api import Patterns
    from allowsync_backends.haproxy.runtime_reader import RuntimeReader


class RuntimeBackend(FileBackend):
    """A file, and the list that a running HAProxy has loaded from it.

    A network counts as held when it is in either: it is admitted now, or after the next start.

    Attributes:
        telling: The reader with the socket; the same as `reader`.
    """

    telling: RuntimeReader

    def read(self) -> Current:
        """Return the networks in the file and in force, and their differences.

        Raises:
            BackendError: The file is foreign, or something could not be read.
        """
        current = FileBackend.read(self)
        found = self.telling.live.look()
        if isinstance(found, Without):
            unused = (f"{self._unused}",) if found is Without.UNUSED else ()
            return replace(current, flaws=(*current.flaws, *unused))
        in_file = frozenset(entry.network for entry in current.entries)
        return Current(
            frozenset(map(Entry, in_file | found.held)),
            flaws=(*current.flaws, *_drift(in_file, found)),
        )

    @property
    def _unused(self) -> str:
        return f"haproxy runs, but has loaded no ACL from {self.path}: it has no effect"

    def _state(self) -> Iterator[Finding]:
        try:
            current = FileBackend.read(self)
            found = self.telling.live.look()
        except BackendError as error:
            yield Finding(Severity.ERROR, str(error))
            return
        if found is Without.UNUSED:
            advice = f"let an ACL read it ('src -f {self.path}'), and reload haproxy"
            yield Finding(Severity.ERROR, self._unused, advice)
        in_file = frozenset(entry.network for entry in current.entries)
        drift = () if isinstance(found, Without) else _drift(in_file, found)
        yield from flaw_findings((*current.flaws, *drift))

    def apply(self, plan: Plan) -> None:
        """Have HAProxy check the new list, replace the file, and then put the list in force.

        Raises:
            BackendError: Both are as before, or the file alone is new because HAProxy does not
                use it.
            OutcomeUnknown: Either list may be in force.
        """
        if plan.idle:
            return
        networks = sorted((entry.network for entry in plan.final), key=by_network)
        prepared = self.telling.live.prepare(networks)
        try:
            telling = replace(self.telling, prepared=prepared)
            FileBackend.apply(replace(self, reader=telling), plan)
        finally:
            if not isinstance(prepared, Without):
                prepared.close()
        if prepared is Without.UNUSED:
            raise BackendError(f"{self.path} is written for when haproxy uses it; {self._unused}")


def _drift(in_file: frozenset[Network], found: Patterns) -> Iterator[str]:
    """Report the differences between the list in force and the file."""
    missing, more = in_file - found.held, found.held - in_file
    if missing:
        entries = counted(len(missing), "entry", "entries")
        yield f"the running haproxy does not know {entries} of its file"
    if more:
        entries = counted(len(more), "entry", "entries")
        yield f"the running haproxy knows {entries} more than its file"
    if found.odd:
        example = min(found.odd.values())
        yield f"the running haproxy knows what is no network: {example[:100]!r}"
