"""A watch of a fleet's lists in etcd, resumed where it ended (etcd, "Watch streams").

It reports that lists changed and no more: a run reads the documents itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from allowsync.fleet.etcd_gateway import LARGEST, Gateway, octets_of, text_of
from allowsync.fleet.http import Client
from allowsync.fleet.store import StoreError
from allowsync.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from allowsync.config.fleet import EtcdStoreOptions

# Seconds until a watch is renewed: a member or a router between may have forgotten it.
# Renewal is a TLS handshake, and renews the token, which lives five minutes (`--auth-token-ttl`).
IDLE: Final = 180.0
EVERYTHING: Final[frozenset[str]] = frozenset()


class EtcdWatch:
    """Watches lists of a fleet, and lists whose names lie between them.

    Args:
        options: The cluster and the credentials.
        fleet: The fleet.
        names: The lists.
        idle: The seconds of silence after which a session ends.
    """

    def __init__(
        self, options: EtcdStoreOptions, fleet: str, names: Sequence[str], idle: float = IDLE
    ) -> None:
        self._options = options
        self._endpoints = list(options.endpoints)
        self._lists = f"{options.prefix}/{fleet}/lists/"
        self._first, self._last = min(names, default=""), max(names, default="")
        self._idle = idle
        self._token = ""
        self._cluster = ""
        self._revision = 0  # the last revision seen; 0: none

    def session(self) -> Iterator[frozenset[str]]:
        """The lists that change, until the idle time passes; `EVERYTHING` stands for any list.

        A session resumes where the one before ended. Where that is impossible (the first session, a
        compacted history, another cluster or a backup of this one), any list may have changed.

        Raises:
            StoreError: The watch was refused, or broke. The next session asks another member.
        """
        options = self._options
        client = Client(None if options.ca is None else str(options.ca), LARGEST)
        gateway = Gateway(self._endpoints, client, options.credentials, self._token)
        try:
            for answer in gateway.stream("watch", {"create_request": self._request}, self._idle):
                yield from self._changed(answer)
            self._token = gateway.token
        except StoreError:
            self._token = ""
            self._endpoints.append(self._endpoints.pop(0))
            raise
        finally:
            client.close()

    @property
    def _request(self) -> dict[str, str]:
        end = f"{self._lists}{self._last}\0"
        return {
            "key": text_of(f"{self._lists}{self._first}".encode()),
            "range_end": text_of(end.encode()),
            **({"start_revision": str(self._revision + 1)} if self._revision else {}),
        }

    def _changed(self, answer: Mapping[str, Any]) -> Iterator[frozenset[str]]:
        if answer.get("canceled"):
            self._refuse(answer)
        header = _object(answer.get("header"))
        cluster, revision = str(header.get("cluster_id", "")), _number(header.get("revision"))
        if answer.get("created"):
            if not self._revision or cluster != self._cluster or revision < self._revision:
                before, self._cluster, self._revision = self._revision, cluster, revision
                yield EVERYTHING
                if before:
                    raise StoreError("etcd: its history is another than before; the watch is anew")
            return
        names = frozenset(self._names(answer.get("events")))
        self._revision = max(self._revision, revision)
        if names:
            yield names

    def _refuse(self, answer: Mapping[str, Any]) -> None:
        """Raise StoreError for a watch that etcd ended, or never began."""
        if _number(answer.get("compact_revision")):
            self._revision = 0
            raise StoreError("etcd: its history was compacted; the watch is begun anew")
        why = printable(str(answer.get("cancel_reason", "")))[:200]
        raise StoreError(f"etcd: it ended the watch: {why or 'no reason was given'}")

    def _names(self, events: Any) -> Iterator[str]:
        """The lists whose own keys changed."""
        for one in events if isinstance(events, list) else ():
            key = octets_of(_object(_object(one).get("kv")).get("key")).decode("ascii", "replace")
            name = key.removeprefix(self._lists)
            if name and "/" not in name:
                yield name


def _object(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else {}


def _number(text: Any) -> int:
    return int(text) if str(text or "").isdecimal() else 0
