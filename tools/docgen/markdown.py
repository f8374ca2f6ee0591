"""The page about the commands, as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tools.docgen.commands import commands, program, shared_options
from tools.docgen.examples import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tools.docgen.commands import Described

INTRODUCTION: Final = """\
# Commands

This page is made from the program itself. Results go to standard output, what is wrong to standard
error. The [guide](guide.md) says what happens when.
"""

EXIT_CODES: Final = """\
| Code | Means |
|---|---|
| 0 | in step, whether or not something changed |
| 1 | a target failed, or its outcome could not be confirmed |
| 2 | usage or configuration error; nothing was touched |
| 3 | in step, but some host rests on old knowledge |
| 4 | a limit refused a removal; additions were applied |
| 5 | another run is at work; nothing was touched |
| 10 | with `apply --dry-run --detailed-exitcode`: there are changes to make |

The worst wins: 2, 5, 1, 4, 3, 10, 0.
"""


def commands_page() -> str:
    """All commands with their options, and the exit codes."""
    return "\n".join(_parts())


def _parts() -> Iterator[str]:
    yield INTRODUCTION
    yield _paragraphs(program().paragraphs[:2])
    yield "## Options of every command\n"
    yield table(shared_options())
    for command in commands():
        yield from _section(command, "##")
    yield "## Exit codes\n"
    yield EXIT_CODES


def _section(command: Described, level: str) -> Iterator[str]:
    yield f"{level} `{command.called}`\n"
    yield f"```text\n{command.called} {command.usage}\n```\n"
    yield _paragraphs(command.paragraphs)
    if command.options:
        yield table(command.options)
    for member in command.commands:
        yield from _section(member, f"{level}#")
    shown = EXAMPLES.get(command.path[0], ()) if len(command.path) == 1 else ()
    if shown:
        lines = "\n".join(f"{line:<40} # {what}" for line, what in shown)
        yield f"```sh\n{lines}\n```\n"


def table(options: Iterable[tuple[str, str]]) -> str:
    """Options with their help."""
    rows = [f"| `{_cell(option)}` | {_cell(what)} |" for option, what in options]
    return "\n".join(["| Option | Meaning |", "|---|---|", *rows]) + "\n"


def _paragraphs(texts: Iterable[str]) -> str:
    # What is in brackets would be taken for a link.
    return "\n\n".join(text.replace("[", "\\[") for text in texts) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
