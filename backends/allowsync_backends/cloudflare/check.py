"""Whether a list at Cloudflare can be used, and whether it has any effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.backend.api import BackendError
from allowsync.model.target import Effect, Finding, Severity
from allowsync.text import counted
from allowsync_backends.cloudflare.content import stored
from allowsync_backends.cloudflare.errors import NotPermitted, TokenRefused
from allowsync_backends.cloudflare.marks import owner_of
from allowsync_backends.cloudflare.rule_effect import denials, effects

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from allowsync_backends.cloudflare.content import Content
    from allowsync_backends.cloudflare.marks import ItemOwnership
    from allowsync_backends.cloudflare.options import CloudflareOptions
    from allowsync_backends.cloudflare.rule_effect import RulesOfZones
    from allowsync_backends.cloudflare.values import AccountList, ListItem

_NEARLY: Final = 0.9  # of the plan's quota

_WHOM: Final = {"allow": "others", "deny": "those in it"}
_THEIRS: Final = {"allow": "who get in, too", "deny": "which are blocked, too"}
_ACCESS: Final = (
    "account_id is shown beside the domain in the dashboard; the token needs the permission "
    "Account > Account Filter Lists: Edit on that account (also called Account Rule Lists Write)"
)
_REPLACED: Final = (
    "the dashboard shows a token once: roll it, or create one, under My Profile > API Tokens; "
    "it is kept where api_token_file, api_token_env or api_token_credential says"
)


def findings(
    look: Callable[[], tuple[Collection[AccountList], AccountList | None, Content]],
    rules: Callable[[], RulesOfZones],
    mine: ItemOwnership,
    options: CloudflareOptions,
    effect: Effect,
) -> Iterator[Finding]:
    """Report on the list, its quota, its rules and its owners. Changes nothing, raises nothing."""
    try:
        lists, found, content = look()
    except BackendError as error:
        advice = _REPLACED if isinstance(error.__cause__, TokenRefused) else _ACCESS
        yield Finding(Severity.ERROR, str(error), advice)
        return
    yield from _room(stored(lists), options.max_items)
    if found is None:
        what = f"the list {options.list} does not exist"
        yield Finding(Severity.INFO, what, "the next 'allowsync apply' makes it")
        return
    yield from _used(found, effect)
    if found.num_referencing_filters:
        yield from _effect(rules, content, options.list, effect)
    yield from _owners(content, mine, options)
    yield from _strangers(content, options.list, effect)


def _room(number: int, most: int) -> Iterator[Finding]:
    if number >= _NEARLY * most:
        what = f"the lists of the account hold {number} of {most} items"
        yield Finding(Severity.WARNING, what, "remove some, or set max_items to what your plan has")


def _used(found: AccountList, effect: Effect) -> Iterator[Finding]:
    if not found.num_referencing_filters:
        what = f"no rule uses the list {found.name}: it has no effect"
        advice = f"allowsync cloudflare rule --list {found.name} --host NAME"
        yield Finding(Severity.WARNING, what, advice)
    elif not found.num_items and effect is Effect.ALLOW:
        what = f"the list {found.name} is empty, and a rule uses it: it may shut out everyone"
        yield Finding(Severity.WARNING, what, "see 'allowsync status'")


def _effect(
    rules: Callable[[], RulesOfZones], content: Content, name: str, effect: Effect
) -> Iterator[Finding]:
    """Report the rules' effect on requests, as far as the token may see the rules."""
    whom = _WHOM[effect.value]
    try:
        known = rules()
    except BackendError as error:
        # A token for the list alone is enough to keep it, and recommended.
        expected = isinstance(error.__cause__, NotPermitted)
        what = f"whether the rules with the list {name} shut out {whom} is unknown: {error}"
        yield Finding(Severity.INFO if expected else Severity.WARNING, what)
        return
    if not any(known.naming(name)):
        what = f"whether the rules with the list {name} shut out {whom} is unknown"
        where = "no custom rule of a zone that the token sees uses it; rules of other kinds"
        yield Finding(Severity.INFO, what, f"{where}, zones or the account are not read")
        return
    held = {**content.ours, **content.kept, **content.others}.keys()
    if effect is Effect.DENY:
        yield from denials(known, name, held)
        return
    yield from effects(known, name, held)
    what = "IP access rules, zone lockdown, rate limits, managed rules and rules of the account"
    yield Finding(
        Severity.INFO, f"{what} are not read: whether they let others in or stop hosts is unknown"
    )


def _owners(content: Content, mine: ItemOwnership, options: CloudflareOptions) -> Iterator[Finding]:
    """Report other owners of items, and conflicts with them."""
    items = [*content.ours.values(), *content.kept.values(), *content.crowded.values()]
    others = _named(mine, items)
    if others and options.exclusive:
        what = f"the list {options.list} is not exclusive: {others} keeps items there"
        advice = "each run takes out what the other one puts in; leave out 'exclusive: true'"
        yield Finding(Severity.ERROR, what, advice)
    elif others:
        what = f"{others} keeps items in the list {options.list}, too, who get in"
        advice = f"see 'allowsync cloudflare show {options.list}'"
        yield Finding(Severity.INFO, what, advice)


def _named(mine: ItemOwnership, items: Iterable[ListItem]) -> str:
    """Return the other owners of items: `allowlist`, or `allowlist (owner)`."""
    marks = {mark for item in items for mark in mine.others_in(item.comment)}
    owners = sorted(set(map(owner_of, marks)))
    return ", ".join(f"{one} ({owner})" if owner else one for one, owner in owners)


def _strangers(content: Content, name: str, effect: Effect) -> Iterator[Finding]:
    advice = f"see 'allowsync cloudflare show {name}'"
    if number := len(content.others) - len(content.crowded):
        items = counted(number, "item")
        what = f"the list {name} holds {items} of others, {_THEIRS[effect.value]}"
        yield Finding(Severity.INFO, what, advice)
    if content.crowded:
        items = counted(len(content.crowded), "item")
        what = f"{items} of the list {name} have no room for another owner's mark"
        yield Finding(Severity.WARNING, what, f"{advice}: they are left to those who keep them")
