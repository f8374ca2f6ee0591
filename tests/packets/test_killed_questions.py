"""`check` and `explain`, killed while a copy is made and asked: nothing of it is left."""

from __future__ import annotations

import ctypes
import json
import os
import random
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.met_packets import with_uplink
from tests.support.netns import Namespace
from tests.support.program import EXECUTABLE
from tests.support.sampling import share

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.usefixtures("as_root")]

KILLS: Final = share(100, 3)
SUBREAPER: Final = 36  # prctl(2)
BESIDE: Final = """table inet lists { set banned { type ipv4_addr; elements = { %s }; }
 chain in { type filter hook input priority 0; ip saddr @banned drop; }
}"""


@contextmanager
def orphans_come_here() -> Iterator[None]:
    """Processes whose parent ends become children of this one, instead of init's."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(SUBREAPER, 1)
    try:
        yield
    finally:
        libc.prctl(SUBREAPER, 0)


def children() -> set[int]:
    """The processes that this one is the parent of, and that have not ended."""
    tasks = Path("/proc/self/task").glob("*/children")
    found = {int(one) for task in tasks for one in task.read_text().split()}
    return {one for one in found if " Z " not in Path(f"/proc/{one}/stat").read_text()}


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[Namespace]:
    """A machine with a gate that is in step, beside a list of others."""
    document = {
        "hosts": {"alice": {"networks": ["81.2.69.142"]}},
        "allowlists": {"web": {"targets": [{"nftables": {"ports": ["443/tcp"]}}]}},
        "state": str(tmp_path / "state.db"),
    }
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps(document))
    config.chmod(0o600)
    (tmp_path / "tmp").mkdir()
    with Namespace() as namespace:
        namespace.keep_mounts()  # others may name namespaces meanwhile
        with_uplink(namespace)
        namespace.nft(BESIDE % ", ".join(f"9.9.{one // 250}.{one % 250}" for one in range(5_000)))
        namespace.command(str(EXECUTABLE), "apply", "--config", str(config))
        yield namespace


def machine(inside: Namespace, folder: Path) -> tuple[str, ...]:
    """What must not change."""
    return (
        inside.command("ip", "-d", "address"),
        inside.command("nft", "-s", "list", "ruleset"),
        inside.command("ipset", "save"),
        inside.command("cat", "/proc/net/ip_tables_names"),
        *sorted(str(one) for one in folder.rglob("*")),
    )


def held(inside: Namespace) -> set[str]:
    """The namespaces that a file holds."""
    mounts = inside.command("cat", "/proc/mounts").splitlines()
    return {one for one in mounts if one.startswith("nsfs ")}


@pytest.mark.parametrize("command", [("check",), ("explain", "alice")], ids=" ".join)
def test_nothing_is_left_of_a_command_that_is_killed(
    inside: Namespace, tmp_path: Path, command: tuple[str, ...]
) -> None:
    argv = [str(EXECUTABLE), *command, "--config", str(tmp_path / "config.yaml")]
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    before, others_hold = machine(inside, tmp_path), held(inside)
    for number in range(KILLS + 1):
        with orphans_come_here():
            others = children()
            started = time.monotonic()
            running = inside.run(
                lambda: subprocess.Popen(argv, stdout=subprocess.PIPE, env=environment)
            )
            if number == 0:
                assert b"alice" in running.communicate()[0] or command == ("check",)
                whole = time.monotonic() - started
            else:
                time.sleep(random.uniform(0.1, 1.0) * whole)
                running.send_signal(signal.SIGKILL)
                running.communicate()
            end = time.monotonic() + 60
            while children() - others and time.monotonic() < end:
                time.sleep(0.01)
            assert children() <= others
    assert machine(inside, tmp_path) == before
    assert held(inside) <= others_hold
