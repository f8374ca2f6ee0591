"""What the real Fail2ban makes of configuration files: why ours sets a variable and no more."""

from __future__ import annotations

import subprocess
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.fail2ban.answers import configured
from allowsync_backends.fail2ban.syntax import VariableSyntax

from tests.support.documents import ROOT, blocks_of
from tests.support.fail2ban import CLIENT, Fail2ban

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.netns import Namespace

pytestmark = pytest.mark.root

OURS = ("81.2.69.142/32", "2a02:8109:9a40::/48")
CARRIED_OVER = "[door]\nignoreip = %(known/ignoreip)s 81.2.69.142\n"
VARIABLE = VariableSyntax(("door",)).render("jellyfin", map(ip_network, OURS))
# What the page says to write, and what it says of our own file.
REFERRING, FILE = (
    next(one.text for one in blocks_of(ROOT / "docs/backends/fail2ban.md") if what in one.text)
    for what in ("ignoreip =", "# Written by")
)


@pytest.fixture
def files(inside: Namespace, tmp_path: Path) -> Path:
    """The configuration of a Fail2ban that does not run."""
    server = Fail2ban(inside, tmp_path)
    server.write()
    return server.config


def dumped(files: Path) -> subprocess.CompletedProcess[str]:
    argv = (CLIENT, "-c", str(files), "-d")
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)


def ignored(files: Path) -> tuple[str, ...]:
    done = dumped(files)
    assert done.returncode == 0, done.stderr
    return configured(done.stdout).ignored.get("door", ())


def test_our_file_alone_changes_nothing(files: Path) -> None:
    for local in ("", "[DEFAULT]\nignoreip = 10.0.0.1\n", "[door]\nignoreip = 10.0.0.2\n"):
        (files / "jail.d" / "allowsync-jellyfin.local").unlink(missing_ok=True)
        (files / "jail.local").write_text(local)
        before = dumped(files)
        (files / "jail.d" / "allowsync-jellyfin.local").write_text(VARIABLE)
        assert dumped(files).stdout == before.stdout


def test_what_the_page_says_to_write_does_with_our_file_and_without(files: Path) -> None:
    (files / "jail.local").write_text(REFERRING)
    assert ignored(files) == ("127.0.0.1/8", "::1")
    (files / "jail.d" / "allowsync-jellyfin.local").write_text(VARIABLE)
    assert ignored(files) == ("127.0.0.1/8", "::1", *OURS)
    empty = VariableSyntax(("door",)).render("jellyfin", ())
    (files / "jail.d" / "allowsync-jellyfin.local").write_text(empty)
    assert ignored(files) == ("127.0.0.1/8", "::1")


def test_the_page_shows_a_file_as_it_is_written() -> None:
    held = VariableSyntax(()).parse(FILE)
    assert held is not None
    assert VariableSyntax(("recidive", "jellyfin")).render(held.allowlist, held.networks) == FILE


def test_a_section_that_carries_over_what_there_is_not_keeps_fail2ban_from_starting(
    files: Path,
) -> None:
    (files / "jail.d" / "zz.local").write_text(CARRIED_OVER)
    done = dumped(files)
    assert done.returncode != 0
    assert "Bad value substitution" in done.stderr
    (files / "jail.local").write_text("[DEFAULT]\nignoreip = ::1\n")
    assert ignored(files) == ("::1", "81.2.69.142")


def test_two_sections_that_carry_over_keep_fail2ban_from_starting(files: Path) -> None:
    (files / "jail.local").write_text("[DEFAULT]\nignoreip = ::1\n")
    (files / "jail.d" / "x.local").write_text(CARRIED_OVER)
    (files / "jail.d" / "y.local").write_text(CARRIED_OVER)
    done = dumped(files)
    assert done.returncode != 0
    assert "Recursion limit exceeded" in done.stderr


def test_a_later_file_takes_the_place_of_a_section(files: Path) -> None:
    (files / "jail.d" / "allowsync.local").write_text("[door]\nignoreip = 81.2.69.142\n")
    (files / "jail.d" / "zz.local").write_text("[door]\nignoreip = ::1\n")
    assert ignored(files) == ("::1",)
