"""A decision about one allowlist as a document, `allowsync.list/1`: canonical JSON, and back. Pure.

It lists the hosts and the knowledge about each: the addresses held for its names, the state of
every clock, fixed networks. A machine derives its grants from that alone, and a resolver that
takes over continues the same clocks.

Instants and spans are microseconds (since 1970). Fields with their default value are left out.
Canonical is JSON with sorted keys, without blanks, in ASCII; a reader accepts nothing else, and
ignores unknown keys.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from allowsync.fleet.fields import DocumentError, Fields
from allowsync.fleet.host_fields import read_host, written_host
from allowsync.model.memory import HostMemory, RetentionState
from allowsync.model.value import Value, replace
from allowsync.state.codec import EPOCH, MICROSECOND, number

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from allowsync.model.types import Host, Query

SCHEMA: Final = "allowsync.list/1"
MOST_HOSTS: Final = 100_000
LARGEST: Final = 64 * 1024 * 1024  # octets
LONGEST_INTERVAL: Final = timedelta(days=7)


class PublishedHost(Value):
    """A host on a list, and its remembered state."""

    host: Host
    memory: HostMemory


class ListDocument(Value):
    """The decision about one allowlist.

    Attributes:
        fleet: The fleet it is for.
        allowlist: The allowlist.
        epoch: The number of restarts of `sequence`; set by hand.
        sequence: Grows with every document of a list within an epoch: the second of its decision,
            or one more than the last.
        decided: The time of the decision, by the clock of the resolver.
        interval: The longest time until the next document.
        hosts: The hosts on the list.
        retired: Whether the list was retired: it admits no host any more.
    """

    fleet: str
    allowlist: str
    epoch: int
    sequence: int
    decided: datetime
    interval: timedelta
    hosts: tuple[PublishedHost, ...] = ()
    retired: bool = False

    @property
    def place(self) -> tuple[int, int]:
        """Its position among the documents of its list: the greater one is the newer."""
        return self.epoch, self.sequence


def encoded(document: ListDocument) -> bytes:
    """The canonical text of a document."""
    return _canonical(
        {
            "schema": SCHEMA,
            "fleet": document.fleet,
            "allowlist": document.allowlist,
            "epoch": document.epoch,
            "sequence": document.sequence,
            "decided": number(document.decided),
            "interval": document.interval // MICROSECOND,
            "hosts": [written_host(one.host, one.memory) for one in document.hosts],
            **({"retired": True} if document.retired else {}),
        }
    )


def decoded(content: bytes) -> ListDocument:
    """The document of a text.

    Raises:
        DocumentError: The text is no document, or of a newer schema.
    """
    fields = Fields(_parsed(content))
    schema = fields.text("schema", most=64)
    if schema != SCHEMA:
        raise DocumentError(f"its schema is {schema!r}, and this version reads {SCHEMA}: update it")
    hosts = tuple(PublishedHost(*read_host(one)) for one in fields.objects("hosts", MOST_HOSTS))
    if len({one.host.name for one in hosts}) < len(hosts):
        raise DocumentError("it has two hosts of one name")
    document = ListDocument(
        fields.text("fleet", most=64),
        fields.text("allowlist", most=64),
        fields.whole("epoch", least=1),
        fields.whole("sequence", least=1),
        fields.instant("decided"),
        fields.span("interval", LONGEST_INTERVAL),
        hosts,
        fields.truth("retired"),
    )
    if document.retired and document.hosts:
        raise DocumentError("it is retired, and has hosts")
    return document


def differs(one: ListDocument, other: ListDocument) -> bool:
    """Whether documents differ in more than the time and number of confirmations."""
    return _lasting(one) != _lasting(other)


def _lasting(document: ListDocument) -> ListDocument:
    hosts = tuple(
        PublishedHost(
            one.host,
            HostMemory(
                _lasting_tracks(one.memory.tracks),
                {},
                one.memory.arrivals,
                _lasting_tracks(one.memory.former),
            ),
        )
        for one in document.hosts
    )
    return replace(document, sequence=0, decided=EPOCH, hosts=hosts)


def _lasting_tracks(tracks: Mapping[Query, RetentionState]) -> dict[Query, RetentionState]:
    return {query: _lasting_track(one) for query, one in tracks.items()}


def _lasting_track(track: RetentionState) -> RetentionState:
    held = tuple(replace(one, confirmed=one.since, replaced_runs=0) for one in track.held)
    return RetentionState(
        held,
        held[0].since if held else None,
        track.absent_since,
        bool(track.absent_runs),
        bool(track.unavailable_runs),
        latched=track.latched,
        held_back=track.held_back,
        past=track.past,
    )


def _parsed(content: bytes) -> Any:
    """The JSON of a text that is canonical. Raises DocumentError."""
    if len(content) > LARGEST:
        raise DocumentError("it is larger than 64 MiB")
    try:
        parsed = json.loads(content)
        canonical = _canonical(parsed) == content
    except (ValueError, RecursionError):
        raise DocumentError("it is no JSON") from None
    if not canonical:
        raise DocumentError("it is no canonical JSON")
    return parsed


def _canonical(plain: Any) -> bytes:
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
