"""What the model's nameservers say of friends' names, as it lies, fails and changes."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from allowsync.model.answer import Absent
from allowsync.model.value import replace
from tests.model.installation import NAMESERVERS, Halved, Records
from tests.model.life import (
    FRIENDS,
    LABELS,
    LIAR,
    PARKING,
    SERVERS,
    SILENT,
    THEN,
    Life,
    home,
)  # fmt: skip
from tests.model.quiet_days import check_let_in

TRANSLATION = "2a01:4f8:64:ff9b::"


class NamesChange(Life):
    """Names move, lapse, are parked, are made up, and are given by one nameserver of three."""

    @rule(label=LABELS, number=st.integers(1, 3), servers=SERVERS, then=THEN)
    def moves(self, label: str, number: int, servers: set[str], then: int) -> None:
        self.at.says(self.name(label), home(label, number), servers)
        self._runs(then)

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
        for _ in range(8):
            self._run(24 * 60)
        if mine is not None and self.watched(mine):
            self.account.latched.add(self.name(label))
        self.at.says(self.name(label), home(label, 3))
        self._runs(4)

    @rule(label=LABELS, reason=st.sampled_from(["NXDOMAIN", "NODATA"]), runs=st.integers(1, 4))
    def is_approved_after_a_week(self, label: str, reason: str, runs: int) -> None:
        """What an approved name gives is let in, also where it was refused before."""
        self.all_is_well()
        self.is_gone_for_a_week(label=label, reason=reason)
        mine = self.label(label)
        if mine is not None and self.name(label) in self.account.latched:
            self.at.approve(mine)
            self.account.latched.discard(self.name(label))
            self._runs(runs)
            check_let_in(self.account, self.at, self.name(label))

    @rule(label=LABELS, then=THEN)
    def is_mistyped_while_that_is_waited_for(self, label: str, then: int) -> None:
        """An edit and its undoing are no approval."""
        mine, name = self.label(label), self.name(label)
        if mine is not None and name in self.account.latched:
            self._run(5)  # of a new label and a new name at once nothing is known
            names, typed = self.at.hosts[mine].hostnames, f"mistyped.{name}"
            edited = tuple(typed if one == name else one for one in names)
            self.at.says(typed, SILENT[0])
            self.at.hosts[mine] = replace(self.at.hosts[mine], hostnames=edited)
            self.account.succeeded(name, typed)  # limits may still keep what it gave
            self._runs(then)
            self.at.hosts[mine] = replace(self.at.hosts[mine], hostnames=names)
            self.account.succeeded(typed, name)
            self._runs(1)

    @rule(label=LABELS, family=st.integers(0, 1))
    def has_one_family_for_a_week(self, label: str, family: int) -> None:
        """A name that is there in one family was never away: no other one has it now."""
        self.all_is_well()
        self.at.says(self.name(label), home(label, 1)[family : family + 1])
        self._days_pass()
        self._days_pass()
        self.at.says(self.name(label), home(label, 1))
        self._runs(1)
        self._is_settled()

    def watched(self, label: str) -> bool:
        """Whether anything is asked about a host."""
        listed = any(label in labels for labels in self.at.members.values())
        return listed and not self.account.ended(self.at, self.at.hosts[label])

    @rule(labels=st.sets(LABELS, min_size=1), page=st.sampled_from(PARKING), then=THEN)
    def are_parked(self, labels: set[str], page: tuple[str, str], then: int) -> None:
        for label in labels:
            self.at.says(self.name(label), page)
        self._runs(then)

    @rule(order=st.permutations(FRIENDS), page=st.sampled_from(PARKING), then=THEN)
    def are_parked_in_turns(self, order: list[str], page: tuple[str, str], then: int) -> None:
        """One after another, each for one run; or each for good from its turn on."""
        for label in order[:3]:
            self.at.says(self.name(label), page)
            self._run(5)
            if then == 0:
                self.at.says(self.name(label), home(label, 1))
        self._runs(then)

    @rule(label=LABELS, page=st.sampled_from(PARKING), gap=st.booleans(), then=THEN)
    def is_parked_like_any_name(
        self, label: str, page: tuple[str, str], gap: bool, then: int
    ) -> None:
        """A name of a provider that answers for every name lapses."""
        self.at.says("*.ddns.example", page)
        self._runs(gap)
        self.at.says(self.name(label), page)
        self._runs(then)

    @rule(page=st.sampled_from(PARKING), then=THEN)
    def any_name_is_parked(self, page: tuple[str, str], then: int) -> None:
        """The provider answers for every name, the friends' for now excepted."""
        self.at.says("*.ddns.example", page)
        self._runs(then)

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

    @rule()
    def names_exist_again(self) -> None:
        self.at.says("*.ddns.example", Absent("NXDOMAIN"))

    @rule(
        label=LABELS,
        numbers=st.permutations([1, 2, 3]),
        records=st.sampled_from(SILENT),
        server=st.sampled_from(NAMESERVERS),
    )
    def one_nameserver_alone_speaks(
        self, label: str, numbers: list[int], records: Records, server: str
    ) -> None:
        """A friend is heard from one of those that have to agree, and that gives another home."""
        self.at.says(self.name(label), home(label, numbers[0]))
        self._run(5)
        self.at.says(self.name(label), records)
        self.at.says(self.name(label), home(label, numbers[1]), [server])
        self._runs(5)

    @rule(label=LABELS, reason=st.sampled_from(["NXDOMAIN", "NODATA"]), number=st.integers(1, 2))
    def is_gone_for_hours_by_some(self, label: str, reason: str, number: int) -> None:
        """The first nameservers say so for longer than an absence takes; the others give it."""
        self.at.says(self.name(label), Absent(reason), NAMESERVERS[:number])
        for _ in range(7):
            self._run(16)

    @rule(whose=LABELS, number=st.integers(1, 3))
    def the_first_nameserver_gives_a_home_for_all(self, whose: str, number: int) -> None:
        """It stands for what one lying nameserver can do to a friend who just came home."""
        self.at.says(self.name(whose), home(whose, number))
        self._run(5)
        if self.at.agreement > 1:
            for label in FRIENDS:
                self.at.says(self.name(label), home(whose, number), NAMESERVERS[:1])
        self._runs(4)

    @rule(label=LABELS, numbers=st.permutations([1, 2, 3]), records=st.sampled_from(SILENT))
    def one_nameserver_leaves_a_home_out(
        self, label: str, numbers: list[int], records: Records
    ) -> None:
        """Of those that have to agree that it was left, one is silent, and one still gives it."""
        for number in numbers[:2]:
            self.at.says(self.name(label), home(label, number))
            self._run(5)
        self.at.says(self.name(label), records, NAMESERVERS[1:2])
        self.at.says(self.name(label), home(label, numbers[0]), NAMESERVERS[2:])
        self._runs(4)

    @rule(whose=LABELS, number=st.integers(1, 3), then=THEN)
    def the_first_nameserver_gives_a_home_for_any_name(
        self, whose: str, number: int, then: int
    ) -> None:
        if self.at.agreement > 1:
            self.at.says("*.ddns.example", home(whose, number), NAMESERVERS[:1])
        self._runs(then)
