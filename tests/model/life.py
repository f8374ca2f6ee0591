"""What any run in the model may meet: four friends and their names, the hours, and all at home."""

from __future__ import annotations

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from allowsync.inspect.status import look
from allowsync.model.answer import Absent, Unavailable
from allowsync.model.types import Host
from allowsync.state.files import last_run_marks, take_mark
from tests.model.holding import Backup
from tests.model.installation import LISTS, NAMESERVERS, Installation, Records
from tests.model.promises import Account
from tests.model.quiet_days import check_quiet
from tests.support.values import net, nets

if TYPE_CHECKING:
    from collections.abc import Sequence


FRIENDS = ("alice", "bob", "carol", "dave")
LABELS = st.sampled_from(FRIENDS)
NUMBERS = st.integers(1, 3)
SERVERS = st.sets(st.sampled_from(NAMESERVERS), min_size=1)
ANY_LIST = st.sampled_from(LISTS)
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
GUESTS = "81.2.0.0/16"
LIAR = ("66.6.6.6", "2a01:4f9:66:6::6")


def parent(label: str) -> str:
    """Three friends have one provider."""
    return "other.example" if label == "dave" else "ddns.example"


def home(label: str, number: int) -> tuple[str, str]:
    index = FRIENDS.index(label)
    return f"81.2.{index}.{number}", f"2a01:4f8:{index}:{number}::7"


class Life(RuleBasedStateMachine):
    """Four friends, three nameservers, three firewalls, and time."""

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
        self.renamed: dict[str, int] = {}
        self.ran_as: dict[str, str] = {}
        self.backup = b""
        self.in_backup = Backup()
        for label in FRIENDS:
            self.at.says(self.name(label), home(label, 1))

    def teardown(self) -> None:
        take_mark(last_run_marks(self.at.state)[1])
        shutil.rmtree(self.at.folder)

    def name(self, label: str) -> str:
        """The hostname of a friend, whatever the label is now."""
        number = self.renamed.get(label, 0)
        return f"{label}{number or ''}.{parent(label)}"

    def label(self, friend: str) -> str | None:
        """The label that a friend has now."""
        mine = (one for one, host in self.at.hosts.items() if self.name(friend) in host.hostnames)
        return next(mine, None)

    @initialize(agreement=st.sampled_from([1, 2]))
    def begin(self, agreement: int) -> None:
        self.at.agreement = agreement
        self._run(5)
        self._run(5)
        assert all(store.networks for store in self.at.stores.values()), "no run works at all"

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
        self.all_is_well()
        self._days_pass()
        self._is_settled()

    @rule(label=LABELS, records=st.sampled_from(SILENT))
    def is_silent_for_days(self, label: str, records: Records) -> None:
        """What a name gave last ends then: for all that is known, its home is another's."""
        self.all_is_well()
        self._run(23 * 60)
        self.at.says(self.name(label), records)
        self._days_pass()
        self._is_settled()

    @rule(label=LABELS, number=NUMBERS)
    def moves_for_days(self, label: str, number: int) -> None:
        """Where a friend was before is let in no longer."""
        self.all_is_well()
        self._run(5)
        self.at.says(self.name(label), home(label, number))
        self._days_pass()
        self._is_settled()

    @rule(records=st.sampled_from(SILENT))
    def all_are_silent_for_days(self, records: Records) -> None:
        """No name is known to be anyone's by then, and the last entries stay all the same."""
        self.all_are_silent(records=records, then=0)
        self._days_pass()

    def all_is_well(self) -> None:
        """All are at home, no other name exists, and every firewall can be changed."""
        self.at.says("*.ddns.example", Absent("NXDOMAIN"))
        self.all_are_at_home()
        for store in self.at.stores.values():
            store.fail_apply = ""
        self._runs(4)

    def _is_settled(self) -> None:
        """What limits still keep goes, and then everything is as answers say."""
        self._run(5, force=True)
        check_quiet(self.account, self.at)

    def _days_pass(self) -> None:
        """More than any clock takes but for the latch, in as few runs as any clock needs."""
        for _ in range(4):
            self._run(24 * 60)
        self._runs(4)

    @rule(name=ANY_LIST, minutes=st.sampled_from([10, 90]), then=THEN)
    def invites_guests(self, name: str, minutes: int, then: int) -> None:
        until = self.at.wall + timedelta(minutes=minutes)
        self.at.hosts["guests"] = Host("guests", networks=(net(GUESTS),), until=until)
        others = tuple(one for one in self.at.members[name] if one != "guests")
        self.at.members[name] = (*others, "guests")
        self._runs(then)

    @rule(name=ANY_LIST, behind=st.sampled_from([0, 3, 30]), then=THEN)
    def invited_guests_are_gone(self, name: str, behind: int, then: int) -> None:
        """Once their time was over, no clock that is set back lets them in again."""
        self.invites_guests(name=name, minutes=10, then=1)
        self._run(16)
        self.at.ahead -= timedelta(days=behind)
        self._runs(then)

    @rule(minutes=MINUTES)
    def runs(self, minutes: int) -> None:
        self._run(minutes)

    @rule(count=st.integers(2, 8))
    def runs_on(self, count: int) -> None:
        self._runs(count)

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
        report = self.at.run(0, only=only, **asked)
        self.ran_as = self.at.labels
        self.account.after(self.at, report, limited=not asked.get("force"))
