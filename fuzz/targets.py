"""What is fuzzed: one function of bytes for each reader of what others wrote.

Each raises nothing, whatever the bytes, as long as its reader keeps its promise; what it raises is
a defect. They need nothing but the project itself, so that the tests run them too.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from ipaddress import IPv4Address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from allowsync_backends.common import conntrack as streams
from allowsync_backends.common.ports import Port, Protocol
from allowsync_backends.fail2ban import reconcile
from allowsync_backends.fail2ban.answers import (
    NotUnderstood,
    banned,
    by_network_text,
    configured,
    ignored,
)
from allowsync_backends.fail2ban.syntax import VariableSyntax, jails_of
from allowsync_backends.file.template_mark import leading, several
from allowsync_backends.ipset import inspection, rules, sets
from allowsync_backends.ipset.foreign_rules import publishes
from allowsync_backends.nftables.gate import NftGate
from allowsync_backends.nftables.inspection import current, mendable
from allowsync_backends.nftables.nft_json import NftListingError

from allowsync.config.document import read_document
from allowsync.config.errors import ConfigError
from allowsync.config.hosts import Hosts
from allowsync.config.hosts_file import HostLines
from allowsync.config.schema.context import Reading
from allowsync.config.schema.yaml_loader import YamlError, read_yaml
from allowsync.dns.failure import Failure
from allowsync.dns.wire_fastpath import read_plain
from allowsync.dns.wire_parse import read
from allowsync.dns.wire_query import question
from allowsync.fleet.document import decoded, encoded
from allowsync.fleet.envelope import opened
from allowsync.fleet.fields import DocumentError
from allowsync.fleet.parts import read_head
from allowsync.model.answer import Absent, Found
from allowsync.model.types import Family, Policy, Query
from allowsync.state import StateError, Store
from fuzz.defect import must
from fuzz.list_targets import denylist, files, networks
from fuzz.seeds import KEY, SIGNED

if TYPE_CHECKING:
    from collections.abc import Callable

GATE: Final = NftGate("web", (Port(443, 443, Protocol.TCP),))
IPTABLES: Final = rules.IpsetGate("web", (Port(443, 443, Protocol.TCP),))
QUERIES: Final = tuple(Query("a.example.org", family) for family in Family)
PLACE: Final = Path("/etc/allowsync/config.yaml")


def configuration(data: bytes) -> None:
    """A configuration is believed, or refused in words that can be printed."""
    try:
        root = read_yaml(data)
    except YamlError as error:
        must(error.what.isprintable(), error.what)
        return
    if root is None:
        return
    reading = Reading(PLACE, environ={}, uid=1000)
    try:
        config = read_document(root, reading, None)
    except ConfigError as error:
        must(bool(error.problems), "refused without a reason")
        for problem in error.problems:
            must(str(problem).isprintable(), str(problem))
    else:
        must(all(name.isprintable() for name in config.hosts), "a name nobody can read")


def listing(data: bytes) -> None:
    """A listing of nft is understood, or refused."""
    text = data.decode(errors="replace")
    with suppress(NftListingError):
        entries = current(GATE, text).entries
        must(all(one.network.version in (4, 6) for one in entries), "an entry that is no network")
    mendable(text, GATE)


def ipset(data: bytes) -> None:
    """A listing of a set is understood, or refused; no element is of another family."""
    text = data.decode(errors="replace")
    for family in Family:
        with suppress(sets.IpsetListingError):
            found = sets.held(text, "allowsync-web-4", family)
            must(all(Family.of(one) is family for one in found.networks), "another family")


def iptables(data: bytes) -> None:
    """A listing of rules is understood, or refused, and judged; so are lists of streams."""
    text = data.decode(errors="replace")
    with suppress(sets.IpsetListingError):
        found = inspection.table(text)
        list(inspection.hook_flaws(IPTABLES, found))
        list(inspection.chain_flaws(IPTABLES, Family.IPV4, found))
        publishes({"nat": found})
    list(streams.flows(text))
    streams.listening(text)
    streams.local_addresses(text)


def fail2ban(data: bytes) -> None:
    """Whatever fail2ban-client prints is understood, or refused; a file of ours is read as one."""
    text = data.decode(errors="replace")
    with suppress(NotUnderstood):
        networks = by_network_text(ignored(text))
        must(all(shown in text for shown in networks.values()), "a network out of nowhere")
    with suppress(NotUnderstood):
        for some in banned(text).values():
            must(all(isinstance(one, str) for one in some), "somebody who is no text")
    with suppress(NotUnderstood):
        reconcile.theirs(configured(text).ignored.get("door", ()), ("::1/128",))
    held = VariableSyntax(jails_of(text)).parse(text)
    if held is not None:
        again = VariableSyntax(()).parse(VariableSyntax(()).render(held.allowlist, held.networks))
        must(again == held, "a file that reads otherwise once it is written anew")


def mark(data: bytes) -> None:
    """What was found at the top of a file is written again as it was, but for words for people."""
    text = data.decode(errors="replace")
    found = leading(text)
    if found is not None and found.mark.is_of(found.text):
        # The words are made anew, and lines in another order are put in order.
        again = leading(found.mark.lines(found.comment) + found.text)
        must(again is not None and again.mark == found.mark, text)
        must(text.endswith(found.text), text)
    for one in several(text):
        must(several(one.lines()) == (one,), text)


def answer(data: bytes) -> None:
    """An answer of the DNS is read alike by both readers, and never by one alone."""
    for query in QUERIES:
        section = question(query).section
        for wire in (data, b"\0\0\x81\x80\0\1\0\1\0\0\0\0" + section + data):
            full = read(wire, query)
            must(isinstance(full, Found | Absent | Failure), repr(full))
            if len(wire) < 12 + len(section) or wire[12 : 12 + len(section)] != section:
                continue  # no such message comes so far
            plain = read_plain(wire, query, len(section))
            must(plain is None or plain == full, f"{plain} is not {full}")


def rows(data: bytes) -> None:
    """A state with these values in its rows is read, or known to be damaged."""
    parts = data.split(b"\n")
    with TemporaryDirectory(prefix="allowsync-fuzz-") as folder:
        path = Path(folder) / "state.db"
        Store.writing(path).close()
        with closing(sqlite3.connect(path)) as connection:
            for number, (table, columns) in enumerate(_columns(connection)):
                values = [_value(parts[(number + at) % len(parts)]) for at in range(columns)]
                with suppress(sqlite3.Error, OverflowError):
                    marks = ", ".join("?" * columns)
                    connection.execute(f"INSERT INTO {table} VALUES ({marks})", values)  # noqa: S608
            connection.commit()
        _read_everything(path)


def file(data: bytes) -> None:
    """Any file in the state's place is read, or known to be damaged."""
    with TemporaryDirectory(prefix="allowsync-fuzz-") as folder:
        path = Path(folder) / "state.db"
        path.write_bytes(data)
        _read_everything(path)


def decision(data: bytes) -> None:
    """A document of a fleet is read as it was written, or refused in words that can be told."""
    try:
        document = decoded(data)
    except DocumentError as error:
        must(bool(str(error)), "refused without a reason")
        return
    must(decoded(encoded(document)) == document, "read otherwise than it was written")


def envelope(data: bytes) -> None:
    """An envelope holds what was signed, or is refused in words that can be told; so with heads."""
    try:
        payload = opened(data, (KEY,))
    except DocumentError as error:
        must(bool(str(error)) and str(error).isprintable(), repr(str(error)))
    else:
        must(payload == SIGNED, "what no key signed")
    head = read_head(data)
    must(head is None or read_head(head.written) == head, "another head once it is written")


def hosts(data: bytes) -> None:
    """Hosts in lines are read, each with its name, or refused in words that can be printed."""
    outer = Reading(PLACE, environ={}, uid=1000)
    lines = HostLines(PLACE.with_name("hosts.jsonl"), Hosts(Policy()), (), outer)
    lines.take(data)
    problems = lines.reading.problems
    must(bool(problems or lines.hosts), "refused without a reason")
    for problem in problems:
        must(str(problem).isprintable(), str(problem))
    must(all(name == host.name for name, host in lines.hosts.items()), "a host of another name")


def _read_everything(path: Path) -> None:
    with suppress(StateError), Store.reading(path) as store:
        for look in (store.last_run, store.hosts, store.targets):
            with suppress(StateError):
                look()
        with suppress(StateError):
            store.target("web/nftables")


def _columns(connection: sqlite3.Connection) -> list[tuple[str, int]]:
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    counted = "SELECT count(*) FROM pragma_table_info(?)"
    return [(name, connection.execute(counted, (name,)).fetchone()[0]) for (name,) in tables]


def _value(part: bytes) -> object:
    """One of the kinds of value that SQLite keeps, as the first byte says."""
    kind, rest = part[:1], part[1:]
    match kind:
        case b"i":
            return int.from_bytes(rest[:8], "big", signed=True)
        case b"b":
            return rest
        case b"n":
            return None
        case b"4":
            return str(IPv4Address(rest[:4].rjust(4, b"\1")))
        case _:
            return part.decode(errors="replace")


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "configuration": configuration,
    "listing": listing,
    "ipset": ipset,
    "iptables": iptables,
    "fail2ban": fail2ban,
    "mark": mark,
    "networks": networks,
    "denylist": denylist,
    "files": files,
    "decision": decision,
    "envelope": envelope,
    "hosts": hosts,
    "answer": answer,
    "rows": rows,
    "file": file,
}
