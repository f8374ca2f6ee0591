"""The section `hosts_from`: a file that another program keeps hosts in, and what was read of it."""

from __future__ import annotations

from allowsync.config import kinds
from allowsync.config.schema import option
from allowsync.config.secure_file import FileRequirements, read_checked
from allowsync.model.value import Value
from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.model.outcome import Notice

LARGEST: Final = 32 * 1024 * 1024  # octets


class HostsFrom(Value):
    """Where hosts are read from, beside `hosts`."""

    jsonlines: Path = option(
        lambda: kinds.AbsolutePath("the path of a file"),
        help="A file with one JSON object a line: `name`, and what a host under `hosts` can have. "
        "Write it anew beside, and rename it: half of it is not used.",
    )


class HostsFile(Value):
    """What was read of such a file.

    Attributes:
        digest: Of its content, as `secure_file.digest_of` makes it.
        count: How many hosts it holds; they are the last ones of the configuration.
        trouble: What is wrong with it now, where its hosts are those that it held before.
    """

    digest: str
    count: int
    trouble: tuple[Notice, ...] = ()


def content_of(path: Path, uid: int) -> bytes:
    """What such a file holds. Raises RefusedError."""
    return read_checked(path, FileRequirements(uid, LARGEST))
