"""What a target of the fuzzer raises where a reader broke its promise."""

from __future__ import annotations


class Defect(AssertionError):
    """A reader broke its promise."""


def must(kept: bool, what: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Raise Defect where a promise was not kept."""
    if not kept:
        raise Defect(what)
