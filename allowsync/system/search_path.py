"""Where programs are found, and what they get to see. Imports next to nothing."""

import os

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# `LANGUAGE` must be absent, not empty: gettext prefers it over LC_ALL.
ENVIRONMENT = {"PATH": PATH, "LC_ALL": "C"}


def find(program: str) -> str:
    """The absolute path of a program, searched on `PATH` only, never on the caller's.

    Raises:
        FileNotFoundError: It is not there, or may not be executed.
    """
    if "/" in program:
        return program
    for folder in PATH.split(":"):
        candidate = f"{folder}/{program}"
        if os.access(candidate, os.X_OK):
            return candidate
    raise FileNotFoundError(program)
