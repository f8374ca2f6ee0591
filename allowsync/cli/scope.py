"""Options for the scope of a command: allowlists, targets."""

from __future__ import annotations

from functools import partial

import click

from allowsync.cli.completion_values import allowlists, targets

on_allowlists = partial(
    click.option,
    "--on",
    "--allowlist",
    "on",
    multiple=True,
    metavar="ALLOWLIST",
    shell_complete=allowlists,
)
"""`--on ALLOWLIST`, with a help text of the command's own."""

only_targets = partial(
    click.option,
    "--only",
    multiple=True,
    metavar="ALLOWLIST|TARGET",
    shell_complete=targets,
)
"""`--only ALLOWLIST|TARGET`, likewise."""
