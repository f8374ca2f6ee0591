"""A real, enabled UFW in a network namespace that has its own /etc/ufw, /etc/default/ufw and /run.

Nothing of it reaches the machine's own: the mounts are private, and end with the namespace's
thread.
"""

from __future__ import annotations

import ctypes
import functools
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from allowsync_backends.common.ports import Port, Protocol
from allowsync_backends.ufw import TYPE, UfwOptions

from allowsync.model.target import Placement
from tests.support.netns import Namespace

if TYPE_CHECKING:
    from collections.abc import Callable

    from allowsync.backend.protocols import Backend

CLONE_NEWNS = 0x00020000  # unshare(2)
RULES, RULES6 = Path("/etc/ufw/user.rules"), Path("/etc/ufw/user6.rules")
DEFAULTS, CONF = Path("/etc/default/ufw"), Path("/etc/ufw/ufw.conf")
LOCK = Path("/run/ufw.lock")
GUARDED = (Port(443, 443, Protocol.TCP), Port(443, 443, Protocol.UDP))

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Image:
    """An enabled UFW: its files, and what it put into the kernel."""

    files: dict[str, tuple[bytes, int]]
    rules: str
    rules6: str


def with_ufw(
    inside: Namespace, prepare: Callable[[Namespace], None] | None = None, *, size: str = "1m"
) -> None:
    """Give a namespace an enabled UFW that denies what comes in.

    Args:
        inside: The namespace.
        prepare: What makes its rules; it is called once in a process. There are none without it.
        size: Of the file system that holds /etc/ufw.
    """
    image = _image(prepare)
    with_disabled_ufw(inside, size=size)
    _load(inside, image)


def prepared(inside: Namespace, prepare: Callable[[Namespace], None]) -> None:
    """Let an enabled UFW without rules be as if its rules had just been made."""
    _load(inside, _image(prepare))


def _load(inside: Namespace, image: Image) -> None:
    inside.run(_unpack, image.files)
    inside.command("iptables-restore", stdin=image.rules)
    inside.command("ip6tables-restore", stdin=image.rules6)


def with_disabled_ufw(inside: Namespace, *, size: str = "1m") -> None:
    """Give a namespace a UFW as it is installed."""
    inside.run(_mounts, size)


def _mounts(size: str) -> None:
    if _libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    _mount("--make-rprivate", "/")
    with tempfile.TemporaryDirectory() as kept:
        shutil.copytree("/etc/ufw", f"{kept}/ufw")
        _mount("-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", "/etc/ufw")
        shutil.copytree(f"{kept}/ufw", "/etc/ufw", dirs_exist_ok=True)
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    own = Path("/run/default-ufw")
    shutil.copy2(DEFAULTS, own)
    _mount("--bind", str(own), str(DEFAULTS))


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


@functools.cache
def _image(prepare: Callable[[Namespace], None] | None) -> Image:
    """UFW enabled for real, once in a process: it takes a second, and each rule a fifth."""
    with Namespace() as inside:
        if prepare is None:
            with_disabled_ufw(inside)
            inside.command("ufw", "--force", "enable")
            # Only this loads the chain of `limit` for IPv6 as the file has it.
            inside.command("ufw", "reload")
        else:
            with_ufw(inside)
            prepare(inside)
        return Image(
            inside.run(_packed),
            inside.command("iptables-save", "-t", "filter"),
            inside.command("ip6tables-save", "-t", "filter"),
        )


def _packed() -> dict[str, tuple[bytes, int]]:
    paths = [path for path in Path("/etc/ufw").iterdir() if path.is_file()]
    return {str(path): (path.read_bytes(), path.stat().st_mode) for path in paths}


def _unpack(files: dict[str, tuple[bytes, int]]) -> None:
    for name, (data, mode) in files.items():
        Path(name).write_bytes(data)
        Path(name).chmod(mode & 0o7777)


def backend(
    *,
    ports: tuple[Port, ...] = GUARDED,
    route: bool = False,
    allowlist: str = "x",
    end_streams: bool = True,
) -> Backend:
    """A target in UFW."""
    options = UfwOptions(ports=ports, route=route, end_streams=end_streams)
    return TYPE.make(Placement(allowlist, f"{allowlist}/ufw"), options)


def text(inside: Namespace, path: Path = RULES) -> str:
    """A file as it is in the namespace."""
    return inside.run(path.read_text)


def write(inside: Namespace, content: str, path: Path = RULES) -> None:
    """Write a file in the namespace, as an editor does."""
    inside.run(path.write_text, content)


def kernel(inside: Namespace) -> str:
    """All rules in the kernel, of both families, without counters."""
    return inside.command("iptables", "-S") + inside.command("ip6tables", "-S")
