"""The common part of all commands: options, loading, output and exit."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

from allowsync.config import ConfigError, load, locate
from allowsync.model.outcome import ExitCode, Notice
from allowsync.model.value import Value
from allowsync.typed import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import NoReturn

    from allowsync.config.settings import Config
    from allowsync.text import Line

F = TypeVar("F", bound="Callable[..., Any]")

_SHOWN = 12  # names

# The schemas of the printed documents: there must be exactly one.
printed: list[str] = []


INTERRUPTED = 130  # as in shells: 128 and the number of SIGINT


class Stop(Exception):
    """The command ends here, with an exit code; the reason is already printed."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Invocation(Value):
    """The common options of all commands."""

    config: Path | None
    state: Path | None
    json: bool
    verbosity: int
    colour: bool

    @property
    def quiet(self) -> bool:
        """Whether only failures are printed."""
        return self.verbosity < 0

    @property
    def place(self) -> Path:
        """The path of the configuration.

        Raises:
            FileNotFoundError: It is relative to a working directory that is gone.
        """
        found = locate(self.config, os.environ, os.geteuid())
        if not found.is_absolute():
            os.getcwd()  # noqa: PTH109 - only whether it raises
        return found

    def load(self, schema: str, *, keep: bool = False) -> Config:
        """The configuration; with `keep`, it is cached for the next run.

        Raises:
            Stop: It is not valid; every problem was printed, exit code 2.
        """
        try:
            config = self.read(keep=keep)
        except ConfigError as error:
            self.stop(schema, ExitCode.USAGE, self.refused(error))
        if config.fleet is None:
            return config
        from allowsync.engine.fleet.followed import with_kept

        return with_kept(config)

    def refused(self, error: ConfigError) -> list[Notice]:
        """The problems of the configuration; for an unreadable one, with advice."""
        if why := self.why_unread:
            return [Notice(str(self.place), why)]
        return [Notice(one.where, one.what) for one in error.problems]

    @property
    def why_unread(self) -> str:
        """The reason why the configuration cannot be read, with advice; empty if it can be."""
        from allowsync.cli.configuration_lookup import why_unread

        return why_unread(self.config, self.place, os.environ, os.geteuid())

    def read(self, *, keep: bool = False) -> Config:
        """The configuration. Raises ConfigError."""
        uid = os.geteuid()
        return load(self.place, environ=os.environ, uid=uid, state=self.state, keep=keep)

    def stop(self, schema: str, code: ExitCode, notices: Iterable[Notice]) -> NoReturn:
        """Report why nothing was done, and end with that exit code.

        The report goes once: into the JSON document, or to stderr, also if the document is lost.

        Raises:
            OSError: The document cannot be written.
        """
        from allowsync.report.json import stopped_document
        from allowsync.report.text import printable
        from allowsync.system.journald import ERROR, marked

        said = list(notices)
        ended: Exception = Stop(int(code))
        try:
            if self.json:
                echo_json(stopped_document(schema, code, said))
                raise ended
        except OSError as lost:
            ended = lost
        for one in said:
            for line in fitted(printable(f"{one.where}: {one.what}"), err=True):
                say(marked(line, ERROR, 2), err=True)
        raise ended

    def echo(self, lines: Iterable[Line], *, err: bool = False, verbatim: bool = False) -> None:
        """Print lines, coloured for a terminal unless that is switched off.

        A terminal gets them wrapped at its width, unless they are verbatim: the text of a file.
        """
        from allowsync.report.text import printable

        for line in lines:
            whole = printable(line.text)
            for text in [whole] if verbatim else fitted(whole, err=err):
                self._say(text, line.colour, err=err)

    def _say(self, text: str, colour: str, *, err: bool) -> None:
        if err:
            from allowsync.system.journald import INFO, PRIORITY_OF, marked

            text = marked(text, PRIORITY_OF.get(colour, INFO), 2)
        say(styled(text, colour), err=err, color=None if self.colour else False)


def say(text: str, *, err: bool = False, color: bool | None = None, nl: bool = True) -> None:
    """Print a line. Its imports happen here: a run with nothing to do prints nothing.

    A message that cannot be written is dropped; the exit code stays.

    Raises:
        OSError: A result cannot be written.
    """
    import click

    try:
        click.echo(text, err=err, color=color, nl=nl)
    except (OSError, ValueError):
        if not err:
            raise


def fitted(text: str, *, err: bool) -> list[str]:
    """A line, wrapped at the width of the stream's terminal; unchanged for a pipe."""
    from allowsync.system.terminal import columns

    width = columns(sys.stderr if err else sys.stdout)
    if not width or len(text) <= width:
        return [text]
    from allowsync.report.text import filled

    indentation = text[: len(text) - len(text.lstrip())]
    return filled(text.lstrip(), indentation, indentation + "    ", width)


def agreed(question: str, *, default: bool = False) -> None:
    """Ask a yes-no question, and return on yes.

    Raises:
        Stop: The answer is no, and nothing was done; the exit code is that of Ctrl-C.
    """
    import click

    if not click.confirm(question, default=default, err=True):
        say("nothing was changed", err=True)
        raise Stop(INTERRUPTED)


def styled(text: str, colour: str) -> str:
    """A text in a colour of `Line`, for a terminal."""
    if not colour:
        return text
    import click

    if colour == "bold":
        return click.style(text, bold=True)
    return click.style(text, fg=colour)


def common(command: F) -> F:
    """Give a command the common options, as its first argument `invocation`."""
    from allowsync.cli.options import with_common_options

    return with_common_options(command, invocation_of)  # type: ignore[return-value]


def invocation_of(
    config: Path | None, state: Path | None, output: str, verbose: int, quiet: bool, no_color: bool
) -> Invocation:
    """The common options of all commands, as parsed."""
    return Invocation(
        config=config,
        state=None if state is None else state.absolute(),
        json=output == "json",
        verbosity=-1 if quiet else verbose,
        colour=not (no_color or os.environ.get("NO_COLOR")),
    )


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether an unparsed command line asks for a JSON document."""
    from itertools import pairwise

    options = {*arguments, *map("=".join, pairwise(arguments))}
    return bool(options & {"--json", "--output=json"}) and "--output=text" not in options


def echo_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document."""
    import json

    # Escaped, so that text from tools or names cannot control a terminal.
    printed.append(str(document.get("schema")))
    say(json.dumps(document, indent=2, ensure_ascii=True))


def instant() -> datetime:
    """The wall clock, to the microsecond, in UTC."""
    return datetime.now(UTC)


def choose(
    invocation: Invocation, schema: str, given: tuple[str, ...], known: Iterable[str], what: str
) -> tuple[str, ...]:
    """Check that all names given on the command line are known, and return them.

    Raises:
        Stop: One is not; reported with a suggestion, exit code 2.
    """
    names = list(known)
    unknown = [name for name in given if name not in names]
    if unknown:
        from allowsync.config.errors import suggestion
        from allowsync.text import quote

        notices = []
        for name in unknown:
            hint = suggestion(name, names) or _known(names)
            notices.append(Notice("command line", f"there is no {what} {quote(name)}{hint}"))
        invocation.stop(schema, ExitCode.USAGE, notices)
    return given


def _known(names: list[str]) -> str:
    """The known names, up to 12."""
    shown = ", ".join(names[:_SHOWN])
    return f"; known: {shown}{', …' if len(names) > _SHOWN else ''}" if names else ""


class Progress:
    """A progress line on a terminal, for long work. A pipe or cron sees none."""

    def __init__(self, what: str, *, wanted: bool) -> None:
        self._what = what
        self._width = 0  # of the line that is shown
        self._wanted = wanted and sys.stderr.isatty()
        self._began = _monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Update the line. Short work is not shown; the line is wiped at the end."""
        if done == total:
            self.close()
        elif self._wanted and (self._width or _monotonic() - self._began > 0.4):
            line = f"{self._what} {done}/{total} "
            self._width = max(self._width, len(line))
            say(f"\r{line}", nl=False, err=True)

    def close(self) -> None:
        """Wipe the line."""
        if self._width:  # more spaces could wrap on a narrow terminal
            say("\r" + " " * self._width + "\r", nl=False, err=True)
            self._width = 0


def _monotonic() -> float:
    import time

    return time.monotonic()
