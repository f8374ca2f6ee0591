"""`user.rules` and `user6.rules` in blocks, of which foreign ones stay unchanged. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.model.value import Value, replace
from allowsync_backends.ufw.denials import denies_everybody
from allowsync_backends.ufw.tuples import (
    MARK,
    Tuple,
    UfwRule,
    apart,
    parse,
    plain,
    prefix_of,
    rendered,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BEGIN: Final = "### RULES ###\n"
END: Final = "\n### END RULES ###\n"
LAST: Final = "COMMIT\n"


class Damaged(Exception):
    """A file was not written by UFW, or is incomplete."""


class RuleBlock(Value):
    """A tuple line with the lines that belong to it, exactly as written.

    Attributes:
        text: All of it.
        tuple: The parsed line; None if UFW could not read it.
        rule: The rule, if it has the one shape that allowsync writes.
        exact: Whether the lines that belong to it are those that UFW would write.
    """

    text: str
    tuple: Tuple | None = None
    rule: UfwRule | None = None
    exact: bool = False


class RuleOwnership(Value):
    """The ownership of rules: one allowlist's, for this machine or for forwarded packets.

    `installation` identifies this configuration among others on the machine.
    """

    allowlist: str
    route: bool
    installation: str = ""

    def owns(self, block: RuleBlock) -> bool:
        """Whether a block is ours: by its comment alone."""
        one = block.tuple
        return (
            one is not None
            and one.forward is self.route
            and one.comment.startswith(prefix_of(self.allowlist))
        )

    def is_of_another(self, block: RuleBlock) -> bool:
        """Whether another configuration wrote a block of ours."""
        whose = "" if block.tuple is None else apart(block.tuple.comment)[1]
        return bool(whose and self.installation) and whose != self.installation

    def rule(self, block: RuleBlock) -> UfwRule | None:
        """Return the rule of a block of ours that is written just as by us; None otherwise."""
        return block.rule if block.exact else None

    def foreign(self, block: RuleBlock) -> UfwRule | None:
        """Return the rule of a foreign block that equals ours but for its comment."""
        if block.tuple is None or block.tuple.forward is not self.route or self.owns(block):
            return None
        return block.rule


class RulesFile(Value):
    """A whole file: the text before the rules, the rules, and the text after them."""

    head: str
    blocks: tuple[RuleBlock, ...]
    tail: str

    @property
    def text(self) -> str:
        """The text of the file."""
        return "".join((self.head, *(block.text for block in self.blocks), self.tail))

    def ours(self, mine: RuleOwnership) -> Iterator[RuleBlock]:
        """Yield our blocks, in order."""
        return (block for block in self.blocks if mine.owns(block))

    def foreign(self, mine: RuleOwnership) -> frozenset[UfwRule]:
        """Return foreign rules equal to ours."""
        found = (mine.foreign(block) for block in self.blocks)
        return frozenset(rule for rule in found if rule is not None)

    def holding(
        self, mine: RuleOwnership, wanted: Mapping[UfwRule, str], *, keep: bool
    ) -> RulesFile:
        """Return the file with exactly these rules of ours, each with its comment.

        Present rules keep their places, and a rule that is foreign already stays foreign. Deviating
        rules of ours are dropped. New ones come last, but before a rule that would deny their
        packets: see `_place`.

        Args:
            mine: The ownership of rules.
            wanted: The rules, and the comment of each.
            keep: Whether unwanted ones of ours stay for the moment.
        """
        left = dict(wanted)
        for taken in self.foreign(mine):
            left.pop(taken, None)
        blocks: list[RuleBlock] = []
        for block in self.blocks:
            if not mine.owns(block):
                blocks.append(block)
                continue
            rule = mine.rule(block)
            if rule is not None and rule in left:
                blocks.append(_block(rule, left.pop(rule), mine))
            elif keep and rule is not None and rule not in wanted:
                blocks.append(block)
        for rule, comment in left.items():
            blocks.insert(_place(blocks, rule, mine), _block(rule, comment, mine))
        # UFW adds this line when it writes the file for the first time.
        tail = self.tail if not blocks or END in self.tail else END + "\n" + self.tail
        return replace(self, blocks=tuple(blocks), tail=tail)

    def adopting(self, mine: RuleOwnership, wanted: Mapping[UfwRule, str]) -> RulesFile:
        """Return the file in which foreign rules equal to wanted ones have become ours."""
        left, blocks = dict(wanted), []
        for block in self.blocks:
            rule = mine.foreign(block)
            blocks.append(
                block if rule is None or rule not in left else _block(rule, left.pop(rule), mine)
            )
        return replace(self, blocks=tuple(blocks))


def _place(blocks: list[RuleBlock], rule: UfwRule, mine: RuleOwnership) -> int:
    """Return the place of a new rule: before the first one that denies its port to every source.

    At the end where there is none, or where it precedes all of ours: that closes the port to
    friends as well, deliberately.
    """
    for at, block in enumerate(blocks):
        one = block.tuple
        if one is None or mine.owns(block) or not denies_everybody(one, rule, route=mine.route):
            continue
        before, after = (any(map(mine.owns, some)) for some in (blocks[:at], blocks[at:]))
        return at if before or not after else len(blocks)
    return len(blocks)


def _block(rule: UfwRule, comment: str, mine: RuleOwnership) -> RuleBlock:
    return _understood(rendered(rule, comment, route=mine.route))


def _understood(text: str) -> RuleBlock:
    one = parse(text[1:].partition("\n")[0])
    rule = None if one is None else plain(one)
    if one is None or rule is None:
        return RuleBlock(text, one)
    return RuleBlock(text, one, rule, text == rendered(rule, one.comment, route=one.forward))


def parsed(text: str) -> RulesFile:
    """Split a file into blocks.

    Raises:
        Damaged: Its beginning or its end is not UFW's.
    """
    if not text.endswith(LAST):
        raise Damaged("it does not end with COMMIT")
    head, begin, rest = text.partition(BEGIN)
    if not begin:
        raise Damaged("it has no section RULES")
    middle, end, tail = rest.partition(END)
    if end:
        return RulesFile(head + begin, tuple(_blocks(middle)), end + tail)
    # The package's version, before UFW wrote the file for the first time.
    if MARK.strip() in rest:
        raise Damaged("its section RULES does not end")
    return RulesFile(head + begin, (), rest)


def _blocks(middle: str) -> Iterator[RuleBlock]:
    first, *others = middle.split("\n" + MARK)
    if first:
        yield RuleBlock(first)
    yield from (_understood("\n" + MARK + other) for other in others)
