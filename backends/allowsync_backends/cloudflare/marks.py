"""How an item says whose it is: by its comment, which is all there is beside its address. Pure.

`allowsync:ALLOWLIST:OWNER:HOST:HOST`. The owner is empty unless the configuration names one. What
follows it is for people, and may be shortened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

MARK: Final = "allowsync:"
LONGEST: Final = 500  # characters, of a comment
_LEFT_OUT: Final = ":..."


def prefix(allowlist: str, owner: str | None) -> str:
    """How the comments of all items of an allowlist and owner begin, and no others."""
    return f"{MARK}{allowlist}:{owner or ''}:"


def comment(allowlist: str, owner: str | None, hosts: Iterable[str]) -> str:
    """The comment of an item that is there for these hosts; not all are named where it is full."""
    made = prefix(allowlist, owner) + ":".join(hosts)
    if len(made) <= LONGEST:
        return made
    return made[: made.rfind(":", 0, LONGEST - len(_LEFT_OUT))] + _LEFT_OUT


def marked(text: str) -> bool:
    """Whether a comment is allowsync's, of this machine or of another."""
    return text.startswith(MARK)


def owner_of(text: str) -> tuple[str, str]:
    """The allowlist and the owner that a comment of allowsync's names."""
    allowlist, _, rest = text.removeprefix(MARK).partition(":")
    return allowlist, rest.partition(":")[0]
