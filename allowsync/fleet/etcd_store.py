"""Documents as keys of etcd. A lease is the lead; every publication is fenced by it.

    PREFIX/FLEET/leader       the machine that leads; goes with its lease
    PREFIX/FLEET/lists/NAME   the document of an allowlist
    PREFIX/FLEET/lists/NAME/SHA256/NUMBER   a part of it, where it is large; NAME says which then

The revision that created the key `leader` is unlike that of any other lead. A transaction puts
documents only while it stands, so what a machine decided that led once is refused.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from allowsync.fleet.etcd_gateway import LARGEST, CallError, Gateway, octets_of, text_of
from allowsync.fleet.http import Client
from allowsync.fleet.parts import LARGEST_PART, divided, read_head
from allowsync.fleet.store import (
    Fetched,
    Lead,
    Leadership,
    Look,
    Seen,
    StoreError,
    Superseded,
)
from allowsync.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime, timedelta

    from allowsync.config.fleet import EtcdStoreOptions

_NOT_FOUND: Final = 5  # the code of gRPC
MOST_OPERATIONS: Final = 128  # of a transaction (--max-txn-ops)
_MOST_STEPS: Final = 3  # of one document: put it, delete parts before and after its own


class EtcdStore:
    """A fleet's keys.

    Args:
        options: Which cluster, and as whom.
        fleet: The fleet.
        machine: What this machine is called.
        lease: How long a lead outlives its last renewal.
    """

    def __init__(
        self, options: EtcdStoreOptions, fleet: str, machine: str, lease: timedelta
    ) -> None:
        self._options = options
        self._machine = machine
        self._lease = lease
        self._prefix = f"{options.prefix}/{fleet}"

    def look(self, marks: Mapping[str, str]) -> Mapping[str, Seen]:
        """Read the documents in one transaction; those that did not change are not sent."""
        with self._gateway() as gateway:
            return dict(_seen(gateway, self._prefix, marks))

    def lead(self, held: Lead | None, now: datetime) -> Leadership:
        """Renew the lease, or take the lead with a new one."""
        with self._gateway() as gateway:
            if held is not None and self._renewed(gateway, held):
                return Leadership(held._replace(ends=now + self._lease), self._machine)
            return self._taken(gateway, now)

    def leader(self) -> str:
        """The machine that leads, as it says itself; empty where none does."""
        with self._gateway() as gateway:
            found = gateway.call("kv/range", {"key": self._key("leader")})
        return _leader(found) if found.get("kvs") else ""

    def publish(self, envelopes: Mapping[str, bytes], lead: Lead) -> Mapping[str, str]:
        """Put the documents in transactions that only this lead can make."""
        marks: dict[str, str] = {}
        with self._gateway() as gateway:
            values = {
                name: self._value(gateway, name, one, lead) for name, one in envelopes.items()
            }
            for some in _together(values):
                steps = [step for name, one in some.items() for step in self._steps(name, one)]
                marks |= dict.fromkeys(some, self._put(gateway, steps, lead))
        return marks

    def _value(self, gateway: Gateway, name: str, envelope: bytes, lead: Lead) -> bytes:
        """What stands for an envelope: itself, or where it is large a head, with parts put."""
        if len(envelope) <= LARGEST_PART:
            return envelope
        head, parts = divided(envelope)
        for part, content in zip(head.names, parts, strict=True):
            put = {"key": self._list(f"{name}/{part}"), "value": text_of(content)}
            self._put(gateway, [{"requestPut": put}], lead)
        return head.written

    def _steps(self, name: str, value: bytes) -> list[dict[str, Any]]:
        """Put a value, and delete all parts that it does not name."""
        head = read_head(value)
        below = [f"{name}/", f"{name}0"]  # "0" follows "/"
        if head is not None:
            below[1:1] = [f"{name}/{head.digest}/", f"{name}/{head.digest}0"]
        ranges = zip(below[::2], below[1::2], strict=True)
        return [
            {"requestPut": {"key": self._list(name), "value": text_of(value)}},
            *(
                {"requestDeleteRange": {"key": self._list(first), "range_end": self._list(end)}}
                for first, end in ranges
            ),
        ]

    def _put(self, gateway: Gateway, steps: list[dict[str, Any]], lead: Lead) -> str:
        """What documents are known by that one transaction puts. Raises Superseded."""
        answer = gateway.call("kv/txn", {"compare": [self._stands(lead)], "success": steps})
        if not answer.get("succeeded"):
            raise Superseded("another resolver leads by now: what this one decided was refused")
        return f"{_header(answer, 'cluster_id')}.{_header(answer, 'revision')}"

    def _gateway(self) -> _Opened:
        options = self._options
        authority = None if options.ca is None else str(options.ca)
        return _Opened(options.endpoints, Client(authority, LARGEST), options.credentials)

    def _renewed(self, gateway: Gateway, held: Lead) -> bool:
        """Whether the lease still runs, and the key with it."""
        try:
            answer = gateway.call("lease/keepalive", {"ID": held.lease})
        except CallError as error:
            if error.code == _NOT_FOUND:
                return False
            raise
        if int(answer.get("TTL", 0)) <= 0:
            return False
        stands = gateway.call("kv/txn", {"compare": [self._stands(held)]})
        return bool(stands.get("succeeded"))

    def _taken(self, gateway: Gateway, now: datetime) -> Leadership:
        """Take the lead where no machine has it; else who does."""
        key, read = self._key("leader"), {"requestRange": {"key": self._key("leader")}}
        found = gateway.call("kv/range", {"key": key})
        if found.get("kvs"):
            return Leadership(None, _leader(found))
        seconds = max(int(self._lease.total_seconds()), 1)
        lease = str(gateway.call("lease/grant", {"TTL": str(seconds)}).get("ID", ""))
        about = json.dumps({"machine": self._machine, "since": now.isoformat(timespec="seconds")})
        answer = gateway.call(
            "kv/txn",
            {
                "compare": [{"key": key, "target": "CREATE", "createRevision": "0"}],
                "success": [
                    {"requestPut": {"key": key, "value": text_of(about.encode()), "lease": lease}}
                ],
                "failure": [read],
            },
        )
        if answer.get("succeeded"):
            return Leadership(
                Lead(lease, _header(answer, "revision"), now + self._lease), self._machine
            )
        gateway.call("lease/revoke", {"ID": lease})
        (other,) = answer.get("responses", [{}])
        return Leadership(None, _leader(other.get("response_range", {})))

    def _stands(self, lead: Lead) -> dict[str, str]:
        key = self._key("leader")
        return {"key": key, "target": "CREATE", "createRevision": lead.fence}

    def _list(self, name: str) -> str:
        return self._key(f"lists/{name}")

    def _key(self, name: str) -> str:
        return text_of(f"{self._prefix}/{name}".encode())


class _Opened(Gateway):
    """A gateway that closes its connections at the end of a block."""

    def __init__(
        self, endpoints: tuple[str, ...], client: Client, user: tuple[str, str] | None
    ) -> None:
        super().__init__(endpoints, client, user)
        self._opened = client

    def __enter__(self) -> Gateway:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()


def _together(envelopes: Mapping[str, bytes]) -> Iterator[dict[str, bytes]]:
    """Documents in parts, each of which one transaction takes."""
    part: dict[str, bytes] = {}
    for name, envelope in envelopes.items():
        size = sum(map(len, part.values())) + len(envelope)
        if part and (size > LARGEST_PART or len(part) == MOST_OPERATIONS // _MOST_STEPS):
            yield part
            part = {}
        part[name] = envelope
    if part:
        yield part


def _seen(gateway: Gateway, prefix: str, marks: Mapping[str, str]) -> Iterator[tuple[str, Seen]]:
    names = list(marks)
    for start in range(0, len(names), MOST_OPERATIONS):
        some = {name: _Mark.of(marks[name]) for name in names[start : start + MOST_OPERATIONS]}
        answer = _read(gateway, prefix, some)
        if not all(one.counts_in(answer) for one in some.values()):
            some = dict.fromkeys(some, _Mark("", 0))
            answer = _read(gateway, prefix, some)
        cluster = _header(answer, "cluster_id")
        for name, found in zip(some, answer["responses"], strict=True):
            seen = _one_seen(found.get("response_range", {}), cluster)
            yield name, _whole(gateway, f"{prefix}/lists/{name}", seen, _header(answer, "revision"))


class _Mark(NamedTuple):
    """What a document is known by: the cluster, and the revision that put it there."""

    cluster: str
    revision: int

    @staticmethod
    def of(text: str) -> _Mark:
        cluster, _, revision = text.partition(".")
        return _Mark(cluster, int(revision)) if revision.isdecimal() else _Mark("", 0)

    def counts_in(self, answer: Mapping[str, Any]) -> bool:
        """Whether revisions go on from it. In a backup that was restored they begin anew."""
        if not self.cluster:
            return True
        same = self.cluster == _header(answer, "cluster_id")
        return same and int(_header(answer, "revision") or 0) >= self.revision


def _read(gateway: Gateway, prefix: str, marks: Mapping[str, _Mark]) -> dict[str, Any]:
    """Keys as of one revision; values only where they are newer than what is held.

    The count tells what did not change from what is not there.
    """
    reads = [
        {
            "requestRange": {
                "key": text_of(f"{prefix}/lists/{name}".encode()),
                "min_mod_revision": str(mark.revision + 1),
            }
        }
        for name, mark in marks.items()
    ]
    answer = gateway.call("kv/txn", {"success": reads})
    if len(answer.get("responses", ())) != len(marks):
        raise StoreError("etcd: its answer is not understood")
    return answer


def _one_seen(answer: Mapping[str, Any], cluster: str) -> Seen:
    if values := answer.get("kvs"):
        mark = f"{cluster}.{values[0].get('mod_revision', '')}"
        return Fetched(octets_of(values[0].get("value")), mark)
    return Look.UNCHANGED if int(answer.get("count", 0)) else Look.MISSING


def _whole(gateway: Gateway, key: str, seen: Seen, revision: str) -> Seen:
    """A document with its parts, as of the revision that its head was read at."""
    if not isinstance(seen, Fetched) or (head := read_head(seen.envelope)) is None:
        return seen
    parts = []
    for name in head.names:
        read = {"key": text_of(f"{key}/{name}".encode()), "revision": revision}
        values = gateway.call("kv/range", read).get("kvs")
        if not values:
            return Look.MISSING
        parts.append(octets_of(values[0].get("value")))
    return seen._replace(envelope=b"".join(parts))


def _header(answer: Mapping[str, Any], name: str) -> str:
    return str(answer.get("header", {}).get(name, ""))


def _leader(found: Mapping[str, Any]) -> str:
    """Who leads, as that machine wrote it."""
    values = found.get("kvs") or [{}]
    try:
        about = json.loads(octets_of(values[0].get("value")))
        return printable(f"{about['machine']} since {about['since']}")[:200]
    except (ValueError, TypeError, KeyError):
        return "an unknown machine"
