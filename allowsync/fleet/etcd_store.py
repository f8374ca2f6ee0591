"""Documents as keys of etcd. A lease holds the lead; every publication is fenced by it.

    PREFIX/FLEET/leader       the machine that leads; expires with its lease
    PREFIX/FLEET/lists/NAME   the current document of an allowlist: its digest, number of parts
    PREFIX/FLEET/parts/NAME/SHA256/NUMBER   a part of it
    PREFIX/FLEET/machines/NAME   a machine's report of its last run; for display alone

The watch covers `lists`: were parts below it, each waiting machine would receive all of them.

The revision that created the key `leader` is unique to a lead. A transaction puts documents only
while the key exists with that revision and lease, so publications of a former leader are refused.

A document is identified by its digest, not by a revision: after a backup was restored, revisions
repeat with other contents.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Final

from allowsync.fleet.etcd_gateway import LARGEST, CallError, Gateway, octets_of, text_of
from allowsync.fleet.http import Client
from allowsync.fleet.parts import LARGEST_PART, Head, divided, read_head
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
MOST_MACHINES: Final = 20_000
_AT_ONCE: Final = 100  # reports, each of which may be large: an answer has bounds
MOST_OPERATIONS: Final = 128  # of a transaction (--max-txn-ops)
_PARTS_AT_ONCE: Final = LARGEST // (2 * LARGEST_PART)  # read in one answer, as base64
_STEPS: Final = 4  # of one document: put it, put its head, delete parts before and behind it


class EtcdStore:
    """The keys of a fleet.

    Args:
        options: The cluster and the credentials.
        fleet: The fleet.
        machine: The name of this machine.
        lease: The life of a lead after its last renewal.
    """

    def __init__(
        self, options: EtcdStoreOptions, fleet: str, machine: str, lease: timedelta
    ) -> None:
        self._options = options
        self._machine = machine
        self._lease = lease
        self._prefix = f"{options.prefix}/{fleet}"

    def look(self, marks: Mapping[str, str]) -> Mapping[str, Seen]:
        """Read the current heads in one transaction, and then the documents that are not held."""
        seen: dict[str, Seen] = {}
        with self._gateway() as gateway:
            for names in _some(list(marks), MOST_OPERATIONS):
                values, revision = _read(gateway, [self._list(name) for name in names])
                heads = dict(zip(names, map(_head, values), strict=True))
                wanted = {
                    name: [self._part(f"{name}/{part}") for part in head.names]
                    for name, head in heads.items()
                    if isinstance(head, Head) and head.digest != marks[name]
                }
                parts = _parts(gateway, [key for keys in wanted.values() for key in keys], revision)
                for name, head in heads.items():
                    content = [parts[key] for key in wanted.get(name, ())]
                    seen[name] = _seen(head, marks[name], content)
        return seen

    def lead(self, held: Lead | None, now: datetime) -> Leadership:
        """Renew the lease, or take the lead with a new one."""
        with self._gateway() as gateway:
            if held is not None and self._renewed(gateway, held):
                return Leadership(held._replace(ends=now + self._lease), self._machine)
            return self._taken(gateway, now)

    def leader(self) -> str:
        """The machine that leads, by its own report; empty where none does."""
        with self._gateway() as gateway:
            found = gateway.call("kv/range", {"key": self._key("leader")})
        return _leader(found) if found.get("kvs") else ""

    def publish(self, envelopes: Mapping[str, bytes], lead: Lead) -> Iterator[tuple[str, str]]:
        """Put the documents in transactions fenced by this lead."""
        with self._gateway() as gateway:
            for some in _together(envelopes):
                yield from self._put(gateway, some, lead)

    def _put(
        self, gateway: Gateway, envelopes: Mapping[str, bytes], lead: Lead
    ) -> list[tuple[str, str]]:
        """Put documents in one transaction, after one for each part where there are several."""
        steps: list[dict[str, Any]] = []
        marks = []
        for name, envelope in envelopes.items():
            head, parts = divided(envelope)
            puts = self._puts(name, head, parts)
            if len(parts) > 1:
                for one in puts:
                    self._commit(gateway, [one], lead)
                puts = []
            steps += [*puts, *self._exchange(name, head)]
            marks.append((name, head.digest))
        self._commit(gateway, steps, lead)
        return marks

    def report(self, content: bytes) -> None:
        """Put this machine's report. Raises StoreError."""
        key = self._key(f"machines/{self._machine}")
        with self._gateway() as gateway:
            gateway.call("kv/put", {"key": key, "value": text_of(content)})

    def reports(self) -> dict[str, bytes]:
        """The machines' reports by name, up to the bound. Raises StoreError."""
        key, end = self._key("machines/"), self._key("machines0")  # "0" follows "/"
        found: dict[str, bytes] = {}
        with self._gateway() as gateway:
            while len(found) < MOST_MACHINES:
                read = {"key": key, "range_end": end, "limit": str(_AT_ONCE)}
                answer = gateway.call("kv/range", read)
                values = answer.get("kvs") or []
                for one in values:
                    name = octets_of(one.get("key"))
                    found[_machine(name)] = octets_of(one.get("value"))
                    key = text_of(name + b"\0")
                if not values or not answer.get("more"):
                    break
        return found

    def _puts(self, name: str, head: Head, parts: tuple[bytes, ...]) -> list[dict[str, Any]]:
        return [
            {"requestPut": {"key": self._part(f"{name}/{part}"), "value": text_of(content)}}
            for part, content in zip(head.names, parts, strict=True)
        ]

    def _exchange(self, name: str, head: Head) -> list[dict[str, Any]]:
        """Put a head, and delete all parts but its own: those before them, and those behind."""
        own = f"{name}/{head.digest}"
        ranges = ((f"{name}/", f"{own}/"), (f"{own}0", f"{name}0"))  # "0" follows "/"
        return [
            {"requestPut": {"key": self._list(name), "value": text_of(head.written)}},
            *(
                {"requestDeleteRange": {"key": self._part(first), "range_end": self._part(end)}}
                for first, end in ranges
            ),
        ]

    def _commit(self, gateway: Gateway, steps: list[dict[str, Any]], lead: Lead) -> None:
        """Carry out a transaction of this lead. Raises Superseded."""
        answer = gateway.call("kv/txn", {"compare": self._stands(lead), "success": steps})
        if not answer.get("succeeded"):
            raise Superseded("another resolver leads by now: what this one decided was refused")

    def _gateway(self) -> _Opened:
        options = self._options
        authority = None if options.ca is None else str(options.ca)
        first = os.getpid() % len(options.endpoints)  # no member is asked by the whole fleet
        endpoints = (*options.endpoints[first:], *options.endpoints[:first])
        return _Opened(endpoints, Client(authority, LARGEST), options.credentials)

    def _renewed(self, gateway: Gateway, held: Lead) -> bool:
        """Whether the lease still runs, and the key exists with it."""
        try:
            answer = gateway.call("lease/keepalive", {"ID": held.lease})
        except CallError as error:
            if error.code == _NOT_FOUND:
                return False
            raise
        if int(answer.get("TTL", 0)) <= 0:
            return False
        stands = gateway.call("kv/txn", {"compare": self._stands(held)})
        return bool(stands.get("succeeded"))

    def _taken(self, gateway: Gateway, now: datetime) -> Leadership:
        """Take the lead where no machine has it; else name the leader."""
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

    def _stands(self, lead: Lead) -> list[dict[str, str]]:
        key = self._key("leader")
        return [
            {"key": key, "target": "CREATE", "createRevision": lead.fence},
            {"key": key, "target": "LEASE", "lease": lead.lease},
        ]

    def _list(self, name: str) -> str:
        return self._key(f"lists/{name}")

    def _part(self, name: str) -> str:
        return self._key(f"parts/{name}")

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


def _some(keys: list[str], most: int) -> Iterator[list[str]]:
    """Keys in groups of a bounded size."""
    return (keys[start : start + most] for start in range(0, len(keys), most))


def _read(gateway: Gateway, keys: list[str], revision: str = "0") -> tuple[list[bytes | None], str]:
    """The values of keys in one transaction, at a revision or now; and the present revision."""
    reads = [{"requestRange": {"key": key, "revision": revision}} for key in keys]
    answer = gateway.call("kv/txn", {"success": reads})
    found = [one.get("response_range", {}).get("kvs") for one in answer.get("responses", ())]
    if len(found) != len(keys):
        raise StoreError("etcd: its answer is not understood")
    values = [octets_of(one[0].get("value")) if one else None for one in found]
    return values, _header(answer, "revision")


def _parts(gateway: Gateway, keys: list[str], revision: str) -> dict[str, bytes | None]:
    """Parts of documents, by key, as of the revision that their heads were read at."""
    found: dict[str, bytes | None] = {}
    for some in _some(keys, _PARTS_AT_ONCE):
        found |= zip(some, _read(gateway, some, revision)[0], strict=True)
    return found


def _head(value: bytes | None) -> Head | bytes | None:
    """The head that a value holds; the value itself where it is no head."""
    return value if value is None else read_head(value) or value


def _seen(head: Head | bytes | None, mark: str, parts: list[bytes | None]) -> Seen:
    """A document from the value of its key and its parts."""
    match head:
        case None:
            return Look.MISSING
        case bytes():
            return Fetched(head, "")
        case Head(digest, _) if digest == mark:
            return Look.UNCHANGED
    whole = [part for part in parts if part is not None]
    return Fetched(b"".join(whole), head.digest) if len(whole) == len(parts) else Look.MISSING


def _together(envelopes: Mapping[str, bytes]) -> Iterator[dict[str, bytes]]:
    """Documents in groups that fit one transaction; one in several parts is alone."""
    some: dict[str, bytes] = {}
    for name, envelope in envelopes.items():
        size = sum(map(len, some.values())) + len(envelope)
        if some and (size > LARGEST_PART or len(some) == MOST_OPERATIONS // _STEPS):
            yield some
            some = {}
        some[name] = envelope
    if some:
        yield some


def _machine(key: bytes) -> str:
    return key.rpartition(b"/")[2].decode("utf-8", "replace")


def _header(answer: Mapping[str, Any], name: str) -> str:
    return str(answer.get("header", {}).get(name, ""))


def _leader(found: Mapping[str, Any]) -> str:
    """The leader, as it wrote itself."""
    values = found.get("kvs") or [{}]
    try:
        about = json.loads(octets_of(values[0].get("value")))
        return printable(f"{about['machine']} since {about['since']}")[:200]
    except (ValueError, TypeError, KeyError):
        return "an unknown machine"
