"""The papers of the package: what dpkg reads, the changelog, whose the code in it is."""

from __future__ import annotations

import hashlib
import shutil
from datetime import UTC, datetime
from email import message_from_string
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from process import epoch

from allowsync import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message

PACKAGE: Final = "allowsync"
MAINTAINER: Final = "allowsync maintainers <maintainers@allowsync.invalid>"
_CONTROL: Final = """\
Package: {package}
Version: {version}
Architecture: all
Maintainer: {maintainer}
Installed-Size: {kibibytes}
Depends: python3 (>= 3.11), python3-yaml (>= 6.0)
Recommends: nftables | ipset | ufw, ca-certificates, conntrack
Suggests: firewalld, ipset, iptables, nftables, python3-cryptography, python3-jinja2, ufw
Section: net
Priority: optional
Description: keeps firewall allowlists in sync with dynamic DNS
 Friends have home connections whose addresses change, and a dynamic-DNS
 hostname each. allowsync resolves those names and keeps an allowlist in sync
 with them: a gate by nftables or iptables, rules of UFW, a file of another
 program.
 .
 What is not known never removes anybody, and what cannot be believed never
 lets anybody in.
"""
_CHANGELOG: Final = """\
{package} ({version}) unstable; urgency=medium

  * What changed is in NEWS.md.

 -- {maintainer}  {date}
"""
_APACHE: Final = """\
Apache License, Version 2.0. On Debian systems, its text is in
/usr/share/common-licenses/Apache-2.0.
"""
_COPYRIGHT: Final = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: allowsync
Comment: Libraries that Debian does not have, or not new enough, are in
 /usr/lib/allowsync, each with its own license beside it.

"""


def version() -> str:
    """The version of the package: that of the program."""
    return __version__


def control_files(root: Path) -> None:
    """Write what dpkg reads into `DEBIAN` below the root."""
    folder = root / "DEBIAN"
    folder.mkdir()
    files = sorted(one for one in root.rglob("*") if one.is_file())
    sums = [f"{_md5(one)}  {one.relative_to(root)}" for one in files]
    (folder / "md5sums").write_text("\n".join(sums) + "\n")
    size = sum(-(-one.stat().st_size // 1024) for one in files)
    (folder / "control").write_text(
        _CONTROL.format(package=PACKAGE, version=version(), maintainer=MAINTAINER, kibibytes=size)
    )
    for script in sorted((Path(__file__).parent / "control").iterdir()):
        shutil.copyfile(script, folder / script.name)
        (folder / script.name).chmod(0o755)


def changelog() -> str:
    """The changelog in Debian's form: one entry, that of this version (deb-changelog(5))."""
    date = format_datetime(datetime.fromtimestamp(epoch(), UTC))
    return _CHANGELOG.format(package=PACKAGE, version=version(), maintainer=MAINTAINER, date=date)


def copyright_notice(library: Path) -> str:
    """Whose everything in the package is, with the licenses as they came."""
    return _COPYRIGHT + "\n".join(_stanza(one) for one in sorted(library.glob("*.dist-info")))


def _stanza(folder: Path) -> str:
    told = message_from_string((folder / "METADATA").read_text())
    name = told["Name"]
    owner = told["Author"] or told["Author-email"] or f"the authors of {name}"
    texts = "\n".join(_licenses(folder))
    body = "\n".join(f" {line.rstrip()}" if line.strip() else " ." for line in texts.splitlines())
    files = "*" if name == PACKAGE else f"usr/lib/allowsync/{folder.name.partition('-')[0]}*"
    head = f"Files: {files}\nCopyright: {owner}\nLicense: {name.lower()}-license\n"
    return f"{head}Comment: {_license(told)}\n\nLicense: {name.lower()}-license\n{body}\n"


def _licenses(folder: Path) -> Iterator[str]:
    """The texts of the licenses that came with a library."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name.upper().startswith(
            ("LICEN", "COPYING", "NOTICE", "AUTHORS")
        ):
            text = path.read_text(errors="replace")
            yield _APACHE if "Apache License\n" in text and "Version 2.0" in text else text


def _license(told: Message) -> str:
    """What a library calls its license, in a line."""
    named = (told["License-Expression"] or told["License"] or "see below").splitlines()
    return named[0]


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
