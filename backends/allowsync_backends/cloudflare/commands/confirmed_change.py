"""A change of a list's items: computed, checked, confirmed, and carried out as shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allowsync.model.outcome import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from allowsync.text import Line
    from allowsync_backends.cloudflare.client import CloudflareClient
    from allowsync_backends.cloudflare.commands.item_diff import Changes
    from allowsync_backends.cloudflare.commands.session import Work
    from allowsync_backends.cloudflare.values import AccountList, ListItem

    Change = Callable[[Iterable[ListItem]], Changes]


def carried_out(
    work: Work, name: str, change: Change, *, force: bool, dry_run: bool, yes: bool
) -> int:
    """Change a list, and report it.

    Args:
        work: The command.
        name: The list.
        change: Computes the change from the items of the list.
        force: Whether to ignore objections.
        dry_run: Whether to show it only.
        yes: Whether to skip the confirmation. A change that only adds needs none.
    """
    with work.asking() as client:
        one = work.found(client, name)
        held = client.items(one.id)
    changes = change(held)
    if not force:
        _let_pass(work, one, changes, len(held))
    if not dry_run and not changes.idle:
        if changes.takes_away:
            work.confirm(f"Change the list {name!r} so?", _lines(name, changes), yes=yes)
        with work.changing(f"the list {name!r}") as client:
            again = work.found(client, name)
            if again.id != one.id or change(client.items(one.id)) != changes:
                work.stop(ExitCode.FAILED, name, "changed meanwhile: nothing was done, look again")
            _carry_out(client, one.id, changes)
    lines = _lines(name, changes, done=not dry_run)
    return work.tell(lines, _document(name, changes, dry_run=dry_run))


def _carry_out(client: CloudflareClient, list_id: str, changes: Changes) -> None:
    # Adding first: an address in both is never blocked in between.
    if changes.put:
        client.add(list_id, changes.put)
    if changes.remove:
        client.remove(list_id, [one.id for one in changes.remove])


def _let_pass(work: Work, one: AccountList, changes: Changes, number: int) -> None:
    """End the command where there are objections to the change."""
    from allowsync.text import counted
    from allowsync_backends.cloudflare.commands.list_report import objections

    against = list(objections(changes))
    left = number + len(changes.add) - len(changes.remove)
    if changes.remove and not left and one.num_referencing_filters:
        rules = counted(one.num_referencing_filters, "rule")
        against.append(f"the list would be empty, and {rules} may shut out everyone not in it")
    if against:
        what = "nothing was done; --force does it nevertheless"
        work.stop(ExitCode.FAILED, one.name, *against, what)


def _lines(name: str, changes: Changes, *, done: bool = False) -> list[Line]:
    from allowsync.text import Line
    from allowsync_backends.cloudflare.commands.list_report import change_lines

    return [Line(name), *change_lines(changes, done=done)]


def _document(name: str, changes: Changes, *, dry_run: bool) -> dict[str, Any]:
    from allowsync_backends.cloudflare.commands.list_report import change_document

    outcome = "unchanged" if changes.idle else "planned" if dry_run else "applied"
    return {
        "list": name,
        "dry_run": dry_run,
        "outcome": outcome,
        **change_document(changes),
    }
