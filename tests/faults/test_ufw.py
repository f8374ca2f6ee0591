"""UFW under runs that are killed: whatever is left, the next run heals file and kernel."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

import pytest

from testkit.fake_dns.nameserver import NameServer
from tests.faults.conftest import memory_folder
from tests.faults.harness import Warm
from tests.faults.judging import READING, is_polite
from tests.faults.random_kills import EVERYONE, kill_at_random
from tests.faults.stage import ALICE, Stage
from tests.support.netns import Namespace
from tests.support.sampling import sample, share
from tests.support.scoreboard import record
from tests.support.ufw import RULES, RULES6, kernel, text, with_ufw, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from subprocess import Popen

    from tests.faults.harness import Place, Ran

pytestmark = [pytest.mark.root, pytest.mark.slow]

STRANGERS = ("limit 22/tcp", "allow from 9.9.9.9 to any port 443 proto tcp", "deny 25")
# Of these calls, one in so many; of all others, each. By `sendmsg` iptables changes the kernel.
SHARES = {"state": 16, "write": 16, "execve": 10, "sendmsg": 3} | dict.fromkeys(READING, 24)

MOST = 6  # kills for each scene in a sample

Files = tuple[str, str]
_SOURCE = re.compile(r"-A ufw6?-user-input -s (\S+) -p tcp -m tcp --dport 443 -j ACCEPT")


@dataclass
class UfwStage(Stage):
    """A stage whose target is in UFW, with other people's rules around it."""

    files: Files = ("", "")
    loaded: Files = ("", "")
    ran: Ran = field(init=False)

    @property
    def server_side(self) -> Namespace:
        assert self.inside is not None
        return self.inside

    def seen(self) -> tuple[str, str, str]:
        """Both files, and all the kernel has."""
        here = self.server_side
        return text(here, RULES), text(here, RULES6), kernel(here)

    def keep(self) -> None:
        here = self.server_side
        super().keep()
        self.files = (text(here, RULES), text(here, RULES6))
        self.loaded = (here.command("iptables-save"), here.command("ip6tables-save"))

    def put_back(self) -> None:
        here = self.server_side
        self.inside = None
        try:
            super().put_back()
        finally:
            self.inside = here
        here.command("sh", "-c", "rm -f /etc/ufw/.user* /etc/ufw/*.before-allowsync")
        for path, content in zip((RULES, RULES6), self.files, strict=True):
            write(here, content, path)
        for program, rules in zip(("iptables", "ip6tables"), self.loaded, strict=True):
            here.command(f"{program}-restore", stdin=rules)

    def let_in(self) -> set[str]:
        """Whom the kernel lets to the port."""
        return set(_SOURCE.findall(kernel(self.server_side)))

    def promised(self) -> set[str]:
        """Whom the files let to it, as far as these are whole."""
        both = text(self.server_side, RULES) + text(self.server_side, RULES6)
        assert both.count("COMMIT\n") == 2
        found = re.findall(r"-p tcp --dport 443 -s (\S+) -j ACCEPT", both)
        bits = {True: "/128", False: "/32"}
        return {one if "/" in one else one + bits[":" in one] for one in found}


def strangers(inside: Namespace) -> None:
    """Other people's rules."""
    inside.command("sh", "-ec", "; ".join(f"ufw {line}" for line in STRANGERS))


@contextmanager
def staged() -> Iterator[UfwStage]:
    """A stage in a network namespace of its own."""
    with memory_folder() as folder, ExitStack() as stack:
        inside = stack.enter_context(Namespace())
        with_ufw(inside, strangers)
        server = stack.enter_context(inside.run(NameServer, {}))
        warm = stack.enter_context(Warm(inside))
        stage = UfwStage(folder, server, warm, inside)
        stage.here.targets = [{"ufw": {"ports": ["443/tcp"]}}]
        stage.here.policy = {"keep_replaced": "0s", "replaced_runs": 1}
        stage.here.write()
        yield stage


@pytest.fixture
def stage(as_root: None) -> Iterator[UfwStage]:
    """A stage for one test."""
    with staged() as one:
        yield one


@pytest.fixture(scope="module")
def at_move(as_root: None) -> Iterator[tuple[UfwStage, Ran, set[str]]]:
    """One that is put back again and again, a run on it undisturbed, and whom that lets in."""
    with staged() as one:
        friend_moved(one)
        one.keep()
        ran = one.warm.listed(*one.argv())
        yield one, ran, one.let_in()


def nothing_before(stage: UfwStage) -> None:
    """The first run of all."""


def friend_moved(stage: UfwStage) -> None:
    """Alice has other addresses, and Bob is no friend any more."""
    stage.warm.up(*stage.argv())
    stage.server.zones[ALICE] = ["81.2.69.77", "2a01:4f8:7:7::7"]
    del stage.here.hosts["bob"]
    stage.here.write()


def chain_flushed(stage: UfwStage) -> None:
    """Somebody emptied UFW's chain."""
    stage.warm.up(*stage.argv())
    stage.server_side.command("iptables", "-F", "ufw-user-input")


SCENES = (nothing_before, friend_moved, chain_flushed)


def places(ran: Ran) -> Iterator[tuple[Place, str]]:
    """Where to kill whom: at whatever changes UFW's files, and at a share of all else."""
    met: Counter[str] = Counter()
    for place in ran.calls:
        kind = "state" if "state.db" in place.what else place.name
        several = place.process and place.name not in READING
        for whom in ("all", "program", "child") if several else ("all",):
            met[kind] += 1
            if met[kind] % SHARES.get(kind, 1) == 0:
                yield place, whom


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_a_run_that_was_killed_anywhere_is_healed_by_the_next(
    stage: UfwStage, scene: Callable[[UfwStage], None]
) -> None:
    argv = stage.argv()
    scene(stage)
    stage.keep()
    before, allowed = stage.let_in(), stage.promised()
    ran = stage.warm.listed(*argv)
    assert ran.code == 0, ran
    after, known = stage.let_in(), stage.seen()
    kills = 0
    for place, whom in sample(places(ran), MOST, turn=SCENES.index(scene)):
        stage.put_back()
        killed = stage.warm.killed(place, whom, *argv)
        kills += bool(killed.hit)
        try:
            now = stage.let_in()
            assert before & after <= now <= before | after
            # Whoever the kernel lets in is in the files: nobody is forgotten there.
            assert now <= stage.promised() <= allowed | after
            healed = stage.warm.run(*argv)
            is_polite(healed)
            assert healed.code == 0, healed
            assert stage.seen() == known
            assert stage.server_side.command("ls", "-A", "/etc/ufw").count(".allowsync-") == 0
        except AssertionError as error:
            error.add_note(f"killed {whom} at {place}")
            raise
    assert kills > share(60, 4)
    record("crash_points", kills=kills)
    record("lockouts", where="runs that were killed", count=0)


def listing(ran: Ran) -> Place:
    """Before the lock is taken, while the chains are looked at."""
    return next(one for one in ran.calls if one.name == "execve" and "ip6tables" in one.what)


def loading(ran: Ran) -> Place:
    """Under the lock, when the files hold what the kernel does not yet."""
    return next(one for one in ran.calls if one.name == "execve" and "restore" in one.what)


def reading_back(ran: Ran) -> Place:
    """When all is done and the lock is free again."""
    return [one for one in ran.calls if one.name == "execve" and "tables" in one.what][-1]


MOMENTS = (listing, loading, reading_back)
BY_UFW = (
    "ufw allow 80",
    "ufw delete allow proto tcp from 81.2.69.2 to any port 443",
    "ufw reload",
    "ufw disable && ufw --force enable",
    "ufw --force reset && ufw --force enable",
)
WITHOUT_UFW = ("iptables -F ufw-user-input", "ip6tables -F ufw6-user-input")


# Every deed is done at one moment at least, and at every moment several are.
MEANWHILE = sample(product(BY_UFW + WITHOUT_UFW, MOMENTS), 8)


@pytest.mark.parametrize(
    ("deed", "moment"), MEANWHILE, ids=lambda one: getattr(one, "__name__", one)
)
def test_whatever_others_do_meanwhile_is_put_right_by_the_next_run(
    at_move: tuple[UfwStage, Ran, set[str]], deed: str, moment: Callable[[Ran], Place]
) -> None:
    stage, undisturbed, wanted = at_move
    argv = stage.argv()
    place = moment(undisturbed)
    stage.put_back()
    others: list[Popen[str]] = []

    def meanwhile() -> None:
        others.append(stage.server_side.start("sh", "-c", deed))
        # While the lock is ours, a ufw has to wait until the run is over.
        if moment is not loading or deed in WITHOUT_UFW:
            others[0].communicate()

    ran = stage.warm.interrupted(place, meanwhile, *argv)
    assert ran.hit
    is_polite(ran)
    others[0].communicate()
    assert others[0].returncode == 0
    healed = stage.warm.run(*argv)
    assert healed.code == 0, healed
    strangers = set() if "reset" in deed else {"9.9.9.9/32"}
    assert stage.let_in() == wanted - {"9.9.9.9/32"} | strangers
    assert stage.promised() == stage.let_in()
    record("interference_cases", cases=1)


def test_kills_at_random_neither_open_a_port_nor_lock_anyone_out(stage: UfwStage) -> None:
    friend_moved(stage)

    def let_in() -> set[str]:
        rules = [stage.server_side.command(one, "-S", "INPUT") for one in ("iptables", "ip6tables")]
        shut = all("-P INPUT DROP" in one for one in rules)
        return stage.let_in() if shut else {EVERYONE}

    kill_at_random(stage, "ufw", let_in)
