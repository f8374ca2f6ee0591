"""What is changed, one piece at a time; and that the rest of the program stays as it is."""

from __future__ import annotations

import ast

import pytest

from tests.mutation.mutants import compiled, mutants
from tests.mutation.suites import ROOT, SUITES, source, suite


def changed(program: str) -> list[str]:
    return [ast.unparse(tree) for _, tree in mutants(program)]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a < b", ["a <= b", "a >= b"]),
        ("a == b", ["a != b"]),
        ("a is not b", ["a is b"]),
        ("a in b", ["a not in b"]),
        ("a and b", ["a or b", "a", "b"]),
        ("not a", ["a"]),
        ("a + b", ["a - b"]),
        ("a | b", ["a & b"]),
        ("max(a)", ["min(a)"]),
        ("sorted(a)", ["list(a)"]),
        ("a.isdisjoint(b)", ["a.issubset(b)"]),
        ("f(x=y, z=w)", ["f(z=w)", "f(x=y)"]),
        ("1", ["2"]),
        ("1.0", ["1.5"]),
        ("True", ["False"]),
        ("'b'", ["''"]),
        ("''", ["'something'"]),
        ("b if c else d", ["d if c else b"]),
        ("b if c is d else e", ["b", "e", "b if c is not d else e"]),
        ("[b for b in c if d]", ["[b for b in c]", "[b for b in c if not d]"]),
        ("[b for b in c if not d]", ["[b for b in c]", "[b for b in c if d]"]),
    ],
)
def test_each_piece_is_changed_into_what_it_might_have_been(
    expression: str, expected: list[str]
) -> None:
    assert sorted(changed(f"x = {expression}")) == sorted(f"x = {one}" for one in expected)


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("f()", ["pass"]),
        ("a += b", ["pass", "a -= b"]),
        ("if a:\n    f()", ["if not a:\n    f()", "if a:\n    pass"]),
        ("def f():\n    raise E", ["def f():\n    pass"]),
        ("while a:\n    break", ["while a:\n    pass"]),
    ],
)
def test_each_statement_is_left_out_or_turned_round(program: str, expected: list[str]) -> None:
    assert sorted(changed(program)) == sorted(expected)


@pytest.mark.parametrize(
    "program",
    [
        '"""Documentation of 1."""',
        "a: Literal['x']",
        "def f(a: 'x') -> 'y':\n    return a",
        "if TYPE_CHECKING:\n    a = 1",
        "__all__ = ['a']",
        "@cache(size=1)\ndef f():\n    return a",
    ],
)
def test_what_no_caller_can_tell_apart_is_left_alone(program: str) -> None:
    assert changed(program) == []


@pytest.mark.parametrize("module", ["policy/orphans", "plan/limits", "plan/planner"])
def test_every_mutant_of_a_module_is_another_program_that_can_be_read(module: str) -> None:
    text = source(module).read_text()
    original = ast.unparse(ast.parse(text))
    seen = {original}
    for mutant, tree in mutants(text):
        compiled(tree, module)
        assert ast.unparse(tree) not in seen, mutant
        seen.add(ast.unparse(tree))
    assert len(seen) > 1


def test_the_modules_are_those_the_makefile_calls_pure() -> None:
    _, _, rest = (ROOT / "Makefile").read_text().partition("PURE := ")
    pure = rest.partition("\n\n")[0].replace("$\\", "").replace("\n", "").replace(" ", "")
    assert {ROOT / one for one in pure.split(",")} == {source(one) for one in SUITES}


@pytest.mark.parametrize("module", SUITES)
def test_every_module_has_tests(module: str) -> None:
    assert suite(module)
