"""Numbers and placeholders of the exposition format."""

from __future__ import annotations

# Marks in the text of the metrics: when the run started, and how long it took, in seconds.
STARTED, SECONDS = "\x01", "\x02"


def number(value: float) -> str:
    """A number that loses nothing, whole ones without a fraction."""
    return str(int(value)) if value == int(value) else repr(value)
