"""The manual and the commands page name everything there is, and man can show the manual."""

from __future__ import annotations

import re
import subprocess
from html import unescape
from typing import TYPE_CHECKING, Any

import click
import pytest
from click_man.man import ManPage
from markdown import Markdown

from allowsync.cli.group import cli
from allowsync.config import json_schema
from tests.support.documents import ROOT
from tools.docgen.examples import EXAMPLES
from tools.docgen.manual import adapted, escaped, manual_pages

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = manual_pages()
EXTENSIONS = ["attr_list", "mkdocs-click", "pymdownx.superfences", "tables"]
COMMANDS_PAGE = Markdown(extensions=EXTENSIONS).convert((ROOT / "docs/commands.md").read_text())


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
    """What the commands page, as readers see it, says about a command."""
    heading = f'id="{"-".join(("allowsync", *path))}"'
    assert heading in COMMANDS_PAGE
    return unescape(re.sub("<[^>]+>", "", COMMANDS_PAGE.partition(heading)[2].partition("<h")[0]))


def typed(text: str) -> str:
    """Text as it stands in a page where it is to be typed."""
    return text.replace("-", "\\-")


@pytest.mark.parametrize(("path", "command"), EVERY_COMMAND, ids=lambda it: str(it))
def test_every_option_of_a_command_is_documented(
    path: tuple[str, ...], command: click.Command
) -> None:
    page = PAGES[f"{'-'.join(('allowsync', *path))}.8"]
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help
            for name in parameter.opts:
                assert name in section(path)
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
        parent = PAGES.get(f"{stem.rpartition('-')[0]}.8", PAGES["allowsync.8"])
        assert name == "allowsync.8" or f"{typed(stem)}\\fR({number})" in parent


@pytest.mark.parametrize("name", sorted({path[0] for path, _ in EVERY_COMMAND}))
def test_every_command_is_shown_in_use(name: str) -> None:
    for line, what in EXAMPLES[name]:
        assert line.startswith(f"allowsync {name}")
        assert what.endswith(".")
        assert typed(line) in PAGES[f"allowsync-{name}.8"]


def test_no_example_is_of_a_command_that_does_not_exist() -> None:
    assert set(EXAMPLES) <= {path[0] for path, _ in EVERY_COMMAND}


@pytest.mark.parametrize(
    "text",
    [
        ".TH is not a request",
        "'br neither",
        "a \\ backslash, \\n and \\fB",
        "quotes: \" and 'one'",
        "--dry-run and a-b",
        "an ellipsis … and ü",
        "tilde ~ and caret ^",
        f"a line that is broken {'x' * 60} .before a point {'y' * 60} 'and a quote",
    ],
)
def test_text_is_shown_as_it_is(text: str) -> None:
    page = ManPage("test")
    page.description = escaped(text)
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-P-cbou"],
        input=adapted(str(page), 8),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    shown = done.stdout.partition("DESCRIPTION")[2].rpartition("1.0.0")[0]
    assert "".join(shown.split()) == "".join(text.split())
