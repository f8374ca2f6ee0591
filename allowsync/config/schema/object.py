"""Mappings with known keys: one description for reading, for editors and for the reference.

A class of options is a value, or a frozen dataclass, whose fields are made by `option`:

    class FileOptions(Value):
        path: Path = option(AbsolutePath(), help="The file to write.")
        format: Format = option(Choice(Format), help="Its syntax.", default=Format.TEXT)

A check across fields belongs in `__post_init__`; its ValueError becomes a problem of the mapping.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from allowsync.config.errors import nearest, one_of
from allowsync.config.schema import KEY, OptionField
from allowsync.config.schema.collection_kinds import Optional
from allowsync.config.schema.context import INVALID, Entries, Invalid, Reading, below
from allowsync.config.schema.kind import Kind
from allowsync.config.schema.nodes import Mapping, Node, is_null
from allowsync.model.value import NO_DEFAULT, Value, replace
from allowsync.text import quote

if TYPE_CHECKING:
    import collections.abc

T = TypeVar("T")


class Required(Enum):
    """The marker of an option without a default."""

    REQUIRED = "required"


REQUIRED: Final = Required.REQUIRED


class Option(Value):
    """One key of a mapping: its kind, and its purpose in a sentence or two of Markdown.

    `remembered`: whether the state keeps its value (see `option`).
    """

    kind: Kind[Any]
    help: str
    default: Any = REQUIRED
    remembered: bool = False


Options: TypeAlias = "collections.abc.Mapping[str, Option]"


class Object(Kind[T]):
    """A mapping with known keys that becomes an instance of a class.

    Args:
        cls: A value or a dataclass.
        options: Its keys, for a class whose fields are not made by `option`.
    """

    def __init__(self, cls: type[T], options: Options | None = None) -> None:
        self.cls = cls
        self.options = options if options is not None else _options(cls)

    @property
    def expected(self) -> str:
        """The known keys."""
        return f"a mapping with {', '.join(self.options)}"

    @property
    def required(self) -> tuple[str, ...]:
        """The keys that must be written."""
        return tuple(name for name, one in self.options.items() if one.default is REQUIRED)

    def parse(self, node: Node, at: str, reading: Reading) -> T | Invalid:
        """The instance. An empty node is a mapping without keys."""
        values = self.written(node, at, reading)
        return INVALID if values is INVALID else self.build(values, node, at, reading)

    def written(self, node: Node, at: str, reading: Reading) -> dict[str, Any] | Invalid:
        """The values of the keys that are written, without defaults."""
        if is_null(node):
            node = Mapping((), node.line)
        entries = reading.entries(node, at, self.expected)
        if entries is INVALID:
            return INVALID
        complete = self._keys_fit(entries, node, at, reading)
        values = {
            name: self.options[name].kind.parse(child, below(at, name), reading)
            for name, (_, child) in entries.items()
            if name in self.options
        }
        complete = complete and INVALID not in values.values()
        # Duplicate keys, and keys that are no text, are missing from the entries.
        whole = isinstance(node, Mapping) and len(entries) == len(node.entries)
        return values if complete and whole else INVALID

    def build(self, values: dict[str, Any], node: Node, at: str, reading: Reading) -> T | Invalid:
        """The instance of written values; a ValueError of its checks is a problem."""
        try:
            return self.cls(**values)
        except ValueError as error:
            return reading.problem(node, at, str(error))

    def schema(self) -> dict[str, Any]:
        """An object without further properties."""
        return {
            "type": "object",
            "properties": {name: described(one) for name, one in self.options.items()},
            "required": list(self.required),
            "additionalProperties": False,
        }

    def show(self, value: T) -> Any:
        """Every option, defaults included."""
        return {name: one.kind.show(getattr(value, name)) for name, one in self.options.items()}

    def show_some(self, value: T, names: collections.abc.Iterable[str]) -> dict[str, Any]:
        """The named options only, each in its written form."""
        return {name: self.options[name].kind.show(getattr(value, name)) for name in names}

    @property
    def remembered(self) -> tuple[str, ...]:
        """The keys whose values the state keeps."""
        return tuple(name for name, one in self.options.items() if one.remembered)

    def _keys_fit(self, entries: Entries, node: Node, at: str, reading: Reading) -> bool:
        """Whether every key is known and none is missing; reports each that is not."""
        unknown = [(name, key) for name, (key, _) in entries.items() if name not in self.options]
        meant: set[str] = set()  # missing keys that an unknown one probably misspells
        for name, key in unknown:
            what, near = unknown_key(name, self.options)
            reading.problem(key, below(at, name), what)
            meant.add(near)
        absent = [name for name in self.required if name not in entries]
        missing = [name for name in absent if name not in meant]
        for name in missing:
            what = f"{name!r} is missing: expected {self.options[name].kind.expected}"
            reading.problem(node, at, what)
        return not (unknown or absent)


def unknown_key(name: str, known: collections.abc.Iterable[str]) -> tuple[str, str]:
    """The message about an unknown key, and the known one that it may mean."""
    if name == "<<":
        what = "unknown key '<<': YAML 1.2 has no merge keys; an alias may stand for a whole value"
        return what, ""
    options = list(known)
    if sources := _sources(name, options):
        return f"unknown key {quote(name)}: no secret is written here; use {one_of(sources)}", ""
    near = nearest(name, options)
    hint = f" (did you mean {near!r}?)" if near else f"; expected {', '.join(options) or 'none'}"
    return f"unknown key {quote(name)}{hint}", near


def _sources(name: str, known: list[str]) -> list[str]:
    """The keys for the store of a secret, such as `api_token_file` for `token` or `api_token`."""
    ends = tuple(f"_{name}_{place}" for place in ("file", "env", "credential"))
    found = [one for one in known if f"_{one}".endswith(ends)]
    return found if len(found) > 1 else []


def described(one: Option) -> dict[str, Any]:
    """An option as JSON Schema, with its help and its default."""
    schema = {**one.kind.schema(), "description": one.help}
    if one.default is not REQUIRED:
        schema["default"] = one.kind.show(one.default)
    return schema


def _options(cls: type[Any]) -> dict[str, Option]:
    """The options of a class, from its fields.

    Raises:
        TypeError: A field is not made by `option`.
    """
    fields: Any = getattr(cls, "__fields__", {})
    found = {name: one for name, one in fields.items() if isinstance(one, OptionField)}
    if not fields:
        fields = getattr(cls, "__dataclass_fields__", {})
        for base in reversed(cls.__mro__):
            found.update(vars(base).get(KEY, {}))
    if strangers := fields.keys() - found.keys():
        raise TypeError(f"{cls.__name__}.{min(strangers)} is not made by option()")
    return {name: _option(one) for name, one in found.items()}


def _option(field: OptionField) -> Option:
    """The option of a field. Without a default it must be written; None as one allows `null`."""
    kind: Kind[Any] = field.kind if isinstance(field.kind, Kind) else field.kind()
    if field.default is None and not isinstance(kind, Optional):
        kind = Optional(kind)
    default = REQUIRED if field.default is NO_DEFAULT else field.default
    return Option(kind, field.help, default, field.remembered)


def plain_options(cls: type[Value], options: Options) -> Options:
    """Options of a class with plain fields, with the defaults of the class."""
    fields = cls.__fields__
    return {name: replace(one, default=fields[name].default) for name, one in options.items()}
