"""The group of all commands. One file per command, imported when it is called."""

from __future__ import annotations

import contextlib
import sys
from importlib import import_module
from typing import Any, Final

import click

from allowsync import __version__
from allowsync.cli.common import INTERRUPTED, echo_json, fitted, wants_json
from allowsync.cli.options import CommonGroup
from allowsync.cli.summaries import COMMANDS
from allowsync.model.outcome import ExitCode, Notice
from allowsync.system.terminal import columns
from allowsync.text import printable

_WIDEST: Final = 100  # columns of a help text; longer lines are hard to read


class LazyGroup(CommonGroup):
    """A group whose commands are imported on call; their summaries are known here."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, sorted."""
        from allowsync.cli import plugins as contributed

        return sorted((*COMMANDS, *contributed.names(COMMANDS)))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported here."""
        if cmd_name not in COMMANDS:
            from allowsync.cli import plugins as contributed

            return contributed.load(cmd_name) if cmd_name in contributed.names(COMMANDS) else None
        command = getattr(import_module(f"allowsync.cli.{cmd_name}"), cmd_name)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands, importing only those that backends contribute."""
        from allowsync.cli import plugins as contributed

        others = {name: contributed.summary(name) for name in contributed.names(COMMANDS)}
        with formatter.section("Commands"):
            formatter.write_dl(sorted((COMMANDS | others).items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": _WIDEST},
)
@click.version_option(__version__, message="allowsync %(version)s")
def cli() -> None:
    """Keep firewall allowlists in sync with dynamic DNS.

    What is unknown never removes access; what is implausible never grants it.

    Exit codes: 0 in sync; 1 a target failed or could not be confirmed; 2 usage or configuration
    error; 3 in sync, but a host uses its last known address; 4 a limit refused a removal; 5 another
    run is at work; 10 changes to make (apply --dry-run --detailed-exitcode).
    """


def run_group(arguments: list[str]) -> int:
    """Run a command through click, and return its exit code."""
    try:
        result: Any = cli.main(
            arguments,
            prog_name="allowsync",
            standalone_mode=False,
            terminal_width=min(columns(sys.stdout), _WIDEST) or None,
        )
    except click.ClickException as error:
        return _usage(error, arguments)
    except click.Abort:
        click.echo("allowsync: interrupted", err=True)
        return INTERRUPTED
    return int(result) if isinstance(result, int) else ExitCode.IN_STEP


def _usage(error: click.ClickException, arguments: list[str]) -> int:
    from allowsync.cli.usage_error import explained, is_help

    what = explained(error, next((one for one in arguments if one in COMMANDS), ""))
    lost: OSError | None = None
    if wants_json(arguments):
        from allowsync.report.json import stopped_document

        notice = Notice("command line", what)
        try:
            echo_json(stopped_document(_schema(error, arguments), ExitCode.USAGE, [notice]))
        except OSError as unsaid:
            lost = unsaid
        else:
            return ExitCode.USAGE
    lines = fitted(printable(f"command line: {what}"), err=True)
    with contextlib.suppress(OSError):
        click.echo(error.format_message() if is_help(error) else "\n".join(lines), err=True)
    if lost is None:
        return ExitCode.USAGE
    from allowsync.cli.failure import unwritten

    return unwritten(ExitCode.USAGE, lost)


def _schema(error: click.ClickException, arguments: list[str]) -> str:
    """The schema of the intended command; of a subcommand, after its group's name."""
    command = next((one for one in arguments if one in COMMANDS), "")
    context = error.ctx if isinstance(error, click.UsageError) else None
    if not command and context is not None and context.parent is not None:
        command = ".".join(context.command_path.split()[1:])
    return "allowsync.run/1" if command in ("apply", "") else f"allowsync.{command}/1"
