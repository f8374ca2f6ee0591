"""The targets of the fuzzer, tried with a few hundred inputs that are the same every time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.defect import Defect
from fuzz.seeds import SEEDS
from fuzz.targets import TARGETS
from tests.support.sampling import share
from tests.support.scoreboard import record

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = {"rows": 40, "file": 40}


def mutated(name: str) -> st.SearchStrategy[bytes]:
    """Seeds, pieces of seeds put together, with noise in between."""
    pieces = [seed[at : at + 16] for seed in SEEDS[name] for at in range(0, len(seed), 16)]
    parts = st.sampled_from([*SEEDS[name], *pieces]) | st.binary(max_size=8)
    return st.lists(parts, max_size=12).map(b"".join)


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_breaks_a_promise(name: str) -> None:
    examples = share(EXAMPLES.get(name, 150), 40)

    @settings(max_examples=examples, derandomize=True, database=None, deadline=None)
    @given(data=mutated(name))
    def try_it(data: bytes) -> None:
        TARGETS[name](data)

    try_it()
    record("hostile_inputs", where=f"fuzzed {name}", count=examples, tracebacks=0)


@pytest.mark.parametrize("name", TARGETS)
def test_every_seed_is_one_to_start_from(name: str) -> None:
    assert SEEDS[name]
    for seed in SEEDS[name]:
        TARGETS[name](seed)


def test_a_reader_that_breaks_its_promise_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from fuzz import targets

    plain: Callable[..., object] = lambda *_: "something else"  # noqa: E731
    monkeypatch.setattr(targets, "read_plain", plain)
    with pytest.raises(Defect, match="something else is not"):
        targets.answer(SEEDS["answer"][0])
