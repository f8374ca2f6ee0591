"""The backend for one of Jellyfin's network settings.

Jellyfin's network settings are one document without a version. It is read right before it is
written, changed in our entries alone, and read again after that. A change of another client between
the first two is lost, as it would be by the dashboard; a later one is seen.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from allowsync.backend.api import BackendError, OutcomeUnknown
from allowsync.model.target import Capabilities, Current
from allowsync.model.types import Entry, Family
from allowsync.model.value import Value, field
from allowsync_backends.jellyfin.api import JellyfinApi
from allowsync_backends.jellyfin.content import changed, flaws, sorted_out
from allowsync_backends.jellyfin.document import entries_of, obstacle, with_entries
from allowsync_backends.jellyfin.errors import JellyfinError, JellyfinNoReply, JellyfinOddReply
from allowsync_backends.jellyfin.options import JellyfinSetting
from allowsync_backends.jellyfin.pauses import Pauses

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from allowsync.model.plan import Plan
    from allowsync.model.target import Finding
    from allowsync.model.types import Network
    from allowsync_backends.jellyfin.options import JellyfinOptions

# Wider ones include everyone, in each of the lists.
PREFIXES: Final = {Family.IPV4: (8, 32), Family.IPV6: (16, 128)}
MAX_ENTRIES: Final = 10_000
RESTART_PATIENCE: Final = 120.0  # seconds
_LOOK_AGAIN: Final = 0.5  # seconds


class JellyfinBackend(Value):
    """Keeps our entries in one list of one server.

    Attributes:
        allowlist: The allowlist that is kept there.
        options: The server, the setting and the access to it.
        pauses: The clock for waiting.
    """

    allowlist: str
    options: JellyfinOptions
    pauses: Pauses = field(default_factory=Pauses)

    # More than a restart may take, which ends with a reason of its own.
    patience = 200.0

    @property
    def capabilities(self) -> Capabilities:
        """Both families, from /8 and /16. Entries may cover each other."""
        return Capabilities(prefixes=PREFIXES, max_entries=MAX_ENTRIES, atomic=True, overlaps=True)

    def check(self) -> Sequence[Finding]:
        """Check that the setting can be read and has an effect."""
        from allowsync_backends.jellyfin.check import findings

        return list(findings(self.api, self.allowlist, self.options))

    def read(self) -> Current:
        """Return our entries in the list."""
        setting = self.options.setting
        with _told():
            document = self.api.network()
        entries = entries_of(document, setting)
        content = sorted_out(entries, self.allowlist)
        found = flaws(setting, entries, content)
        in_the_way = obstacle(document, setting, content.ours)
        return Current(
            frozenset(map(Entry, content.ours)),
            flaws=(*found, *in_the_way),
            obstacles=in_the_way,
        )

    def apply(self, plan: Plan) -> None:
        """Write the whole list, in one request."""
        wanted = {one.network for one in plan.final}
        with _told():
            document = self._refused_where_it_cannot_work(self.api.network(), wanted)
            entries = entries_of(document, self.options.setting)
            # The note of a pending restart is a difference, too.
            restarting = self.options.restart and self._changed(entries, wanted) != entries
            self._put(document, wanted, restart=restarting)
            if restarting:
                self._restart()
                self._put(self.api.network(), wanted)

    def clear(self) -> None:
        """Remove our entries."""
        with _told():
            if self._put(self.api.network(), None) and self.options.restart:
                self._restart()

    @property
    def api(self) -> JellyfinApi:
        """The server."""
        return JellyfinApi(self.options.base, self.options.key, self.options.ca_file, self.pauses)

    def _refused_where_it_cannot_work(
        self, document: dict[str, Any], wanted: Iterable[Network]
    ) -> dict[str, Any]:
        """Return the document, if writing it has the wanted effect."""
        setting = self.options.setting
        for what, advice in obstacle(document, setting, wanted).items():
            raise BackendError(f"{what}; {advice}")
        if setting is JellyfinSetting.REMOTE_FILTER and not any(self.api.endpoint()):
            raise BackendError(
                "this machine is not in Jellyfin's LAN networks: the filter could shut it out, and "
                "no change would arrive any more; add its network there, as Jellyfin sees it"
            )
        return document

    def _sorted(self, entries: list[str]) -> tuple[object, ...]:
        """Return our entries, to find out whether a change was made."""
        content = sorted_out(entries, self.allowlist)
        return content.ours, content.guards, content.restart

    def _changed(
        self, entries: list[str], wanted: Iterable[Network] | None, *, restart: bool = False
    ) -> list[str]:
        return changed(self.options.setting, entries, self.allowlist, wanted, restart=restart)

    def _put(
        self, document: Mapping[str, Any], wanted: set[Network] | None, *, restart: bool = False
    ) -> bool:
        """Write a document read just now with other entries of ours, and verify it.

        Returns:
            Whether there was anything to write.

        Raises:
            BackendError: It was not written, or another client wrote meanwhile.
            JellyfinError: It was not written.
        """
        entries = entries_of(document, self.options.setting)
        made = self._changed(entries, wanted, restart=restart)
        if made == entries:
            return False
        doubt = None
        try:
            self.api.put_network(with_entries(document, self.options.setting, made))
        except (JellyfinNoReply, JellyfinOddReply) as error:
            doubt = error
        try:
            held = entries_of(self.api.network(), self.options.setting)
        except (JellyfinError, BackendError) as error:
            raise OutcomeUnknown(f"whether it was changed is unknown: {doubt or error}") from None
        if self._sorted(held) == self._sorted(made):
            return True
        if doubt is not None:
            raise BackendError(f"it was not changed: {doubt}")
        raise BackendError("another client changed the network settings meanwhile", again=True)

    def _restart(self) -> None:
        """Restart the server, and wait until it answers again."""
        self.api.restart()
        until, gone = self.pauses.now() + RESTART_PATIENCE, False
        while self.pauses.now() < until:
            self.pauses.sleep(_LOOK_AGAIN)
            try:
                self.api.version()
            except JellyfinError:
                gone = True
            else:
                if gone:
                    return
        what = "is not there again" if gone else "did not restart"
        raise BackendError(
            f"the known proxies were changed, but Jellyfin {what} within {RESTART_PATIENCE:.0f} s"
        )


@contextmanager
def _told() -> Iterator[None]:
    """Raise every failure as a `BackendError`."""
    try:
        yield
    except JellyfinError as error:
        raise BackendError(str(error)) from None
