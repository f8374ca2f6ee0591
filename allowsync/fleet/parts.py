"""Envelopes as values of a key-value store: parts, and a head that names them. Pure.

The parts lie under a name unique to their envelope, so those of the one before stay whole until
the head names the new ones. A head needs no trust: the signature covers the content of the joined
parts.
"""

from __future__ import annotations

import json
import re
from typing import Final, NamedTuple

from allowsync.fleet.envelope import LARGEST
from allowsync.fleet.fields import Fields

LARGEST_PART: Final = 2**20  # octets, of 1.5 MiB that a request may have (--max-request-bytes)
_MOST_PARTS: Final = LARGEST // LARGEST_PART
_BEGINS: Final = b'{"parts":'
_DIGEST: Final = re.compile("[0-9a-f]{64}")


class Head(NamedTuple):
    """The value in place of an envelope.

    Attributes:
        digest: The SHA-256 of the envelope, which names its parts.
        number: The number of its parts.
    """

    digest: str
    number: int

    @property
    def written(self) -> bytes:
        """The head as a value."""
        return _BEGINS + b'%d,"sha256":"%b"}' % (self.number, self.digest.encode())

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its parts, in order."""
        return tuple(f"{self.digest}/{n:02}" for n in range(self.number))


def read_head(value: bytes) -> Head | None:
    """The head that a value holds; None where it is no head, such as an envelope."""
    if not value.startswith(_BEGINS):
        return None
    try:
        fields = Fields(json.loads(value))
        digest = fields.text("sha256", most=64)
        number = fields.whole("parts", least=1, most=_MOST_PARTS)
    except (ValueError, RecursionError):
        return None
    return Head(digest, number) if _DIGEST.fullmatch(digest) else None


def divided(envelope: bytes) -> tuple[Head, tuple[bytes, ...]]:
    """An envelope as a head and parts."""
    from hashlib import sha256

    starts = range(0, len(envelope), LARGEST_PART)
    parts = tuple(envelope[start : start + LARGEST_PART] for start in starts)
    return Head(sha256(envelope).hexdigest(), len(parts)), parts
