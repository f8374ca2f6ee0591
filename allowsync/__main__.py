"""Where the program starts: a glance first, the command line if there is more to it."""

import sys


def main() -> None:
    """Run the command that was typed, and end the process with its exit code."""
    try:
        from allowsync.fastpath.check import nothing_to_do

        if nothing_to_do(sys.argv[1:]):
            sys.exit(0)
        from allowsync.cli import run_command_line

        sys.exit(run_command_line(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.stderr.write("allowsync: interrupted\n")
        sys.exit(130)
