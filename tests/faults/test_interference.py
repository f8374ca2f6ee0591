"""Somebody else changes a target while a run is at work on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.faults.conftest import staged, staged_inside
from tests.faults.judging import converges, is_honest, is_polite, reference
from tests.faults.scenes import Scene, friend_moved, gate_target
from tests.faults.stage import TABLE
from tests.support.scoreboard import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faults.harness import Place, Ran
    from tests.faults.judging import Reference
    from tests.faults.stage import Stage

GATE = Scene("a gate", friend_moved, gate_target)
FILE = Scene("a file", friend_moved)

OTHERS = "table inet filter { set ours { type ipv4_addr; elements = { 9.9.9.9 }; }; }\n"

DEEDS = {
    "the ruleset is flushed": "flush ruleset\n",
    "the table is deleted": f"delete table {TABLE}\n",
    "the table is emptied": f"delete table {TABLE}\nadd table {TABLE}\n",
    "the table is switched off": f"add table {TABLE} {{ flags dormant; }}\n",
    "a stranger is added": f"add element {TABLE} ipv4 {{ 6.6.6.6 }}\n",
    "a friend is deleted": f"delete element {TABLE} ipv4 {{ 81.2.69.1 }}\n",
    "a set is flushed": f"flush set {TABLE} ipv4\n",
    "the chain is flushed": f"flush chain {TABLE} gate\n",
    "a rule lets everyone in": f"insert rule {TABLE} gate accept\n",
    "another table comes": OTHERS,
}
EARLY = {
    "the new address is added": f"add element {TABLE} ipv4 {{ 81.2.69.77 }}\n",
    "a network around the new address is added": f"add element {TABLE} ipv4 {{ 81.2.69.64/26 }}\n",
    "who is to go is deleted": f"delete element {TABLE} ipv4 {{ 81.2.69.2 }}\n",
}
# A run asks nft three times: it reads, changes, and reads back.
BEFORE_CHANGE, BEFORE_READING_BACK = 1, 2
CASES = {
    **{f"{name}, before": (one, BEFORE_CHANGE) for name, one in (DEEDS | EARLY).items()},
    **{f"{name}, after": (one, BEFORE_READING_BACK) for name, one in DEEDS.items()},
}


class Known(NamedTuple):
    """A stage that is put back again and again, and how a run on it comes out undisturbed."""

    stage: Stage
    reference: Reference


@pytest.fixture(scope="module")
def at_gate(as_root: None) -> Iterator[Known]:
    with staged_inside() as stage:
        GATE.set_up(stage)
        yield Known(stage, reference(stage, stage.argv(), 0))


@pytest.fixture(scope="module")
def at_file() -> Iterator[Known]:
    with staged() as stage:
        FILE.set_up(stage)
        yield Known(stage, reference(stage, stage.argv(), 0))


def calls_of_nft(ran: Ran) -> list[Place]:
    return [one for one in ran.calls if one.name == "execve" and one.what.endswith("/nft")]


@pytest.mark.root
@pytest.mark.parametrize(("script", "moment"), CASES.values(), ids=CASES)
def test_whatever_others_do_to_a_gate_meanwhile_is_told_or_put_right(
    at_gate: Known, script: str, moment: int
) -> None:
    guarded, known = at_gate
    argv = guarded.argv()
    calls = calls_of_nft(known.ran)
    assert len(calls) == BEFORE_READING_BACK + 1  # nothing is looked at later
    place = calls[moment]
    guarded.put_back()
    inside = guarded.inside
    assert inside is not None
    ran = guarded.warm.interrupted(place, lambda: inside.nft(script), *argv)
    assert ran.hit
    is_polite(ran)
    foreign = script == OTHERS
    if foreign:
        assert (ran.code, "9.9.9.9" in inside.command("nft", "list", "ruleset")) == (0, True)
        inside.nft("delete table inet filter\n")
    is_honest(ran, guarded.look(), known)
    if moment == BEFORE_READING_BACK and not foreign:
        assert ran.code == 1, ran
    converges(guarded, argv, known)
    record("interference_cases", cases=1)


def lost(stage: Stage) -> None:
    stage.here.file.unlink()


def edited(stage: Stage) -> None:
    stage.here.file.write_text(stage.here.file.read_text() + "6.6.6.6/32\n")


def draft_planted(stage: Stage) -> None:
    (stage.here.folder / ".allowed.txt.allowsync-new").write_text("6.6.6.6/32\n")


def link_planted(stage: Stage) -> None:
    (stage.here.folder / ".allowed.txt.allowsync-new").symlink_to("/etc/passwd")


def undo_planted(stage: Stage) -> None:
    (stage.here.folder / ".allowed.txt.allowsync-undo").write_text("")


def permissions_changed(stage: Stage) -> None:
    stage.here.file.chmod(0o666)


@pytest.mark.parametrize(
    "deed", [lost, edited, draft_planted, link_planted, undo_planted, permissions_changed]
)
@pytest.mark.parametrize("name", ["fdatasync", "unlinkat", "create"])
def test_whatever_others_do_to_a_file_meanwhile_is_told_or_put_right(
    at_file: Known, deed: Callable[[Stage], None], name: str
) -> None:
    stage, known = at_file
    argv = stage.argv()
    chosen = [one for one in known.ran.calls if one.name == name and _is_between(one)]
    stage.put_back()
    ran = stage.warm.interrupted(chosen[0], lambda: deed(stage), *argv)
    assert ran.hit
    is_polite(ran)
    is_honest(ran, stage.look(), known)
    converges(stage, argv, known)
    record("interference_cases", cases=1)


def _is_between(place: Place) -> bool:
    """Whether a call comes between reading the file and replacing it."""
    return "allowsync-new" in place.what or place.what.endswith("state.db-journal")


def test_a_strangers_file_that_came_meanwhile_is_left_alone(at_file: Known) -> None:
    stage, known = at_file
    argv = stage.argv()
    place = next(one for one in known.ran.calls if one.name == "fdatasync")
    stage.put_back()
    ran = stage.warm.interrupted(place, lambda: stage.here.file.write_text("mine\n"), *argv)
    assert (ran.code, stage.here.file.read_text()) == (1, "mine\n")
    assert "was not written by allowsync" in ran.out
    record("interference_cases", cases=1)
