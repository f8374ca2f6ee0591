"""A store in strangers' hands: mutated envelopes, documents, heads and parts, and whole runs.

A sample; `FLEET_MUTANTS=500` makes that many of each kind.
"""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest

from allowsync.fleet.envelope import COMPRESSED
from allowsync.fleet.etcd_gateway import LARGEST, Gateway, text_of
from allowsync.fleet.http import Client
from allowsync.fleet.parts import Head
from tests.support.etcd import PASSWORDS
from tests.support.fleets import Machine, Machines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from testkit.fake_dns.nameserver import NameServer
    from tests.support.etcd import Etcd

MUTANTS: Final = int(os.environ.get("FLEET_MUTANTS", "8"))
ALICE: Final = {"hostname": "alice.example.org", "families": ["ipv4"]}
# So many that the document is compressed.
OFFICES: Final = {
    f"office{n}": {"networks": [f"81.3.{n // 8}.{n % 8 * 32}/27"]} for n in range(900)
}
WEB: Final = "/allowsync/home/lists/web"
PARTS: Final = "/allowsync/home/parts/web"
WORDS: Final = (b'"', b"{}", b"[[", b"\0", b"null", b"-1", b"1e999", b"81.2.99.0/24", b"\xff\xfe")


@pytest.fixture
def held(
    request: pytest.FixtureRequest, tmp_path: Path, server: NameServer, etcd: Etcd
) -> tuple[Machine, bytes]:
    """A machine that follows a list, and the envelope that it believed."""
    etcd.ctl("del", "--prefix", "/allowsync")
    machines = Machines(tmp_path, server, etcd.options("resolver"))
    resolver, applier = machines.resolver(alice=ALICE, **request.param), machines.applier()
    applier.store = etcd.options("applier")
    assert (resolver("apply").code, applier("apply").code) == (0, 0)
    return applier, etcd.envelope()


@pytest.fixture
def gateway(etcd: Etcd) -> Iterator[Gateway]:
    client = Client(str(etcd.ca), LARGEST)
    client._ends += 3600
    yield Gateway([etcd.members[0].url], client, ("root", PASSWORDS["root"]))
    client.close()


def mutant(content: bytes, chance: Random) -> bytes:
    """Octets of which some are others, more, fewer, or in another place."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 3)):
        at, far = chance.randrange(len(changed) + 1), chance.randrange(len(changed) + 1)
        match chance.randrange(5):
            case 0:
                changed[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                changed[at:at] = chance.choice(WORDS)
            case 2:
                del changed[at:far]
            case 3:
                changed[at:at] = changed[far : far + chance.randrange(200)]
            case _:
                changed[at : at + 4] = changed[far : far + 4]
    return bytes(changed)


def with_document_changed(envelope: bytes, chance: Random) -> bytes:
    fields = json.loads(envelope)
    document = mutant(b64decode(fields["payload"]), chance)
    return json.dumps({**fields, "payload": b64encode(document).decode()}).encode()


def in_parts(envelope: bytes, size: int, name: bytes = b"") -> dict[str, bytes]:
    """An envelope as keys, in parts as small as these, under a name that no machine knows."""
    parts = [envelope[start : start + size] for start in range(0, len(envelope), size)]
    head = Head(sha256(name).hexdigest(), len(parts))
    names = (f"{PARTS}/{name}" for name in head.names)
    return {WEB: head.written, **dict(zip(names, parts, strict=True))}


def with_parts_changed(envelope: bytes, chance: Random) -> dict[str, bytes]:
    size = chance.randrange(len(envelope) // 8, len(envelope))
    keys = in_parts(envelope, size, chance.randbytes(8))
    key = chance.choice(list(keys))
    match chance.randrange(4):
        case 0 if key != WEB:
            del keys[key]
        case 1:
            keys[key] = keys[chance.choice(list(keys))]
        case _:
            keys[key] = mutant(keys[key], chance)
    return keys


def puts(gateway: Gateway, keys: Mapping[str, bytes]) -> None:
    for place in (WEB, PARTS):
        span = {"key": text_of(place.encode()), "range_end": text_of(place.encode() + b"0")}
        gateway.call("kv/deleterange", span)
    for key, value in keys.items():
        gateway.call("kv/put", {"key": text_of(key.encode()), "value": text_of(value)})


KINDS: Final[dict[str, Callable[[bytes, Random], dict[str, bytes]]]] = {
    "envelope": lambda envelope, chance: {WEB: mutant(envelope, chance)},
    "document": lambda envelope, chance: {WEB: with_document_changed(envelope, chance)},
    "parts": with_parts_changed,
}


@pytest.mark.parametrize("held", [{}, OFFICES], ids=["plain", "compressed"], indirect=True)
@pytest.mark.parametrize("kind", KINDS)
def test_what_strangers_change_adds_and_removes_nothing_and_is_told_in_a_line(
    kind: str, held: tuple[Machine, bytes], gateway: Gateway
) -> None:
    applier, envelope = held
    before, refused = applier.allowed, 0
    for number in range(MUTANTS):
        puts(gateway, KINDS[kind](envelope, Random(f"{kind} {number}")))
        done = applier("apply")
        assert applier.allowed == before, number
        assert done.code in (0, 3), done.err
        assert done.err.count("it has no new document: ") == (done.code == 3), done.err
        assert done.err.replace("\n", "").isprintable()
        refused += done.code == 3
    assert refused > MUTANTS // 2
    puts(gateway, {WEB: envelope})
    assert applier("apply").code == 0


@pytest.mark.parametrize("held", [OFFICES], indirect=True)
def test_an_envelope_in_parts_is_the_same(
    held: tuple[Machine, bytes], gateway: Gateway, tmp_path: Path
) -> None:
    applier, envelope = held
    assert json.loads(envelope)["payloadType"] == COMPRESSED
    fresh: Any = Machine(tmp_path / "fresh", applier.server, name="fresh", store=applier.store)
    fresh.folder.mkdir()
    fresh.keys = applier.keys
    puts(gateway, in_parts(envelope, 1000))
    assert fresh("apply").code == 0
    assert fresh.allowed == applier.allowed
