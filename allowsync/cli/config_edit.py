"""`allowsync config edit`: an editor on a copy; only a valid text replaces the file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from allowsync.model.outcome import ExitCode, Notice
from allowsync.text import Line

if TYPE_CHECKING:
    from typing import NoReturn

    from allowsync.cli.common import Invocation
    from allowsync.config.settings import Config
    from allowsync.setup.replacement import ConfigFile

SCHEMA = "allowsync.config/1"


def edit_configuration(invocation: Invocation, *, force: bool) -> int:
    """Edit, validate, replace, show the diff, do a dry run, and renew the schedule's rights."""
    from tempfile import mkdtemp

    from allowsync.setup.replacement import NotReplaced, editing

    path = invocation.place
    try:
        with editing(path, write=True) as found:  # first, check that it is writable
            before = found.text
    except NotReplaced as error:
        _stop(invocation, ExitCode.USAGE, invocation.why_unread or str(error))
    copy = Path(mkdtemp(prefix="allowsync-")) / path.name  # for its owner only
    copy.write_bytes(found.content)
    text, config = _edited(invocation, found, copy, force=force)
    if text == before:
        _forget(copy)
        invocation.echo([Line(f"{path}: unchanged")])
        return int(ExitCode.IN_STEP)
    _put(invocation, found, text, copy)
    _forget(copy)
    return _after(invocation, found, text, config)


def _edited(
    invocation: Invocation, found: ConfigFile, copy: Path, *, force: bool
) -> tuple[str, Config | None]:
    """The text to write, or the unchanged one. Ends the command if the edit is discarded."""
    from allowsync.cli.own_session import KEPT, cut_off_by
    from allowsync.config import ConfigError
    from allowsync.setup.replacement import NotReplaced, validated
    from allowsync.system.editor import NoEditor, edit

    while True:
        choices = "et"
        try:
            edit(copy, os.environ)
            text = found.reread(copy)
            if text == found.text:
                return text, None
            config = validated(found, text, invocation.state)
            if force or not (cut := cut_off_by(config)):
                return text, config
            choices = "etw"
            cut.append(Notice(str(found.path), KEPT))
            wrong = [Line(f"{one.where}: {one.what}", "red") for one in cut]
        except NoEditor as error:
            _forget(copy)
            _stop(invocation, ExitCode.FAILED, f"{error}; nothing was changed")
        except ConfigError as error:
            wrong = [Line(str(one), "red") for one in error.problems]
        except (NotReplaced, OSError) as error:
            wrong = [Line(f"{found.path}: {error}", "red")]
        invocation.echo(wrong, err=True)
        answer = _asked(choices)
        if answer == "w":
            return text, config
        if answer == "t":
            _forget(copy)
            _stop(invocation, ExitCode.USAGE, "discarded; the file is unchanged")


_CHOICES: Final = {"e": "(e)dit again", "t": "(t)hrow it away", "w": "(w)rite it all the same"}


def _asked(choices: str) -> str:
    """Ask what to do with an invalid text; without a terminal, discard it."""
    if not sys.stdin.isatty():
        return "t"
    *others, last = (_CHOICES[one] for one in choices)
    try:
        answer = click.prompt(
            f"Not written. {', '.join(others)}, or {last}?",
            type=click.Choice(list(choices), case_sensitive=False),
            default="e",
            show_choices=False,
            err=True,
        )
    except click.Abort:
        return "t"
    return str(answer)


def _put(invocation: Invocation, found: ConfigFile, text: str, copy: Path) -> None:
    """Replace the file, unless it changed meanwhile: then report where the edit is kept."""
    from allowsync.setup.replacement import NotReplaced, editing, put

    try:
        with editing(found.path, write=True):
            put(found, text)
    except NotReplaced as error:
        _stop(invocation, ExitCode.FAILED, f"{error}; your text is in {copy}")


def _after(invocation: Invocation, found: ConfigFile, text: str, config: Config | None) -> int:
    from allowsync.cli.apply_arguments import ApplyArguments
    from allowsync.cli.apply_run import apply_once
    from allowsync.cli.host import diff_lines, diff_of

    if not invocation.quiet:
        invocation.echo(diff_lines(diff_of(found, text)), verbatim=True)
        invocation.echo([Line(""), Line("A dry run, which changes nothing:"), Line("")])
    code = apply_once(ApplyArguments(invocation, dry_run=True))
    _renew(invocation, found, config)
    if not invocation.quiet:
        invocation.echo([Line(""), Line("The next run applies it; now: allowsync apply")])
    return code


def _renew(invocation: Invocation, found: ConfigFile, config: Config | None) -> None:
    """Write an installed schedule again: it gets the rights that the targets need, and no more."""
    from allowsync.cli.schedule import renew

    if config is not None and os.geteuid() == 0:
        renew(invocation, _former(found, invocation), Path("/"))


def _former(found: ConfigFile, invocation: Invocation) -> Config | None:
    """The previous configuration; None if it was not valid."""
    from allowsync.config import ConfigError
    from allowsync.setup.replacement import validated

    try:
        return validated(found, found.text, invocation.state)
    except ConfigError:
        return None


def _forget(copy: Path) -> None:
    import shutil

    shutil.rmtree(copy.parent, ignore_errors=True)


def _stop(invocation: Invocation, code: ExitCode, what: str) -> NoReturn:
    invocation.stop(SCHEMA, code, [Notice(str(invocation.place), what)])
