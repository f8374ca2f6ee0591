"""Every message that is explained is one that the program can print."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.support.documents import ROOT

PAGE = ROOT / "docs/troubleshooting.md"
SOURCES = [*(ROOT / "allowsync").rglob("*.py"), *(ROOT / "backends").rglob("*.py")]


@cache
def texts() -> str:
    """Every piece of constant text in the program, implicit concatenation done; NUL in between."""
    nodes = (node for path in SOURCES for node in ast.walk(ast.parse(path.read_text())))
    return "\0".join(
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def messages() -> list[str]:
    """What the first column of a table, or a paragraph that begins with one, quotes."""
    quoted = []
    for line in PAGE.read_text().splitlines():
        if line.startswith("| `"):
            quoted += re.findall(r"`([^`]+)`", line.split(" | ")[0])
        elif line.startswith(("`refused", "`it would")):
            quoted += re.findall(r"`([^`]+…[^`]*|it would[^`]+)`", line)
    return quoted


@pytest.mark.parametrize("message", messages())
def test_every_piece_of_an_explained_message_is_in_the_program(message: str) -> None:
    pieces = [piece.strip(" :;,") for piece in message.split("…")]
    for piece in filter(lambda piece: len(piece) > 3, pieces):
        assert piece in texts(), piece


def refusals() -> dict[str, str]:
    """The words of each function of the guards that refuses an address, by its name."""
    module = ast.parse((ROOT / "allowsync/policy/guards.py").read_text())
    found = {}
    for one in (one for one in module.body if isinstance(one, ast.FunctionDef)):
        nodes = list(ast.walk(one))
        called = [node.func for node in nodes if isinstance(node, ast.Call)]
        if any(isinstance(name, ast.Name) and name.id == "GuardRefusal" for name in called):
            constants = [node.value for node in nodes if isinstance(node, ast.Constant)]
            found[one.name] = "\0".join(it for it in constants if isinstance(it, str))
    return found


@pytest.mark.parametrize(("function", "words"), refusals().items(), ids=list(refusals()))
def test_what_a_guard_says_is_explained(function: str, words: str) -> None:
    pieces = {piece.strip(" :;,") for message in messages() for piece in message.split("…")}
    assert any(len(piece) > 12 and piece in words for piece in pieces), function


def test_there_are_messages_to_look_for() -> None:
    assert len(messages()) > 70
