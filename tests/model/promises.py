"""The promises, told by what really happened: an account that is far simpler than the program.

It knows the true time, what every nameserver said in each run, and what the firewalls held. It
never asks why the program did something, only whether anything that happened allowed it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from allowsync.model.answer import Unavailable
from allowsync.model.outcome import Outcome
from allowsync.model.types import Basis, Family, Host, Network, Query
from allowsync.policy.screening import network_of
from tests.model.answers import addresses, contested, covered, made_up, proven_absent, quorum
from tests.model.holding import DAY, QUARTER, Backup, Holding
from tests.model.installation import (
    FIREWALLS,
    LISTS,
    Dns,
    Installation,
    list_of,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from allowsync.model.answer import Answer
    from allowsync.plan.result import RunReport

IN_STEP = (Outcome.APPLIED, Outcome.UNCHANGED, Outcome.REFUSED)


@dataclass(slots=True)
class Account:
    """What the promises mean for one installation.

    Attributes:
        held: By hostname and network, what was granted.
        given: What enough nameservers gave for a configured name, ever.
        givers: By network, which hostnames' answers had it of late, and when last.
        lasting: Networks that a hostname had for longer than the guards' window.
        unknown: What firewalls held when the state was lost: whose it is cannot be told.
        remembered: The latest instant that the wall clock ever showed, by the state.
        filled: By firewall, the hostnames for which it held something after its last good run.
        ever: All that hostnames were granted since the state was lost: what they may get back.
        last: By firewall, what it held after the last run: what a flush takes is put back.
        noted: The latest instant by the last run, as it is known beside the state.
        noted_here: The same, as it is known until the next restart.
        unseen: Whether that is not noted yet of a state that is another one since.
        backup: What a backup knows that took the state's place, until a run has looked.
        backed: What of such is believed, whoever gives it now: no firewall told what was left.
        shut: The firewalls that are known to have kept strangers out.
        inside: By firewall, the hostnames that it let in by a network of theirs alone.
        gone: The firewalls whose gate was not there before the last run: force empties none.
        latched: The hostnames that were gone for a week, and were not approved since.
        away: Since when hostnames may have been gone, for all that anything knows.
        doubted: The hostnames that may have to be approved, not just those that have to.
    """

    held: dict[tuple[str, Network], Holding] = field(default_factory=dict)
    given: set[Network] = field(default_factory=set)
    givers: dict[Network, dict[str, datetime]] = field(default_factory=dict)
    first: dict[tuple[str, Network], datetime] = field(default_factory=dict)
    missed: dict[tuple[str, Network], int] = field(default_factory=dict)
    unknown: set[Network] = field(default_factory=set)
    remembered: datetime | None = None
    noted: datetime | None = None
    noted_here: datetime | None = None
    unseen: bool = False
    filled: dict[str, set[str]] = field(default_factory=dict)
    ever: set[tuple[str, Network]] = field(default_factory=set)
    last: dict[str, frozenset[Network]] = field(default_factory=dict)
    backup: set[tuple[str, Network]] = field(default_factory=set)
    backed: set[Network] = field(default_factory=set)
    shut: set[str] = field(default_factory=set)
    inside: dict[str, set[str]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    latched: set[str] = field(default_factory=set)
    away: dict[str, datetime] = field(default_factory=dict)
    doubted: set[str] = field(default_factory=set)

    before_run: dict[str, frozenset[Network]] = field(default_factory=dict)

    # What happens beside runs.

    def lost(self, at: Installation, *, whole: bool = False) -> None:
        """The state is gone: what firewalls hold is all that is left, and what is noted elsewhere.

        With the whole folder, what is noted beside the state is gone, too.
        """
        if whole:
            self.noted = None
        for store in at.stores.values():
            self.unknown |= store.networks
        for key, one in tuple(self.held.items()):
            here = frozenset(name for name, st in at.stores.items() if key[1] in st.networks)
            one.only = here if one.only is None else here & one.only
            if not one.only:
                del self.held[key]
        self.givers.clear()
        self.first.clear()
        self.filled.clear()
        self.inside.clear()
        self.latched.clear()
        self.ever.clear()
        self.last.clear()
        self.remembered, self.unseen = None, True
        self._forget_all()

    def put_back(self, at: Installation, backup: Backup) -> None:
        """A backup takes the place of the state: whose a new hostname was, it cannot tell."""
        self.held = {key: one for key, one in self.held.items() if key[0] in backup.names}
        self.unknown |= backup.unknown
        self.remembered = backup.latest
        self.backup = set(backup.known)
        there = [store.networks for store in at.stores.values()]
        self.ever |= {key for key in backup.known if any(covered(key[1], one) for one in there)}
        if any(not store.networks for store in at.stores.values()):
            self._believe_backup()

    @property
    def latest(self) -> datetime | None:
        """The latest instant that the wall clock ever showed, as far as anything tells."""
        told = (self.remembered, self.noted, self.noted_here)
        return max((one for one in told if one is not None), default=None)

    def _believe_backup(self) -> None:
        self.ever |= self.backup
        self.backed |= {network for _, network in self.backup}

    def left(self, hostname: str, others: Iterable[str] = ()) -> None:
        """A host was taken out of the configuration, and what it held with it.

        What a hostname gave may be held for the present ones of the label that it had.
        """
        gave = {network for name, network in (*self.held, *self.ever) if name == hostname}
        self.ever |= {(other, network) for other in others for network in gave}
        self.held = {key: one for key, one in self.held.items() if key[0] != hostname}
        self.latched.discard(hostname)

    def succeeded(self, old: str, new: str) -> None:
        """A host has another hostname, and keeps what the former gave until that one is known."""
        for key in [one for one in self.held if one[0] == old]:
            self.held[new, key[1]] = replace(self.held.pop(key), former=True)
        self.ever |= {(new, network) for hostname, network in self.ever if hostname == old}

    def flushed(self, names: Iterable[str] = FIREWALLS) -> None:
        """Firewalls are empty: what they alone knew is known no more."""
        self._believe_backup()
        for key, one in tuple(self.held.items()):
            one.only = None if one.only is None else one.only.difference(names)
            if one.only is not None and not one.only:
                del self.held[key]

    def rebooted(self) -> None:
        self.flushed()
        self.noted_here = None
        self._forget_all()
        for one in self.held.values():
            one.boots += 1

    def _forget_all(self) -> None:
        """Where nothing tells of any run, the next one is the first ever."""
        if self.latest is None:
            self.shut.clear()

    # A run, and what has to hold after it.

    def before(self, at: Installation, lists: Iterable[str]) -> None:
        """Note what the DNS says, as a run is about to ask about the hosts of some lists."""
        self.gone = {name for name, store in at.stores.items() if store.flaws}
        if set(lists) == set(LISTS):
            self.backup = set()
        # A home that was granted before may come back, as it stood below a wider entry, or to
        # another list.
        homes = {network for _, network in (*self.held, *self.ever) if network not in at.pages}
        homes |= self.backed
        # So may whatever a name has now, when its host is moved to another list.
        present = set().union(*(one.networks for one in at.stores.values()))
        moved = {
            name: {
                network
                for hostname, network in self.held
                if network in present and hostname in self._names(at, name)
            }
            for name in at.stores
        }
        self.before_run = {
            name: self.last.get(name, frozenset()) | one.networks | homes | moved[name]
            for name, one in at.stores.items()
        }
        asked = {label for name in lists for label in at.members[name]}
        for host in (at.hosts[label] for label in sorted(asked)):
            for query in host.queries:
                enough = quorum(at, query)
                self.given |= {network_of(one, host) for one in enough}
                for address in enough.intersection(addresses(Dns(at.zones).first(query))):
                    network = network_of(address, host)
                    self.givers.setdefault(network, {})[query.hostname] = at.truth
                    self.first.setdefault((query.hostname, network), at.truth)

    def after(self, at: Installation, report: RunReport, *, limited: bool = True) -> None:
        """Check a run; without limits where they were overruled."""
        if not limited:
            self.filled = {name: self.filled[name] for name in self.gone & self.filled.keys()}
            self.inside.clear()
        self.remembered = max(at.wall, self.latest or at.wall)
        whole = len(report.targets) == len(at.stores)
        if whole or not self.unseen:
            self.noted = self.noted_here = self.remembered
        self.unseen &= not whole
        if not report.offline:
            for label in report.decisions:
                self._heard(at, at.hosts[label])
        self._granted(at, report)
        for target in report.targets:
            if target.outcome in IN_STEP:
                self._check(at, target.target)
            self._shut(at, target.target)
        self.last = {name: frozenset(store.networks) for name, store in at.stores.items()}
        self._left_lists(at)
        present = set().union(*(store.networks for store in at.stores.values()))
        if whole:  # what a wider entry covers comes back when that goes
            self.unknown = {one for one in self.unknown if covered(one, present)}
        over = {
            key for key, one in self.held.items()
            if one.may_end(at.truth) and not covered(key[1], present)
        }  # fmt: skip
        for key in over:
            del self.held[key]

    def _left_lists(self, at: Installation) -> None:
        """A host that left a list leaves nothing there to come back to."""
        for (_, network), one in self.held.items():
            if one.only is not None:
                one.only = frozenset(n for n in one.only if covered(network, at.stores[n].networks))

    def _heard(self, at: Installation, host: Host) -> None:
        for query in host.queries:
            given = {network_of(one, host) for one in quorum(at, query)}
            first, agreed = Dns(at.zones).first(query), proven_absent(at, host, query)
            heard = {network_of(one, host) for one in addresses(first)}
            self._missed(query, first, heard)
            self._away(at, query, heard)
            believed = {one for one in given | heard if not self.parked(at, one)}
            if believed:
                self._known(query.hostname)
            for (name, network), one in self.held.items():
                if name != query.hostname or Family.of(network) is not query.family:
                    continue
                if network in heard:
                    # What had its time does not have it again because a guard refuses it now. And
                    # after a lost state as many have to give it as of what is new.
                    if not one.may_end(at.truth) and (one.only is None or network in given):
                        one.given, one.without, one.absent = at.truth, [], []
                        one.boots = 0
                elif agreed:
                    one.absent.append(at.truth)
                elif believed - {network} and not contested(at, query, host, network):
                    one.without.append(at.truth)

    def _known(self, hostname: str) -> None:
        """The first answer of a hostname ends what a former one gave."""
        over = [key for key, one in self.held.items() if key[0] == hostname and one.former]
        for key in over:
            del self.held[key]

    def _away(self, at: Installation, query: Query, heard: set[Network]) -> None:
        """Note whether a name was gone so long, or on and off, that it may need an approval."""
        if heard:
            self.away.pop(query.hostname, None)
        since = self.away.setdefault(query.hostname, at.truth)
        if not heard and at.truth - since > 5 * DAY:
            self.doubted.add(query.hostname)

    def _missed(self, query: Query, first: Answer, heard: set[Network]) -> None:
        """A name that gave other answers three times in a row speaks against a network no more."""
        if isinstance(first, Unavailable):
            return
        for network, givers in self.givers.items():
            if query.hostname in givers and Family.of(network) is query.family:
                key = (query.hostname, network)
                self.missed[key] = 0 if network in heard else self.missed.get(key, 0) + 1
                if self.missed[key] >= 3:
                    givers.pop(query.hostname)

    def _granted(self, at: Installation, report: RunReport) -> None:
        for label, decision in report.decisions.items():
            for grant in decision.grants:
                if grant.basis is Basis.FRESH:
                    assert grant.hostname not in self.latched, f"{label} may be another one by now"
                    key = (grant.hostname, grant.network)
                    if key not in self.held or self.held[key].may_end(at.truth):
                        self.held[key] = Holding(at.truth)
                    self.held[key].only = None
                    self.ever.add(key)
            assert not (decision.ended and decision.grants), label

    def parked(self, at: Installation, network: Network) -> bool:
        """Whether so many hosts gave a network within a day that it is nobody's home."""
        whose = at.labels
        recent = {
            name
            for name, when in self.givers.get(network, {}).items()
            if at.truth - when < DAY and name in whose
        }
        vouched = any(
            at.truth - self.first.get((name, network), at.truth) >= DAY - QUARTER for name in recent
        )
        return len({whose[name] for name in recent}) > 2 and not vouched

    def ended(self, at: Installation, host: Host) -> bool:
        return host.until is not None and (self.latest or at.wall) >= host.until

    def live(self, at: Installation, name: str) -> Iterator[Host]:
        """The hosts of a firewall whose access has not ended."""
        for label in at.members[list_of(name)]:
            if not self.ended(at, at.hosts[label]):
                yield at.hosts[label]

    def _names(self, at: Installation, name: str) -> set[str]:
        """The hostnames of a firewall."""
        return {hostname for host in self.live(at, name) for hostname in host.hostnames}

    def secure(self, at: Installation, name: str) -> Iterator[Network]:
        """What no silence, no single nameserver and no clock may have cost a friend yet."""
        for host in self.live(at, name):
            yield from host.networks
            for (hostname, network), one in self.held.items():
                if hostname not in host.hostnames or one.may_end(at.truth):
                    continue
                if one.only is not None and (one.without or one.absent or name not in one.only):
                    continue
                if network not in at.pages:
                    yield network

    def _shut(self, at: Installation, name: str) -> None:
        """Closed stays closed, whatever is known of hosts."""
        store = at.stores[name]
        up = not store.flaws
        assert up or store.fail_apply or name not in self.shut, f"{name} is open to everyone"
        if up:
            self.shut.add(name)

    def _check(self, at: Installation, name: str) -> None:
        now = at.stores[name].networks
        hosts = list(self.live(at, name))
        for network in self.secure(at, name):
            assert covered(network, now), f"{network} lost its access to {name}"
        mine = {network for host in at.hosts.values() for network in host.networks}
        lasting = {key[1] for key, one in self.held.items() if not one.may_end(at.truth)}
        for network in now - self.unknown:
            assert network in self.given or network in mine, f"{network} was never given"
            # A limit may keep what had its time, whoever gives it then.
            kept = network in self.last.get(name, ()) and network not in lasting
            assert kept or not self.parked(at, network), f"{network} is a parking page"
        came = made_up(at, self.first) & now - self.before_run[name]
        assert not came, f"a made-up name gives {came} as well"
        wanted = {network for host in hosts for network in host.networks}
        known = {*self.held, *self.ever}
        wanted |= {key[1] for key in known if any(key[0] in one.hostnames for one in hosts)}
        wanted |= self.unknown
        for network in now - at.pages:
            assert covered(network, wanted), f"{network} is let in to {name} for no host there"
        names = self._names(at, name)
        if names & self.filled.get(name, set()):
            assert now, f"{name} was left empty"
        filled = {
            hostname
            for (hostname, network), one in self.held.items()
            if network in now and one.only is None and network not in at.pages
        }
        self.filled[name] = names & filled
        self._limits(at, name, names, filled)

    def _limits(self, at: Installation, name: str, names: set[str], filled: set[str]) -> None:
        """One run takes all access from half of the hosts at most, but by what others gave."""
        alone = {
            hostname
            for hostname, network in self.held
            if hostname in filled and self.givers.get(network, {}).keys() <= {hostname}
        }
        whose, now = at.labels, at.stores[name].networks
        still = {
            hostname for hostname, network in {*self.held, *self.ever} if covered(network, now)
        }
        kept = {whose[hostname] for hostname in names & still}
        kept |= {label for label in at.members[list_of(name)] if at.hosts[label].networks}
        out = {whose[one] for one in names & self.inside.get(name, set()) - still} - kept
        most = max(1, len(at.members[list_of(name)]) // 2)
        assert len(out) <= most, f"{sorted(out)} lost all access to {name} in one run"
        self.inside[name] = names & alone
