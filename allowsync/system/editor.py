"""The user's editor, at the user's terminal."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_VARIABLES: Final = ("SUDO_EDITOR", "VISUAL", "EDITOR")
_USUAL: Final = ("sensible-editor", "editor", "nano", "vi")


class NoEditor(Exception):
    """There is no editor, it could not be started, or it failed; the text says which."""


def chosen(environ: Mapping[str, str]) -> list[str]:
    """The words of the editor's command: from a variable, else an installed one.

    Raises:
        NoEditor: There is none.
    """
    for name in _VARIABLES:
        if environ.get(name, "").strip():
            try:
                return shlex.split(environ[name])
            except ValueError as error:
                raise NoEditor(f"{name} cannot be read: {error}") from None
    if not os.isatty(0):
        raise NoEditor("there is no terminal to edit at: set VISUAL or EDITOR, or edit the file")
    found = next((one for one in _USUAL if shutil.which(one)), None)
    if found is None:
        raise NoEditor("there is no editor: set VISUAL or EDITOR")
    return [found]


def edit(path: Path, environ: Mapping[str, str]) -> None:
    """Open a file in the editor, and wait until it ends.

    Raises:
        NoEditor: It could not be started, or failed.
    """
    command = chosen(environ)
    try:
        done = subprocess.run([*command, os.fspath(path)], check=False)
    except OSError as error:
        raise NoEditor(f"{command[0]} could not be started: {error.strerror}") from None
    if done.returncode:
        raise NoEditor(f"{command[0]} failed with exit code {done.returncode}")
