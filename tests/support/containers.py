"""A real Podman in a namespace, with storage and state of its own, that knows no registry.

What runs in a container comes from the root that machines are booted from (`tests.support.boot`).
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.boot import base

if TYPE_CHECKING:
    from tests.support.netns import Namespace

# The network is that of the namespace. No limits and no control groups: not every machine that runs
# tests lets them be set.
OPTIONS = (
    *("--network", "host", "--cgroups", "disabled"),
    *("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"),
)


def with_podman(inside: Namespace) -> None:
    """Give a namespace a Podman without any container."""
    inside.keep_mounts()
    Path("/var/lib/containers").mkdir(exist_ok=True)
    for folder in ("/var/lib/containers", "/run"):
        inside.command("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder)
    # Of two hierarchies at once, crun takes none.
    with suppress(AssertionError):
        inside.command("umount", "/sys/fs/cgroup/unified")


def run(
    inside: Namespace,
    name: str,
    argv: tuple[str, ...],
    *mounted: Path,
) -> None:
    """Run a program in a container that sees some files and folders under their own paths."""
    volumes = (word for path in mounted for word in ("-v", f"{path}:{path}"))
    root = ("--rootfs", f"{base()}:O")
    podman(inside, "run", "-d", "--name", name, *OPTIONS, *volumes, *root, *argv)


def podman(inside: Namespace, *argv: str) -> str:
    """What a command of Podman prints that must succeed."""
    return inside.command("podman", "--log-level", "error", *argv)
