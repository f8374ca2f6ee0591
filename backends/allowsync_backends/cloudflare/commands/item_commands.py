"""`allowsync cloudflare add` and `remove`: items of a list, by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from allowsync.model.outcome import ExitCode
from allowsync_backends.cloudflare.commands.confirmed_change import carried_out
from allowsync_backends.cloudflare.commands.session import Work, on_account

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allowsync.model.types import Network
    from allowsync_backends.cloudflare.commands.item_diff import Changes
    from allowsync_backends.cloudflare.values import ListItem


@click.command()
@click.argument("name", metavar="LIST")
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
@click.option("--comment", default="", metavar="TEXT", help="Why, for people.")
@click.option("--force", is_flag=True, help="Even if it takes something from an allowlist.")
@click.option("-n", "--dry-run", is_flag=True, help="Only show what would be done.")
@click.option("--yes", is_flag=True, help="Do not ask before a comment is replaced.")
@on_account("allowsync.cloudflare.add/1")
def add(
    work: Work,
    name: str,
    addresses: tuple[str, ...],
    comment: str,
    force: bool,
    dry_run: bool,
    yes: bool,
) -> int:
    """Put addresses or networks into a list, by hand.

    Each address has one comment. What is there already keeps its own, or gets yours after a
    question. What an allowlist keeps is not touched without --force.
    """
    from allowsync_backends.cloudflare.commands.item_diff import adding
    from allowsync_backends.cloudflare.values import NewItem

    networks = _networks(work, addresses)
    wanted = [NewItem(one, _comment(work, comment)) for one in networks]

    def change(held: Iterable[ListItem]) -> Changes:
        return adding(held, wanted, work.access.owners(name))

    return carried_out(work, name, change, force=force, dry_run=dry_run, yes=yes)


@click.command()
@click.argument("name", metavar="LIST")
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
@click.option(
    "--force", is_flag=True, help="Even if an allowlist keeps it, or the list gets empty."
)
@click.option("-n", "--dry-run", is_flag=True, help="Only show what would be done.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@on_account("allowsync.cloudflare.remove/1")
def remove(
    work: Work, name: str, addresses: tuple[str, ...], force: bool, dry_run: bool, yes: bool
) -> int:
    """Take addresses or networks out of a list, after a question.

    Only items for the very same networks are meant. What an allowlist keeps is not removed without
    --force, and the next run there would bring it back: change its hosts instead.
    """
    from allowsync_backends.cloudflare.commands.item_diff import removing

    networks = _networks(work, addresses)

    def change(held: Iterable[ListItem]) -> Changes:
        return removing(held, networks, work.access.owners(name))

    return carried_out(work, name, change, force=force, dry_run=dry_run, yes=yes)


def _networks(work: Work, addresses: Iterable[str]) -> list[Network]:
    """Parse the typed networks, each once. All faults are reported at once."""
    from allowsync.text import quote
    from allowsync_backends.cloudflare.commands.addresses import NotTakenError, network

    found: dict[Network, None] = {}
    wrong: list[str] = []
    for one in addresses:
        try:
            found[network(one)] = None
        except NotTakenError as error:
            wrong.append(f"{quote(one)} {error}")
    if wrong:
        work.stop(ExitCode.USAGE, "command line", *wrong)
    return list(found)


def _comment(work: Work, text: str) -> str:
    from allowsync_backends.cloudflare.commands.addresses import NotTakenError, comment

    try:
        return comment(text)
    except NotTakenError as error:
        work.stop(ExitCode.USAGE, "command line", f"an item {error}")
