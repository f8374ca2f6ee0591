"""Applies a change of UFW's rules, in an order in which it may be interrupted anywhere.

First the additions are written to the files, where removals still are. Then the kernel gets the
additions, then it drops the removals, and last the files do. So any rule of ours in the kernel is
in the files, marked as ours; and no friend is ever out, nor a stranger ever in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.backend.api import BackendError, OutcomeUnknown
from allowsync.model.value import Value
from allowsync_backends.ufw import kernel, rules_store, tool
from allowsync_backends.ufw.rules_store import Drafts, Stage
from allowsync_backends.ufw.tuples import UfwRule, chain, ports_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from allowsync.model.types import Family
    from allowsync_backends.common.ports import Port
    from allowsync_backends.ufw.rules_file import RuleOwnership, RulesFile
    from allowsync_backends.ufw.rules_reader import UfwSnapshot

# To delete a rule, iptables searches all of the chain.
MOST_DELETED: Final = 100


class FamilyChange(Value):
    """The change of one family's rules.

    Attributes:
        before: The present file.
        more: The same with the additions.
        after: The same without the removals.
        load: The first script for the kernel; empty for nothing.
        release: The second script for the kernel; empty for nothing.
    """

    before: RulesFile
    more: RulesFile
    after: RulesFile
    load: str
    release: str


def planned(
    mine: RuleOwnership,
    ports: Sequence[Port],
    seen: UfwSnapshot,
    family: Family,
    wanted: Mapping[UfwRule, str],
) -> FamilyChange:
    """Return the change after which a family's rules of ours are exactly the wanted ones. Pure."""
    before = seen.files[family]
    more = before.holding(mine, wanted, keep=True)
    after = more.holding(mine, wanted, keep=False)
    if not seen.in_force or family not in seen.kernel:
        return FamilyChange(before, more, after, "", "")
    name = chain(family, route=mine.route)
    load = _loaded(mine, ports, seen, family, more)
    gone = [rule for block in more.ours(mine) if (rule := mine.rule(block)) not in wanted and rule]
    release = kernel.deleted(name, gone) if len(gone) <= MOST_DELETED else after.text
    return FamilyChange(before, more, after, load, release if gone else "")


def _loaded(
    mine: RuleOwnership, ports: Sequence[Port], seen: UfwSnapshot, family: Family, more: RulesFile
) -> str:
    """Return the script that brings the kernel in sync with a file: missing rules, or all of it.

    The whole file where more is wrong than new rules: UFW itself loads all of it whenever it
    deletes a rule.
    """
    name, before = chain(family, route=mine.route), seen.files[family]
    held = seen.kernel[family].rules
    meant = kernel.written(more, name).rules
    ours = [rule for block in more.ours(mine) if (rule := mine.rule(block)) is not None]
    known = {mine.rule(block) for block in before.ours(mine)}
    lacking = [rule for rule in ours if held[rule] < meant[rule]]
    guarded = {(ports_text(port), port.protocol.value) for port in ports}
    extra = any(
        count > meant[rule]
        for rule, count in held.items()
        if (rule.ports, rule.protocol) in guarded or rule in known
    )
    if None in known or extra or any(rule in known for rule in lacking):
        return more.text
    if kernel.order(more, name)[-len(lacking) :] != lacking:
        # They do not all come last, and only a whole load has a certain order.
        return more.text if lacking else ""
    return kernel.added(name, lacking) if lacking else ""


def carry_out(changes: Mapping[Family, FamilyChange], released: Callable[[], object]) -> None:
    """Apply changes of all families, step by step.

    Args:
        changes: The changes.
        released: Called when the kernel no longer admits removed networks, and before the files
            forget them.

    Raises:
        BackendError: Nothing was changed; or a removed network is still admitted.
        OutcomeUnknown: The kernel may hold old or new rules.
    """
    drafts = Drafts(_contents(changes))
    try:
        drafts.put(Stage.FIRST)
        _load_all(changes, drafts)
        for family, change in changes.items():
            _release(family, change)
        released()
        drafts.put(Stage.LAST)
    finally:
        drafts.discard()


def _contents(changes: Mapping[Family, FamilyChange]) -> dict[tuple[Family, Stage], str]:
    """Return the contents to write at each stage, where they differ from the stage before."""
    contents = {}
    for family, change in changes.items():
        if change.more.text != change.before.text:
            contents[family, Stage.FIRST] = change.more.text
        if change.after.text != change.more.text:
            contents[family, Stage.LAST] = change.after.text
    return contents


def _load_all(changes: Mapping[Family, FamilyChange], drafts: Drafts) -> None:
    """Load the additions; when they are refused, the files are restored."""
    for family, change in changes.items():
        if not change.load:
            continue
        done = tool.restore(family, change.load)
        if done.code == 0:
            continue
        if change.load != change.more.text:
            done = tool.restore(family, change.more.text)
        if done.code != 0:
            drafts.undo()
            what = f"the kernel does not take the rules of {rules_store.path(family)}"
            raise BackendError(f"{what}: {tool.complaint(done)}; the old ones are back")


def _release(family: Family, change: FamilyChange) -> None:
    """Remove rules from the kernel. A missing one is no failure."""
    if not change.release:
        return
    done = tool.restore(family, change.release)
    if done.code != 0 and change.release != change.after.text:
        done = tool.restore(family, change.after.text)
    if done.code != 0:
        what = "who was to go may still be let in, because the kernel does not take the rules"
        raise OutcomeUnknown(f"{what}: {tool.complaint(done)}")
