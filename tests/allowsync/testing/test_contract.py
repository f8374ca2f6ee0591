"""The contract fails for backends that break one promise each, and passes one that keeps all."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from allowsync.backend import (
    API,
    BackendError,
    BackendType,
    Capabilities,
    Current,
    Finding,
    Needs,
    OutcomeUnknown,
    Placement,
    Severity,
)
from allowsync.backend.containment import UnfitValue
from allowsync.backend.tool import run_tool
from allowsync.model import BOTH_FAMILIES, Entry
from allowsync.model.networks import overlap
from allowsync.model.value import replace
from allowsync.testing.contract import BackendContract
from allowsync.testing.io_faults import failing_programs, fake_programs, io_pause, io_watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from allowsync.backend import Backend
    from allowsync.model import Network
    from allowsync.plan import Plan

HALF = 1800.0  # of the seconds that an entry lasts; in tests no time passes
STRANGERS = ("8.8.8.8/32", "2620:fe::fe/128")


@dataclass(frozen=True, slots=True)
class Shelf:
    """Keeps every promise: an empty file for each network, in a folder shared with others.

    The folder is listed by a program, so that a program can fail, too.
    """

    folder: Path
    allowlist: str = "jellyfin"

    def __post_init__(self) -> None:
        pass

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(overlaps=True)

    def check(self) -> list[Finding]:
        try:
            self.read()
        except BackendError as error:
            return [Finding(Severity.ERROR, str(error))]
        return []

    def names(self) -> list[str]:
        return run_tool("ls", "-A", str(self.folder)).split()

    def read(self) -> Current:
        names = self.names()
        try:
            ours = [network_of(name) for name in names if self.is_ours(name)]
            theirs = {name: network_of(name) for name in names if not self.is_ours(name)}
        except ValueError as error:
            raise BackendError(str(error)) from error
        passing = {network for name, network in theirs.items() if name.endswith(".passing")}
        others = frozenset(theirs.values()) - passing
        return Current(frozenset(map(Entry, ours)), others, temporary=frozenset(passing))

    def is_ours(self, name: str) -> bool:
        return name.rpartition(".")[2] == self.allowlist

    def apply(self, plan: Plan) -> None:
        if plan.idle:
            return
        try:
            for entry in plan.final:
                self.file(entry).touch()
                self.make_room(entry.network)
            for entry in plan.remove:
                self.file(entry).unlink(missing_ok=True)
        except OSError as error:
            raise BackendError("changed in part") from error

    def make_room(self, network: Network) -> None:
        for path in self.folder.glob("*.passing"):
            held = network_of(path.name)
            if overlap(held, network):
                for rest in without(held, network):
                    self.leave(rest, path.stat().st_mtime)
                path.unlink()

    def leave(self, rest: Network, expires: float) -> None:
        left = self.folder / f"{str(rest).replace('/', '_')}.passing"
        left.touch()
        os.utime(left, (expires, expires))

    def clear(self) -> None:
        try:
            for entry in self.read().entries:
                self.file(entry).unlink(missing_ok=True)
        except OSError as error:
            raise BackendError("something may be left") from error

    def file(self, entry: Entry) -> Path:
        return self.folder / f"{str(entry.network).replace('/', '_')}.{self.allowlist}"


def without(held: Network, network: Network) -> list[Network]:
    """What is left of one network without another that it overlaps."""
    return [one for one in held.subnets(new_prefix=held.max_prefixlen) if not overlap(one, network)]


def network_of(name: str) -> Network:
    return ip_network(name.rpartition(".")[0].replace("_", "/"))


class ShelfContract(BackendContract):
    def __init__(
        self,
        kind: Callable[[Path, str], Backend],
        folder: Path,
        *,
        options: type[Any] = Path,
        needs: Callable[[Path], Needs] = lambda options: Needs(writes=(str(options),)),
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True)

        def make(placement: Placement, options: Path) -> Backend:
            return kind(options, placement.allowlist)

        self.type = BackendType("shelf", "A folder", options, make, needs=needs, api=API)  # type: ignore[misc]

    def options(self) -> Path:
        return self.folder

    def plant(self) -> Iterable[Network]:
        for network in STRANGERS:
            (self.folder / f"{network.replace('/', '_')}.stranger").touch()
        return map(ip_network, STRANGERS)

    def plant_temporary(self) -> Network:
        planted = self.folder / "9.9.9.8_30.passing"
        planted.touch()
        os.utime(planted, (HALF, HALF))
        return ip_network("9.9.9.8/30")

    def times_left(self) -> Iterable[float]:
        return [one.stat().st_mtime for one in self.folder.glob("*.passing")]

    def vanish(self) -> bool:
        shutil.rmtree(self.folder)
        return True

    def foreign(self) -> object:
        return sorted(path.name for path in self.folder.glob("*.stranger"))

    def fingerprint(self) -> object:
        return {path.name: path.stat().st_mtime_ns for path in self.folder.iterdir()}


class ReadsFailedProgramsAsEmpty(Shelf):
    def names(self) -> list[str]:
        try:
            return super().names()
        except BackendError:
            return []


class ReadsFailedFilesAsEmpty(Shelf):
    def names(self) -> list[str]:
        try:
            return [path.name for path in self.folder.iterdir()]
        except OSError:
            return []


class ReadsWhatItDoesNotUnderstandAsEmpty(Shelf):
    def read(self) -> Current:
        self.names()  # a tool that fails is an error
        with suppress(BackendError):
            return super().read()
        return Current()


class TakesAnAllowlistThatBeginsAlikeForOurs(Shelf):
    def is_ours(self, name: str) -> bool:
        return name.rpartition(".")[2].startswith(self.allowlist)


class MarksAllWithOneAllowlist(Shelf):
    def file(self, entry: Entry) -> Path:
        return super().file(entry).with_suffix(".jellyfin")


class TellsNoOthers(Shelf):
    def read(self) -> Current:
        return replace(super().read(), others=frozenset())


class TellsNothingTemporary(Shelf):
    def read(self) -> Current:
        return replace(super().read(), temporary=frozenset())


class TellsTheTemporaryAsOthers(Shelf):
    def read(self) -> Current:
        found = super().read()
        return replace(found, others=found.others | found.temporary)


class LeavesTheTemporaryBesideItsOwn(Shelf):
    def apply(self, plan: Plan) -> None:
        passing = set(self.folder.glob("*.passing"))
        super().apply(plan)
        for one in passing:
            one.touch()


class TakesAwayAllThatIsTemporary(Shelf):
    def apply(self, plan: Plan) -> None:
        super().apply(plan)
        for one in self.folder.glob("*.passing"):
            one.unlink()


class ClearsWhatIsTemporary(Shelf):
    def clear(self) -> None:
        super().clear()
        for one in self.folder.glob("*.passing"):
            one.unlink()


class LosesTheRestOfWhatIsTemporary(Shelf):
    def leave(self, rest: Network, expires: float) -> None:
        pass


class KeepsTheRestOfWhatIsTemporaryForGood(Shelf):
    def leave(self, rest: Network, expires: float) -> None:
        (self.folder / f"{str(rest).replace('/', '_')}.stranger").touch()


class SaysThatItIsAtomic(Shelf):
    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(overlaps=True, atomic=True)


class LeaksErrorsOfReading(Shelf):
    def names(self) -> list[str]:
        return [path.name for path in self.folder.iterdir()]


class LeaksErrorsOfApplying(Shelf):
    def apply(self, plan: Plan) -> None:
        for entry in plan.final:
            self.file(entry).touch()
        for entry in plan.remove:
            self.file(entry).unlink(missing_ok=True)


class LeaksErrorsOfClearing(Shelf):
    def clear(self) -> None:
        for entry in self.read().entries:
            self.file(entry).unlink(missing_ok=True)


class RaisesFromCheck(Shelf):
    def check(self) -> list[Finding]:
        self.read()
        return []


class GoesByAdditionsAlone(Shelf):
    def apply(self, plan: Plan) -> None:
        try:
            for entry in plan.add:
                self.file(entry).touch()
            for entry in plan.remove:
                self.file(entry).unlink(missing_ok=True)
        except OSError as error:
            raise BackendError("changed in part") from error


class EmptiesBeforeItFills(Shelf):
    def apply(self, plan: Plan) -> None:
        try:
            self.clear()
            for entry in plan.final:
                self.file(entry).touch()
        except OSError as error:
            raise BackendError("changed in part") from error


class RemovesBeforeItAdds(Shelf):
    def apply(self, plan: Plan) -> None:
        try:
            for entry in plan.remove:
                self.file(entry).unlink(missing_ok=True)
            for entry in plan.final:
                self.file(entry).touch()
        except OSError as error:
            raise BackendError("changed in part") from error


class ClearsStrangers(Shelf):
    def clear(self) -> None:
        with suppress(OSError):
            for path in self.folder.iterdir():
                path.unlink()


class TouchesTheFirewallWhenMade(Shelf):
    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)


class AsksTheFirewallWhenMade(Shelf):
    def __post_init__(self) -> None:
        self.names()


class ForgetsWhatIsWithheld(Shelf):
    def apply(self, plan: Plan) -> None:
        super().apply(plan)
        for entry in plan.withheld:
            self.file(entry).unlink()


class RemembersWhatItRead(Shelf):
    seen: ClassVar[dict[int, Current]] = {}

    def __post_init__(self) -> None:
        self.seen.pop(id(self), None)

    def read(self) -> Current:
        return self.seen.setdefault(id(self), Shelf.read(self))


class ReplacesCoveredEntries(Shelf):
    def apply(self, plan: Plan) -> None:
        wide = [one.network for one in plan.final]
        within = [
            one
            for one in plan.final
            if any(one.network != other and overlap(one.network, other) for other in wide)
        ]
        Shelf.apply(self, replace(plan, add=tuple(one for one in plan.add if one not in within)))


class ChecksNothing(Shelf):
    def check(self) -> list[Finding]:
        return []


class SaysThatAFailedApplyWasDone(Shelf):
    def apply(self, plan: Plan) -> None:
        with suppress(BackendError):
            Shelf.apply(self, plan)


class LooksAtWhatItDid(Shelf):
    def apply(self, plan: Plan) -> None:
        super().apply(plan)
        self.names()


class SaysThatAKilledApplyWasNotDone(Shelf):
    def apply(self, plan: Plan) -> None:
        super().apply(plan)
        try:
            self.names()
        except OutcomeUnknown as error:
            raise BackendError("nothing was changed") from error


@dataclass(frozen=True, slots=True)
class LabelledShelf(Shelf):
    """Keeps the hosts of an entry in its file, and keeps every promise."""

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(overlaps=True, labels=True)

    def read(self) -> Current:
        current = Shelf.read(self)
        try:
            mine = [Entry(one.network, self.hosts(one)) for one in current.entries]
        except OSError as error:
            raise BackendError(str(error)) from error
        return replace(current, entries=frozenset(mine))

    def hosts(self, entry: Entry) -> tuple[str, ...]:
        return tuple(self.file(entry).read_text().split())

    def apply(self, plan: Plan) -> None:
        Shelf.apply(self, plan)
        try:
            for entry in self.labelled(plan) if not plan.idle else ():
                self.file(entry).write_text(" ".join(entry.hosts))
        except OSError as error:
            raise BackendError("changed in part") from error

    def labelled(self, plan: Plan) -> tuple[Entry, ...]:
        return plan.final


class LabelsWhatIsNewAlone(LabelledShelf):
    def labelled(self, plan: Plan) -> tuple[Entry, ...]:
        return plan.add


class TakesNoLongLabels(LabelledShelf):
    def apply(self, plan: Plan) -> None:
        if any(len(" ".join(entry.hosts)) > 128 for entry in plan.final):
            raise BackendError("the comment is too long")
        super().apply(plan)


class SaysThatAFailedClearWasDone(Shelf):
    def clear(self) -> None:
        with suppress(BackendError):
            super().clear()


MUTANTS = {
    ReadsFailedProgramsAsEmpty: "test_a_reading_that_fails_is_an_error_and_not_empty",
    ReadsFailedFilesAsEmpty: "test_a_reading_that_fails_is_an_error_and_not_empty",
    ReadsWhatItDoesNotUnderstandAsEmpty: (
        "test_output_that_is_not_understood_is_an_error_and_not_empty"
    ),
    TakesAnAllowlistThatBeginsAlikeForOurs: (
        "test_an_allowlist_whose_name_begins_alike_is_another_one"
    ),
    MarksAllWithOneAllowlist: "test_an_allowlist_whose_name_begins_alike_is_another_one",
    TellsNoOthers: "test_the_networks_of_strangers_at_the_same_place_are_named",
    **dict.fromkeys(
        (
            TellsNothingTemporary,
            TellsTheTemporaryAsOthers,
            LeavesTheTemporaryBesideItsOwn,
            TakesAwayAllThatIsTemporary,
            ClearsWhatIsTemporary,
        ),
        "test_a_strangers_entry_that_goes_by_itself_gives_way_to_ours_alone",
    ),
    **dict.fromkeys(
        (LosesTheRestOfWhatIsTemporary, KeepsTheRestOfWhatIsTemporaryForGood),
        "test_the_rest_of_a_strangers_entry_that_goes_by_itself_stays",
    ),
    SaysThatItIsAtomic: "test_an_apply_that_fails_says_so_and_never_leaves_less",
    TakesNoLongLabels: "test_more_hosts_than_a_label_has_room_for_are_no_error",
    LeaksErrorsOfReading: "test_a_reading_that_fails_is_an_error_and_not_empty",
    LeaksErrorsOfApplying: "test_an_apply_that_fails_says_so_and_never_leaves_less",
    LeaksErrorsOfClearing: "test_a_clear_that_fails_says_so_and_leaves_what_is_foreign",
    RaisesFromCheck: "test_a_check_that_fails_raises_nothing",
    GoesByAdditionsAlone: "test_what_went_missing_of_the_final_entries_is_put_back",
    EmptiesBeforeItFills: "test_an_apply_that_fails_says_so_and_never_leaves_less",
    RemovesBeforeItAdds: "test_an_apply_that_fails_says_so_and_never_leaves_less",
    ClearsStrangers: "test_what_is_foreign_is_never_touched",
    TouchesTheFirewallWhenMade: "test_making_a_backend_touches_nothing",
    AsksTheFirewallWhenMade: "test_making_a_backend_touches_nothing",
    ForgetsWhatIsWithheld: "test_withheld_entries_stay",
    RemembersWhatItRead: "test_every_look_is_a_fresh_one",
    ReplacesCoveredEntries: "test_entries_that_cover_each_other_are_held_where_it_says_so",
    ChecksNothing: "test_a_check_says_that_a_target_cannot_be_read",
    SaysThatAKilledApplyWasNotDone: (
        "test_an_apply_that_was_killed_once_done_does_not_say_that_it_was_not"
    ),
    SaysThatAFailedApplyWasDone: "test_an_apply_that_fails_says_so_and_never_leaves_less",
    LabelsWhatIsNewAlone: "test_whose_an_entry_is_is_read_where_it_is_written",
    SaysThatAFailedClearWasDone: "test_a_clear_that_fails_says_so_and_leaves_what_is_foreign",
}
TESTS = sorted(name for name in dir(BackendContract) if name.startswith("test_"))


def cases(name: str) -> list[tuple[object, ...]]:
    """The arguments of one of the contract's tests, for each case that it has."""
    marks = getattr(getattr(BackendContract, name), "pytestmark", [])
    return [(value,) for mark in marks for value in mark.args[1]] or [()]


def run(name: str, contract: BackendContract) -> None:
    """One of the contract's tests, in all its cases."""
    for case in cases(name):
        getattr(contract, name)(*case)


@pytest.mark.parametrize("kind", [Shelf, LooksAtWhatItDid, LabelledShelf])
@pytest.mark.parametrize("name", TESTS)
def test_a_backend_that_keeps_its_promises_passes(
    tmp_path: Path, name: str, kind: type[Shelf]
) -> None:
    for number, case in enumerate(cases(name)):
        getattr(ShelfContract(kind, tmp_path / str(number)), name)(*case)


@pytest.mark.parametrize(
    ("mutant", "name"), MUTANTS.items(), ids=lambda one: getattr(one, "__name__", "")
)
def test_a_backend_that_breaks_one_fails(tmp_path: Path, mutant: type[Shelf], name: str) -> None:
    with pytest.raises((AssertionError, OSError, BackendError)):
        run(name, ShelfContract(mutant, tmp_path / "shelf"))


def test_a_broken_promise_tells_what_differs(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"90\.0\.0\.1"):
        run("test_withheld_entries_stay", ShelfContract(ForgetsWhatIsWithheld, tmp_path / "shelf"))


def test_what_the_type_makes_is_what_is_tested(tmp_path: Path) -> None:
    class OfOneFamily(Shelf):
        def apply(self, plan: Plan) -> None:
            if any(entry.network.version == 6 for entry in plan.final):
                raise BackendError("the set is of IPv4")
            super().apply(plan)

    def make(folder: Path, allowlist: str) -> Backend:
        return OfOneFamily(folder, allowlist)

    with pytest.raises(BackendError, match="of IPv4"):
        run(
            "test_what_was_applied_is_read_and_has_no_flaw", ShelfContract(make, tmp_path / "shelf")
        )


@pytest.mark.parametrize("hook", ["plant", "foreign", "options", "make"])
def test_what_must_be_said_is_named(hook: str) -> None:
    with pytest.raises(NotImplementedError, match=hook if hook != "make" else "type"):
        getattr(BackendContract(), hook)()


def test_capabilities_that_the_core_refuses_are_refused_first(tmp_path: Path) -> None:
    class WithASetOfFamilies(Shelf):
        @property
        def capabilities(self) -> Capabilities:
            return Capabilities(frozenset(BOTH_FAMILIES))  # type: ignore[arg-type]

    with pytest.raises(UnfitValue, match="families is a frozenset, not a tuple"):
        ShelfContract(WithASetOfFamilies, tmp_path / "shelf").some()


def test_every_step_of_input_and_output_is_seen(tmp_path: Path) -> None:
    with io_watch() as watch:
        (tmp_path / "new").mkdir()
        list(tmp_path.iterdir())
        (tmp_path / "file").write_text("")
        (tmp_path / "file").read_text()
        run_tool("true")
    assert [one.event for one in watch.touched] == ["os.mkdir", "open", "os.posix_spawn"]
    assert watch.programs == {"true"}


def test_keeping_the_bytecode_of_an_import_is_no_step(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (tmp_path / "imported_late.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    with io_watch() as watch:
        import_module("imported_late")
    assert list(tmp_path.glob("__pycache__/*.pyc"))
    assert watch.touched == []
    with io_watch() as watch:
        (elsewhere / "sub").mkdir()
    assert [one.event for one in watch.touched] == ["os.mkdir"]


def test_the_one_step_that_is_to_fail_fails(tmp_path: Path) -> None:
    with io_watch(fails=2):
        (tmp_path / "a").mkdir()
        with pytest.raises(OSError, match="Input/output error"):
            (tmp_path / "b").mkdir()
        (tmp_path / "c").mkdir()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c"]


def test_a_fake_program_is_found_first_and_stays_while_all_else_works(tmp_path: Path) -> None:
    fake = tmp_path / "true"
    fake.write_text("#!/bin/sh\necho fake\n")
    fake.chmod(0o755)
    with fake_programs(tmp_path):
        with failing_programs(["true"]):
            with pytest.raises(BackendError):
                run_tool("true")
            with io_pause():
                assert run_tool("true") == "fake\n"
        assert run_tool("true") == "fake\n"
    assert run_tool("true") == ""
