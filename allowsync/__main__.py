"""The entry point of the program."""

import gc
import sys


def main() -> None:
    """Run the command that was typed, and end the process with its exit code."""
    # A short life that makes many small values and hardly a cycle: looking for those took a third
    # of the time of reading a large set, and a tenth of an idle run.
    gc.set_threshold(200_000, 20, 20)
    try:
        from allowsync.cli import run_command_line

        sys.exit(run_command_line(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.stderr.write("allowsync: interrupted\n")
        sys.exit(130)
