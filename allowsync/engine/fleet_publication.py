"""Publication of a run's decisions about the lists that this machine leads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.config.secure_file import digest_of
from allowsync.fleet.document import ListDocument, PublishedHost, decoded, differs, encoded
from allowsync.fleet.envelope import public_key_of, sealed
from allowsync.fleet.fields import LARGEST_NUMBER, DocumentError
from allowsync.fleet.kept import KeptDocument, forget_lead, write_document
from allowsync.fleet.store import NoConnection, StoreError, Superseded
from allowsync.fleet.stores import writable_store
from allowsync.model.outcome import ExitCode, Notice
from allowsync.model.value import Value, replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

    from allowsync.config.fleet import Fleet
    from allowsync.config.settings import Allowlist
    from allowsync.engine.fleet.view import FleetView
    from allowsync.engine.memory import Memory
    from allowsync.fleet.store import Lead
    from allowsync.policy.decision import Decision


_MOST_NAMES: Final = 5


class Publication(Value):
    """The result of a publication.

    Attributes:
        view: The view of the fleet after it.
        notices: The notices of failures.
    """

    view: FleetView
    notices: tuple[Notice, ...] = ()


def publish(view: FleetView, memory: Memory, decisions: Mapping[str, Decision]) -> Publication:
    """Publish every list that changed, and every one whose interval has passed. Raises nothing."""
    fleet, request = memory.config.fleet, memory.request
    if fleet is None or view.lead is None or request.dry_run or request.confirming:
        return Publication(view)
    due: dict[str, ListDocument] = {}
    notices: list[Notice] = []
    for name, one in memory.config.allowlists.items():
        try:
            made = _due(one, fleet, view, memory, decisions) if one.publish else None
        except DocumentError as error:
            what = f"{name} not published: {error}"
            notices.append(Notice(f"fleet {fleet.name}", what, ExitCode.FAILED))
        else:
            due |= {} if made is None else {name: made}
    done = _published(due, fleet, view, memory) if due else Publication(view)
    return replace(done, notices=(*notices, *done.notices))


def _due(
    allowlist: Allowlist,
    fleet: Fleet,
    view: FleetView,
    memory: Memory,
    decisions: Mapping[str, Decision],
) -> ListDocument | None:
    """The next document of a list; None where it is not due, or this run lacks hosts.

    Raises DocumentError for one that could not be read.

    Its number is the second of the decision, so that it exceeds the numbers of a former leader that
    neither this machine nor a store from a backup knows.
    """
    if not decisions.keys() >= set(allowlist.hosts):
        return None
    kept = view.documents.get(allowlist.name)
    before = (0, 0) if kept is None else kept.document.place
    epoch = max(fleet.epoch, before[0])
    least = before[1] + 1 if epoch == before[0] else 1
    if least > LARGEST_NUMBER:
        raise DocumentError("no number follows that of its document; raise fleet.epoch")
    made = ListDocument(
        fleet.name,
        allowlist.name,
        epoch,
        max(least, int(memory.now.instant.timestamp())),
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
    if kept.seal != _seal(fleet):
        return document
    old = memory.now.passed(kept.document.decided) >= fleet.interval
    return document if old else None


def _published(
    due: Mapping[str, ListDocument], fleet: Fleet, view: FleetView, memory: Memory
) -> Publication:
    """Publish documents. Where that ends early, the next run publishes the rest.

    Their order differs each time: so the last ones are not left out for good, where time is short
    or one of them cannot be published.
    """
    where, state = f"fleet {fleet.name}", memory.config.state
    assert view.lead is not None  # noqa: S101 - the caller looked
    lead: Lead | None = view.lead
    marks: dict[str, str] = {}
    notices: tuple[Notice, ...] = ()
    try:
        # One at a time: documents published before an error stay.
        sealed_ones = _sealed(_in_any_order(due, memory.now.instant), fleet)
        marks.update(writable_store(fleet).publish(sealed_ones, view.lead))
    except Superseded as error:
        forget_lead(state)
        lead, notices = None, (Notice(where, str(error)),)
    except NoConnection as error:
        left = _said(due.keys() - marks.keys())
        what = f"could not confirm the publication of {left}: {error}; the next run looks"
        notices = (Notice(where, what, ExitCode.FAILED),)
    except (StoreError, DocumentError) as error:
        what = f"{_said(due.keys() - marks.keys())} not published: {error}"
        notices = (Notice(where, what, ExitCode.FAILED),)
    found = _with_published(view, {name: due[name] for name in marks}, marks, fleet, state)
    return Publication(replace(found, lead=lead, leader=view.leader if lead else ""), notices)


def _with_published(
    view: FleetView,
    published: Mapping[str, ListDocument],
    marks: Mapping[str, str],
    fleet: Fleet,
    state: Path,
) -> FleetView:
    """The view with the published documents, which are kept."""
    place, seal = fleet.store.said, _seal(fleet)
    kept = {name: KeptDocument(one, marks[name], place, seal) for name, one in published.items()}
    for name, one in kept.items():
        write_document(state, name, one)
    said = {name: "" if name in kept else why for name, why in view.troubles.items()}
    return replace(view, documents={**view.documents, **kept}, troubles=said)


def _in_any_order(due: Mapping[str, ListDocument], now: datetime) -> dict[str, ListDocument]:
    """Documents in an order that differs each time."""
    ordered = sorted(due, key=lambda name: digest_of(f"{now} {name}".encode()))
    return {name: due[name] for name in ordered}


def _said(names: Iterable[str]) -> str:
    """The first few names, and the number of the others."""
    ordered = sorted(names)
    rest = len(ordered) - _MOST_NAMES
    return ", ".join(ordered[:_MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")


def _seal(fleet: Fleet) -> str:
    """A digest of the present keys, without the cost of signatures.

    After a change, every list is due: a key that is not trusted any more is reported at once, and a
    new one is in use before the old one is removed.
    """
    kept = fleet.signing_key
    private = "" if kept is None or kept.unreadable else kept.secret.value
    return digest_of("\n".join((*sorted(fleet.keys), private)).encode())


def _sealed(due: Mapping[str, ListDocument], fleet: Fleet) -> dict[str, bytes]:
    """The documents, signed. Raises DocumentError: the key is unusable."""
    key = usable_key(fleet)
    return {name: sealed(encoded(one), key) for name, one in due.items()}


def usable_key(fleet: Fleet) -> str:
    """The private key to publish with. Raises DocumentError: it is unusable."""
    kept = fleet.signing_key
    if kept is None or kept.unreadable:
        raise DocumentError(f"the signing key cannot be read: {kept.unreadable if kept else ''}")
    key = kept.secret.value
    if (public := public_key_of(key)) not in fleet.keys:
        raise DocumentError(
            "the signing key matches none of fleet.keys; machines that follow keep their "
            f"entries; add {public} there, on each machine, or sign with another key"
        )
    return key
