"""A template, and its rendering from entries."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any, Final

from allowsync.backend.api import BackendError
from allowsync.config.secure_file import FileRequirements, RefusedError, read_checked
from allowsync.model.networks import Coverage
from allowsync.model.value import Value
from allowsync.system.process import Command, CommandError, run
from allowsync_backends.file.syntax import header
from allowsync_backends.file.template_mark import digest
from allowsync_backends.file.template_view import SAMPLE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from allowsync.model.types import Entry, Network

# Processor time, and at least as much as Python takes to start on a small machine.
SECONDS: Final = 5
TIMEOUT: Final = 60.0
MEGABYTES: Final = 512
LARGEST_SOURCE: Final = 1 << 20
LARGEST_TEXT: Final = 4 << 20

# Part of every template's digest: another number renders every text anew.
_GENERATION: Final = b"1"

_WORKER: Final = """\
import json, sys
sys.path[:] = json.loads(sys.stdin.readline())
from allowsync_backends.file.template_worker import serve
serve()
"""


class TemplateError(BackendError):
    """A template cannot be read or rendered. The text holds the place and the reason."""


class TemplateSource(Value):
    """A template as read.

    Attributes:
        path: Its file.
        text: Its content.
        never_empty: The networks shown to it when no host has access.
    """

    path: Path
    text: str
    never_empty: tuple[Network, ...] = ()

    @property
    def digest(self) -> str:
        """A digest that no other template has."""
        never_empty = (" ".join(map(str, self.never_empty)).encode(),) if self.never_empty else ()
        return digest(_GENERATION, self.text.encode(), *never_empty)


class View(Value):
    """The input of a template.

    Attributes:
        allowlist: The allowlist's name.
        entries: The networks with access and their hosts.
        everybody: Whether any name the template asks for yields a made-up host.
    """

    allowlist: str
    entries: tuple[Entry, ...] = ()
    everybody: bool = False

    def plain(self, never_empty: tuple[Network, ...] = ()) -> dict[str, Any]:
        """Return the view as JSON values, with `never_empty` in place of no networks."""
        entries = [(str(one.network), one.hosts, one.replaced) for one in self.entries]
        networks = [str(one) for one in Coverage(one.network for one in self.entries)]
        if self.everybody:
            entries = [(network, ("example",), ()) for network in SAMPLE]
            networks = list(SAMPLE)
        return {
            "allowlist": self.allowlist,
            "header": header(self.allowlist),
            "entries": entries,
            "networks": networks or list(map(str, never_empty)),
            "everybody": self.everybody,
        }


def read(path: Path) -> TemplateSource:
    """Read a template.

    Raises:
        TemplateError: It cannot be read, or for root: others could change it.
    """
    try:
        content = read_checked(path, FileRequirements(os.geteuid(), LARGEST_SOURCE))
    except RefusedError as refused:
        raise TemplateError(f"{path}: {refused}") from None
    try:
        return TemplateSource(path, content.decode())
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TemplateError(f"{path}:{line}: this is not UTF-8 text") from None


def render(source: TemplateSource, view: View) -> str:
    """Render a template.

    Raises:
        TemplateError: It cannot be rendered.
    """
    (made,) = render_each(source, [view])
    if isinstance(made, TemplateError):
        raise made
    return made


def render_each(
    source: TemplateSource,
    views: Sequence[View],
    seconds: int = SECONDS,
    megabytes: int = MEGABYTES,
) -> list[str | TemplateError]:
    """Render a template for several views; a text or an error for each.

    Args:
        source: The template.
        views: The views.
        seconds: The limit of processor time, for all of them.
        megabytes: The limit of memory, in MiB.

    Raises:
        TemplateError: It cannot be rendered for any view.
    """
    if not _installed():
        raise TemplateError(
            "a template needs the package Jinja2; docs/install.md says how to add it"
        )
    request = {
        "source": source.text,
        "views": [view.plain(source.never_empty) for view in views],
        "seconds": seconds,
        "megabytes": megabytes,
        "largest": LARGEST_TEXT,
    }
    answer = _asked(source, request)
    if "failed" in answer:
        raise _error(source, answer["failed"])
    return [
        one["text"] if "text" in one else _error(source, one["failed"]) for one in answer["made"]
    ]


def _asked(source: TemplateSource, request: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of the rendering process.

    Raises:
        TemplateError: It did not finish.
    """
    import json

    stdin = f"{json.dumps(sys.path)}\n{json.dumps(request)}"
    command = Command((sys.executable, "-I", "-c", _WORKER), stdin, TIMEOUT)
    try:
        done = run(command)
    except CommandError as error:
        raise TemplateError(f"{source.path}: could not be rendered: {error}") from None
    if done.code < 0:
        raise TemplateError(f"{source.path}: {_ended(-done.code, request)}")
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.code}"])[-1]
        raise TemplateError(f"{source.path}: could not be rendered: {said[:200]}") from None
    return answer


def _ended(number: int, request: dict[str, Any]) -> str:
    """Return why the kernel ended the process (setrlimit(2)): SIGXCPU, a second later SIGKILL."""
    if number in (signal.SIGXCPU, signal.SIGKILL):
        return f"takes more than {request['seconds']} s of processor time"
    return f"could not be rendered: ended by signal {number}"


def _installed() -> bool:
    from importlib.util import find_spec

    return find_spec("jinja2") is not None


def _error(source: TemplateSource, failed: dict[str, Any]) -> TemplateError:
    line = f":{failed['line']}" if failed["line"] else ""
    return TemplateError(f"{source.path}{line}: {failed['what']}")
