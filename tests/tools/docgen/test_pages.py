"""The manual tells of everything there is, and can be read by man."""

from __future__ import annotations

import subprocess
from datetime import date
from typing import TYPE_CHECKING, Any

import click
import pytest

from allowsync.cli import cli
from allowsync.config import json_schema
from tests.support.documents import ROOT
from tools.docgen.commands import commands
from tools.docgen.examples import EXAMPLES
from tools.docgen.pages import manual_pages

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = manual_pages(date(2026, 11, 20))
COMMANDS_PAGE = (ROOT / "docs/commands.md").read_text()


def every_command() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """All commands as click has them, groups taken apart."""
    context = click.Context(cli)
    waiting: list[tuple[tuple[str, ...], click.Command | None]] = [
        ((name,), cli.get_command(context, name)) for name in cli.list_commands(context)
    ]
    while waiting:
        path, command = waiting.pop()
        assert command is not None
        if isinstance(command, click.Group):
            members = command.list_commands(context)
            waiting += [((*path, name), command.get_command(context, name)) for name in members]
        else:
            yield path, command


def keys(schema: Any) -> Iterator[str]:
    """Every key that a mapping of the configuration may have."""
    if isinstance(schema, dict):
        properties = schema.get("properties")
        yield from properties if isinstance(properties, dict) else ()
        for one in schema.values():
            yield from keys(one)
    elif isinstance(schema, list):
        for one in schema:
            yield from keys(one)


EVERY_COMMAND = sorted(every_command())
KEYS = sorted(set(keys(json_schema())))


def section(path: tuple[str, ...]) -> str:
    heading = f"# `allowsync {' '.join(path)}`\n"
    assert heading in COMMANDS_PAGE, "make reference brings docs/commands.md up to date"
    return COMMANDS_PAGE.partition(heading)[2].partition("\n#")[0]


def typed(text: str) -> str:
    """Text as it stands in a page where it is to be typed."""
    return text.replace("-", "\\-")


@pytest.mark.parametrize(("path", "command"), EVERY_COMMAND, ids=lambda it: str(it))
def test_every_option_of_a_command_is_documented(
    path: tuple[str, ...], command: click.Command
) -> None:
    shared = COMMANDS_PAGE.partition("## Options of every command")[2].partition("\n## ")[0]
    page = PAGES[f"allowsync-{path[0]}.8"]
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help
            for name in parameter.opts:
                assert name in section(path) + shared
                assert typed(name) in page
        else:
            assert parameter.make_metavar(click.Context(command)) in section(path)


def test_there_are_commands_and_keys_to_look_for() -> None:
    assert len(EVERY_COMMAND) >= 13
    assert len(KEYS) >= 50


@pytest.mark.parametrize("key", KEYS)
def test_every_key_of_the_configuration_is_documented(key: str) -> None:
    reference = (ROOT / "docs/reference.md").read_text()
    assert f"`{key}`" in reference
    assert key in PAGES["allowsync.yaml.5"].lower()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_set_without_a_warning(name: str) -> None:
    for checker in (["groff", "-man", "-Tutf8", "-ww", "-z"], ["mandoc", "-Tlint"]):
        done = subprocess.run(
            checker, input=PAGES[name], capture_output=True, text=True, check=False
        )
        assert (done.stdout, done.stderr) == ("", ""), checker


@pytest.mark.parametrize("name", PAGES)
def test_man_shows_a_page(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("man") / name
    path.write_text(PAGES[name])
    done = subprocess.run(
        ["man", "--warnings", "--local-file", path],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "MANWIDTH": "80", "LC_ALL": "C.UTF-8"},
    )
    stem, _, number = name.rpartition(".")
    assert done.stderr == ""
    assert done.stdout.startswith(f"{stem.upper()}({number})")
    assert max(map(len, done.stdout.splitlines())) <= 80 + 40  # what is to be typed stays whole


def test_the_first_page_names_the_others() -> None:
    for name in PAGES:
        stem, _, number = name.rpartition(".")
        assert name == "allowsync.8" or f"{typed(stem)}\\fR({number})" in PAGES["allowsync.8"]


@pytest.mark.parametrize("name", [one.path[0] for one in commands()])
def test_every_command_is_shown_in_use(name: str) -> None:
    for line, what in EXAMPLES[name]:
        assert line.startswith(f"allowsync {name}")
        assert what.endswith(".")
        assert typed(line) in PAGES[f"allowsync-{name}.8"]


def test_no_example_is_of_a_command_that_does_not_exist() -> None:
    assert set(EXAMPLES) <= {path[0] for path, _ in EVERY_COMMAND}
