"""`allowsync cloudflare …`: manage the lists of an account, and the rule that uses one."""

from __future__ import annotations

import click

from allowsync.cli.options import CommonGroup
from allowsync_backends.cloudflare.commands.csv_commands import export, import_
from allowsync_backends.cloudflare.commands.item_commands import add, remove
from allowsync_backends.cloudflare.commands.list_commands import create, delete
from allowsync_backends.cloudflare.commands.rule_commands import rule
from allowsync_backends.cloudflare.commands.show_commands import lists, show


@click.group(cls=CommonGroup, context_settings={"max_content_width": 100})
def cloudflare() -> None:
    """Manage the lists of a Cloudflare account.

    The account and its token are those of the configuration's Cloudflare targets; with several
    accounts, --target names one. Without a configuration: --account-id, and --token-file or
    --token-env. What items an allowlist keeps, it keeps: change its hosts instead.
    """


for _command in (lists, show, create, delete, add, remove, import_, export, rule):
    cloudflare.add_command(_command)
