"""Why an attempt gave no conclusive answer."""

from __future__ import annotations

from enum import IntEnum

from allowsync.model.value import Value
from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable


class FailureKind(IntEnum):
    """What sort of failure it was. The lower, the more it tells about what is wrong."""

    ODD = 1  # an answer that proves nothing; the same server will not do better
    UNTRUSTED = 2  # an encrypted nameserver that could not prove who it is
    ERROR = 3  # SERVFAIL, REFUSED and their like
    STREAM = 4  # a connection that brought nothing usable
    GARBLED = 5  # a message that could not be read; a good one may still come
    UNREACHABLE = 6
    SILENT = 7
    LATE = 8  # the deadline of the run passed


class Failure(Value):
    """One thing that went wrong, with the reason a person is told."""

    kind: FailureKind
    reason: str


NOT_ASKABLE: Final = Failure(FailureKind.ODD, "not a name the DNS can be asked for")
TRUNCATED: Final = Failure(FailureKind.STREAM, "truncated over TCP")


def most_telling(failures: Iterable[Failure]) -> Failure:
    """The failure that says most about what is wrong; of equals, the first. Needs at least one."""
    return min(failures, key=lambda failure: failure.kind)
