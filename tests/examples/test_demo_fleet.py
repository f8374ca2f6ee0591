"""The demo of a fleet goes as told, as root, and leaves nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.examples.test_demo import AS_NOBODY, is_plain
from tests.support.documents import ROOT
from tests.support.unpacked import unpacked

if TYPE_CHECKING:
    from pathlib import Path


def demo(folder: Path, *prefix: str) -> subprocess.CompletedProcess[str]:
    environ = {
        **os.environ,
        "TMPDIR": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": ":".join([str(ROOT), *filter(None, sys.path)]),
    }
    command = [*prefix, sys.executable, str(ROOT / "examples" / "demo" / "fleet_story.py")]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.root
@pytest.mark.usefixtures("as_root")
def test_a_friend_moves_the_leader_dies_and_every_step_is_as_told(tmp_path: Path) -> None:
    unpacked("etcd", "etcd-server", "etcd-client")  # the demo does it where it is not there
    done = demo(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.findall(r"^(\d+)\. ", done.stdout, re.MULTILINE) == list("1234567")
    assert is_plain(done.stdout)
    assert done.stdout.count("ok: alice gets in from") == 4
    assert "ok: resolver1 leads" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.root
@pytest.mark.usefixtures("as_root")
def test_what_goes_otherwise_ends_it(tmp_path: Path) -> None:
    """There is no nft: no gate is made."""
    unpacked("etcd", "etcd-server", "etcd-client")
    hidden = 'mount --bind /dev/null /usr/sbin/nft && exec "$@"'
    done = demo(tmp_path, "unshare", "--mount", "sh", "-c", hidden, "sh")
    assert done.returncode == 1
    assert done.stderr.startswith("FAILED: resolver0: exit code 1\n")
    assert list(tmp_path.iterdir()) == []


def test_it_says_that_it_needs_root(tmp_path: Path) -> None:
    done = demo(tmp_path, *(AS_NOBODY if os.geteuid() == 0 else ()))
    assert done.returncode == 1
    assert done.stderr == (
        "This demo makes network namespaces and gates of its own: run it as root.\n"
    )
