"""The mark of an item's owner: in its comment, its only field beside its address. Pure.

A comment is a list of marks with a space between them, each `allowsync:ALLOWLIST:OWNER:HOST:HOST`,
of a denylist `allowsync:blocked.DENYLIST:OWNER:`: no allowlist's name has a dot in it. An address
of two owners carries the marks of both. The owner is empty unless the configuration names one. The
hosts are for people, and are left out where there is no room. A comment that begins otherwise is
foreign, whatever follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.model.target import Effect
from allowsync.model.value import Value, replace

if TYPE_CHECKING:
    from collections.abc import Iterable

MARK: Final = "allowsync:"
LONGEST: Final = 500  # characters, of a comment
_BLOCKED: Final = "blocked."
_LEFT_OUT: Final = ":..."


class ItemOwnership(Value):
    """Our own mark, as opposed to those of others.

    Attributes:
        allowlist: The allowlist that items are kept for.
        owner: The name that tells apart machines that share a list; None without any.
        effect: The effect that rules are to give such items.
    """

    allowlist: str
    owner: str | None = None
    effect: Effect = Effect.ALLOW

    @property
    def prefix(self) -> str:
        """The beginning of our marks, and of no others."""
        kind = _BLOCKED if self.effect is Effect.DENY else ""
        return f"{MARK}{kind}{self.allowlist}:{self.owner or ''}:"

    @property
    def _opposite(self) -> ItemOwnership:
        """The mark of this list for the opposite effect."""
        (other,) = (one for one in Effect if one is not self.effect)
        return replace(self, effect=other)

    def is_in(self, comment: str) -> bool:
        """Whether a comment carries our mark."""
        return any(one.startswith(self.prefix) for one in marks_of(comment))

    def is_turned(self, comment: str) -> bool:
        """Whether an item is ours alone, and was to have the opposite effect."""
        theirs = self._opposite
        return theirs.is_in(comment) and not theirs.others_in(comment)

    def others_in(self, comment: str) -> tuple[str, ...]:
        """Return the marks of others that a comment carries."""
        return tuple(one for one in marks_of(comment) if not one.startswith(self.prefix))

    def fits(self, comment: str) -> bool:
        """Whether our mark could be added to a comment, if need be with all hosts left out."""
        bare = " ".join((*map(_bare, self.others_in(comment)), self.prefix))
        return len(bare) <= LONGEST

    def added(self, comment: str, hosts: Iterable[str]) -> str:
        """Return a comment with our mark for these hosts, behind the marks of others, which stay.

        Raises:
            ValueError: There is no room for it. See `fits`.
        """
        return _joined((*self.others_in(comment), self.prefix + ":".join(hosts)))

    def removed(self, comment: str) -> str:
        """Return a comment without our mark; empty when no other mark is left."""
        return " ".join(self.others_in(comment))


def marked(comment: str) -> bool:
    """Whether a comment is allowsync's, of this machine or of another."""
    return comment.startswith(MARK)


def marks_of(comment: str) -> tuple[str, ...]:
    """Return the marks that a comment carries; none when it is foreign."""
    if not marked(comment):
        return ()
    return tuple(one for one in comment.split(" ") if marked(one))


def owner_of(mark: str) -> tuple[str, str]:
    """Return the list and the owner that a mark names."""
    named, _, rest = mark.removeprefix(MARK).partition(":")
    return named.removeprefix(_BLOCKED), rest.partition(":")[0]


def _joined(marks: tuple[str, ...]) -> str:
    """Join marks to a comment. If they are too long, the longest lists of hosts are cut first."""
    kept = list(marks)
    while (excess := len(" ".join(kept)) - LONGEST) > 0:
        longest = max(range(len(kept)), key=lambda one: len(kept[one]) - len(_bare(kept[one])))
        shorter = _shortened(kept[longest], len(kept[longest]) - excess)
        if shorter == kept[longest]:
            raise ValueError("the marks alone are longer than a comment may be")
        kept[longest] = shorter
    return " ".join(kept)


def _shortened(mark: str, room: int) -> str:
    """Return a mark with fewer hosts, to fit the room if possible; without any otherwise."""
    bare = _bare(mark)
    hosts = mark[len(bare) :].removesuffix(_LEFT_OUT)
    cut = hosts.rfind(":", 0, max(0, room - len(bare) - len(_LEFT_OUT) + 1))
    return bare + hosts[:cut] + _LEFT_OUT if cut > 0 else bare


def _bare(mark: str) -> str:
    """Return a mark without its hosts."""
    named = mark.split(":", 3)[:3]
    whole = ":".join((*named, ""))
    return whole if mark.startswith(whole) else mark
