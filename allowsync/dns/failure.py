"""Reasons why an attempt gave no conclusive answer."""

from __future__ import annotations

from enum import IntEnum

from allowsync.model.value import Value
from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable


class FailureKind(IntEnum):
    """The kind of failure. The lower its value, the more specific it is."""

    ODD = 1  # an answer that proves nothing; a retry at the same server is useless
    UNTRUSTED = 2  # an encrypted nameserver that failed authentication
    ERROR = 3  # SERVFAIL, REFUSED and their like
    STREAM = 4  # a connection without a usable answer
    GARBLED = 5  # a message that could not be read; a valid one may still arrive
    UNREACHABLE = 6
    SILENT = 7
    LATE = 8  # the deadline of the run passed


class Failure(Value):
    """One failure, with its reason for people."""

    kind: FailureKind
    reason: str


NOT_ASKABLE: Final = Failure(FailureKind.ODD, "not a name the DNS can be asked for")
TRUNCATED: Final = Failure(FailureKind.STREAM, "truncated over TCP")


def most_telling(failures: Iterable[Failure]) -> Failure:
    """Return the most specific failure; of equals, the first. Needs at least one."""
    return min(failures, key=lambda failure: failure.kind)
