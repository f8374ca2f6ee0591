"""What the model's administrator edits: labels, hostnames, families, lists, and guests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st
from hypothesis.stateful import rule

from allowsync.model.answer import Absent
from allowsync.model.types import BOTH_FAMILIES, Family, Host
from allowsync.model.value import replace
from tests.model.life import ANY_LIST, LABELS, NUMBERS, SILENT, THEN, Life, home

if TYPE_CHECKING:
    from tests.model.installation import Records


# What is edited next is another edit.
AFTER = st.sampled_from([1, 1, 4])


class ConfigurationChanges(Life):
    """Hosts come, go, are renamed, are mixed up, and are on other lists."""

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
                # Mixed up since the last run: for all that shows, the other was edited, and stays.
                other = self.at.hosts.get(self.ran_as.get(hostname, ""))
                self.account.left(hostname, () if other is None else other.hostnames)
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
            self._mixed_up(set(names))
            families = max(one.families, two.families, key=len)
            self.at.hosts[mine] = replace(one, hostnames=names, families=families)
            self._members({theirs: ""})
        self._runs(then)

    @rule(label=LABELS, then=AFTER)
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
            self._mixed_up({*one.hostnames, *two.hostnames})
        self._runs(then)

    @rule(
        label=LABELS,
        records=st.sampled_from([*SILENT, Absent("NXDOMAIN"), Absent("NODATA")]),
        then=AFTER,
    )
    def has_another_name(self, label: str, records: Records, then: int) -> None:
        """A friend is to be asked for by another name, of which nothing is known yet."""
        mine, old = self.label(label), self.name(label)
        if mine is not None and self.at.hosts[mine].hostnames == (old,):
            self._run(5)  # of a new label and a new name at once nothing is known
            self.renamed[label] = self.renamed.get(label, 0) + 1
            new = self.name(label)
            self.at.says(new, records)
            self.at.hosts[mine] = replace(self.at.hosts[mine], hostnames=(new,))
            self.account.succeeded(old, new)
        self._runs(then)

    @rule(label=LABELS, number=NUMBERS, then=AFTER)
    def moves_by_another_name(self, label: str, number: int, then: int) -> None:
        self.has_another_name(label=label, records=home(label, number), then=then)

    @rule(name=ANY_LIST)
    def runs_for_one_list(self, name: str) -> None:
        self._run(5, only=(name,))

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

    def _mixed_up(self, names: set[str]) -> None:
        """What a former name gave is kept for a label, whatever hostname that has next."""
        account = self.account
        over = {key for key, one in account.held.items() if key[0] in names and one.former}
        account.ever |= {(name, network) for name in names for _, network in over}
        for key in over:
            del account.held[key]

    def _members(self, renamed: dict[str, str]) -> None:
        for name, labels in self.at.members.items():
            new = (renamed.get(label, label) for label in labels)
            self.at.members[name] = tuple(label for label in new if label)
