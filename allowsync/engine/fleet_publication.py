"""Publishes what a run decided about the lists that this machine leads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.fleet.document import ListDocument, PublishedHost, decoded, differs, encoded
from allowsync.fleet.envelope import public_key_of, sealed
from allowsync.fleet.fields import DocumentError
from allowsync.fleet.kept import KeptDocument, forget_lead, write_document
from allowsync.fleet.store import StoreError, Superseded
from allowsync.fleet.stores import writable_store
from allowsync.model.outcome import ExitCode, Notice

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from allowsync.config.fleet import Fleet
    from allowsync.config.settings import Allowlist
    from allowsync.engine.fleet.view import FleetView
    from allowsync.engine.memory import Memory
    from allowsync.policy.decision import Decision


def publish(memory: Memory, decisions: Mapping[str, Decision]) -> Iterator[Notice]:
    """Publish every list that changed, and every one whose time has come.

    Yields:
        Why that could not be done.
    """
    view, fleet = memory.fleet, memory.config.fleet
    if view is None or fleet is None or view.lead is None:
        return
    if memory.request.dry_run or memory.request.confirming:
        return
    due = {
        name: made
        for name, one in memory.config.allowlists.items()
        if one.publish and (made := _due(one, fleet, view, memory, decisions)) is not None
    }
    if due:
        yield from _published(due, fleet, view, memory)


def _due(
    allowlist: Allowlist,
    fleet: Fleet,
    view: FleetView,
    memory: Memory,
    decisions: Mapping[str, Decision],
) -> ListDocument | None:
    """The next document of a list; None where there is no need of one, or this run lacks hosts."""
    if not decisions.keys() >= set(allowlist.hosts):
        return None
    kept = view.documents.get(allowlist.name)
    before = (0, 0) if kept is None else kept.document.place
    epoch = max(fleet.epoch, before[0])
    made = ListDocument(
        fleet.name,
        allowlist.name,
        epoch,
        before[1] + 1 if epoch == before[0] else 1,
        memory.now.instant,
        fleet.interval,
        tuple(
            PublishedHost(one.host, one.memory)
            for name in allowlist.hosts
            for one in (decisions[name],)
        ),
        allowlist.retired,
    )
    document = decoded(encoded(made))  # as it will be read
    if kept is None or view.troubles.get(allowlist.name) or differs(document, kept.document):
        return document
    old = memory.now.passed(kept.document.decided) >= fleet.interval
    return document if old else None


def _published(
    due: Mapping[str, ListDocument], fleet: Fleet, view: FleetView, memory: Memory
) -> Iterator[Notice]:
    where, state = f"fleet {fleet.name}", memory.config.state
    assert view.lead is not None  # noqa: S101 - the caller looked
    try:
        marks = writable_store(fleet).publish(_sealed(due, fleet), view.lead)
    except Superseded as error:
        forget_lead(state)
        yield Notice(where, str(error))
    except (StoreError, DocumentError) as error:
        yield Notice(where, f"{', '.join(due)} not published: {error}", ExitCode.FAILED)
    else:
        for name, document in due.items():
            write_document(state, name, KeptDocument(document, marks[name], fleet.store.said))


def _sealed(due: Mapping[str, ListDocument], fleet: Fleet) -> dict[str, bytes]:
    """The documents, signed. Raises DocumentError: the key does not do."""
    kept = fleet.signing_key
    if kept is None or kept.unreadable:
        raise DocumentError(f"the signing key cannot be read: {kept.unreadable if kept else ''}")
    key = kept.secret.value
    if public_key_of(key) not in fleet.keys:
        raise DocumentError("the signing key belongs to none of fleet.keys")
    return {name: sealed(encoded(one), key) for name, one in due.items()}
