"""What must hold after a run was disturbed, whatever disturbed it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING

from allowsync.model.outcome import ExitCode
from tests.faults.stage import Seen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.faults.harness import Place, Ran
    from tests.faults.stage import Memory, Stage

SANE_CODES = (0, 1, 2, 3, 4, 5)
# nft asks by sendto(2) and changes by sendmsg(2); the program asks name servers by sendto(2).
READING = ("open", "openat", "pread64", "flock", "sendto")
EVERY = 8  # of the calls that only read, one in so many; of those that change something, each


@dataclass(frozen=True, slots=True)
class Reference:
    """How a run comes out that nothing disturbs: what there was, what there is, what it said.

    `settled` is what there is once a run after it is through, too. `meant` is what the file held
    before it was put back, if it was. `halfway` is what it held when what is new was in at every
    target, and what is old was still there.
    """

    before: Seen
    after: Seen
    ran: Ran
    settled: Seen
    memory: Memory
    history: list[tuple[object, ...]]
    leftovers: frozenset[str]
    meant: str | None = None
    halfway: str | None = None


def reference(stage: Stage, argv: tuple[str, ...], code: int) -> Reference:
    """Run it undisturbed, and once more."""
    stage.put_back()
    before = stage.look()
    ran = stage.warm.listed(*argv)
    assert ran.code == code, ran
    after = stage.look()
    again = stage.warm.run(*argv)
    assert again.code == code, again
    settled, memory, leftovers = stage.look(), stage.memory(), stage.leftovers()
    history = stage.history()
    held = tried(stage, argv, ran) if code or len(stage.here.targets) > 1 else None
    meant, halfway = (held, None) if code else (None, held)
    return Reference(before, after, ran, settled, memory, history, leftovers, meant, halfway)


def tried(stage: Stage, argv: tuple[str, ...], ran: Ran) -> str | None:
    """What the file holds while its reader is told to take notice for the first time."""
    found: list[str] = []
    execs = (place for place in ran.calls if place.name == "execve")
    reload = next(place for place in execs if not place.what.endswith("nft"))
    stage.put_back()
    stage.warm.interrupted(reload, lambda: found.append(stage.here.file.read_text()), *argv)
    return found[0]


def is_whole(seen: Seen, known: Reference) -> None:
    """Each place holds what it held before, or what it should hold: not less, not more."""
    assert seen.file in (known.before.file, known.after.file, known.meant, known.halfway)
    assert seen.in_force in (known.before.in_force, known.after.in_force, known.halfway)
    assert seen.gate in (known.before.gate, known.after.gate)


def is_in_unrecorded(seen: Seen, known: Reference) -> None:
    """What should be there is; what nothing tells the origin of may have stayed.

    A run that cannot be recorded removes nothing that is not remembered.
    """
    for before, after, now in (
        (known.before.file, known.after.file, seen.file),
        (known.before.in_force, known.after.in_force, seen.in_force),
    ):
        old, new, there = (set((one or "").splitlines()) for one in (before, after, now))
        assert new <= there <= old | new
    is_no_less(seen, known)
    assert _in_gate(known.after) <= _in_gate(seen)


def _in_gate(seen: Seen) -> set[str]:
    """The networks of a gate, in CIDR form."""
    listed = [json.loads(one) for one in (() if seen.gate is None else seen.gate[0])]
    prefixes = [one["prefix"] for one in listed if "prefix" in one]
    single = {str(ip_network(one)) for one in listed if isinstance(one, str)}
    return single | {f"{one['addr']}/{one['len']}" for one in prefixes}


def nobody_is_between(seen: Seen, known: Reference) -> None:
    """What is old has left neither layer unless what is new is in both."""
    if known.halfway is None:
        return
    if seen.gate == known.after.gate:
        assert seen.in_force in (known.halfway, known.after.in_force)
    if seen.in_force == known.after.in_force:
        assert seen.gate == known.after.gate


def is_no_less(seen: Seen, known: Reference) -> None:
    """Whoever was let in and is to be let in still is; nobody else is who never was.

    A failing `nft` may list a set as empty and call that a success. What it left out then stays
    for one run too long, and is told.
    """
    gates = known.before.gate, known.after.gate
    if seen.gate is None or None in gates:
        assert seen.gate in gates
        return
    before, after, now = (set(one[0]) for one in (*gates, seen.gate) if one is not None)
    assert before & after <= now <= before | after
    assert seen.gate[1] in [one[1] for one in gates if one is not None]


def asks(place: Place, known: Reference) -> bool:
    """Whether the process of a call is the one that asks the DNS: it alone becomes no program."""
    execs = {one.process for one in known.ran.calls if one.name == "execve"}
    return place.process not in {0, *execs}


def is_as_far_as_asked(ran: Ran, seen: Seen, known: Reference) -> None:
    """Who is known to be elsewhere is there; for others all stays as it was, and that is told.

    What came of the process that asks before it was lost counts.
    """
    if known.before == seen == Seen():
        assert ran.code == ExitCode.FAILED, ran  # nobody was found, which would shut all out
        is_honest(ran, seen, known)
        return
    assert ran.code in (known.ran.code, ExitCode.OLD_KNOWLEDGE), ran
    for before, after, now in (
        (known.before.file, known.after.file, seen.file),
        (known.before.in_force, known.after.in_force, seen.in_force),
    ):
        _is_between(*((one or "").splitlines() for one in (before, after, now)))
    gates = known.before.gate, known.after.gate, seen.gate
    _is_between(*(() if one is None else one[0] for one in gates))
    rules = [None if one is None else one[1] for one in gates]
    assert rules[2] in rules[:2]
    if seen != known.after:
        lost = [one["answer"] for host in ran.document["hosts"] for one in host["queries"]]
        assert "unavailable" in lost, ran


def _is_between(before: Iterable[str], after: Iterable[str], now: Iterable[str]) -> None:
    old, new, there = set(before), set(after), set(now)
    assert old & new <= there <= old | new


def is_polite(ran: Ran) -> None:
    """No traceback, no internal error, and an exit code that means something."""
    assert "Traceback" not in ran.err, ran
    assert "internal error" not in ran.err + ran.out, ran
    assert "unexpected" not in ran.err + ran.out, ran
    assert ran.code in SANE_CODES, ran


def is_honest(ran: Ran, seen: Seen, known: Reference) -> None:
    """What a run says of itself is true of what is there afterwards."""
    if ran.code in (0, 3):
        assert seen == known.after, ran
    wrong = {"failed", "unknown", "unrecorded"}
    for outcome, reason in ran.targets.values():
        assert (outcome in wrong) <= (ran.code == 1 and bool(reason)), ran.targets
    if ran.code == 1 and ran.targets:
        assert wrong & {outcome for outcome, _ in ran.targets.values()}, ran.targets


def failed_means_untouched(ran: Ran, seen: Seen, known: Reference) -> None:
    """Only where it is not known what a target holds is that said to be so."""
    for target, (outcome, _) in ran.targets.items():
        if outcome == "failed" and target.endswith("/file"):
            assert seen.file in (known.before.file, known.halfway), ran.targets
        if outcome == "failed" and target.endswith("/nftables"):
            assert seen.gate == known.before.gate, ran.targets


def converges(
    stage: Stage, argv: tuple[str, ...], known: Reference, *, unrecorded: bool = False
) -> None:
    """The next run puts everything right, says truly what it did, and remembers everybody.

    After a run that could not be recorded, what nothing tells the origin of stays, as such.
    """
    before = stage.look()
    ran = stage.warm.run(*argv)
    is_polite(ran)
    seen = stage.look()
    assert ran.code == known.ran.code, ran
    if unrecorded:
        is_in_unrecorded(seen, known)
    else:
        assert seen in (known.after, known.settled), ran
    outcomes = {one["target"]: one["outcome"] for one in ran.document["targets"]}
    if set(outcomes.values()) == {"unchanged"}:
        assert before == seen, ran
    assert stage.leftovers() <= known.leftovers
    remembered = stage.memory()
    if known.meant is not None:
        # A file that is put back again holds what the run that failed did not see in it.
        remembered["entries"] = known.memory["entries"]
    if unrecorded:
        stayed = set((seen.file or "").splitlines()) - set((known.after.file or "").splitlines())
        stayed |= _in_gate(seen) - _in_gate(known.after)
        for table in ("entries", "inherited"):
            remembered[table] = [row for row in remembered[table] if row[1] not in stayed]
    assert remembered == known.memory


def places(calls: Iterable[Place], *, state_every: int = 1) -> Iterator[Place]:
    """Where to disturb a run: wherever it changes something, and here and there besides.

    Args:
        calls: What it does undisturbed.
        state_every: Of the calls about the state, one in so many.
    """
    reading = state = 0
    for place in calls:
        if place.name in READING:
            reading += 1
            wanted = reading % EVERY == 1
        elif "state.db" in place.what:
            state += 1
            wanted = state % state_every == 0
        else:
            wanted = True
        if wanted:
            yield place
