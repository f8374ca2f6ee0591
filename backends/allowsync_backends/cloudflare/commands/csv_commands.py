"""`allowsync cloudflare import` and `export`: lists as comma-separated values."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from allowsync.model.outcome import ExitCode, Notice
from allowsync.system.files import replace_file
from allowsync_backends.cloudflare.commands.confirmed_change import carried_out
from allowsync_backends.cloudflare.commands.session import Work, on_account

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allowsync_backends.cloudflare.commands.item_diff import Changes
    from allowsync_backends.cloudflare.values import ListItem, NewItem

LARGEST: Final = 64 << 20  # bytes; half a million items with comments are less
STANDARD: Final = "-"


@click.command("import")
@click.argument("name", metavar="LIST")
@click.argument("file", metavar="FILE.csv")
@click.option("--force", is_flag=True, help="Even if it takes something from an allowlist.")
@click.option("-n", "--dry-run", is_flag=True, help="Only show what would be done.")
@click.option("--yes", is_flag=True, help="Do not ask before comments are replaced.")
@on_account("allowsync.cloudflare.import/1")
def import_(work: Work, name: str, file: str, force: bool, dry_run: bool, yes: bool) -> int:
    """Put the addresses of a table into a list.

    The table is CSV (RFC 4180) in UTF-8, `ip,comment` in each line, the comment may lack; `-` is
    standard input. All of it is checked before anything is done. Nothing is removed.
    """
    from allowsync_backends.cloudflare.commands.item_diff import adding

    wanted = _table(work, file)

    def change(held: Iterable[ListItem]) -> Changes:
        return adding(held, wanted, work.access.owners(name))

    return carried_out(work, name, change, force=force, dry_run=dry_run, yes=yes)


def _table(work: Work, file: str) -> list[NewItem]:
    from allowsync_backends.cloudflare.commands.csv_table import parsed

    place = "standard input" if file == STANDARD else file
    try:
        content = _read(file)
    except OSError as error:
        work.stop(ExitCode.USAGE, place, f"cannot be read: {error.strerror}")
    if len(content) > LARGEST:
        work.stop(ExitCode.USAGE, place, f"is larger than {LARGEST >> 20} MiB")
    try:
        items, flaws = parsed(content.decode())
    except UnicodeDecodeError:
        work.stop(ExitCode.USAGE, place, "is not UTF-8 text")
    if flaws:
        work.stop_at(ExitCode.USAGE, [Notice(f"{place}:{one.line}", one.what) for one in flaws])
    if not items:
        work.stop(ExitCode.USAGE, place, "holds no address")
    return items


def _read(file: str) -> bytes:
    if file == STANDARD:
        return sys.stdin.buffer.read(LARGEST + 1)
    with Path(file).open("rb") as opened:
        return opened.read(LARGEST + 1)


@click.command()
@click.argument("name", metavar="LIST")
@click.argument("file", metavar="[FILE.csv]", default=STANDARD)
@click.option("--yes", is_flag=True, help="Do not ask before a file is replaced.")
@on_account("allowsync.cloudflare.export/1")
def export(work: Work, name: str, file: str, yes: bool) -> int:
    """Write what a list holds as a table.

    The table is CSV (RFC 4180), `ip,comment`, sorted, to standard output or a file. A comment that
    a spreadsheet would take for a formula gets an apostrophe before it; import takes it away again.
    """
    from allowsync.text import Line, counted
    from allowsync_backends.cloudflare.commands.csv_table import written
    from allowsync_backends.cloudflare.commands.item_diff import in_order
    from allowsync_backends.cloudflare.commands.list_report import item_document

    with work.asking() as client:
        one = work.found(client, name)
        items = in_order(client.items(one.id))
    owners = work.access.owners(name)
    document = {"list": name, "items": [item_document(item, owners) for item in items]}
    if file == STANDARD:
        if not work.invocation.json:
            sys.stdout.write(written(items))
            return int(ExitCode.IN_STEP)
        return work.tell([], document)
    if Path(file).exists():
        work.confirm(f"Replace the file {file!r}?", yes=yes)
    try:
        # Friends' addresses are private.
        replace_file(file, written(items).encode(), 0o600, durable=True)
    except OSError as error:
        work.stop(ExitCode.FAILED, file, f"cannot be written: {error.strerror}")
    return work.tell([Line(f"{file}: {counted(len(items), 'item')}")], {**document, "file": file})
