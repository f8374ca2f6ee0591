"""The names of `typing` as a run has them: what is used of them does what `typing` would do."""

from __future__ import annotations

import pickle
import typing

import pytest

from allowsync import typed
from allowsync.typed import Generic, NamedTuple, TypeVar, assert_never, cast

T = TypeVar("T")


class Step(NamedTuple):
    """A step."""

    first: int
    last: int = 7

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    @property
    def size(self) -> int:
        return self.last - self.first


class Bag(Generic[T]):
    """Something that holds things."""

    def __init__(self, held: T) -> None:
        self.held = held


def test_every_name_is_one_of_typing() -> None:
    assert {*typed.__all__} <= {*typing.__all__}
    assert all(hasattr(typed, name) for name in typed.__all__)


def test_a_row_is_a_tuple_with_names_defaults_and_methods() -> None:
    step = Step(3)
    assert step == (3, 7) == Step(first=3, last=7)
    assert (step.first, step.size, str(step)) == (3, 4, "3-7")
    assert repr(step) == "Step(first=3, last=7)"
    assert step._replace(last=4) == Step(3, 4)
    assert (Step._fields, Step.__doc__, Step.__module__) == (("first", "last"), "A step.", __name__)
    assert pickle.loads(pickle.dumps(step)) == step
    with pytest.raises(AttributeError):
        step.first = 1  # type: ignore[misc]


def test_a_parameter_of_a_class_changes_nothing() -> None:
    assert Bag[int](1).held == 1
    assert isinstance(Bag[str]("x"), Bag)


def test_a_value_is_itself_whatever_it_is_said_to_be() -> None:
    assert cast("int", "x") == "x"  # type: ignore[comparison-overlap]


def test_a_choice_that_is_none_is_an_error() -> None:
    with pytest.raises(AssertionError, match="7"):
        assert_never(7)  # type: ignore[arg-type]
