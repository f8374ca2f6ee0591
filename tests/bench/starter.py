"""Starts programs and says what each cost. A program of its own, and a small one.

A process inherits the peak memory of the one it was forked from (exec(2) does not reset it), so
whoever measures memory must be smaller than what is measured. Therefore: run without site, imports
nothing that is not there anyway.

Reads lines of arguments, separated by NUL. Answers each with the exit code, the seconds it took,
the seconds of processor time of it and its children, and its peak memory in KiB. Everything it
prints goes where standard error goes.
"""

import os
import sys
import time


def main() -> None:
    """Serve until standard input ends."""
    for line in sys.stdin:
        argv = line.rstrip("\n").split("\0")
        started = time.perf_counter()
        child = os.posix_spawn(
            argv[0], argv, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)]
        )
        _, status, usage = os.wait4(child, 0)
        seconds = time.perf_counter() - started
        code = os.waitstatus_to_exitcode(status)
        print(code, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, flush=True)


if __name__ == "__main__":
    main()
