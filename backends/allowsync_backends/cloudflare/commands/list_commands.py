"""`allowsync cloudflare create` and `delete`: lists as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from allowsync.model.outcome import ExitCode
from allowsync_backends.cloudflare.commands.session import Work, on_account

if TYPE_CHECKING:
    from allowsync_backends.cloudflare.client import CloudflareClient
    from allowsync_backends.cloudflare.values import AccountList

_LONGEST = 500  # characters, of a description


@click.command()
@click.argument("name", metavar="LIST")
@click.option("--description", default="", metavar="TEXT", help="What it is for, for people.")
@click.option("--yes", is_flag=True, help="Do not ask. Nothing is asked: a new list blocks no one.")
@on_account("allowsync.cloudflare.create/1")
def create(work: Work, name: str, description: str, yes: bool) -> int:
    """Make an empty list of addresses.

    A list of that name that is there already is left as it is. Names are of 1 to 50 of a-z, 0-9 and
    `_`, and cannot be changed later. Free plans allow one list.
    """
    from allowsync.text import Line
    from allowsync_backends.cloudflare.commands.list_report import list_document

    _fit(work, name, description)
    with work.asking() as client:
        held = client.find(name)
    made = None if held is None else work.of_addresses(held)
    if made is None:
        with work.changing(f"the account (a new list {name!r})") as client:
            made = client.find(name) or client.create(name, description)
    outcome = "unchanged" if held is not None else "created"
    said = f"{name}: {'is there already' if held is not None else 'created'}"
    document = {"outcome": outcome, "list": list_document(made, work.access.owners(name))}
    return work.tell([Line(said)], document)


def _fit(work: Work, name: str, description: str) -> None:
    import re

    if not re.fullmatch("[a-z0-9_]{1,50}", name):
        what = f"{name[:80]!r} cannot be a list's name: 1 to 50 of a-z, 0-9 and _"
        work.stop(ExitCode.USAGE, "command line", what)
    if len(description) > _LONGEST or not description.isprintable():
        what = f"a description is one line of at most {_LONGEST} characters"
        work.stop(ExitCode.USAGE, "command line", what)


@click.command()
@click.argument("name", metavar="LIST")
@click.option("--force", is_flag=True, help="Even if a configured target keeps its items there.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@on_account("allowsync.cloudflare.delete/1")
def delete(work: Work, name: str, force: bool, yes: bool) -> int:
    """Delete a list with all it holds, after a question.

    Not while a rule refers to it: those rules are named. Nor, without --force, while a target of
    this machine's configuration keeps its items there, which would make it again.
    """
    from allowsync.text import Line, counted

    with work.asking() as client:
        one = work.found(client, name)
        _unused(work, client, one)
        number = len(client.items(one.id))
    _unclaimed(work, name, force=force)
    work.confirm(f"Delete the list {name!r} with {counted(number, 'item')}?", yes=yes)
    with work.changing(f"the list {name!r}") as client:
        again = work.found(client, name)
        if again.id != one.id or len(client.items(again.id)) != number:
            work.stop(ExitCode.FAILED, name, "changed meanwhile: nothing was deleted")
        client.delete(one.id)
    document = {"outcome": "deleted", "list": name, "items": number}
    return work.tell([Line(f"{name}: deleted")], document)


def _unused(work: Work, client: CloudflareClient, one: AccountList) -> None:
    """End the command where rules refer to the list, and name them."""
    if not one.num_referencing_filters:
        return
    from allowsync.text import counted
    from allowsync_backends.cloudflare.commands.rule_references import rules_with

    used = rules_with(client, one.name)
    number = counted(one.num_referencing_filters, "rule")
    says = [f"the list cannot be deleted while {number} of the account refers to it"]
    says += [f"used by {place}" for place in used.places]
    if used.unknown:
        says.append(f"not all of them can be named: {used.unknown}")
    work.stop(ExitCode.FAILED, one.name, *says)


def _unclaimed(work: Work, name: str, *, force: bool) -> None:
    claims = work.access.owners(name).claims
    if claims and not force:
        targets = ", ".join(sorted(one.target for one in claims))
        what = f"{targets} keeps its items there: the next run would make the list again; --force"
        work.stop(ExitCode.FAILED, name, what)
