"""Whatever happens, in whatever order: the promises hold."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from allowsync.backend import containment
from allowsync.engine import orphan_targets
from allowsync.inspect.status import look
from allowsync.model.answer import Absent, Unavailable
from allowsync.model.types import BOTH_FAMILIES, Family, Host
from allowsync.model.value import replace
from allowsync.state.files import last_run_marks, take_mark
from tests.model.installation import FIREWALLS, LISTS, NAMESERVERS, Halved, Installation, Records
from tests.model.promises import Account
from tests.support.sampling import WHOLE, share
from tests.support.scoreboard import record
from tests.support.values import net, nets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from allowsync.model.types import Network

# What `make test` tries is the same each time; the whole looks elsewhere each time, for an hour.
EXAMPLES = share(4_000, 20)
LONGEST = 4 * 3600 if WHOLE else 300
FRIENDS = ("alice", "bob", "carol", "dave")
LABELS = st.sampled_from(FRIENDS)
ANY_LIST = st.sampled_from(LISTS)
SERVERS = st.sets(st.sampled_from(NAMESERVERS), min_size=1)
MINUTES = st.sampled_from([0, 5, 5, 5, 16, 61, 23 * 60, 25 * 60])
# How many runs follow something, five minutes apart.
THEN = st.sampled_from([0, 1, 1, 4])
SILENT: tuple[Records, ...] = (
    Unavailable("SERVFAIL"),
    Unavailable("no answer"),
    ("10.0.0.1",),
    ("104.16.0.1", "2606:4700::1"),
)
PARKING = (("45.9.9.1", "2a01:4f9:9:9::1"), ("45.9.9.2", "2a01:4f9:9:9::2"))
LIAR = ("66.6.6.6", "2a01:4f9:66:6::6")
GUESTS = "81.2.0.0/16"
TRANSLATION = "2a01:4f8:64:ff9b::"


def parent(label: str) -> str:
    """Three friends have one provider."""
    return "other.example" if label == "dave" else "ddns.example"


def home(label: str, number: int) -> tuple[str, str]:
    index = FRIENDS.index(label)
    return f"81.2.{index}.{number}", f"2a01:4f8:{index}:{number}::7"


class Life(RuleBasedStateMachine):
    """Four friends, guests, three nameservers, two firewalls, two clocks, and an administrator."""

    def __init__(self) -> None:
        super().__init__()
        memory = Path("/dev/shm")
        where = memory if memory.is_dir() else None
        folder = Path(tempfile.mkdtemp(prefix="allowsync-promises-", dir=where))
        hosts = {one: Host(one, (f"{one}.{parent(one)}",)) for one in FRIENDS}
        self.at = Installation(folder, hosts, {"web": FRIENDS, "vpn": ("alice", "dave")})
        pages = nets("45.9.9.1", "45.9.9.2", LIAR[0], "2a01:4f9:9:9::/64", "2a01:4f9:66:6::/64")
        self.at.pages = frozenset(pages)
        self.account = Account()
        self.backup = b""
        self.in_backup: tuple[set[tuple[str, Network]], datetime | None] = set(), None
        for label in FRIENDS:
            self.at.says(self.name(label), home(label, 1))

    def teardown(self) -> None:
        take_mark(last_run_marks(self.at.state)[1])
        shutil.rmtree(self.at.folder)

    def name(self, label: str) -> str:
        """The hostname of a friend, whatever the label is now."""
        return f"{label}.{parent(label)}"

    def label(self, friend: str) -> str | None:
        """The label that a friend has now."""
        mine = (one for one, host in self.at.hosts.items() if self.name(friend) in host.hostnames)
        return next(mine, None)

    # The DNS.

    @initialize(agreement=st.sampled_from([1, 2]))
    def begin(self, agreement: int) -> None:
        self.at.agreement = agreement
        self._run(5)
        self._run(5)
        assert all(store.networks for store in self.at.stores.values()), "no run works at all"

    @rule(label=LABELS, number=st.integers(1, 3), servers=SERVERS, then=THEN)
    def moves(self, label: str, number: int, servers: set[str], then: int) -> None:
        self.at.says(self.name(label), home(label, number), servers)
        self._runs(then)

    @rule(label=LABELS, number=st.integers(1, 3), then=THEN)
    def moves_everywhere(self, label: str, number: int, then: int) -> None:
        self.at.says(self.name(label), home(label, number))
        self._runs(then)

    @rule(label=LABELS, records=st.sampled_from(SILENT), servers=SERVERS, then=THEN)
    def is_silent(self, label: str, records: Records, servers: set[str], then: int) -> None:
        self.at.says(self.name(label), records, servers)
        self._runs(then)

    @rule(records=st.sampled_from(SILENT), then=THEN)
    def all_are_silent(self, records: Records, then: int) -> None:
        for label in FRIENDS:
            self.at.says(self.name(label), records)
        self._runs(then)

    @rule()
    def all_are_at_home(self) -> None:
        for label in FRIENDS:
            self.at.says(self.name(label), home(label, 1))

    @rule()
    def are_at_home_for_days(self) -> None:
        """All that was amiss is over by then, and every clock has run out."""
        self.names_exist_again()
        self.all_are_at_home()
        self.can_be_changed(then=4)
        for _ in range(5):
            self._run(23 * 60)
        self._runs(4)
        self.account.settled(self.at)

    @rule(label=LABELS, reason=st.sampled_from(["NXDOMAIN", "NODATA"]), servers=SERVERS, then=THEN)
    def is_gone(self, label: str, reason: str, servers: set[str], then: int) -> None:
        self.at.says(self.name(label), Absent(reason), servers)
        self._runs(then)

    @rule(label=LABELS, reason=st.sampled_from(["NXDOMAIN", "NODATA"]), then=THEN)
    def is_gone_everywhere(self, label: str, reason: str, then: int) -> None:
        self.at.says(self.name(label), Absent(reason))
        self._runs(then)

    @rule(label=LABELS, number=st.integers(1, 3), family=st.integers(0, 1), then=THEN)
    def has_one_family(self, label: str, number: int, family: int, then: int) -> None:
        self.at.says(self.name(label), home(label, number)[family : family + 1])
        self._runs(then)

    @rule(label=LABELS, number=st.integers(1, 3), family=st.integers(0, 1), then=THEN)
    def is_denied_the_other_family(self, label: str, number: int, family: int, then: int) -> None:
        """Some nameservers say that there is no such name where it has none of that type."""
        address = home(label, number)[family]
        self.at.says(self.name(label), Halved(address))
        self._runs(then)

    @rule(label=LABELS, then=THEN)
    def is_translated(self, label: str, then: int) -> None:
        """The resolver makes IPv6 addresses of all of IPv4, from now on."""
        mine = home(label, 1)[0]
        self.at.says("ipv4only.arpa", (f"{TRANSLATION}192.0.0.170",))
        self.at.says(self.name(label), (mine, f"{TRANSLATION}{mine}"))
        self._runs(then)

    @rule(label=LABELS, reason=st.sampled_from(["NXDOMAIN", "NODATA"]))
    def is_gone_for_a_week(self, label: str, reason: str) -> None:
        """Whoever has the name next has to be approved of."""
        mine = self.label(label)
        self.at.says(self.name(label), Absent(reason))
        self._runs(2)
        for _ in range(9):
            self._run(23 * 60)
        if mine is not None and self.watched(mine):
            self.account.latched.add(self.name(label))
        self.at.says(self.name(label), home(label, 3))
        self._runs(4)

    @rule(label=LABELS, then=THEN)
    def is_mistyped_while_that_is_waited_for(self, label: str, then: int) -> None:
        """An edit and its undoing are no approval."""
        mine, name = self.label(label), self.name(label)
        if mine is not None and name in self.account.latched:
            self._run(5)  # of a new label and a new name at once nothing is known
            names = self.at.hosts[mine].hostnames
            typed = tuple(f"mistyped.{one}" if one == name else one for one in names)
            self.at.says(f"mistyped.{name}", SILENT[0])
            self.at.hosts[mine] = replace(self.at.hosts[mine], hostnames=typed)
            self._runs(then)
            self.at.hosts[mine] = replace(self.at.hosts[mine], hostnames=names)
            self._runs(1)

    def watched(self, label: str) -> bool:
        """Whether anything is asked about a host."""
        listed = any(label in labels for labels in self.at.members.values())
        return listed and not self.account.ended(self.at, self.at.hosts[label])

    @rule(labels=st.sets(LABELS, min_size=1), page=st.sampled_from(PARKING), then=THEN)
    def are_parked(self, labels: set[str], page: tuple[str, str], then: int) -> None:
        for label in labels:
            self.at.says(self.name(label), page)
        self._runs(then)

    @rule(page=st.sampled_from(PARKING), then=THEN)
    def any_name_is_parked(self, page: tuple[str, str], then: int) -> None:
        """The provider answers for every name, the friends' for now excepted."""
        self.at.says("*.ddns.example", page)
        self._runs(then)

    @rule()
    def names_exist_again(self) -> None:
        self.at.says("*.ddns.example", Absent("NXDOMAIN"))

    @rule(label=LABELS, server=st.sampled_from(NAMESERVERS), then=THEN)
    def one_nameserver_lies(self, label: str, server: str, then: int) -> None:
        if self.at.agreement > 1:
            self.at.says(self.name(label), LIAR, [server])
        self._runs(then)

    @rule(label=LABELS, whose=LABELS, number=st.integers(1, 3), then=THEN)
    def the_first_nameserver_gives_a_home_of_another(
        self, label: str, whose: str, number: int, then: int
    ) -> None:
        if self.at.agreement > 1:
            self.at.says(self.name(label), home(whose, number), NAMESERVERS[:1])
        self._runs(then)

    @rule(whose=LABELS, number=st.integers(1, 3), then=THEN)
    def the_first_nameserver_gives_a_home_for_any_name(
        self, whose: str, number: int, then: int
    ) -> None:
        if self.at.agreement > 1:
            self.at.says("*.ddns.example", home(whose, number), NAMESERVERS[:1])
        self._runs(then)

    # The administrator.

    @rule(label=LABELS, then=THEN)
    def takes_a_new_label(self, label: str, then: int) -> None:
        old = self.label(label)
        if old is not None:
            new = old + "-new" if len(old) < 20 else label
            host = self.at.hosts.pop(old)
            self.at.hosts[new] = replace(host, name=new)
            self._members({old: new})
        self._runs(then)

    @rule(label=LABELS, then=THEN)
    def leaves(self, label: str, then: int) -> None:
        old = self.label(label)
        if old is not None and len(self.at.hosts) > 2:
            for hostname in self.at.hosts.pop(old).hostnames:
                self.account.left(hostname)
            self._members({old: ""})
        self._runs(then)

    @rule(label=LABELS, then=THEN)
    def joins(self, label: str, then: int) -> None:
        if self.label(label) is None and label not in self.at.hosts:
            self.at.hosts[label] = Host(label, (self.name(label),))
            self.at.members["web"] = (*self.at.members["web"], label)
        self._runs(then)

    @rule(label=LABELS, other=LABELS, then=THEN)
    def shares_a_host(self, label: str, other: str, then: int) -> None:
        """The names of two friends are one host's from now on."""
        mine, theirs = self.label(label), self.label(other)
        if mine is not None and theirs is not None and mine != theirs:
            one, two = self.at.hosts[mine], self.at.hosts.pop(theirs)
            names = one.hostnames + two.hostnames
            families = max(one.families, two.families, key=len)
            self.at.hosts[mine] = replace(one, hostnames=names, families=families)
            self._members({theirs: ""})
        self._runs(then)

    @rule(label=LABELS, then=st.sampled_from([1, 1, 4]))
    def has_a_host_alone(self, label: str, then: int) -> None:
        """A name that was one of several of a host gets a host of its own, on the same lists."""
        mine, name = self.label(label), self.name(label)
        if mine is not None and len(self.at.hosts[mine].hostnames) > 1:
            rest = tuple(one for one in self.at.hosts[mine].hostnames if one != name)
            new = next(f"{label}-{n}" for n in range(9) if f"{label}-{n}" not in self.at.hosts)
            self.at.hosts[new] = replace(self.at.hosts[mine], name=new, hostnames=(name,))
            self.at.hosts[mine] = replace(self.at.hosts[mine], hostnames=rest)
            for one, labels in self.at.members.items():
                if mine in labels:
                    self.at.members[one] = (*labels, new)
        self._runs(then)

    @rule(label=LABELS, other=LABELS, then=THEN)
    def swaps_names(self, label: str, other: str, then: int) -> None:
        """An administrator had mixed up two friends."""
        mine, theirs = self.label(label), self.label(other)
        if mine is not None and theirs is not None and mine != theirs:
            one, two = self.at.hosts[mine], self.at.hosts[theirs]
            self.at.hosts[mine], self.at.hosts[theirs] = (
                replace(two, name=mine),
                replace(one, name=theirs),
            )
        self._runs(then)

    @rule(label=LABELS, name=ANY_LIST, then=THEN)
    def changes_lists(self, label: str, name: str, then: int) -> None:
        mine = self.label(label)
        if mine is not None:
            others = tuple(one for one in self.at.members[name] if one != mine)
            there = mine in self.at.members[name]
            self.at.members[name] = others if there and others else (*others, mine)
        self._runs(then)

    @rule(label=LABELS, families=st.sampled_from([BOTH_FAMILIES, (Family.IPV4,)]), then=THEN)
    def is_asked(self, label: str, families: tuple[Family, ...], then: int) -> None:
        mine = self.label(label)
        if mine is not None:
            self.at.hosts[mine] = replace(self.at.hosts[mine], families=families)
            dropped = {6} if families == (Family.IPV4,) else set()
            names = self.at.hosts[mine].hostnames
            for key in [k for k in self.account.held if k[0] in names]:
                if key[1].version in dropped:
                    del self.account.held[key]
        self._runs(then)

    @rule(name=ANY_LIST, minutes=st.sampled_from([10, 90]), then=THEN)
    def invites_guests(self, name: str, minutes: int, then: int) -> None:
        until = self.at.wall + timedelta(minutes=minutes)
        self.at.hosts["guests"] = Host("guests", networks=(net(GUESTS),), until=until)
        others = tuple(one for one in self.at.members[name] if one != "guests")
        self.at.members[name] = (*others, "guests")
        self._runs(then)

    def _members(self, renamed: dict[str, str]) -> None:
        for name, labels in self.at.members.items():
            new = (renamed.get(label, label) for label in labels)
            self.at.members[name] = tuple(label for label in new if label)

    # The machine.

    @rule(then=THEN)
    def is_flushed(self, then: int) -> None:
        self.at.flush()
        self.account.flushed()
        self._runs(then)

    @rule(names=st.sets(st.sampled_from(FIREWALLS), min_size=1), then=THEN)
    def are_flushed(self, names: set[str], then: int) -> None:
        self.at.flush(names)
        self.account.flushed(names)
        self._runs(then)

    @rule(name=st.sampled_from(FIREWALLS), then=THEN)
    def cannot_be_changed(self, name: str, then: int) -> None:
        """A firewall is as it was, until others rule again."""
        self.at.stores[name].fail_apply = "no access"
        self._runs(then)

    @rule(then=THEN)
    def can_be_changed(self, then: int) -> None:
        for store in self.at.stores.values():
            store.fail_apply = ""
        self._runs(then)

    @rule(offline=st.booleans())
    def starts_anew(self, offline: bool) -> None:
        self.at.reboot()
        self.account.rebooted()
        self._run(1, offline=offline)

    @rule(whole=st.booleans(), then=THEN)
    def loses_its_state(self, whole: bool, then: int) -> None:
        if whole:
            shutil.rmtree(self.at.folder / "lib", ignore_errors=True)
        else:
            self.at.state.unlink(missing_ok=True)
        self.account.lost(self.at, whole=whole)
        self._runs(then)

    @rule()
    def keeps_a_backup(self) -> None:
        if self.at.state.exists():
            self.backup = self.at.state.read_bytes()
            self.in_backup = set(self.account.ever), self.account.latest

    @rule(then=THEN)
    def puts_the_backup_back(self, then: int) -> None:
        """What was learnt since is known to firewalls alone, as after a lost state."""
        present = self.at.state.read_bytes() if self.at.state.exists() else b""
        if self.backup not in (b"", present):
            self.at.state.parent.mkdir(exist_ok=True)
            self.at.state.write_bytes(self.backup)
            self.account.lost(self.at)
            self.account.put_back(self.at, *self.in_backup)
        self._runs(then)

    @rule(days=st.sampled_from([-30, -3, 0, 0, 0, 10]), then=THEN)
    def sets_its_clock(self, days: int, then: int) -> None:
        self.at.ahead = timedelta(days=days)
        self._runs(then)

    # Runs.

    @rule(minutes=MINUTES)
    def runs(self, minutes: int) -> None:
        self._run(minutes)

    @rule(count=st.integers(2, 8))
    def runs_on(self, count: int) -> None:
        self._runs(count)

    @rule(name=ANY_LIST)
    def runs_for_one_list(self, name: str) -> None:
        self._run(5, only=(name,))

    @rule()
    def runs_dry(self) -> None:
        """What a dry run says is what the run does, and what is looked at is what is held."""
        before = self._everything()
        self.account.before(self.at, LISTS)
        meant = self.at.run(0, dry_run=True)
        assert self._everything() == before
        done = self.at.run(0)
        self.account.after(self.at, done)
        assert [one.plan for one in meant.targets] == [one.plan for one in done.targets]
        seen = {one.target: one.entries for one in look(self.at.config, self.at.wall).targets}
        for name, store in self.at.stores.items():
            assert {entry.network for entry in seen[name]} == store.networks

    def _everything(self) -> tuple[Sequence[object], bytes]:
        state = self.at.state
        held = [frozenset(store.networks) for store in self.at.stores.values()]
        return held, state.read_bytes() if state.exists() else b""

    def _runs(self, count: int) -> None:
        for _ in range(count):
            self._run(5)

    def _run(self, minutes: int, only: tuple[str, ...] = (), **asked: object) -> None:
        self.at.truth += timedelta(minutes=minutes)
        if not asked.get("offline"):
            self.account.before(self.at, only or LISTS)
        self.account.after(self.at, self.at.run(0, only=only, **asked))


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what takes a third of the time, and cannot matter to firewalls in memory.

    These are the containment of what a backend changes around it, and the search for marks of ours
    in this machine's own firewalls.
    """
    monkeypatch.setattr(containment, "Surroundings", lambda **_: nullcontext())
    monkeypatch.setattr(orphan_targets, "_installed", lambda: ())


@pytest.mark.slow
@pytest.mark.timeout(LONGEST)
def test_the_promises_hold_in_any_order_of_events() -> None:
    examples = settings(
        max_examples=EXAMPLES,
        stateful_step_count=25,
        derandomize=not WHOLE,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Life, settings=examples)
    record("promises", where="any order of events", examples=EXAMPLES, broken=0)


def test_a_latched_name_is_opened_by_no_other_name_of_its_host() -> None:
    """Both gave one page, and one of them had been gone for a week; then it was free to move."""
    life = Life()
    life.begin(agreement=1)
    life.is_gone_for_a_week(label="alice", reason="NXDOMAIN")
    life.is_gone_for_a_week(label="carol", reason="NXDOMAIN")
    life.shares_a_host(label="carol", other="dave", then=0)
    life.are_parked(labels={"carol", "dave"}, page=PARKING[0], then=1)
    life.moves_everywhere(label="carol", number=2, then=4)
    life.teardown()


def test_a_friend_without_ipv6_needs_no_approval_after_days_without_an_answer() -> None:
    """That the name has no IPv6 address is no absence of the name."""
    life = Life()
    life.begin(agreement=1)
    life.has_one_family(label="alice", number=1, family=0, then=1)
    for _ in range(9):
        life.runs(minutes=23 * 60)
    life.is_silent(label="alice", records=SILENT[0], servers=set(NAMESERVERS), then=1)
    for _ in range(4):
        life.runs(minutes=23 * 60)
    assert net("81.2.0.1") not in life.at.stores["web/packets"].networks
    life.has_one_family(label="alice", number=2, family=0, then=1)
    assert net("81.2.0.2") in life.at.stores["web/packets"].networks
    life.teardown()


def test_what_a_guest_takes_over_after_a_lost_state_is_there_when_the_guest_is_gone() -> None:
    """The second look of one run saw the wide entry alone, and forgot what it stood for."""
    life = Life()
    life.begin(agreement=1)
    life.all_are_silent(records=SILENT[0], then=0)
    life.invites_guests(name="web", minutes=10, then=0)
    life.invites_guests(name="vpn", minutes=10, then=0)
    life.loses_its_state(whole=True, then=1)
    life.changes_lists(label="alice", name="web", then=1)
    assert not any(str(one) == GUESTS for one in life.at.stores["web/packets"].networks)
    life.teardown()


def test_one_nameserver_of_three_takes_no_home_by_giving_it_for_others() -> None:
    """Two that have to agree gave it; that a third gives it for two more names proves nothing."""
    life = Life()
    life.begin(agreement=2)
    life.moves_everywhere(label="alice", number=2, then=4)
    life.the_first_nameserver_gives_a_home_for_any_name(whose="alice", number=2, then=0)
    life.moves_everywhere(label="dave", number=2, then=0)
    for label in ("bob", "carol"):
        life.the_first_nameserver_gives_a_home_of_another(label, whose="alice", number=2, then=1)
    life.teardown()


def test_after_a_lost_state_one_nameserver_of_three_takes_no_home() -> None:
    """The others give it for its name alone, as two did before that is forgotten."""
    life = Life()
    life.begin(agreement=2)
    life.the_first_nameserver_gives_a_home_for_any_name(whose="alice", number=1, then=2)
    life.loses_its_state(whole=True, then=2)
    for _ in range(5):
        life.runs(minutes=23 * 60)
    assert net("81.2.0.1") in life.at.stores["web/packets"].networks
    life.teardown()


def test_a_run_for_one_list_loses_nothing_of_a_hostname_that_another_host_has_now() -> None:
    """What was known of it stood under a label of that list, whose host has another name now."""
    life = Life()
    life.begin(agreement=1)
    life.all_are_silent(records=SILENT[0], then=0)
    life.swaps_names(label="alice", other="bob", then=0)
    life.runs_for_one_list(name="vpn")
    life.runs_on(count=2)
    life.teardown()


def test_a_home_that_a_wider_entry_covered_is_no_new_one_when_that_is_gone() -> None:
    """One nameserver of three gives it for any name by then; two gave it to its friend before."""
    life = Life()
    life.begin(agreement=2)
    life.invites_guests(name="web", minutes=10, then=0)
    life.runs(minutes=5)
    life.the_first_nameserver_gives_a_home_for_any_name(whose="alice", number=1, then=1)
    assert net("81.2.0.1") in life.at.stores["web/packets"].networks
    life.teardown()


def test_a_page_that_three_friends_give_is_held_for_none_of_them() -> None:
    """Whatever guards the program has: who gives it within a day is all that is counted here."""
    life = Life()
    life.begin(agreement=1)
    life.are_parked(labels=set(FRIENDS[:3]), page=PARKING[0], then=4)
    life.runs(minutes=23 * 60)
    life.teardown()


def test_a_page_that_was_left_is_not_what_comes_back_when_the_next_one_is_taken_back() -> None:
    """Of what was held before, nothing is restored that three friends give by now."""
    life = Life()
    life.begin(agreement=1)
    life.are_parked(labels={"carol"}, page=PARKING[1], then=1)
    life.are_parked(labels={"carol"}, page=PARKING[0], then=5)
    assert net(PARKING[1][0]) not in life.at.stores["web/packets"].networks
    life.any_name_is_parked(page=PARKING[0], then=0)
    life.are_parked(labels={"alice", "bob", "carol"}, page=PARKING[1], then=1)
    life.teardown()


def test_a_page_goes_with_its_name_to_another_list() -> None:
    """What is believed of a name stays so when its host is moved: no answer makes it an arrival."""
    life = Life()
    life.begin(agreement=1)
    life.are_parked(labels={"carol"}, page=PARKING[0], then=1)
    life.any_name_is_parked(page=PARKING[0], then=1)
    life.swaps_names(label="carol", other="dave", then=2)
    assert net(PARKING[0][0]) in life.at.stores["vpn/packets"].networks
    life.teardown()


def test_who_was_mixed_up_with_a_friend_does_not_keep_that_home_as_by_a_former_name() -> None:
    """The name that gave it is another host's now; of that host's own, nothing is left."""
    life = Life()
    life.begin(agreement=1)
    life.changes_lists(label="alice", name="web", then=0)
    life.is_gone_everywhere(label="alice", reason="NODATA", then=0)
    life.loses_its_state(whole=True, then=1)
    life.is_flushed(then=0)
    life.swaps_names(label="alice", other="dave", then=1)
    life.teardown()


def is_let_in_by_a_page_and_gets_another_name(life: Life, label: str) -> None:
    life.begin(agreement=1)
    life.all_are_silent(records=SILENT[0], then=0)
    life.loses_its_state(whole=True, then=0)
    life.are_parked(labels={label}, page=PARKING[0], then=1)
    life.at.says(f"{label}.example.net", SILENT[0])
    life.at.hosts[label] = Host(label, (f"{label}.example.net",))
    life.runs(minutes=5)
    assert net(PARKING[0][0]) in life.at.stores["web/packets"].networks


def test_a_page_is_taken_back_though_the_name_that_gave_it_is_asked_no_more() -> None:
    """What a former name had given was looked at for no host."""
    life = Life()
    is_let_in_by_a_page_and_gets_another_name(life, "carol")
    life.are_parked(labels={"alice", "bob", "dave"}, page=PARKING[0], then=1)
    life.teardown()


def test_a_page_that_a_former_name_gave_is_taken_back_from_the_list_that_comes_later() -> None:
    """The run for the other list had forgotten the name by which its host had it."""
    life = Life()
    is_let_in_by_a_page_and_gets_another_name(life, "alice")
    for label in ("bob", "carol"):
        life.changes_lists(label=label, name="vpn", then=0)
    life.are_parked(labels={"bob", "carol", "dave"}, page=PARKING[0], then=0)
    life.runs_for_one_list(name="vpn")
    life.runs_for_one_list(name="vpn")
    life.runs(minutes=5)
    life.teardown()


def test_a_page_is_taken_back_from_two_friends_who_were_mixed_up_and_swapped() -> None:
    """One had it by the name that is the other's now."""
    life = Life()
    life.begin(agreement=1)
    life.all_are_silent(records=SILENT[0], then=0)
    life.loses_its_state(whole=True, then=0)
    life.are_parked(labels={"carol"}, page=PARKING[0], then=1)
    life.swaps_names(label="carol", other="alice", then=1)
    life.are_parked(labels=set(FRIENDS), page=PARKING[1], then=1)
    life.teardown()


def test_a_backup_that_no_run_came_after_is_the_state_itself() -> None:
    """A friend who was on no list then has the known home when put on one, though DNS is silent."""
    life = Life()
    life.begin(agreement=2)
    life.changes_lists(label="bob", name="web", then=1)
    life.all_are_silent(records=SILENT[0], then=1)
    life.keeps_a_backup()
    life.changes_lists(label="bob", name="vpn", then=0)
    life.puts_the_backup_back(then=1)
    assert net("81.2.1.1") in life.at.stores["vpn/packets"].networks
    life.teardown()


def test_a_clock_of_a_machine_that_knows_of_no_other_counts() -> None:
    """All that told of a later instant is gone: with the state what stood beside it, then /run."""
    life = Life()
    life.begin(agreement=1)
    life.sets_its_clock(days=-30, then=0)
    life.invites_guests(name="web", minutes=10, then=0)
    life.loses_its_state(whole=True, then=0)
    life.starts_anew(offline=False)
    assert any(str(one) == GUESTS for one in life.at.stores["web/packets"].networks)
    life.teardown()


def test_a_lost_state_and_a_nameserver_that_denies_one_family_take_no_home() -> None:
    """NXDOMAIN about one family of a name that has the other is no answer: its home stays."""
    life = Life()
    life.begin(agreement=1)
    life.is_denied_the_other_family(label="bob", number=1, family=0, then=0)
    life.loses_its_state(whole=True, then=4)
    assert net("2a01:4f8:1:1::/64") in life.at.stores["web/packets"].networks
    life.teardown()


@pytest.mark.parametrize("records", SILENT)
def test_an_answer_that_is_not_believed_takes_no_home(records: Records) -> None:
    """Two have to agree that a home was left: one does, and the other gives a private address."""
    life = Life()
    life.begin(agreement=2)
    life.moves_everywhere(label="alice", number=2, then=1)
    life.moves(label="alice", number=1, servers={NAMESERVERS[2]}, then=0)
    life.is_silent(label="alice", records=records, servers={NAMESERVERS[1]}, then=4)
    assert net("81.2.0.1") in life.at.stores["web/packets"].networks
    life.teardown()
