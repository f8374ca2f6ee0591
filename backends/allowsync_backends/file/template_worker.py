"""The process that renders a template, and the only user of Jinja.

A template could loop for ever, or exhaust the memory, within one step that nothing in Python can
interrupt. So a process of its own renders it, with limits of its own, whose only output is one JSON
document on standard output.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import TYPE_CHECKING, Any, Final

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from allowsync_backends.file import template_view as view

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from jinja2 import Template

_MEGABYTE: Final = 1 << 20
_ELSEWHERE: Final = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)


class TemplateRefused(Exception):
    """A template uses a missing feature, or renders unusable text."""


class Missing(StrictUndefined):
    """A name that the template uses and that is undefined: any use of it is an error."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:
            return self._undefined_hint
        if isinstance(self._undefined_obj, view.Guests):
            return f"no host {self._undefined_name!r} has access (ask: if '…' in hosts)"
        return f"there is no {self._undefined_name!r}"


def serve() -> None:
    """Answer the one request on standard input (see `template.Renderer`)."""
    request = json.load(sys.stdin)
    _limit(request["seconds"], request["megabytes"])
    json.dump(_answer(request), sys.stdout)


def _limit(seconds: int, megabytes: int) -> None:
    """Make the kernel end this process at its limits (setrlimit(2))."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = int(used.ru_utime + used.ru_stime) + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (most, most + 1))
    resource.setrlimit(resource.RLIMIT_AS, (megabytes * _MEGABYTE,) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _answer(request: Mapping[str, Any]) -> dict[str, Any]:
    try:
        template = _compiled(request["source"])
    except Exception as error:  # noqa: BLE001 - every error is the template's
        return {"failed": _failure(error)}
    return {"made": [_made(template, one, request["largest"]) for one in request["views"]]}


def _compiled(source: str) -> Template:
    environment = _environment()
    for node in environment.parse(source).find_all(_ELSEWHERE):
        what = "include, import and extends have nothing to take from: a template is one file"
        raise TemplateSyntaxError(what, node.lineno)
    return environment.from_string(source)


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=Missing,
        finalize=_printable,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The same networks have to give the same text.
    del environment.filters["random"], environment.globals["lipsum"]
    environment.filters.update(
        ipv4=lambda texts: view.only(4, texts),
        ipv6=lambda texts: view.only(6, texts),
        address=view.address,
        bracketed=view.bracketed,
        base=view.base,
        netmask=view.netmask,
        hostmask=view.hostmask,
        prefixlen=view.prefixlen,
    )
    return environment


def _printable(value: object) -> object:
    """Refuse a value that Python would print in a form that no other program reads."""
    if isinstance(value, str | int | float | view.Guest | Missing):
        return value
    if isinstance(value, tuple | list | view.Guests):
        raise TemplateRefused("this is a list: loop over it, or use | join or | first")
    raise TemplateRefused(f"this is no text: {type(value).__name__}")


def _made(template: Template, seen: Mapping[str, Any], largest: int) -> dict[str, Any]:
    """Return the text rendered for a view, or the error."""
    try:
        text = _rendered(template, seen, largest)
        text.encode()
    except Exception as error:  # noqa: BLE001 - every error is the template's
        return {"failed": _failure(error)}
    return {"text": text}


def _rendered(template: Template, seen: Mapping[str, Any], largest: int) -> str:
    networks: list[str] = seen["networks"]
    pieces: list[str] = []
    size = 0
    for piece in template.generate(
        allowlist=seen["allowlist"],
        header=seen["header"],
        networks=tuple(networks),
        ipv4=view.only(4, networks),
        ipv6=view.only(6, networks),
        addresses=view.single(networks),
        hosts=view.guests(seen["entries"], everybody=seen["everybody"]),
    ):
        size += len(piece)
        if size > largest:
            raise TemplateRefused(f"makes more than {largest // _MEGABYTE} MiB of text")
        pieces.append(piece)
    return "".join(pieces)


def _failure(error: Exception) -> dict[str, Any]:
    """Return the template's line of an error (0: not known), and its text."""
    if isinstance(error, TemplateSyntaxError):
        return {"line": error.lineno, "what": error.message or "is not understood"}
    if isinstance(error, MemoryError):
        return {"line": 0, "what": "takes too much memory"}
    what = str(error) or type(error).__name__
    return {"line": _line(error.__traceback__), "what": what}


def _line(trace: TracebackType | None) -> int:
    """Return the template's own line that an error came from, from Jinja's traces."""
    line = 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
