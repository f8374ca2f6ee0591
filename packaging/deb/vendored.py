"""What the package brings along: libraries that Debian has not, or not new enough.

Pure Python alone, so that one package does for every machine. PyYAML is compiled; Debian's is used.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Final

from process import PROJECT, run

LOCK: Final = Path(__file__).with_name("vendored.txt")
EXTRAS: Final = "doh,notify"
FROM_DEBIAN: Final = frozenset({"pyyaml"})
_PIP: Final = (sys.executable, "-m", "pip")
_PURE: Final = (
    *("--no-deps", "--only-binary=:all:", "--python-version=3.11"),
    *("--implementation=py", "--abi=none", "--platform=any"),
)
_HEAD: Final = """\
# Made by `make deb-lock`: what the Debian package brings along, each file by its hash.
"""


def fetch(folder: Path) -> list[Path]:
    """Wheels of allowsync and of all that is locked, those downloaded held to their hashes."""
    where = ("--quiet", "--dest", str(folder))
    run(*_PIP, "download", *where, *_PURE, "--require-hashes", "--requirement", str(LOCK))
    made = ("--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder))
    run(*_PIP, "wheel", *made, str(PROJECT))
    return sorted(folder.glob("*.whl"))


def lock() -> None:
    """Write anew what is brought along: the newest that fit together."""
    with tempfile.TemporaryDirectory() as scratch:
        report, wheels = Path(scratch) / "report.json", Path(scratch) / "wheels"
        run(
            *(*_PIP, "install", "--quiet", "--dry-run", "--ignore-installed"),
            *("--only-binary=:all:", "--python-version=3.11", f"--target={scratch}/none"),
            *("--report", str(report), f"{PROJECT}[{EXTRAS}]"),
        )
        chosen = [one["metadata"] for one in json.loads(report.read_text())["install"]]
        names = {one["name"].lower(): one["version"] for one in chosen}
        wanted = {name: names[name] for name in sorted(names) if name not in FROM_DEBIAN}
        del wanted["allowsync"]
        pins = [f"{name}=={version}" for name, version in wanted.items()]
        run(*_PIP, "download", "--quiet", "--dest", str(wheels), *_PURE, *pins)
        LOCK.write_text(
            _HEAD + "".join(f"{pin} --hash=sha256:{_hash(wheels, pin)}\n" for pin in pins)
        )


def _hash(wheels: Path, pin: str) -> str:
    name, _, version = pin.partition("==")
    prefix = f"{name.replace('-', '_')}-{version}-"
    (wheel,) = (one for one in wheels.iterdir() if one.name.lower().startswith(prefix))
    return hashlib.sha256(wheel.read_bytes()).hexdigest()
