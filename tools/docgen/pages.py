"""The manual pages: allowsync(8), one for each command, and allowsync.yaml(5)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from allowsync import __version__
from allowsync.config.reference import markdown as reference
from tools.docgen.commands import commands, program, shared_options
from tools.docgen.examples import EXAMPLES
from tools.docgen.markdown import EXIT_CODES, table
from tools.docgen.roff import page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from tools.docgen.commands import Described

_FILES: Final = """\
## Files

| File | Holds |
|---|---|
| `/etc/allowsync/config.yaml` | The configuration, see **allowsync.yaml**(5). Without root, `$XDG_CONFIG_HOME/allowsync/config.yaml` if that one does not exist. |
| `/var/lib/allowsync/state.db` | What was known last, and the history. Without root, below `$XDG_STATE_HOME`. |

## Environment

| Variable | Means |
|---|---|
| `ALLOWSYNC_CONFIG` | The configuration file, where `--config` names none. |
| `NO_COLOR` | No colors, if it is set to anything. |
| `CREDENTIALS_DIRECTORY` | Where systemd puts the credentials that a configuration may name. |
| `ALLOWSYNC_TRACEBACK` | If set, an internal error shows where it happened. |
"""  # noqa: E501 - rows of a table

_EXAMPLE: Final = """\
## Example

```yaml
hosts:
  alice: alice.duckdns.org
  parents:
    hostname: parents.example.org
    until: 2027-01-31
  office:
    networks: [203.0.113.0/24, "2001:db8:5::/48"]

allowlists:
  jellyfin:
    targets:
      - nftables: {ports: [443/tcp, 8096/tcp]}
```
"""


_ABOUT_SETTINGS: Final = """\
## Description

YAML, with the plain scalars of YAML 1.2. Unknown keys, keys that stand there twice and wrong types
are errors; all of them are told at once, with file and line. As root, a file that others may write
is refused. Durations are written `500ms`, `90s`, `15m`, `6h`, `3d`, `2w`; a relative path starts at
the folder of the file.
"""


def manual_pages(day: date) -> dict[str, str]:
    """Every page by the name of its file, such as `allowsync-apply.8`.

    Args:
        day: The date they bear.
    """
    described = commands()
    names = [f"allowsync-{one.path[0]}" for one in described]
    pages = {
        f"{name}.8": _command(name, one, day) for name, one in zip(names, described, strict=True)
    }
    return {"allowsync.8": _program(described, day), "allowsync.yaml.5": _settings(day), **pages}


def _program(described: tuple[Described, ...], day: date) -> str:
    first, *others = program().paragraphs
    listed = "\n".join(f"| **allowsync-{one.path[0]}**(8) | {one.summary}. |" for one in described)
    see = ", ".join(["**allowsync.yaml**(5)", "**nft**(8)", "**ipset**(8)", "**ufw**(8)"])
    parts = [
        _name("allowsync", first.rstrip(".")),
        f"## Synopsis\n\n`allowsync` {program().usage}",
        f"## Description\n\n{first}",
        *(text for text in others if not text.startswith("Exit codes")),
        f"## Commands\n\n| Command | Does |\n|---|---|\n{listed}",
        f"## Options of every command\n\n{table(shared_options())}",
        f"## Exit status\n\n{EXIT_CODES}",
        _FILES,
        f"## See also\n\n{see}",
    ]
    return page("allowsync", 8, __version__, day, "\n\n".join(parts))


def _command(name: str, command: Described, day: date) -> str:
    members = command.commands or (command,)
    synopsis = "\n\n".join(f"`{one.called}` {_plain(one.usage)}" for one in members)
    parts = [
        _name(name, command.summary),
        f"## Synopsis\n\n{synopsis}",
        "## Description",
        *map(_plain, command.paragraphs),
        *_members(command),
        "## Options",
        *([table(command.options)] if command.options else []),
        f"Every command has these as well:\n\n{table(shared_options())}",
        "## Exit status\n\nSee **allowsync**(8).",
        *_examples(command),
        "## See also\n\n**allowsync**(8), **allowsync.yaml**(5)",
    ]
    return page(name, 8, __version__, day, "\n\n".join(parts))


def _members(group: Described) -> Iterator[str]:
    for one in group.commands:
        yield f"### {one.called}"
        yield from map(_plain, one.paragraphs)
        if one.options:
            yield table(one.options)
        yield from _members(one)


def _examples(command: Described) -> Iterator[str]:
    shown = EXAMPLES.get(command.path[0], ())
    if shown:
        yield "## Examples"
        yield from (f"{what}\n\n```sh\n{line}\n```" for line, what in shown)


def _settings(day: date) -> str:
    """The configuration reference, with its own heads and without what is for the web."""
    _, _, body = reference().partition("\n## ")
    body, _, _ = body.partition("\n## JSON Schema")
    parts = [
        _name("allowsync.yaml", "configuration of allowsync"),
        "## Synopsis\n\n`/etc/allowsync/config.yaml`",
        _ABOUT_SETTINGS,
        _EXAMPLE,
        f"## {re.sub(r' +', ' ', body)}",
        "## See also\n\n**allowsync**(8), **allowsync-check**(8), **allowsync-config**(8)",
    ]
    return page("allowsync.yaml", 5, __version__, day, "\n\n".join(parts))


def _name(name: str, summary: str) -> str:
    return f"## Name\n\n{name} - {summary[0].lower()}{summary[1:]}"


def _plain(text: str) -> str:
    """Text of a help, in which brackets are brackets."""
    return text.replace("[", "\\[").replace("`", "\\`")
