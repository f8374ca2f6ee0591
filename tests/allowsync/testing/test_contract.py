"""The contract fails for backends that break one promise each, and passes one that keeps all."""

from __future__ import annotations

import itertools
from contextlib import suppress
from dataclasses import dataclass
from inspect import signature
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from allowsync.backend import BackendError, Capabilities, Current, Finding, Severity
from allowsync.backend.tool import run_tool
from allowsync.model import BOTH_FAMILIES, Entry
from allowsync.testing.contract import BackendContract
from allowsync.testing.io_faults import failing_programs, fake_programs, io_pause, io_watch

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from allowsync.backend import Backend
    from allowsync.model import Network
    from allowsync.plan import Plan

STRANGERS = ("8.8.8.8/32", "2620:fe::fe/128")


@dataclass(frozen=True, slots=True)
class Shelf:
    """Keeps every promise: an empty file for each network, in a folder shared with others.

    The folder is listed by a program, so that a program can fail, too.
    """

    folder: Path

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
        found = [name.rpartition(".") for name in self.names()]
        ours = (network_of(stem) for stem, _, owner in found if owner == "web")
        others = (network_of(stem) for stem, _, owner in found if owner != "web")
        return Current(frozenset(map(Entry, ours)), frozenset(others))

    def apply(self, plan: Plan) -> None:
        if plan.idle:
            return
        try:
            for entry in plan.final:
                self.file(entry).touch()
            for entry in plan.remove:
                self.file(entry).unlink(missing_ok=True)
        except OSError as error:
            raise BackendError("changed in part") from error

    def clear(self) -> None:
        try:
            for entry in self.read().entries:
                self.file(entry).unlink(missing_ok=True)
        except OSError as error:
            raise BackendError("something may be left") from error

    def file(self, entry: Entry) -> Path:
        return self.folder / f"{str(entry.network).replace('/', '_')}.web"


def network_of(stem: str) -> Network:
    return ip_network(stem.replace("_", "/"))


class ShelfContract(BackendContract):
    def __init__(self, kind: type[Shelf], folder: Path) -> None:
        self.kind, self.folder = kind, folder
        folder.mkdir(parents=True)

    def make(self) -> Backend:
        return self.kind(self.folder)

    def plant(self) -> Iterable[Network]:
        for network in STRANGERS:
            (self.folder / f"{network.replace('/', '_')}.stranger").touch()
        return map(ip_network, STRANGERS)

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


class TellsNoOthers(Shelf):
    def read(self) -> Current:
        return Current(super().read().entries)


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


class SaysThatAFailedClearWasDone(Shelf):
    def clear(self) -> None:
        with suppress(BackendError):
            super().clear()


MUTANTS = {
    ReadsFailedProgramsAsEmpty: "test_a_reading_that_fails_is_an_error_and_not_empty",
    ReadsFailedFilesAsEmpty: "test_a_reading_that_fails_is_an_error_and_not_empty",
    TellsNoOthers: "test_the_networks_of_strangers_at_the_same_place_are_named",
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
    SaysThatAFailedClearWasDone: "test_a_clear_that_fails_says_so_and_leaves_what_is_foreign",
}
TESTS = sorted(name for name in dir(BackendContract) if name.startswith("test_"))


def run(name: str, contract: BackendContract) -> None:
    """One of the contract's tests, for both families where it has them."""
    test = getattr(contract, name)
    for family in BOTH_FAMILIES if signature(test).parameters else (None,):
        test(*filter(None, [family]))


@pytest.mark.parametrize("name", TESTS)
def test_a_backend_that_keeps_its_promises_passes(tmp_path: Path, name: str) -> None:
    folders = (tmp_path / str(number) for number in itertools.count())
    if not signature(getattr(BackendContract, name)).parameters.keys() - {"self"}:
        run(name, ShelfContract(Shelf, next(folders)))
        return
    for family in BOTH_FAMILIES:
        getattr(ShelfContract(Shelf, next(folders)), name)(family)


@pytest.mark.parametrize(
    ("mutant", "name"), MUTANTS.items(), ids=lambda one: getattr(one, "__name__", "")
)
def test_a_backend_that_breaks_one_fails(tmp_path: Path, mutant: type[Shelf], name: str) -> None:
    with pytest.raises((AssertionError, OSError, BackendError)):
        run(name, ShelfContract(mutant, tmp_path / "shelf"))


@pytest.mark.parametrize("hook", ["plant", "foreign"])
def test_what_strangers_have_must_be_said(hook: str) -> None:
    with pytest.raises(NotImplementedError):
        getattr(BackendContract(), hook)()


def test_every_step_of_input_and_output_is_seen(tmp_path: Path) -> None:
    with io_watch() as watch:
        (tmp_path / "new").mkdir()
        list(tmp_path.iterdir())
        (tmp_path / "file").write_text("")
        (tmp_path / "file").read_text()
        run_tool("true")
    assert [one.event for one in watch.touched] == ["os.mkdir", "open", "subprocess.Popen"]
    assert watch.programs == {"true"}


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
