"""The command line: arguments in, exit code out.

An ordinary `allowsync apply` is parsed without click, whose import takes as long as the whole run;
click parses everything else, including invalid arguments and requests for help.
"""

from __future__ import annotations

import os
import sys

from allowsync.cli.apply_arguments import read_apply
from allowsync.cli.common import Stop, printed


def run_command_line(arguments: list[str]) -> int:
    """Run a command and return its exit code. Any failure is reported in one line."""
    printed.clear()
    try:
        code = _run(arguments)
    except Stop as stop:
        code = stop.code
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if "ALLOWSYNC_TRACEBACK" in os.environ:
            raise
        from allowsync.cli.failure import failed

        code = failed(error, arguments)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        from allowsync.cli.failure import unwritten

        code = unwritten(code)
    return code


def _run(arguments: list[str]) -> int:
    if (read := read_apply(arguments)) is not None:
        from allowsync.cli.apply_run import apply_once

        return apply_once(read)
    from allowsync.cli.group import run_group

    return run_group(arguments)
