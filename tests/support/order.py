"""The order in which several processes run the tests: each begins with what is long.

pytest-xdist gives each process one piece of the list, and an idle one half of the rest of another.
A long test that is left for the end keeps one process busy while all others wait.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pytest


def longest_first(items: Sequence[pytest.Item], processes: int) -> list[pytest.Item]:
    """All tests in the order in which they are given to so many processes.

    The tests of a file stay together, as they share what is prepared for them. What boots a machine
    is the last of what is long: the root of all machines is made beside the first tests.
    """
    files = [list(tests) for _, tests in groupby(items, key=lambda item: item.path)]
    long = sorted(filter(_is_long, files), key=_boots)
    short = [item for tests in files if not _is_long(tests) for item in tests]
    if processes == 1 or not long:
        return list(items)
    ordered: list[pytest.Item] = []
    for number, size in enumerate(_pieces(len(items), processes)):
        piece = [item for tests in long[number::processes] for item in tests]
        fill = max(size - len(piece), 0)
        ordered += piece + short[:fill]
        del short[:fill]
    return ordered + short


def _pieces(count: int, processes: int) -> Iterator[int]:
    """How many tests each process is given, as pytest-xdist divides them."""
    for left in range(processes, 0, -1):
        yield count // left
        count -= count // left


def _is_long(tests: Sequence[pytest.Item]) -> bool:
    return _boots(tests) or any(one.get_closest_marker("slow") for one in tests)


def _boots(tests: Sequence[pytest.Item]) -> bool:
    """Whether one of them boots a machine."""
    return hasattr(getattr(tests[0], "module", None), "Machine")
