"""The configuration reference as Markdown, made from the schema that reads configurations.

`python -m tools.docgen.reference` prints it.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

from allowsync.config.allowlists import Allowlists
from allowsync.config.channel_kinds import CHANNEL, HEARTBEAT
from allowsync.config.denylists import Denylists
from allowsync.config.fleet import Fleet
from allowsync.config.hosts import HOST_OPTIONS
from allowsync.config.hosts_from import HostsFrom
from allowsync.config.list_kinds import LIST
from allowsync.config.schema.object import REQUIRED, Object, Option, Options
from allowsync.config.sections import LIMITS, POLICY, RESOLVER, SINGLE_OPTIONS
from allowsync.config.targets import PlacesInUse, loadable, options_kind
from allowsync.model.target import Effect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.backend.api import AnyBackendType

_INTRODUCTION: Final = """\
# Configuration reference

This page is made from the program's own schema. The [JSON Schema](#json-schema) says the same to
editors. Durations are written `500ms`, `90s`, `15m`, `6h`, `3d`, `2w`; a relative path starts at
the configuration's folder.
"""

_HOSTS: Final = """\
A mapping from names (1 to 40 of `a-z`, `0-9`, `_`, `.` and `-`) to a hostname, or to a mapping with
these keys. A host needs `hostname`, `networks` or `lists`. Every key of [`policy`](#policy) may
stand here too and then holds for this host instead.
"""

_ALLOWLISTS: Final = """\
A mapping from names (1 to 18 of `a-z`, `0-9` and `_`) to mappings with these keys.
"""

_DENYLISTS: Final = """\
A mapping from names, of which no allowlist has any, to mappings with these keys:
[networks that are blocked](denylists.md).
"""

_TARGETS: Final = """\
Each item of `targets` is a backend with its options: `- nftables: {ports: [443/tcp]}`. A target is
called `<allowlist>/<backend>`; with the option `name`, which every backend has, it is called
`<allowlist>/<name>`.
"""

_JSON_SCHEMA: Final = """\
`allowsync config schema` prints a JSON Schema (draft 2020-12). Editors with a YAML language server
complete and check with it when the first line of the configuration is
`# yaml-language-server: $schema=PATH`. The [schema of this version](schema.json), with the
backends it brings along, is part of this documentation.
"""


def markdown() -> str:
    """The whole reference, with every backend that can be loaded."""
    tables = (f"{before}\n{_table(options)}" for before, _, options in _tables())
    return "\n".join([_INTRODUCTION, *tables, "## JSON Schema\n", _JSON_SCHEMA])


def entries() -> Iterator[tuple[str, str]]:
    """Each key with where it stands before it, and what it means, as plain text."""
    for _, path, options in _tables():
        for name, one in options.items():
            default = _default(one)
            default = default if default in ("", "required") else f"default {default}"
            said = "; ".join(filter(None, (one.kind.expected, default)))
            yield f"{path}{name}", f"{one.help} ({said})".replace("`", "").replace("\n", " ")


def _tables() -> Iterator[tuple[str, str, Options]]:
    """Each table of keys: the Markdown before it, the path to its keys, and their options."""
    yield f"## `hosts`\n\n{_HOSTS}", "hosts.NAME.", HOST_OPTIONS
    lists = Allowlists(()).form("").options
    yield f"## `allowlists`\n\n{_ALLOWLISTS}", "allowlists.NAME.", lists
    denied = Denylists((), (), PlacesInUse()).form("").options
    yield f"## `denylists`\n\n{_DENYLISTS}", "denylists.NAME.", denied
    above = f"## Targets\n\n{_TARGETS}\n"
    for backend in loadable():
        for before, path, options in _backend_tables(backend):
            yield above + before, path, options
            above = ""
    yield "## `resolver`\n\nHow the DNS is queried.\n", "resolver.", RESOLVER.options
    yield "## `policy`\n\nHow DNS answers are judged.\n", "policy.", POLICY.options
    text = "How much access one run may remove without --force."
    yield f"## `limits`\n\n{text}\n", "limits.", LIMITS.options
    yield "## Other keys\n\nOther top-level keys.\n", "", SINGLE_OPTIONS
    text = "Keys of an item of `notify`, where it is a mapping:"
    yield f"{text}\n", "notify.", CHANNEL.object.options
    yield "Keys of a list in `lists`, either `url` or `file`:\n", "lists.NAME.", LIST.options
    yield from _nested_tables("hosts_from", Object(HostsFrom).options)
    yield from _nested_tables("fleet", Object(Fleet).options)
    yield "Keys of `heartbeat`, where it is a mapping:\n", "heartbeat.", HEARTBEAT.object.options


def _nested_tables(path: str, options: Options) -> Iterator[tuple[str, str, Options]]:
    """The keys of a mapping, and then those of mappings in it."""
    yield f"Keys of `{path}`:\n", f"{path}.", options
    for name, one in options.items():
        if isinstance(nested := _nested(one), Object):
            yield from _nested_tables(f"{path}.{name}", nested.options)


def _backend_tables(backend: AnyBackendType) -> Iterator[tuple[str, str, Options]]:
    options = options_kind(backend).options
    above = f"### `{backend.name}`\n\n{backend.summary.rstrip('.')}.\n"
    yield above, f"targets.{backend.name}.", options
    for name, one in options.items():
        if isinstance(nested := _nested(one), Object):
            yield f"Keys of `{name}`:\n", f"targets.{backend.name}.{name}.", nested.options
    if backend.denies is not None:
        own = options_kind(backend, Effect.DENY).options
        shown = {name: one for name, one in own.items() if _said(options.get(name)) != _said(one)}
        above = "For a denylist, in place of these:\n" if shown else "For a denylist, the same.\n"
        yield above, f"denylists.NAME.targets.{backend.name}.", shown


def _said(one: Option | None) -> tuple[Any, ...]:
    """What a table says of an option."""
    return () if one is None else (one.kind.expected, one.default, one.help)


def _nested(one: Option) -> Any:
    """The kind of an option without the `Optional` around it."""
    return getattr(one.kind, "kind", one.kind)


def _table(options: Options) -> str:
    if not options:
        return ""
    rows = ["| Key | Expected | Default | Meaning |", "|---|---|---|---|"]
    for name, one in options.items():
        cells = (f"`{name}`", _cell(one.kind.expected), _default(one), _cell(one.help))
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _default(one: Option) -> str:
    if one.default is REQUIRED:
        return "required"
    if one.default is None or one.default == ():
        return ""
    shown = one.kind.show(one.default)
    return f"`{shown if isinstance(shown, str) else json.dumps(shown)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.stdout.write(markdown())
