"""Numbers of things as people say them."""

from __future__ import annotations

import pytest

from allowsync.text import counted


@pytest.mark.parametrize(
    ("number", "words", "text"),
    [
        (0, ("host",), "0 hosts"),
        (1, ("host",), "1 host"),
        (2, ("host",), "2 hosts"),
        (1, ("entry", "entries"), "1 entry"),
        (0, ("entry", "entries"), "0 entries"),
    ],
)
def test_one_is_singular_and_everything_else_plural(
    number: int, words: tuple[str, ...], text: str
) -> None:
    assert counted(number, *words) == text
