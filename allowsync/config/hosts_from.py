"""The section `hosts_from`: a file of hosts that another program maintains."""

from __future__ import annotations

from allowsync.config import kinds
from allowsync.config.schema import option
from allowsync.config.secure_file import FileRequirements, read_checked
from allowsync.model.value import Value
from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.model.outcome import Notice

LARGEST: Final = 32 * 1024 * 1024  # bytes


class HostsFrom(Value):
    """The source of further hosts, besides `hosts`."""

    jsonlines: Path = option(
        lambda: kinds.AbsolutePath("the path of a file"),
        help="A file with one JSON object per line: `name`, and the keys of a host under "
        "`hosts`. Replace it atomically (write a new file, then rename it): an incomplete "
        "one is rejected.",
    )


class HostsFile(Value):
    """The state of a hosts file as read.

    Attributes:
        digest: Of its content, as `secure_file.digest_of` makes it.
        count: The number of its hosts; they are the last ones of the configuration.
        trouble: The present problems of the file, if its hosts are the last valid ones.
    """

    digest: str
    count: int
    trouble: tuple[Notice, ...] = ()


def content_of(path: Path, uid: int) -> bytes:
    """The content of a hosts file. Raises RefusedError."""
    return read_checked(path, FileRequirements(uid, LARGEST))
