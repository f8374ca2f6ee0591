"""The entry point of the program."""

import sys


def main() -> None:
    """Run the command that was typed, and end the process with its exit code."""
    try:
        from allowsync.cli import run_command_line

        sys.exit(run_command_line(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.stderr.write("allowsync: interrupted\n")
        sys.exit(130)
