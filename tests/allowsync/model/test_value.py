"""A value is what a frozen dataclass with slots is, to all who make, compare or describe one."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
from inspect import signature
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from allowsync.model.value import Value, field, replace


class Plain(Value):
    """One."""

    number: int
    text: str = "x"
    held: dict[str, int] = field(default_factory=dict)


class Other(Value):
    """The same fields."""

    number: int
    text: str = "x"
    held: dict[str, int] = field(default_factory=dict)


class Derived(Plain):
    """One more field."""

    more: tuple[int, ...] = ()

    @property
    def double(self) -> int:
        """A property."""
        return 2 * self.number


class Named(Plain, kw_only=True):
    """A field without default behind those with one."""

    needed: str


class Checked(Value):
    """Checks itself; does not compare where it comes from."""

    number: int
    origin: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.number < 0:
            raise ValueError("below zero")


class Empty(Value):
    """No field."""


@dataclasses.dataclass(frozen=True, slots=True)
class Model:
    """What `Plain` has to behave like."""

    number: int
    text: str = "x"
    held: dict[str, int] = dataclasses.field(default_factory=dict)


ARGUMENTS: Any = some.tuples(
    some.lists(some.integers(0, 2), max_size=4),
    some.dictionaries(some.sampled_from(["number", "text", "held", "no"]), some.integers(0, 2)),
)


def outcome(cls: type[Any], positional: list[Any], named: dict[str, Any]) -> Any:
    try:
        return repr(cls(*positional, **named)).partition("(")[2]
    except TypeError as error:
        return str(error).partition("__init__()")[2]


@given(ARGUMENTS)
def test_it_takes_the_arguments_that_a_dataclass_takes(given: tuple[list[Any], Any]) -> None:
    assert outcome(Plain, *given) == outcome(Model, *given)


def test_the_first_instance_is_as_the_hundredth() -> None:
    class Fresh(Value):
        """Nothing was made of it yet, so its `__init__` is not compiled."""

        number: int
        text: str = "x"
        held: dict[str, int] = field(default_factory=dict)

    for cls in (Fresh, Model):
        made = [cls(number, held={"n": number}) for number in range(100)]
        assert [(one.number, one.text, one.held["n"]) for one in made] == [
            (number, "x", number) for number in range(100)
        ]

    class Refusing(Value, kw_only=True):
        """A value that wants what it has no default for."""

        number: int

    for _ in range(20):
        with pytest.raises(TypeError):
            Refusing(1)  # type: ignore[call-arg]
        with pytest.raises(TypeError):
            Refusing()  # type: ignore[call-arg]
        assert Refusing(number=1).number == 1


@given(some.integers(0, 2), some.integers(0, 2), some.sampled_from("ab"), some.sampled_from("ab"))
def test_it_is_equal_when_a_dataclass_is(one: int, two: int, this: str, that: str) -> None:
    equal = Model(one, this) == Model(two, that)
    assert (Plain(one, this) == Plain(two, that)) is equal
    assert (Derived(one, this) == Derived(two, that)) is equal


def test_values_of_two_classes_are_never_equal() -> None:
    assert Plain(1) != Other(1)
    assert Plain(1) != Derived(1)
    assert Plain(1) != (1, "x", {})
    assert len({Checked(1), Checked(1), Checked(2)}) == 2


def test_what_is_not_compared_counts_neither_for_equality_nor_for_the_hash() -> None:
    assert Checked(1, "here") == Checked(1, "there")
    assert hash(Checked(1, "here")) == hash(Checked(1, "there"))


def test_an_unhashable_field_makes_it_unhashable() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(Plain(1))


def test_it_is_frozen_and_has_no_other_attributes() -> None:
    value = Plain(1)
    with pytest.raises(AttributeError):
        value.number = 2  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del value.number
    with pytest.raises(AttributeError):
        value.unknown = 2
    assert not hasattr(value, "__dict__")


def test_it_is_no_tuple() -> None:
    with pytest.raises(TypeError):
        iter(Plain(1))  # type: ignore[call-overload]
    assert Empty() == Empty()
    assert bool(Empty())


def test_a_default_that_is_made_is_made_for_each() -> None:
    assert Plain(1).held == {}
    assert Plain(1).held is not Plain(1).held


def test_a_field_of_a_dataclass_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Wrong\.held takes the field\(\) of allowsync"):

        class Wrong(Value):
            """Its default would be the field itself."""

            held: list[int] = dataclasses.field(default_factory=list)


def test_a_subclass_has_the_fields_of_its_base_first() -> None:
    assert Derived(1, "y", {}, (3,)) == Derived(number=1, text="y", more=(3,))
    assert Derived(2).double == 4
    assert Plain(1, "y").text == "y"  # its __init__ stays its own
    assert Named(1, needed="n").needed == "n"
    with pytest.raises(TypeError, match="needed"):
        Named(1)  # type: ignore[call-arg]


def test_a_value_checks_itself() -> None:
    with pytest.raises(ValueError, match="below zero"):
        replace(Checked(1), number=-1)


def test_replacing_keeps_the_rest_and_the_class() -> None:
    assert replace(Derived(1, "y"), number=2) == Derived(2, "y")
    with pytest.raises(TypeError, match="unknown"):
        replace(Plain(1), unknown=1)


def test_a_pattern_matches_its_fields_in_order() -> None:
    match Derived(1, "y", {}, (3,)):
        case Derived(number, text, _, more):
            assert (number, text, more) == (1, "y", (3,))
        case _:
            pytest.fail("no match")


def test_it_says_what_it_holds() -> None:
    assert repr(Plain(1)) == "Plain(number=1, text='x', held={})"


def test_it_can_be_copied_and_sent_to_another_process() -> None:
    value = Named(1, "y", {"a": 1}, needed="n")
    assert copy.deepcopy(value) == value
    assert pickle.loads(pickle.dumps(value)) == value


def test_it_is_a_dataclass_to_all_who_ask() -> None:
    assert dataclasses.is_dataclass(Plain)
    assert [one.name for one in dataclasses.fields(Derived)] == ["number", "text", "held", "more"]
    assert dataclasses.replace(Named(1, needed="n"), text="z") == Named(1, "z", needed="n")
    assert dataclasses.asdict(Derived(1)) == {"number": 1, "text": "x", "held": {}, "more": ()}
    assert [one.compare for one in dataclasses.fields(Checked)] == [True, False]


def test_its_fields_are_its_parameters_for_help() -> None:
    assert signature(Plain) == signature(Model)
    assert list(signature(Derived).parameters) == ["number", "text", "held", "more"]


def test_defining_one_needs_no_dataclasses() -> None:
    program = (
        "import sys; import allowsync.model.types, allowsync.model.target;"
        "print('dataclasses' in sys.modules)"
    )
    argv = [sys.executable, "-c", program]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "False\n"
