"""The contract fails for backends that miss changes by others, or declare something untrue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from allowsync.backend import API, BackendError, BackendType, Capabilities, Current, Needs, Place
from allowsync.config.kinds import Text
from allowsync.config.schema import option
from allowsync.model.value import Value
from allowsync.testing.type_contract import PLACE_KINDS, BackendTypeContract
from tests.allowsync.testing.test_contract import HALF, Shelf, ShelfContract, run
from tests.support.documents import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from allowsync.backend import Backend
    from allowsync.model import Network
    from allowsync.plan import Plan


class ReadsAMissingFolderAsAnEmptyOne(Shelf):
    def read(self) -> Current:
        return super().read() if self.folder.exists() else Current()


class ChecksNoMissingFolder(Shelf):
    def check(self) -> Any:
        return super().check() if self.folder.exists() else ()


class ResetsTheTimeOfTheRest(Shelf):
    def leave(self, rest: Network, expires: float) -> None:
        super().leave(rest, 2 * HALF)


class EndsTheRestAtOnce(Shelf):
    def leave(self, rest: Network, expires: float) -> None:
        super().leave(rest, 1.0)


class AsksForNoRetry(Shelf):
    """Refuses to apply what it read before others changed something."""

    again: ClassVar[bool] = False

    def apply(self, plan: Plan) -> None:
        seen = self.strangers()
        super().apply(plan)
        if self.strangers() != seen:
            raise BackendError("another program changed the folder meanwhile", again=self.again)

    def strangers(self) -> list[Path]:
        return sorted(self.folder.glob("*.stranger"))


class AsksForARetry(AsksForNoRetry):
    again = True


class SaysThatItHoldsMore(Shelf):
    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(overlaps=True, max_entries=401)

    def apply(self, plan: Plan) -> None:
        if len(plan.final) > 400:
            raise BackendError("the folder is full")
        super().apply(plan)


MUTANTS = {
    **dict.fromkeys(
        (ReadsAMissingFolderAsAnEmptyOne, ChecksNoMissingFolder),
        "test_a_target_that_vanished_is_not_read_as_an_empty_one",
    ),
    **dict.fromkeys(
        (ResetsTheTimeOfTheRest, EndsTheRestAtOnce),
        "test_the_rest_of_a_temporary_entry_expires_when_all_of_it_would_have",
    ),
    AsksForNoRetry: "test_a_change_by_others_during_an_apply_is_no_error_or_asks_for_a_retry",
    SaysThatItHoldsMore: "test_as_many_entries_as_it_says_are_held",
}


@pytest.mark.parametrize(
    ("mutant", "name"), MUTANTS.items(), ids=lambda one: getattr(one, "__name__", "")
)
def test_a_backend_that_breaks_a_promise_fails(
    tmp_path: Path, mutant: type[Shelf], name: str
) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception, BackendError)):
        run(name, ShelfContract(mutant, tmp_path / "shelf"))


def test_a_backend_that_asks_for_a_retry_passes(tmp_path: Path) -> None:
    run(MUTANTS[AsksForNoRetry], ShelfContract(AsksForARetry, tmp_path / "shelf"))


def test_files_that_the_type_does_not_need_are_named(tmp_path: Path) -> None:
    contract = ShelfContract(Shelf, tmp_path / "shelf", needs=lambda _: Needs(writes=("/srv",)))
    with pytest.raises(AssertionError, match=r"missing in `Needs\.writes`"):
        contract.test_the_files_it_writes_are_among_its_needs()


class OfAPlace(Value):
    """Options of a target with a given place."""

    place: ClassVar[Place]
    word: str = option(Text("a word"), help="A word.", default="x")

    def places(self, allowlist: str) -> tuple[Place, ...]:
        return (self.place,)


def made(_placement: object, _options: object) -> Backend:
    return Shelf(ROOT)


class Typed(BackendTypeContract):
    type = BackendType("typed", "Typed", OfAPlace, made, api=API)
    own_kinds = ("pf table",)

    def accepted(self) -> Iterable[Mapping[str, object]]:
        return [{}]


PLACES = {
    Place("nft set", ("inet", "filter", "trusted")): "the kind 'nft set' of a place is unknown",
    Place("nftables set", ("filter", "trusted")): "has to have 3 parts",
    Place("file", ("friends",)): "the file friends has to be named by its absolute path",
    Place("file", ("",)): "name=",
}


@pytest.mark.parametrize(("place", "what"), PLACES.items(), ids=str)
def test_a_place_of_a_wrong_kind_or_with_missing_parts_fails(
    monkeypatch: pytest.MonkeyPatch, place: Place, what: str
) -> None:
    monkeypatch.setattr(OfAPlace, "place", place, raising=False)
    with pytest.raises(AssertionError, match=what):
        Typed().test_places_are_named()


@pytest.mark.parametrize(
    "place", [Place("pf table", ("friends",)), Place("ipset", ("friends",))], ids=str
)
def test_a_place_of_a_known_kind_passes(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    monkeypatch.setattr(OfAPlace, "place", place, raising=False)
    Typed().test_places_are_named()


def test_the_documented_kinds_are_those_that_are_known() -> None:
    page = (ROOT / "docs/writing-a-backend.md").read_text()
    rows = page.split("\n| Kind | Name |\n|---|---|\n")[1].split("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert {kind.strip("`"): len(name.split(", ")) for kind, name in cells} == PLACE_KINDS


class Alone(ShelfContract):
    """A shelf whose type names the folder as a place of one allowlist."""

    def __init__(self, folder: Path) -> None:
        super().__init__(Shelf, folder, options=OfAPlace)

    def options(self) -> Any:
        return OfAPlace()


@pytest.mark.parametrize("shared", [True, False])
def test_a_place_that_is_not_shared_has_to_be_confirmed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    place = Place("file", ("/srv/friends",), shared)
    monkeypatch.setattr(OfAPlace, "place", place, raising=False)
    contract = Alone(tmp_path / "shelf")
    if shared:
        assert contract.neighbour() is not None
        return
    with pytest.raises(NotImplementedError, match=r"the file /srv/friends without shared=True"):
        contract.neighbour()
