"""The system's resolver configuration empty, missing, unreadable, or another than before.

Each program runs in a network namespace of its own, with a resolv.conf that only it sees.
"""

from __future__ import annotations

import functools
import shlex
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from testkit.fake_dns.nameserver import NameServer
from tests.support.netns import Namespace
from tests.support.program import Installation, ProgramResult, allowsync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("as_root")]

HERE, THERE, NOWHERE = "127.0.0.1", "127.0.0.2", "127.0.0.3"
OLD = ["2a01:4f8:1:2::/64", "81.2.69.1/32"]


@dataclass
class Machine:
    """A machine with a name server at 127.0.0.1 and one at 127.0.0.2, and an /etc of its own."""

    folder: Path
    inside: Namespace
    here: NameServer
    there: NameServer
    silence: Callable[[], None]
    installation: Installation = field(init=False)

    def __post_init__(self) -> None:
        (self.folder / "etc").mkdir()
        self.installation = Installation(
            self.folder, self.here, hosts={"alice": "alice.example.org"}
        )
        self.installation.resolver = {"nameservers": [], "timeout": "300ms"}

    @property
    def resolv_conf(self) -> Path:
        return self.folder / "etc" / "resolv.conf"

    def apply(self) -> ProgramResult:
        self.installation.write()
        bound = f'mount --bind {shlex.quote(str(self.folder / "etc"))} /etc && exec "$@"'
        prefix = ("unshare", "--mount", "sh", "-c", bound, "sh")
        command = functools.partial(allowsync, prefix=prefix)
        return self.inside.run(command, "apply", "--config", self.installation.path)

    @property
    def allowed(self) -> list[str]:
        return sorted(self.installation.allowed)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    zones: dict[str, object] = {"alice.example.org": ["81.2.69.1", "2a01:4f8:1:2::7"]}
    other: dict[str, object] = {"alice.example.org": ["81.2.69.9", "2a01:4f8:9:9::7"]}
    with ExitStack() as stack:
        inside = stack.enter_context(Namespace())
        there = stack.enter_context(inside.run(NameServer, other, THERE, 53))
        here = stack.enter_context(ExitStack())
        server = here.enter_context(inside.run(NameServer, zones, HERE, 53))
        yield Machine(tmp_path, inside, server, there, here.close)


def directory(path: Path) -> None:
    path.mkdir()


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def dangling(path: Path) -> None:
    path.symlink_to("/run/nobody/resolv.conf")


def missing(_path: Path) -> None:
    """As on a machine whose network manager has not written it yet."""


SAYS_NOTHING: dict[str, Callable[[Path], object]] = {
    "missing": missing,
    "a link to nowhere": dangling,
    "a link to itself": loop,
    "a folder": directory,
    "empty": lambda path: path.write_text(""),
    "without nameservers": lambda path: path.write_text("search example.org\noptions edns0\n"),
    "with a name for an address": lambda path: path.write_text("nameserver dns.example.net\n"),
    "random bytes": lambda path: path.write_bytes(bytes(range(255, 0, -1)) * 9),
}


@pytest.mark.parametrize("make", SAYS_NOTHING.values(), ids=SAYS_NOTHING)
def test_without_a_usable_file_this_machine_is_asked(
    machine: Machine, make: Callable[[Path], object]
) -> None:
    make(machine.resolv_conf)
    assert machine.apply().code == 0
    assert machine.allowed == OLD
    assert machine.here.asked
    assert not machine.there.asked


@pytest.mark.parametrize("make", SAYS_NOTHING.values(), ids=SAYS_NOTHING)
def test_a_file_that_becomes_useless_removes_nobody_where_nobody_answers_here(
    machine: Machine, make: Callable[[Path], object]
) -> None:
    machine.resolv_conf.write_text(f"nameserver {HERE}\n")
    machine.apply()
    machine.resolv_conf.unlink()
    make(machine.resolv_conf)
    machine.silence()  # nobody listens at 127.0.0.1 any more
    done = machine.apply()
    assert (done.code, machine.allowed) == (3, OLD)
    assert f"connection refused by {HERE}" in done.out + done.err
    assert not machine.there.asked


def test_a_nameserver_that_is_another_one_in_the_next_run_is_asked_then(machine: Machine) -> None:
    machine.resolv_conf.write_text(f"nameserver {HERE}\n")
    machine.apply()
    machine.apply()
    assert not machine.there.asked
    machine.resolv_conf.write_text(f"nameserver {THERE}\n")
    assert machine.apply().code == 0
    assert set(machine.allowed) == {*OLD, "2a01:4f8:9:9::/64", "81.2.69.9/32"}


def test_two_spellings_of_one_nameserver_neither_add_nor_remove_what_takes_two(
    machine: Machine,
) -> None:
    """Its word counts once, as an IPv4 address and as the same one mapped into IPv6."""
    machine.installation.resolver = {
        "nameservers": [HERE, f"::ffff:{HERE}", NOWHERE],
        "timeout": "300ms",
    }
    machine.installation.policy = {"keep_absent": "0s", "absent_runs": 1}
    machine.installation.more = {"limits": {"allow_empty": True}}
    assert machine.apply().code == 0
    machine.here.zones["bob.example.org"] = ["81.2.69.2"]  # the zone is still there
    del machine.here.zones["alice.example.org"]
    for _ in range(3):
        assert (machine.apply().code, machine.allowed) == (3, OLD)
    machine.installation.resolver["agreement"] = 2
    machine.here.zones["alice.example.org"] = ["81.2.69.9"]
    assert (machine.apply().code, machine.allowed) == (3, OLD)


def test_a_nameserver_out_of_reach_removes_nobody(machine: Machine) -> None:
    machine.resolv_conf.write_text(f"nameserver {HERE}\n")
    machine.apply()
    asked = len(machine.here.asked)
    machine.resolv_conf.write_text(f"nameserver {NOWHERE}\nnameserver 192.0.2.53\n")
    done = machine.apply()
    assert (done.code, machine.allowed) == (3, OLD)
    assert len(machine.here.asked) == asked
