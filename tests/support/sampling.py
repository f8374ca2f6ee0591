"""How much of a long sweep is tried: a sample in `make test`, all of it in `make test-all`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")

# `make test-all` sets it; the processes of pytest-xdist inherit it.
WHOLE: Final = bool(os.environ.get("TEST_ALL"))


def sample(cases: Iterable[T], most: int, turn: int = 0) -> list[T]:
    """All cases, or as many as that, evenly spread and always the same.

    What is much alike takes turns: each turn has other cases, between those of the turns before.
    """
    found = list(cases)
    if WHOLE or len(found) <= most:
        return found
    return [found[(number * len(found) // most + turn) % len(found)] for number in range(most)]


def share(whole: int, part: int) -> int:
    """How often something is done: the whole number, or the part that a sample is."""
    return whole if WHOLE else part
