"""Atomic replacement of files. Imports next to nothing: every run does it."""

import errno
import os
import stat

READABLE = 0o644
ACCESS_LIST = "system.posix_acl_access"


def replace_file(
    path: "str | os.PathLike[str]",
    content: bytes,
    mode: int = READABLE,
    owner: "tuple[int, int] | None" = None,
    *,
    durable: bool = False,
    access: bytes = b"",
) -> None:
    """Replace a file in one step. A link there is replaced, never followed.

    The temporary name has another suffix than the file, so no partial file is collected. The
    remains of a crash are removed first.

    Args:
        path: The file.
        content: Its new content.
        mode: Its permissions.
        owner: Its user and group, by number; without them those of the process.
        durable: Whether to sync file and folder to the disk before returning.
        access: Its access control list, as the file system stores it (acl(5)).

    Raises:
        OSError: It could not be written; the old file is unchanged.
    """
    require_replaceable(path)
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
            if access:
                os.setxattr(file.fileno(), ACCESS_LIST, access)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.rename(temporary, path)
        if durable:
            sync_folder(folder)
    except OSError:
        _remove(temporary)
        raise


def require_replaceable(path: "str | os.PathLike[str]") -> None:
    """Check that a replacement destroys no device, pipe or socket, and no link in `/dev`.

    Raises:
        OSError: It would, or the folder cannot be read.
    """
    try:
        found = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    file = stat.S_ISREG(found) or stat.S_ISLNK(found) or stat.S_ISDIR(found)
    if not file or os.path.realpath(os.path.dirname(path) or ".") == "/dev":
        raise OSError(errno.EINVAL, "a device, pipe or socket is not replaced; name a file")


def sync_folder(folder: str) -> None:
    """Wait until the names in a folder are on the disk."""
    descriptor = os.open(folder or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: str) -> None:
    """Remove a file, if it exists. If that fails, the next step fails, too."""
    try:
        os.unlink(path)
    except OSError:
        return
