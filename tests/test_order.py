"""Each process begins with what is long, and every test is run once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from tests.support.order import longest_first

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Listed:
    """What the order goes by."""

    path: Path
    number: int
    slow: bool = False
    boots: bool = False

    @property
    def module(self) -> SimpleNamespace:
        return SimpleNamespace(**({"Machine": object} if self.boots else {}))

    def get_closest_marker(self, name: str) -> object:
        return name if self.slow and name == "slow" else None


def file_of(name: str, count: int, *, slow: int = -1, boots: bool = False) -> list[Listed]:
    return [Listed(Path(name), n, slow=n == slow, boots=boots) for n in range(count)]


ALL = [
    *file_of("boots", 3, boots=True),
    *file_of("quick", 40),
    *file_of("long", 4, slow=2),
    *file_of("also quick", 30),
    *file_of("last", 2, slow=1),
]


def ordered(processes: int) -> list[Listed]:
    given = cast("Sequence[pytest.Item]", ALL)
    return cast("list[Listed]", longest_first(given, processes))


@pytest.mark.parametrize("processes", [1, 2, 3, 7, 100])
def test_every_test_is_there_once(processes: int) -> None:
    assert sorted(map(repr, ordered(processes))) == sorted(map(repr, ALL))


def test_one_process_alone_keeps_the_order() -> None:
    assert ordered(1) == ALL


def test_each_process_begins_with_a_long_file_and_machines_are_the_last_of_them() -> None:
    first, second = ordered(2)[:39], ordered(2)[39:]  # as 79 tests are divided
    assert [one.path.name for one in first[:8]] == [*["long"] * 4, *["boots"] * 3, "quick"]
    assert [one.path.name for one in second[:3]] == [*["last"] * 2, "quick"]


def test_files_in_an_order_without_long_ones_are_as_they_were() -> None:
    quick = cast("list[pytest.Item]", file_of("quick", 10))
    assert longest_first(quick, 4) == quick
