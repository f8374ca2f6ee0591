"""The manual pages: click-man makes them of the commands, and of the keys of a configuration."""

from __future__ import annotations

import copy
import re
import textwrap
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import click
from click_man.core import write_man_pages
from click_man.man import ManPage

from allowsync import __version__
from allowsync.cli.group import cli
from tools.docgen.examples import EXAMPLES
from tools.docgen.reference import entries

_FILES: Final = r"""
.SH FILES
.TP
\fI/etc/allowsync/config.yaml\fR
The configuration, see \fBallowsync.yaml\fR(5). Without root, and if it does not exist,
\fI$XDG_CONFIG_HOME/allowsync/config.yaml\fR.
.TP
\fI/var/lib/allowsync/state.db\fR
The last known addresses and the history. Without root, below \fI$XDG_STATE_HOME\fR.
.SH ENVIRONMENT
.TP
ALLOWSYNC_CONFIG
The configuration file, where \fB\-\-config\fR is not given.
.TP
NO_COLOR
No colors, if it is set to anything.
.TP
CREDENTIALS_DIRECTORY
Where systemd puts the credentials that a configuration may name.
.TP
ALLOWSYNC_TRACEBACK
If set, an internal error shows where it happened.
.SH SEE ALSO
\fBallowsync.yaml\fR(5), \fBnft\fR(8), \fBipset\fR(8), \fBufw\fR(8)
"""

_ABOUT_SETTINGS: Final = """\
YAML, with the plain scalars of YAML 1.2. Unknown keys, duplicate keys and wrong types are errors;
all of them are reported at once, with file and line. As root, a file that others may write is
refused. Durations are written 500ms, 90s, 15m, 6h, 3d, 2w; a relative path starts at the folder of
the file. An example:

    hosts:
      alice: alice.duckdns.org
      office:
        networks: [203.0.113.0/24, "2001:db8:5::/48"]
    allowlists:
      jellyfin:
        targets:
          - nftables: {ports: [443/tcp, 8096/tcp]}"""


def manual_pages() -> dict[str, str]:
    """Every page by the name of its file, such as `allowsync-apply.8`."""
    with TemporaryDirectory() as folder:
        write_man_pages("allowsync", loaded(), version=__version__, target_dir=folder)
        made = {page.stem: page.read_text() for page in sorted(Path(folder).iterdir())}
    pages = {f"{name}.8": adapted(text + _ending(name), 8) for name, text in made.items()}
    return pages | {"allowsync.yaml.5": adapted(str(settings()), 5)}


def loaded() -> click.Group:
    """The program with every command imported, each with its text in roff."""
    context = click.Context(cli)
    found = ((name, cli.get_command(context, name)) for name in cli.list_commands(context))
    commands = {name: copy.deepcopy(command) for name, command in found if command}
    program = click.Group("allowsync", commands, help=cli.help)
    _escape(program)
    return program


def settings() -> ManPage:
    """The page of the configuration: its keys as if they were options."""
    page = ManPage("allowsync.yaml")
    page.version = __version__
    page.short_help = "configuration of allowsync"
    page.synopsis = "(/etc/allowsync/config.yaml)"
    page.description = escaped(_ABOUT_SETTINGS)
    page.options = [(key, escaped(text)) for key, text in entries()]
    return page


def escaped(text: str) -> str:
    """Text that roff shows as it is, a hyphen as the one that can be typed."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    text = re.sub(r"^\.", r"\\&.", text, flags=re.MULTILINE)
    return re.sub(r"[^\x00-\x7f]", lambda one: f"\\[u{ord(one[0]):04X}]", text)


def adapted(page: str, section: int) -> str:
    """A page in that section, while click-man knows but section 1, and as linters like it."""
    head, _, body = page.partition("\n")
    title, _, rest = head.removeprefix('.TH "').partition('" "1" ')
    dated = rest.rpartition(' "')[0]
    name = title.replace(" ", "-")
    head = f'.TH "{name}" "{section}" {dated} "allowsync"'
    body = body.replace(".SH COMMANDS\n.PP\n", ".SH COMMANDS\n")
    body = re.sub(r"\\fB([^\\(]+)\(1\)\\fP", _reference, body)
    return "\n".join([head, *chain(*map(_wrapped, body.splitlines()))]) + "\n"


def _reference(page: re.Match[str]) -> str:
    name = page[1].replace(" ", "-")
    return rf"\fB{escaped(name)}\fR(8)"


def _escape(command: click.Command) -> None:
    summary = (command.help or "").partition("\n\n")[0]
    command.short_help = escaped(" ".join(summary.split()).rstrip("."))
    command.help = escaped(command.help or "")
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            parameter.help = escaped(parameter.help or "")
    for member in getattr(command, "commands", {}).values():
        _escape(member)


def _ending(name: str) -> str:
    if name == "allowsync":
        return _FILES.lstrip()
    shown = EXAMPLES.get(name.removeprefix("allowsync-"), ())
    lines = [f".TP\n.B {escaped(line)}\n{escaped(what)}\n" for line, what in shown]
    examples = "".join([".SH EXAMPLES\n", *lines]) if lines else ""
    return f"{examples}.SH SEE ALSO\n\\fBallowsync\\fR(8), \\fBallowsync.yaml\\fR(5)\n"


def _wrapped(line: str) -> list[str]:
    if len(line) <= 80 or line.startswith("."):
        return [line]
    pieces = textwrap.wrap(line, 78, break_long_words=False, break_on_hyphens=False)
    return [f"\\&{one}" if one.startswith(".") else one for one in pieces]
