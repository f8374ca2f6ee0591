"""Edits of a configuration's text that add or remove a host. Pure.

All other text stays as it is, to the byte. The result is compared with the intended document: an
edit that would change anything else, for instance through an anchor, is refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from allowsync.config.schema.nodes import Mapping, Scalar, ScalarType, Sequence
from allowsync.config.schema.yaml_loader import YamlError, read_yaml
from allowsync.config.schema.yaml_scalars import plain_type
from allowsync.config.schema.yaml_spans import Form, Span, spans
from allowsync.model.value import Value
from allowsync.setup.text_edit import (
    Edit,
    UneditableError,
    edited,
    insertion,
    items,
    newline,
    removal,
)
from allowsync.text import quote

if TYPE_CHECKING:
    from allowsync.config.schema.nodes import Node

_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+-]*")
_SHARED: Final = "it is written so that the edit would change other values too, such as {}"
_BY_HAND: Final = "; to change it by hand: allowsync config edit"


class NewHost(Value):
    """A host to add: its names, its fixed networks, and the end of its access, as written."""

    name: str
    hostnames: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    until: str = ""

    @property
    def values(self) -> dict[str, str | list[str]]:
        """The values of its long form."""
        hostnames: str | list[str] = list(self.hostnames)
        if len(self.hostnames) == 1:
            hostnames = self.hostnames[0]
        every = {"hostname": hostnames, "networks": list(self.networks), "until": self.until}
        return {key: value for key, value in every.items() if value}

    @property
    def single(self) -> str:
        """The hostname, if the host has nothing else; otherwise empty."""
        only = len(self.hostnames) == 1 and not self.networks and not self.until
        return self.hostnames[0] if only else ""


class ConfigurationText:
    """The text of a configuration, with the positions of its values.

    Raises:
        UneditableError: It is no YAML mapping.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            read = read_yaml(text.encode())
        except YamlError as error:
            raise UneditableError(error.what, error.line) from None
        root, self._anchors = spans(text)
        if root is None or not isinstance(read, Mapping):
            raise UneditableError("expected a mapping with hosts and allowlists")
        self.root = root
        self.plain = _plain(read)

    @property
    def hosts(self) -> dict[str, int]:
        """Every host that is written, with its index."""
        section = self._resolved(self.root.at("hosts"))
        if section is None or section.form not in (Form.BLOCK_MAPPING, Form.FLOW_MAPPING):
            return {}
        return {key.text: number for number, (key, _) in enumerate(section.pairs)}

    def places(self, name: str) -> tuple[str, ...]:
        """The plain hostnames and networks of a host."""
        section = self.plain.get("hosts")
        value = section.get(name) if isinstance(section, dict) else None
        if not isinstance(value, dict):
            value = {"hostname": value}
        found: list[Any] = []
        for key in ("hostname", "networks"):
            each = value.get(key)
            found += each if isinstance(each, list) else [each]
        return tuple(one[1] for one in found if isinstance(one, tuple))

    @property
    def lists(self) -> dict[str, Span | None]:
        """The position of each allowlist's hosts; None for one that has every host."""
        section = self._resolved(self.root.at("allowlists"))
        if section is None or section.form not in (Form.BLOCK_MAPPING, Form.FLOW_MAPPING):
            return {}
        bodies = {key.text: self._resolved(value) for key, value in section.pairs}
        return {
            name: None if body is None else self._resolved(body.at("hosts"))
            for name, body in bodies.items()
        }

    def added(self, host: NewHost, on: tuple[str, ...]) -> str:
        """The text with one more host, on the given allowlists that name their hosts.

        Raises:
            UneditableError: It cannot be added without changing something else.
        """
        named = {name: span for name, span in self.lists.items() if name in on and span}
        edits = self._host_added(host)
        for span in named.values():
            edits += insertion(self.text, span, [scalar(host.name)])
        hosts = self.plain.get("hosts")
        known = hosts if isinstance(hosts, dict) else {}
        wanted = {**self.plain, "hosts": {**known, host.name: _wanted(host)}}
        return self._checked(edits, _listed(wanted, named, host.name))

    def removed(self, name: str) -> str:
        """The text without a host, and without its name on allowlists.

        Raises:
            UneditableError: It is the only one of a section, or something else would change.
        """
        section = self._resolved(self.root.at("hosts"))
        edits = (
            []
            if section is None
            else [self._out(section, self.hosts[name], f"hosts: {quote(name)}")]
        )
        wanted = {**self.plain, "hosts": dict(self.plain["hosts"])}
        del wanted["hosts"][name]
        named = {key: span for key, span in self.lists.items() if span and _holds(span, name)}
        for key, span in named.items():
            number = next(i for i, one in enumerate(span.children) if one.text == name)
            edits.append(self._out(span, number, f"allowlists.{key}.hosts: {quote(name)}"))
        return self._checked(edits, _listed(wanted, named, name, out=True))

    def _out(self, span: Span, number: int, where: str) -> Edit:
        try:
            return removal(self.text, span, number)
        except UneditableError as error:
            line = self.text.count("\n", 0, span.start) + 1
            raise UneditableError(f"{where}: {error}{_BY_HAND}", line) from None

    def _host_added(self, host: NewHost) -> list[Edit]:
        where = next((pair for pair in self.root.pairs if pair[0].text == "hosts"), None)
        if where is None:
            block = self.root.form is Form.BLOCK_MAPPING
            lines = ["hosts:", *_block(host, 2)] if block else [f"hosts: {{{_flow(host)}}}"]
            return insertion(self.text, self.root, lines)
        section = self._resolved(where[1])
        if section is None or section.form is Form.SCALAR:
            return self._first(host, where[0], section)
        if section.form is Form.FLOW_MAPPING or not items(section):
            return insertion(self.text, section, [_flow(host)])
        first = items(section)[0].start
        column = first - self.text.rfind("\n", 0, first) - 1
        outer = where[0].start - self.text.rfind("\n", 0, where[0].start) - 1
        step = max(column - outer, 2) if section is where[1] else 2
        return insertion(self.text, section, [one[step:] for one in _block(host, step)])

    def _first(self, host: NewHost, key: Span, section: Span | None) -> list[Edit]:
        """The edits that add a host to an empty or `null` section."""
        colon = self.text.index(":", key.end) + 1
        end = max(colon, section.end if section is not None else colon)
        if section is not None and section.anchor is not None:
            raise UneditableError(f"hosts: its anchor is on nothing{_BY_HAND}")
        if self.root.form is Form.FLOW_MAPPING:
            return [Edit(colon, end, f" {{{_flow(host)}}}")]
        rest = self.text.find("\n", end)
        rest = len(self.text) if rest < 0 else rest - (self.text[rest - 1] == "\r")
        lines = "".join(newline(self.text) + one for one in _block(host, 2))
        return [Edit(colon, end, ""), Edit(rest, rest, lines)]

    def _resolved(self, span: Span | None) -> Span | None:
        if span is not None and span.form is Form.ALIAS:
            return self._anchors.get(span.text)
        return span

    def _checked(self, edits: list[Edit], wanted: Any) -> str:
        """The edited text, if it has the intended content."""
        text = edited(self.text, edits)
        try:
            read = read_yaml(text.encode())
        except YamlError as error:
            raise UneditableError(f"{error.what}{_BY_HAND}", error.line) from None
        found = None if read is None else _plain(read)
        if found != wanted or _order(found) != _order(wanted):
            raise UneditableError(_SHARED.format(_difference(found, wanted)) + _BY_HAND)
        return text


def _holds(span: Span, name: str) -> bool:
    return any(one.text == name and one.form is Form.SCALAR for one in span.children)


def _listed(document: Any, lists: Any, name: str, *, out: bool = False) -> Any:
    """The intended document once a host is on allowlists, or off them."""
    if not lists:
        return document
    every = dict(document["allowlists"])
    for key in lists:
        hosts = [one for one in every[key]["hosts"] if one[1:] != (name,)]
        more = [] if out else [(ScalarType.TEXT, name)]
        every[key] = {**every[key], "hosts": [*hosts, *more]}
    return {**document, "allowlists": every}


def _wanted(host: NewHost) -> Any:
    if host.single:
        return (ScalarType.TEXT, host.single)
    return {
        key: (ScalarType.TEXT, one)
        if isinstance(one, str)
        else [(ScalarType.TEXT, each) for each in one]
        for key, one in host.values.items()
    }


def _block(host: NewHost, step: int) -> list[str]:
    """A host in lines, indented by a step."""
    key = scalar(host.name)
    if host.single:
        return [" " * step + f"{key}: {scalar(host.single)}"]
    inner = [" " * 2 * step + f"{name}: {_value(one)}" for name, one in host.values.items()]
    return [" " * step + f"{key}:", *inner]


def _flow(host: NewHost) -> str:
    key = scalar(host.name)
    if host.single:
        return f"{key}: {scalar(host.single)}"
    inner = ", ".join(f"{name}: {_value(one)}" for name, one in host.values.items())
    return f"{key}: {{{inner}}}"


def _value(value: str | list[str]) -> str:
    if isinstance(value, str):
        return scalar(value)
    return f"[{', '.join(map(scalar, value))}]"


def scalar(text: str) -> str:
    """A text as a YAML scalar, quoted if it could be parsed as another type."""
    if _PLAIN.fullmatch(text) and plain_type(text) is ScalarType.TEXT:
        return text
    if not text.isprintable():
        raise UneditableError(f"{quote(text)} holds a control or invisible character")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _plain(node: Node) -> Any:
    """A document as comparable values; a duplicate key counts once."""
    match node:
        case Scalar(text, type_):
            return (type_, text)
        case Sequence(found):
            return [_plain(one) for one in found]
        case Mapping(entries):
            return {_key(key): _plain(value) for key, value in entries}


def _key(node: Node) -> Any:
    return node.text if isinstance(node, Scalar) else repr(node)


def _order(value: Any) -> Any:
    """The keys of mappings, in order."""
    if isinstance(value, dict):
        return [(key, _order(one)) for key, one in value.items()]
    return [_order(one) for one in value] if isinstance(value, list) else None


def _difference(found: Any, wanted: Any, at: str = "") -> str:
    """The first place where documents differ."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in [*wanted, *found]:
            if found.get(key) != wanted.get(key):
                below = f"{at}.{key}" if at else str(key)
                return _difference(found.get(key), wanted.get(key), below)
    return at or "the whole file"
