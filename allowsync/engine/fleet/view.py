"""A run's knowledge of its fleet: one look at the store, accepted documents, and the lead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.engine.fleet.followed import filled, kept_documents, name_of, shared
from allowsync.fleet.document import decoded
from allowsync.fleet.envelope import opened
from allowsync.fleet.fields import DocumentError
from allowsync.fleet.kept import (
    KeptDocument,
    forget_lead,
    read_lead,
    write_document,
    write_lead,
)
from allowsync.fleet.store import Fetched, Look, StoreError, Unreadable
from allowsync.fleet.stores import reading_store, writable_store
from allowsync.model.fleet import FleetReport, SharedList
from allowsync.model.outcome import ExitCode, Notice
from allowsync.model.value import Value
from allowsync.policy.fleet import known_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from allowsync.config.fleet import Fleet
    from allowsync.config.settings import Config
    from allowsync.engine.options import Request
    from allowsync.fleet.document import ListDocument
    from allowsync.fleet.store import Lead, Seen
    from allowsync.model.memory import HostMemory
    from allowsync.model.types import Host
    from allowsync.policy.clock import Now

_NOTHING_THERE: Final = "the store holds no document for it"


class FleetView(Value):
    """A run's knowledge of its fleet.

    Attributes:
        config: The configuration, with the hosts of followed lists.
        documents: The accepted documents, by allowlist.
        troubles: By allowlist, the reason why no new document arrived; empty where one did.
        lead: The lead of this machine; None where it does not lead.
        leader: The machine that leads, as text; empty where unknown.
        asked: Whether the store was asked.
        trouble: Notices of other failures.
        heard: Whether the store answered.
    """

    config: Config
    documents: Mapping[str, KeptDocument]
    troubles: Mapping[str, str]
    lead: Lead | None = None
    leader: str = ""
    asked: bool = True
    trouble: tuple[Notice, ...] = ()
    heard: bool = True

    @property
    def followed(self) -> dict[str, str]:
        """The hosts that other machines decide about, each with the reason why no news arrived.

        A machine that could lead decides by itself where no other one is known to.
        """
        found: dict[str, str] = {}
        for name, allowlist in self.config.allowlists.items():
            why = self.troubles.get(name, "")
            if allowlist.follow or self.follows_as_resolver(name):
                for host in allowlist.hosts:
                    found[host] = why and found.get(host, why)
        return found

    def follows_as_resolver(self, name: str) -> bool:
        """Whether another machine leads a list that this one could publish."""
        published = self.config.allowlists[name].publish
        return published and self.lead is None and self.asked and not self.troubles.get(name)

    @property
    def retired(self) -> frozenset[str]:
        """The retired lists."""
        return frozenset(name for name, one in self.documents.items() if one.document.retired)

    @property
    def is_whole(self) -> bool:
        """Whether each followed list has a document."""
        lists = self.config.allowlists.values()
        return all(one.name in self.documents for one in lists if one.follow)

    def known(self, remembered: Mapping[str, HostMemory], now: Now) -> dict[str, HostMemory]:
        """The memory of hosts, from published documents and this machine's own memory.

        For a host on several lists the latest document counts.
        """
        found = dict(remembered)
        ordered = sorted(
            (self._is_fresh(name), one.document.decided, name, one)
            for name, one in self.documents.items()
        )
        for fresh, _, name, one in ordered:
            for published in one.document.hosts:
                label = name_of(published.host, one.document.fleet, self._own(name))
                if label in self.config.hosts:
                    memory = known_of(
                        published.host, published.memory, remembered.get(label), now, fresh=fresh
                    )
                    found[label] = memory
        return found

    def _is_fresh(self, name: str) -> bool:
        """Whether another machine decides about a list, and its document is current."""
        follows = self.config.allowlists[name].follow or self.follows_as_resolver(name)
        return follows and self.asked and not self.troubles.get(name)

    def _own(self, name: str) -> Mapping[str, Host]:
        """The hosts with names of their own: none for a list that is published here."""
        return self.config.hosts if self.config.allowlists[name].follow else {}

    @property
    def report(self) -> FleetReport:
        """The view as values for a report."""
        leads = self.lead is not None
        lists = tuple(self._shared(name, why) for name, why in self.troubles.items())
        heard = self.asked and self.heard
        return FleetReport(self._name, leads, self.leader, lists, heard)

    def _shared(self, name: str, why: str) -> SharedList:
        kept, publishes = self.documents.get(name), self.config.allowlists[name].publish
        if kept is None:
            return SharedList(name, publishes, trouble=why)
        one = kept.document
        return SharedList(name, publishes, one.epoch, one.sequence, one.decided, why)

    @property
    def notices(self) -> Iterator[Notice]:
        """Notices of failures; entries stay."""
        yield from self.trouble
        for name, why in self.troubles.items():
            if why and self.config.allowlists[name].follow:
                what = f"it has no new document: {why}; its entries stay"
                yield Notice(f"fleet {self._name}.{name}", what, ExitCode.OLD_KNOWLEDGE)

    @property
    def _name(self) -> str:
        assert self.config.fleet is not None  # noqa: S101 - there is a view of it
        return self.config.fleet.name


def view_of(config: Config, request: Request, now: Now) -> FleetView:
    """Look at the store, and take or keep the lead where this machine may publish.

    Offline, and in a rehearsal, neither is done, except for an order by command. Raises nothing.
    """
    fleet, kept = config.fleet, kept_documents(config)
    assert fleet is not None  # noqa: S101 - the caller looked
    if (request.offline and not request.ordered) or request.rehearsed:
        return FleetView(filled(config, kept), kept, dict.fromkeys(shared(config), ""), asked=False)
    lead, leader, notices = _leadership(config, fleet, request, now)
    documents, troubles, heard = _looked(config, fleet, kept, now)
    if not request.dry_run:
        for name, one in documents.items():
            if one is not kept.get(name):
                write_document(config.state, name, one)
    whole = filled(config, documents)
    return FleetView(whole, documents, troubles, lead, leader, trouble=notices, heard=heard)


def _leadership(
    config: Config, fleet: Fleet, request: Request, now: Now
) -> tuple[Lead | None, str, tuple[Notice, ...]]:
    """The lead, as far as this machine may have it; a run that writes nothing only looks."""
    if not any(one.publish for one in config.allowlists.values()):
        return None, "", ()
    place = fleet.store.said
    held = read_lead(config.state, place)
    if fleet.store.etcd is not None and (request.dry_run or request.confirming):
        runs = held is not None and now.instant < held.ends
        return (held if runs else None), "", ()
    try:
        found = writable_store(fleet).lead(held, now.instant)
    except StoreError as error:
        what = f"the leader is unknown: {error}; nothing is published in this run"
        return None, "", (Notice(f"fleet {fleet.name}", what, ExitCode.FAILED),)
    if found.own is None:
        forget_lead(config.state)
    elif found.own.lease and found.own != held:
        write_lead(config.state, place, found.own)
    return found.own, found.leader, ()


def _looked(
    config: Config, fleet: Fleet, kept: Mapping[str, KeptDocument], now: Now
) -> tuple[dict[str, KeptDocument], dict[str, str], bool]:
    """The accepted documents after one look, the problems by allowlist, and whether it answered."""
    names = shared(config)
    troubles = dict.fromkeys(names, "")
    documents = dict(kept)
    try:
        seen = reading_store(fleet).look(
            {name: _mark(fleet, kept.get(name), now) for name in names}
        )
    except StoreError as error:
        return documents, dict.fromkeys(names, str(error)), False
    for name in names:
        try:
            documents[name] = _believed(seen[name], name, fleet, kept.get(name), config, now)
            troubles[name] = documents[name].age(now)
        except DocumentError as error:
            troubles[name] = str(error)
    return documents, troubles, True


def _mark(fleet: Fleet, kept: KeptDocument | None, now: Now) -> str:
    """The held mark. Where the document's age is wrong it is empty: the mark may be wrong, too."""
    if kept is None or kept.store != fleet.store.said or kept.age(now):
        return ""
    return kept.mark


def _believed(
    seen: Seen, name: str, fleet: Fleet, kept: KeptDocument | None, config: Config, now: Now
) -> KeptDocument:
    """The document that counts after a look. Raises DocumentError where the new one does not."""
    match seen:
        case Look.UNCHANGED if kept is not None:
            return kept
        case Fetched(envelope, mark):
            document = decoded(opened(envelope, fleet.keys))
            _check(document, name, fleet, kept, config, now)
            made = KeptDocument(document, mark, fleet.store.said)
            if config.allowlists[name].follow and (why := made.doubt(now, is_first=kept is None)):
                raise DocumentError(why)
            return made
        case Unreadable(why):
            raise DocumentError(why)
        case _:
            raise DocumentError(_NOTHING_THERE)


def _check(
    document: ListDocument,
    name: str,
    fleet: Fleet,
    kept: KeptDocument | None,
    config: Config,
    now: Now,
) -> None:
    """Raise DocumentError for a foreign document, or one older than the known one."""
    if document.fleet != fleet.name:
        raise DocumentError(f"its document is of another fleet, {document.fleet!r}")
    if document.allowlist != name:
        raise DocumentError(f"its document is of another list, {document.allowlist!r}")
    if kept is None:
        longest = config.policy.keep_unavailable
        if now.passed(document.decided) > longest:
            raise DocumentError("its document is too old to begin with (policy.keep_unavailable)")
        return
    if document.place < kept.document.place:
        raise DocumentError(
            f"its document is older ({_place(document)}) than the one that was applied "
            f"({_place(kept.document)}): a replay, or a backup that was restored"
        )
    if document.place == kept.document.place and document != kept.document:
        raise DocumentError(f"it has two documents with {_place(document)}")


def _place(document: ListDocument) -> str:
    return f"epoch {document.epoch}, sequence {document.sequence}"
