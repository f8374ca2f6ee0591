"""Putting a file in the place of another. Imports next to nothing: every run does it."""

import os

READABLE = 0o644


def replace_file(
    path: "str | os.PathLike[str]",
    content: bytes,
    mode: int = READABLE,
    owner: "tuple[int, int] | None" = None,
) -> None:
    """Put a file in the place of another in one step. A link there is replaced, never followed.

    The name it is written under does not end like the file itself, so no half file is collected.
    What a crash left there goes first.

    Args:
        path: The file.
        content: What will be in it.
        mode: Its permissions.
        owner: Its user and group, by number; without them those of the process.

    Raises:
        OSError: It could not be written; whatever was there still is.
    """
    folder, name = os.path.split(os.fspath(path))
    temporary = os.path.join(folder, f".{name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    _remove(temporary)
    descriptor = os.open(temporary, flags, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if owner is not None:
                os.fchown(file.fileno(), *owner)
            os.fchmod(file.fileno(), mode)
        os.rename(temporary, path)
    except OSError:
        _remove(temporary)
        raise


def _remove(path: str) -> None:
    """Remove a file, where there is one. What cannot be removed is in the way of the next step."""
    try:
        os.unlink(path)
    except OSError:
        return
