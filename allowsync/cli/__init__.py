"""The command line: arguments in, exit code out.

An ordinary `allowsync apply` is read without click, whose import takes as long as the whole run;
everything else, and all that is wrong or asks for help, is left to click.
"""

from __future__ import annotations

import os
import sys

from allowsync.cli.apply_arguments import read_apply
from allowsync.cli.common import Stop
from allowsync.model.outcome import ExitCode


def run_command_line(arguments: list[str]) -> int:
    """Run a command and tell its exit code. Whatever goes wrong is said in a line."""
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except Stop as stop:
        return stop.code
    except BrokenPipeError:
        # The reader of our output has left; say nothing more, not even at shutdown.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILED
    except Exception as error:
        if "ALLOWSYNC_TRACEBACK" in os.environ:
            raise
        return _internal_error(error)
    return code


def _run(arguments: list[str]) -> int:
    if (read := read_apply(arguments)) is not None:
        from allowsync.cli.apply_run import apply_once

        return apply_once(read)
    from allowsync.cli.group import run_group

    return run_group(arguments)


def _internal_error(error: Exception) -> int:
    import click

    from allowsync.system.journald import ERROR, marked
    from allowsync.text import printable

    what = printable(f"internal error: {type(error).__name__}: {error}")
    line = f"allowsync: {what} (set ALLOWSYNC_TRACEBACK=1 to see where)"
    click.echo(marked(line, ERROR, 2), err=True)
    return ExitCode.FAILED
