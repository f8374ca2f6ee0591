"""The filter and the jail for Jellyfin, with a real Fail2ban and lines as Jellyfin writes them."""

from __future__ import annotations

import re
import subprocess
import time
from datetime import datetime, timedelta, timezone
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from tests.support.documents import ROOT
from tests.support.fail2ban import Fail2ban
from tests.support.internet import FRIEND, FRIEND6, STRANGER, STRANGER6
from tests.support.requests import apply_one, neighbourhood

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.netns import Namespace

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("as_root")]

EXAMPLE = ROOT / "examples" / "fail2ban-jellyfin"
JAIL = "jellyfin"
FAILURES = 5
VICTIM = "198.51.100.9"
PROXY = "127.0.0.1"
MANAGER = "Jellyfin.Server.Implementations.Users.UserManager"


def refused(address: str, name: str = "alice", *, quoted: bool = True, zone: int = 2) -> str:
    """A line of a log file: versions differ in whether they quote."""
    now = datetime.now(timezone(timedelta(hours=zone)))
    stamp = f"{now:%Y-%m-%d %H:%M:%S}.{now.microsecond // 1000:03} {now:%z}"
    stamp = f"{stamp[:-2]}:{stamp[-2:]}"
    mark = '"' if quoted else ""
    what = f"Authentication request for {mark}{name}{mark} has been denied"
    return f"[{stamp}] [INF] [42] {MANAGER}: {what} (IP: {mark}{address}{mark}).\n"


JOURNAL = (
    f"Nov 29 16:41:05 server jellyfin[461]: [16:41:05] [INF] [79] {MANAGER}: "
    f'Authentication request for "alice" has been denied (IP: "{STRANGER}").\n'
)


@pytest.fixture
def inside() -> Iterator[Namespace]:
    with neighbourhood() as one:
        yield one


@pytest.fixture
def server(inside: Namespace, tmp_path: Path) -> Iterator[Fail2ban]:
    """A Fail2ban that has the jail as it is shipped; it bans nobody from anything."""
    one = Fail2ban(inside, tmp_path, jails=(JAIL,))
    one.write()
    (one.config / "filter.d" / "jellyfin.conf").write_text((EXAMPLE / "filter.conf").read_text())
    text = (EXAMPLE / "jail.conf").read_text()
    text, number = re.subn(r"(?m)^logpath = .*", f"logpath = {tmp_path}/{JAIL}.log", text)
    assert number == 1
    (one.config / "jail.conf").write_text("[DEFAULT]\nbackend = polling\naction =\n")
    (one.config / "jail.d" / "jellyfin.conf").write_text(text)
    one.start()
    try:
        yield one
    finally:
        one.stop()


def log(server: Fail2ban, *lines: str) -> None:
    with (server.folder / f"{JAIL}.log").open("a") as file:
        file.writelines(lines)


def test_who_guesses_is_banned_and_a_friend_never(server: Fail2ban) -> None:
    home = f"{FRIEND6.rpartition('::')[0]}::/64"
    target = server.target(jails=(JAIL,), allowlist="jellyfin")
    server.inside.run(apply_one, target.backend, [ip_network(FRIEND), ip_network(home)])
    neighbor = f"{FRIEND6.rpartition('::')[0]}::77"
    forging = f'x" has been denied (IP: "{VICTIM}").'
    for _ in range(FAILURES):
        log(server, *(refused(one) for one in (FRIEND, FRIEND6, neighbor, STRANGER, PROXY)))
        log(server, refused(STRANGER6, quoted=False), refused(f"::ffff:{FRIEND}"))
        # What a name pretends is not the address; nor is it a friend's, even on a line of its own.
        log(server, refused("198.51.100.80", forging))
        log(server, refused("198.51.100.81", forging.replace('"', ""), quoted=False))
        log(server, refused("198.51.100.82", f"x\n{refused(FRIEND)}"))
    guessing = (STRANGER, STRANGER6, "198.51.100.80", "198.51.100.81")
    server.until_banned(*guessing, jail=JAIL)
    time.sleep(1)  # as long as it may take for those after them
    assert server.banned(JAIL) == sorted(guessing)


def test_a_friend_is_ignored_after_a_restart_too(server: Fail2ban) -> None:
    target = server.target(jails=(JAIL,), allowlist="jellyfin")
    server.inside.run(apply_one, target.backend, [ip_network(FRIEND)])
    server.stop()
    server.start()
    assert FRIEND in server.ignored(JAIL)
    log(server, *(refused(one) for one in (FRIEND, STRANGER) for _ in range(FAILURES)))
    server.until_banned(STRANGER, jail=JAIL)
    assert server.banned(JAIL) == [STRANGER]


@pytest.mark.parametrize(
    ("line", "matches"),
    [
        (refused(STRANGER), 1),
        (refused(STRANGER6, quoted=False, zone=-4), 1),
        # In the journal.
        (JOURNAL, 1),
        # Somebody gets in, and other lines.
        (refused(STRANGER).replace("denied", "granted"), 0),
        (refused(STRANGER).replace("UserManager", "Plugin"), 0),
        (refused(STRANGER).replace(").", "). And more"), 0),
    ],
)  # fmt: skip
def test_a_line_is_a_refused_login(line: str, matches: int, tmp_path: Path) -> None:
    lines = tmp_path / "lines"
    lines.write_text(line)
    argv = ("fail2ban-regex", str(lines), str(EXAMPLE / "filter.conf"))
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert f"{matches} matched" in done.stdout, done.stdout + done.stderr
