"""Files of rules that other programs load at boot: read within bounds, as plain text.

The packet filter of today does not predict the next boot. These files are no state of ours, and in
several languages; so they are searched for our own names only, and not parsed any further.
"""

from __future__ import annotations

import re
from glob import has_magic, iglob
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from allowsync.config.secure_file import (
    FileRequirements,
    MissingError,
    RefusedError,
    read_checked,
)
from allowsync.model.target import Finding, Severity
from allowsync.model.value import Value
from allowsync.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Common places of saved rules: netfilter-persistent (Debian), iptables.service (Arch, Red Hat),
# OpenRC, and names that guides use.
IPTABLES_FILES: Final = (
    Path("/etc/iptables/rules.v4"),
    Path("/etc/iptables/rules.v6"),
    Path("/etc/iptables/iptables.rules"),
    Path("/etc/iptables/ip6tables.rules"),
    Path("/etc/sysconfig/iptables"),
    Path("/etc/sysconfig/ip6tables"),
    Path("/etc/iptables/rules-save"),
    Path("/etc/iptables/rules6-save"),
    Path("/var/lib/iptables/rules-save"),
    Path("/var/lib/ip6tables/rules-save"),
    Path("/etc/iptables.rules"),
    Path("/etc/ip6tables.rules"),
    Path("/etc/iptables.up.rules"),
)
# The files nftables.service loads: Debian and Arch, Red Hat, Alpine.
NFT_FILES: Final = (
    Path("/etc/nftables.conf"),
    Path("/etc/sysconfig/nftables.conf"),
    Path("/etc/nftables.nft"),
    Path("/var/lib/nftables/rules-save"),
)
NFT_FOLDER: Final = Path("/etc")  # nft's folder for relative names (nft(8), `include`)

LARGEST: Final = 16 * 1024 * 1024  # 100,000 elements take 3 MiB
MOST_FILES: Final = 100
MOST_TEXT: Final = 4 * LARGEST  # in all that nft loads

# The name of an allowlist, as a pattern.
ALLOWLIST: Final = "[a-z][a-z0-9_]{0,17}"

_INCLUDE: Final = re.compile(r'^[ \t]*include[ \t]+"([^"\n]{1,4096})"', re.MULTILINE)
_WORDS: Final = (b"allowsync", b"include", b"ipset", b"ufw")
_REMARK: Final = re.compile(r"^[ \t]*#.*$", re.MULTILINE)


class SavedFile(Value):
    """A file that exists: its relevant lines, or the reason why those are unknown."""

    path: Path
    text: str = ""
    why: str = ""

    def __str__(self) -> str:
        """Return its path in printable form."""
        return printable(str(self.path))


def files(paths: Iterable[Path]) -> Iterator[SavedFile]:
    """Yield those of some files that exist. Includes of a file that is not regular are ignored."""
    for path in paths:
        try:
            # Any owner will do: root loads it.
            demands = FileRequirements(0, LARGEST, vouched=True)
            text = _relevant(read_checked(path, demands))
        except MissingError:
            continue
        except RefusedError as error:
            yield SavedFile(path, why=str(error))
        else:
            yield SavedFile(path, text)


def _relevant(content: bytes) -> str:
    """Return the lines with a relevant word; most files hold none, and some are large."""
    if not any(word in content for word in _WORDS):
        return ""
    lines = content.replace(b"\\\n", b" ").split(b"\n")
    kept = (line for line in lines if any(word in line for word in _WORDS))
    return _REMARK.sub("", b"\n".join(kept).decode(errors="replace"))


def nft_files() -> Iterator[SavedFile]:
    """Yield the files that nft loads at boot, with those they include."""
    waiting = list(NFT_FILES)
    seen: set[Path] = set()
    size = 0
    while waiting:
        path = waiting.pop(0)
        if path in seen or path.is_dir():
            continue
        if len(seen) == MOST_FILES or size > MOST_TEXT:
            yield SavedFile(path, why="more is included than can be read")
            return
        seen.add(path)
        for file in files((path,)):
            yield file
            size += len(file.text)
            names = _INCLUDE.findall(file.text)
            waiting += (one for name in names for one in _included(path.parent, name))


def _included(folder: Path, name: str) -> Iterator[Path]:
    """Yield the files that a name may mean: beside the includer, in nft's folder, the service's."""
    if "\0" in name:
        return
    for base in (folder, NFT_FOLDER, Path("/")):
        place = base / name
        if not has_magic(name):
            yield place
            continue
        found = iglob(str(place))  # noqa: PTH207 - to nft `**` is no more than `*`
        yield from sorted(map(Path, islice(found, MOST_FILES + 1)))


def unreadable(found: Iterable[SavedFile]) -> Iterator[Finding]:
    """Report unreadable files, whose effect at boot is unknown."""
    paths: dict[str, list[str]] = {}
    for file in found:
        if file.why:
            paths.setdefault(file.why, []).append(str(file))
    for why, some in paths.items():
        what = f"{', '.join(some)}: {why}; what is loaded of it at boot is unknown"
        yield Finding(Severity.INFO, what)
