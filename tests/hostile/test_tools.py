"""What tools print when they are broken, replaced or malicious: an error, or the truth."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from allowsync_backends.common.ports import Port, Protocol
from allowsync_backends.nftables.gate import CHAINS, PRIORITY, SEEN_FOR, NftGate
from allowsync_backends.nftables.inspection import current, mendable
from allowsync_backends.nftables.nft_json import NftListingError, elements, leaves, objects

from allowsync.model.outcome import Outcome
from allowsync.model.types import Family
from allowsync.report.text import printable, run_lines, warnings
from allowsync.system.process import Command, run
from tests.support.scoreboard import record
from tests.support.world import World, only_target

if TYPE_CHECKING:
    from pathlib import Path

GATE = NftGate("web", (Port(443, 443, Protocol.TCP),))
ESCAPES = "\x1b[2J\x1b]0;owned\x07\r\n\x9b31mweb/memory is in sync\u202e"


def listing(**changes: Any) -> str:
    """A whole gate as nft lists it, with something else in its set for IPv4."""
    own = {"family": "inet", "table": GATE.table}
    flags = {"flags": ["interval"]}
    base = {"type": "filter", "prio": PRIORITY, "policy": "accept"}
    ipv4 = {**own, "name": "ipv4", "type": "ipv4_addr", **flags, "elem": ["81.2.69.1"]}
    rules = [
        {"rule": {**own, "chain": rule.chain, "comment": comment, "expr": list(rule.expressions)}}
        for rule, comment in zip(GATE.rules, GATE.comments, strict=True)
    ]
    whole = [
        {"metainfo": {"json_schema_version": 1}},
        {"table": {"family": "inet", "name": GATE.table}},
        {"set": {**ipv4, **changes}},
        {"set": {**own, "name": "ipv6", "type": "ipv6_addr", **flags}},
        *(
            {"set": {**own, "name": name, "type": kind, "timeout": SEEN_FOR}}
            for name, kind in (("ipv4_seen", "ipv4_addr"), ("ipv6_seen", "ipv6_addr"))
        ),
        *({"chain": {**own, "name": name, **base, "hook": hook}} for name, hook in CHAINS.items()),
        *rules,
    ]
    return json.dumps({"nftables": whole})


WHOLE = listing()
CUT = range(0, len(WHOLE) - 1, max(1, len(WHOLE) // 60))


def test_the_whole_listing_is_understood() -> None:
    assert current(GATE, WHOLE).flaws == ()


@pytest.mark.parametrize("end", CUT)
def test_half_a_listing_is_never_taken_for_a_whole_one(end: int) -> None:
    with pytest.raises(NftListingError):
        current(GATE, WHOLE[:end])
    assert not mendable(WHOLE[:end], GATE)


GARBAGE = {
    "nothing": "",
    "a greeting": "nftables v1.0.6 (Lester Gooch #5)\n",
    "another language": "Fehler: Die angegebene Datei existiert nicht\n",
    "an error on the wrong stream": "Error: No such file or directory\nlist table inet x\n",
    "another format": "table inet allowsync_web {\n\tset ipv4 { type ipv4_addr }\n}\n",
    "a web page": "<html><body>502 Bad Gateway</body></html>",
    "null": "null",
    "a number": "1",
    "a list": "[]",
    "a word": '"nftables"',
    "an empty object": "{}",
    "nothing listed": '{"nftables": null}',
    "a number listed": '{"nftables": 1}',
    "a text listed": '{"nftables": "table"}',
    "an object listed": '{"nftables": {"table": {}}}',
    "numbers listed": '{"nftables": [1, 2]}',
    "lists listed": '{"nftables": [[], []]}',
    "an empty one listed": '{"nftables": [{}]}',
    "two kinds at once": '{"nftables": [{"table": {}, "set": {}}]}',
    "a kind without a body": '{"nftables": [{"table": 1}]}',
    "not a number": '{"nftables": NaN}',
    "brackets": "[" * 100_000,
    "objects in objects": '{"a":' * 50_000,
    "digits": '{"nftables": [' + "9" * 5000 + "]}",
    "two documents": WHOLE + WHOLE,
    "a document and more": WHOLE + "x",
    "zeros": "\0" * 100,
    "replacement characters": "\ufffd" * 100,
    "escapes": ESCAPES,
    "a name that is a list": '{"nftables": [{"table": {}}, {"set": {"name": []}}]}',
    "a comment that is an object": '{"nftables": [{"table": {}}, {"rule": {"comment": {}}}]}',
    "no table": '{"nftables": [{"metainfo": {}}]}',
}


@pytest.mark.parametrize("text", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_an_error_and_never_an_empty_gate(text: str) -> None:
    with pytest.raises(NftListingError):
        current(GATE, text)
    assert not mendable(text, GATE)


ELEMENTS = {
    "a name": "evil.example.org",
    "octal": "010.0.0.1",
    "a zone": "fe80::1%eth0",
    "the other family": "2001:db8::1",
    "an integer": 1,
    "a truth": True,
    "nothing": None,
    "a list": [],
    "an object": {},
    "a prefix of a word": {"prefix": {"addr": "81.2.69.0", "len": "24"}},
    "a prefix too long": {"prefix": {"addr": "81.2.69.0", "len": 33}},
    "a negative prefix": {"prefix": {"addr": "81.2.69.0", "len": -1}},
    "a prefix with bits set": {"prefix": {"addr": "81.2.69.1", "len": 24}},
    "a prefix of nothing": {"prefix": {}},
    "a range backwards": {"range": ["81.2.69.9", "81.2.69.1"]},
    "a range of one": {"range": ["81.2.69.9"]},
    "a range over families": {"range": ["81.2.69.9", "2001:db8::1"]},
    "an unknown kind": {"concat": ["81.2.69.1", 443]},
    "an element of nothing": {"elem": {}},
    "an element of a word": {"elem": "x"},
    "an element in an element": {"elem": {"val": {"elem": {"val": "81.2.69.1"}}}},
}


@pytest.mark.parametrize("element", ELEMENTS.values(), ids=ELEMENTS)
def test_an_element_that_is_no_address_is_an_error(element: object) -> None:
    with pytest.raises(NftListingError):
        current(GATE, listing(elem=["81.2.69.1", element]))


@pytest.mark.parametrize("element", [7, "81.2.69.1", {"a": 1}, True], ids=str)
def test_a_set_that_holds_no_list_is_an_error_or_nothing(element: object) -> None:
    with pytest.raises(NftListingError):
        current(GATE, listing(elem=element))


def test_a_rule_of_any_depth_is_read_without_falling_over() -> None:
    deep: Any = "x"
    for _ in range(100):
        deep = {"a": [deep, {"counter": {}}]}
    assert leaves(deep) == ("x",)


def test_what_tools_say_reaches_no_terminal_unseen(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run()
    world.store.flaws.append(ESCAPES)
    shown = [*run_lines(world.run(), every_target=True)]
    world.store.fail_read = ESCAPES
    report = world.run()
    assert only_target(report).outcome is Outcome.FAILED
    shown += [*run_lines(report, every_target=True), *warnings(report)]
    assert any("owned" in line.text for line in shown)
    assert all(printable(line.text).isprintable() for line in shown)


def test_output_that_is_no_text_is_still_output() -> None:
    done = run(Command(("printf", r"\377\376\033[2J")))
    assert (done.code, done.stdout) == (0, "\ufffd\ufffd\x1b[2J")


def test_arguments_are_never_read_by_a_shell(tmp_path: Path) -> None:
    planted = tmp_path / "planted"
    for text in (f"$(touch {planted})", f"`touch {planted}`", f"; touch {planted}", f"|{planted}"):
        assert run(Command(("printf", "%s", text))).stdout == text
    assert not planted.exists()


def test_elements_of_any_value_are_addresses_or_an_error() -> None:
    tried = 0
    for value in [*ELEMENTS.values(), *GARBAGE.values()]:
        for family in Family:
            tried += 1
            try:
                found = elements({"name": "x", "elem": [value]}, family)
            except NftListingError:
                continue
            assert all(one.version == value_version(family) for e in found for one in e.networks)
    assert objects(WHOLE)
    record("hostile_inputs", where="tool output", count=tried + len(CUT), tracebacks=0)


def value_version(family: Family) -> int:
    return 4 if family is Family.IPV4 else 6
