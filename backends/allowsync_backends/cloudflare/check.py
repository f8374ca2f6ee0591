"""Whether a list at Cloudflare can be used, and whether it has any effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.backend import BackendError, Finding, Severity
from allowsync.counts import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync_backends.cloudflare.backend import CloudflareBackend, Content
    from allowsync_backends.cloudflare.values import AccountList

_NEARLY: Final = 0.9  # of what the plan allows


def findings(backend: CloudflareBackend) -> Iterator[Finding]:
    """What there is to say. Changes nothing, raises nothing."""
    try:
        with backend.asking() as client:
            lists = client.lists()
            found = backend.found(client)
            content = None if found is None else backend.content(client, found)
    except BackendError as error:
        yield Finding(Severity.ERROR, str(error))
        return
    yield from _room(backend, sum(one.num_items for one in lists if one.kind.value == "ip"))
    if found is None or content is None:
        what = f"the list {backend.options.list} does not exist"
        yield Finding(Severity.INFO, what, "the next 'allowsync apply' makes it")
        return
    yield from _used(found)
    yield from _strangers(backend, content)


def _room(backend: CloudflareBackend, number: int) -> Iterator[Finding]:
    most = backend.options.max_items
    if number >= _NEARLY * most:
        what = f"the lists of the account hold {number} of {most} items"
        yield Finding(Severity.WARNING, what, "remove some, or set max_items to what your plan has")


def _used(found: AccountList) -> Iterator[Finding]:
    if not found.num_referencing_filters:
        what = f"no rule uses the list {found.name}: it has no effect"
        advice = f"allowsync cloudflare rule --list {found.name} --host NAME"
        yield Finding(Severity.WARNING, what, advice)
    elif not found.num_items:
        what = f"the list {found.name} is empty, and a rule uses it: it may shut out everybody"
        yield Finding(Severity.WARNING, what, "see 'allowsync status'")


def _strangers(backend: CloudflareBackend, content: Content) -> Iterator[Finding]:
    if content.others:
        items = counted(len(content.others), "item")
        what = f"the list {backend.options.list} holds {items} of others, who get in, too"
        advice = f"see 'allowsync cloudflare show {backend.options.list}'"
        yield Finding(Severity.INFO, what, advice)
