"""Whole runs with nothing to do over many hosts, and which calls of nft a run makes."""

from __future__ import annotations

import re
from contextlib import contextmanager
from itertools import cycle
from shutil import which
from typing import TYPE_CHECKING

from tests.bench.elements import block_list
from tests.bench.place import place
from tests.bench.scenario import OURS, Figure, Scenario, at_least, at_most

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.bench.place import Place
    from tests.bench.scenario import Sample, Sides

GATE = {"nftables": {"ports": ["443/tcp"]}}
HOSTS, FEWER, MANY = 3, 1_000, 10_000
TENTH = "1,000 hosts"
BLOCKED = 100_000

# strace(1); a call that another process interrupts is continued on a line without its arguments.
NFT = re.compile(
    r'execve\("[^"]*/nft", \[(?P<argv>[^\]]*)\].*(?: = 0|<unfinished \.\.\.>)$', re.MULTILINE
)
READING = re.compile(r'"list"|"--version"|"--check"')


@contextmanager
def many_hosts() -> Iterator[Sides]:
    """The same run over ten times as many hosts."""
    with place(0.0) as large, place(0.0) as small:
        large.configure(MANY, GATE)
        small.configure(FEWER, GATE)
        large.settle()
        small.settle()
        yield {OURS: large.run, TENTH: small.run}


@contextmanager
def beside_a_block_list(*, changing: bool) -> Iterator[Sides]:
    """Whole runs next to a large set of somebody else, every call of nft counted."""
    with place(0.0) as here:
        here.namespace.nft(block_list(BLOCKED))
        offices = cycle(("193.99.144.8/32", "193.99.144.9/32") if changing else ("",))
        here.configure(HOSTS, GATE, office=next(offices))
        here.settle()

        def run() -> Sample:
            here.configure(HOSTS, GATE, office=next(offices))
            return counted(here)

        yield {OURS: run}


def counted(here: Place) -> Sample:
    """One run under strace; its calls of nft. What it took says nothing, so it is left out."""
    trace = here.folder / "trace"
    here.cost(
        str(which("strace")), "-f", "-qq", "-s", "64", "-e", "trace=execve", "-o", str(trace),
        *here.command("apply", "--quiet"),
    )  # fmt: skip
    return nft_calls(trace)


def nft_calls(trace: Path) -> Sample:
    """How many calls of nft a trace holds, by whether they can change anything."""
    calls = [match["argv"] for match in NFT.finditer(trace.read_text())]
    reads = sum(bool(READING.search(argv)) for argv in calls)
    return {Figure.READS: reads, Figure.WRITES: len(calls) - reads}


SCENARIOS = (
    Scenario(
        "nft-calls-idle",
        "calls of nft, nothing to do, beside a stranger's 100,000 ranges",
        lambda: beside_a_block_list(changing=False),
        (at_most(Figure.WRITES, 0), at_least(Figure.READS, 1)),
        runs=2,
        root=True,
        programs=("nft", "strace"),
    ),
    Scenario(
        "nft-calls-change",
        "calls of nft, one address moved, beside a stranger's 100,000 ranges",
        lambda: beside_a_block_list(changing=True),
        (at_most(Figure.WRITES, 1), at_least(Figure.READS, 2)),
        runs=2,
        root=True,
        programs=("nft", "strace"),
    ),
    Scenario(
        "whole",
        "whole run, nothing to do, 10,000 hosts, loopback, nftables gate read back",
        many_hosts,
        (
            at_most(Figure.WALL, 6_000),  # as reached
            at_most(Figure.WALL, 1_500, then=True),
            at_most(Figure.WALL, 600, then=True),
            at_most(Figure.WALL, 11, TENTH),  # as reached
            at_most(Figure.WALL, 8, TENTH, then=True),
            at_most(Figure.MEMORY, 120),
        ),
        runs=3,
        root=True,
        programs=("nft",),
        slow=True,
    ),
)
