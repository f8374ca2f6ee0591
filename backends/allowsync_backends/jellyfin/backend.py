"""The backend for one of Jellyfin's network settings.

Jellyfin gives and takes its network settings as one document without a version. It is read right
before it is written, changed in our entries alone, and read again after that. What another client
wrote between the first two is lost, as it would be by the dashboard; what it writes after them is
seen.
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

# Wider ones are everyone, in each of the lists.
PREFIXES: Final = {Family.IPV4: (8, 32), Family.IPV6: (16, 128)}
MAX_ENTRIES: Final = 10_000
RESTART_PATIENCE: Final = 120.0  # seconds
_LOOK_AGAIN: Final = 0.5  # seconds


class JellyfinBackend(Value):
    """Keeps what is ours in one list of one server.

    Attributes:
        allowlist: The allowlist that is kept there.
        options: Where it is, and how to get at it.
        pauses: What waiting goes by.
    """

    allowlist: str
    options: JellyfinOptions
    pauses: Pauses = field(default_factory=Pauses)

    # Beyond what a restart may take, which ends with a reason of its own.
    patience = 200.0

    @property
    def capabilities(self) -> Capabilities:
        """Both families, from /8 and /16. Entries may cover each other."""
        return Capabilities(prefixes=PREFIXES, max_entries=MAX_ENTRIES, atomic=True, overlaps=True)

    def check(self) -> Sequence[Finding]:
        """Whether the setting can be read and has an effect."""
        from allowsync_backends.jellyfin.check import findings

        return list(findings(self.api, self.allowlist, self.options))

    def read(self) -> Current:
        """What is ours in the list."""
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
            # The note that one is outstanding is a difference, too.
            restarting = self.options.restart and self._changed(entries, wanted) != entries
            self._put(document, wanted, restart=restarting)
            if restarting:
                self._restart()
                self._put(self.api.network(), wanted)

    def clear(self) -> None:
        """Take out what is ours."""
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
        """The document, if writing to it does what is wanted."""
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
        """What is ours among entries, by which it is told whether a change was made."""
        content = sorted_out(entries, self.allowlist)
        return content.ours, content.guards, content.restart

    def _changed(
        self, entries: list[str], wanted: Iterable[Network] | None, *, restart: bool = False
    ) -> list[str]:
        return changed(self.options.setting, entries, self.allowlist, wanted, restart=restart)

    def _put(
        self, document: Mapping[str, Any], wanted: set[Network] | None, *, restart: bool = False
    ) -> bool:
        """Write a document that was read just now with other entries of ours, and look at it.

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
        """Restart the server, and wait until it is there again."""
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
    """What goes wrong is a `BackendError`."""
    try:
        yield
    except JellyfinError as error:
        raise BackendError(str(error)) from None
