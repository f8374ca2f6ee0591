"""Which file of the package comes from where."""

from __future__ import annotations

import gzip
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zipfile import ZipFile

from papers import PACKAGE, changelog, copyright_notice
from process import PROJECT, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HERE: Final = Path(__file__).parent
UNITS: Final = ("allowsync.service", "allowsync.timer", "allowsync-restore.service")
# The user of the units, and what it may read and write. The latter is not where systemd would carry
# it out at each boot: the units themselves do, unless they run as root, who needs none of it.
SYSUSERS: Final = "lib/sysusers.d/allowsync.conf"
TMPFILES: Final = "share/allowsync/tmpfiles.conf"
_PYTHON: Final = (sys.executable,)
_PAGES: Final = (".json", ".md", ".svg")
COMPLETIONS: Final = {
    "bash": "share/bash-completion/completions/allowsync",
    "zsh": "share/zsh/vendor-completions/_allowsync",
    "fish": "share/fish/vendor_completions.d/allowsync.fish",
}


def lay_out(root: Path, wheels: Iterable[Path]) -> None:
    """Put everything that is installed below a root."""
    usr = root / "usr"
    _library(usr / "lib" / PACKAGE, wheels)
    _copy(HERE / "allowsync", usr / "bin" / PACKAGE, mode=0o755)
    for name in UNITS:
        _write(usr / "lib/systemd/system" / name, _for_package(PROJECT / "cron" / name))
    _write(usr / SYSUSERS, _for_package(PROJECT / "cron/allowsync.sysusers.conf"))
    _write(usr / TMPFILES, _for_package(PROJECT / "cron/allowsync.tmpfiles.conf"))
    _manual(usr)
    for shell, place in COMPLETIONS.items():
        _write(usr / place, run(*_PYTHON, str(usr / "bin" / PACKAGE), "completion", shell))
    _documents(usr / "share/doc" / PACKAGE, usr / "lib" / PACKAGE)
    _copy(HERE / "lintian-overrides", usr / "share/lintian/overrides" / PACKAGE)
    # Only root may look: secrets may be beside the configuration.
    (root / "etc" / PACKAGE).mkdir(parents=True)
    (root / "etc" / PACKAGE).chmod(0o700)


def _library(folder: Path, wheels: Iterable[Path]) -> None:
    """Unpack wheels that hold nothing but modules and metadata (PEP 427)."""
    for wheel in wheels:
        with ZipFile(wheel) as archive:
            archive.extractall(folder, [one for one in archive.namelist() if ".data/" not in one])
    for one in (folder, *folder.rglob("*")):
        one.chmod(0o755 if one.is_dir() else 0o644)


def _manual(usr: Path) -> None:
    pages = usr / "share/man"
    run(*_PYTHON, "-m", "tools.docgen", "man", str(pages))
    for page in sorted(pages.glob("*.[0-9]")):
        section = pages / f"man{page.suffix[1:]}"
        _compressed(section / f"{page.name}.gz", page.read_text())
        page.unlink()


def _documents(folder: Path, library: Path) -> None:
    _compressed(folder / "changelog.gz", changelog())
    _write(folder / "copyright", copyright_notice(library))
    _copy(PROJECT / "README.md", folder / "README.md")
    _copy(PROJECT / "CHANGELOG.md", folder / "NEWS.md")
    for one in sorted((PROJECT / "docs").rglob("*")):
        if one.suffix in _PAGES:  # README.md leads to them
            _copy(one, folder / one.relative_to(PROJECT))
    examples = folder / "examples"
    for one in _examples(PROJECT / "examples"):
        _copy(one, folder / one.relative_to(PROJECT))
    # For systems without systemd; `allowsync schedule` writes it.
    _write(examples / "allowsync.cron", _for_package(PROJECT / "cron/allowsync.cron"))
    for one in sorted((PROJECT / "cron/drop-ins").iterdir()):
        _write(examples / "drop-ins" / one.name, _for_package(one))


def _examples(folder: Path) -> Iterator[Path]:
    """The files of examples; the demonstration is run in the source."""
    for one in sorted(folder.rglob("*")):
        if one.is_file() and not {"demo", "__pycache__"}.intersection(one.parts):
            yield one


def _for_package(path: Path) -> str:
    """What runs allowsync, with the places where a package puts things."""
    return (
        path.read_text()
        .replace("/usr/local/bin", "/usr/bin")
        .replace("--create allowsync.conf", f"--create /usr/{TMPFILES}")
        .replace("/etc/sysusers.d/allowsync.conf", f"/usr/{SYSUSERS}")
        .replace("/etc/tmpfiles.d/allowsync.conf", f"/usr/{TMPFILES}")
    )


def _compressed(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o644)


def _copy(source: Path, target: Path, mode: int = 0o644) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)
