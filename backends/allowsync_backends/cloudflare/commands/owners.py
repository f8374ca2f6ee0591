"""The owners of a list's items. Pure.

allowsync marks its items by their comment, `allowsync:ALLOWLIST:…`, with a mark for each owner. An
item without a mark was added by hand, except in a list that belongs to a target as a whole.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from allowsync.model.value import Value, replace
from allowsync_backends.cloudflare.marks import marks_of, owner_of

if TYPE_CHECKING:
    from allowsync_backends.cloudflare.values import ListItem


class Claim(Value):
    """A target of this machine that keeps items in a list.

    Attributes:
        target: Its full name.
        allowlist: The allowlist it enforces.
        list_name: The list.
        owner: The name that tells apart machines that share a list; empty without any.
        exclusive: Whether all of the list is its own.
        denies: Whether those in the list are blocked.
    """

    target: str
    allowlist: str
    list_name: str
    owner: str = ""
    exclusive: bool = False
    denies: bool = False


class Whose(Enum):
    """The kind of owner of an item."""

    HAND = "hand"
    HERE = "here"  # an allowlist of this machine
    ELSEWHERE = "elsewhere"  # an allowlist that this machine's configuration does not name


class ItemOwner(Value):
    """The owner of an item, with its allowlist and target, where these are known.

    `also` are further owners; those of this machine come first.
    """

    whose: Whose
    allowlist: str = ""
    target: str = ""
    also: tuple[ItemOwner, ...] = ()

    def __str__(self) -> str:
        return " and ".join((self._alone, *map(str, self.also)))

    @property
    def _alone(self) -> str:
        match self.whose:
            case Whose.HAND:
                return "by hand"
            case Whose.HERE:
                return self.target
            case Whose.ELSEWHERE:
                return f"{self.allowlist or 'allowsync'}, elsewhere"

    @property
    def document(self) -> dict[str, Any]:
        """The owner as a document."""
        return {
            "whose": self.whose.value,
            "allowlist": self.allowlist or None,
            "target": self.target or None,
            "also": [one.document for one in self.also],
        }


BY_HAND: Final = ItemOwner(Whose.HAND)


class Owners(Value):
    """The owners of the items of one list, by the targets of this machine that use it."""

    claims: tuple[Claim, ...] = ()

    @property
    def whole(self) -> Claim | None:
        """The target that owns the whole list, if one does."""
        return next((one for one in self.claims if one.exclusive), None)

    @property
    def deny(self) -> bool:
        """Whether the list is a denylist's."""
        return any(one.denies for one in self.claims)

    def of(self, item: ListItem) -> ItemOwner:
        """Return the owner of an item."""
        if self.whole is not None:
            return _here(self.whole)
        keepers = dict.fromkeys(map(self._keeper, marks_of(item.comment)))
        if not keepers:
            return BY_HAND
        first, *rest = sorted(keepers, key=lambda one: one.whose is not Whose.HERE)
        return replace(first, also=tuple(rest))

    def _keeper(self, mark: str) -> ItemOwner:
        """Return the owner of a mark."""
        allowlist, owner = owner_of(mark)
        named = [one for one in self.claims if one.allowlist == allowlist]
        exact = next((one for one in named if one.owner == owner), None)
        return ItemOwner(Whose.ELSEWHERE, allowlist) if exact is None else _here(exact)


def _here(claim: Claim) -> ItemOwner:
    return ItemOwner(Whose.HERE, claim.allowlist, claim.target)
