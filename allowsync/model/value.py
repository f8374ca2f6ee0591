"""Frozen values, at a fraction of what it costs to define a dataclass.

    class Absent(Value):
        reason: str

reads, and type checks, like `@dataclass(frozen=True, slots=True)`, and passes for one in the
module `dataclasses`. That module is not imported here, though: it takes 13 ms, and then writes and
compiles six methods for every class, 0.5 ms each, which was the largest part of an idle run. Here
`__init__` alone is compiled, and only when several instances are made; the rest is shared.

Values of two classes are never equal, whatever they hold (as tuples would be).
"""

from __future__ import annotations

from functools import cache
from operator import attrgetter

from allowsync.typed import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, dataclass_transform

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ValueT = TypeVar("ValueT", bound="Value")

NO_DEFAULT: Final[Any] = object()


class Field:
    """The specification of a field: its default, its factory, whether it is compared."""

    __slots__ = ("compare", "default", "default_factory", "kw_only")

    def __init__(
        self,
        default: Any = NO_DEFAULT,
        default_factory: Callable[[], Any] | None = None,
        *,
        compare: bool = True,
    ) -> None:
        self.default = default
        self.default_factory = default_factory
        self.compare = compare
        self.kw_only = False


_PLAIN: Final = Field()  # as most fields are


def field(
    *,
    default: Any = NO_DEFAULT,
    default_factory: Callable[[], Any] | None = None,
    compare: bool = True,
) -> Any:
    """Specify a field by more than its default, as in `dataclasses`."""
    return Field(default, default_factory, compare=compare)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class ValueType(type):
    """The metaclass of values: turns annotations into slots."""

    __fields__: Mapping[str, Field]
    __match_args__: tuple[str, ...]
    __slowly__: list[int]

    @property
    def __signature__(cls) -> Any:
        """The fields as parameters, for `help` and other users of `inspect`."""
        from inspect import signature

        return signature(_twin(cls))

    def __new__(
        cls,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        kw_only: bool = False,
    ) -> ValueType:
        """A class whose instances have the annotated fields and those of its bases, in order."""
        fields: dict[str, Field] = {}
        for base in reversed(bases):
            fields.update(getattr(base, "__fields__", {}))
        slots = []
        for one, annotation in namespace.get("__annotations__", {}).items():
            if "ClassVar" in str(annotation):
                continue
            if one not in fields:
                slots.append(one)
            default = namespace.pop(one, NO_DEFAULT)
            if default is NO_DEFAULT and not kw_only:
                fields[one] = _PLAIN
                continue
            if not isinstance(default, Field) and type(default).__name__ == "Field":
                raise TypeError(f"{name}.{one} takes the field() of {__name__}, not of dataclasses")
            fields[one] = default if isinstance(default, Field) else Field(default)
            fields[one].kw_only = kw_only
        namespace["__slots__"] = tuple(slots)
        namespace["__fields__"] = fields
        namespace["__match_args__"] = tuple(one for one in fields if not fields[one].kw_only)
        namespace["_compared"] = _getter([one for one in fields if fields[one].compare])
        namespace["__slowly__"] = [_SLOWLY]
        namespace.setdefault("__init__", _first_instances)
        return super().__new__(cls, name, bases, namespace)


class _Lent:
    """An attribute of dataclasses, looked up in a twin made with the same fields."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: object, owner: ValueType) -> Any:
        return getattr(_twin(owner), self.name)


# Of most classes a run makes one value or a few. Compiling an `__init__` takes as long as to make
# some fifty without one.
_SLOWLY: Final = 12


def _first_instances(self: Value, *args: Any, **kwargs: Any) -> None:
    """Make the first few instances of a class field by field; then compile its `__init__`."""
    cls = type(self)
    held = dict(zip(cls.__match_args__, args, strict=False))
    known = len(held) == len(args) and held.keys().isdisjoint(kwargs)
    held.update(kwargs)
    for name, one in cls.__fields__.items():
        if name in held:
            continue
        if one.default_factory is not None:
            held[name] = one.default_factory()
        elif one.default is not NO_DEFAULT:
            held[name] = one.default
    if cls.__slowly__[0] and known and held.keys() == cls.__fields__.keys():
        cls.__slowly__[0] -= 1  # in a list: setting a class attribute invalidates its caches
        for name, value in held.items():
            object.__setattr__(self, name, value)
        if (check := getattr(self, "__post_init__", None)) is not None:
            check()
        return
    # Also where the arguments do not fit: the error says so in the words of any function.
    init = _init(cls)
    type.__setattr__(cls, "__init__", init)
    init(self, *args, **kwargs)


def _getter(names: list[str]) -> Callable[[Any], Any]:
    return attrgetter(*names) if names else attrgetter("__class__")


class Value(metaclass=ValueType):
    """A frozen value. Its subclasses annotate their fields; see the module."""

    _compared: ClassVar[Any]
    if not TYPE_CHECKING:
        __dataclass_fields__ = _Lent("__dataclass_fields__")
        __dataclass_params__ = _Lent("__dataclass_params__")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        if self.__class__ is not other.__class__:
            return NotImplemented
        return bool(self._compared(self) == self._compared(other))

    def __hash__(self) -> int:
        return hash(self._compared(self))

    def __repr__(self) -> str:
        cls = type(self)
        held = ", ".join(f"{name}={getattr(self, name)!r}" for name in cls.__fields__)
        return f"{cls.__qualname__}({held})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), {name: getattr(self, name) for name in type(self).__fields__})


def replace(value: ValueT, /, **changes: Any) -> ValueT:
    """The same value with some of its fields changed."""
    cls = type(value)
    for name in cls.__fields__:
        if name not in changes:
            changes[name] = getattr(value, name)
    made: ValueT = type.__call__(cls, **changes)
    return made


def _rebuilt(cls: type[ValueT], held: dict[str, Any]) -> ValueT:
    made: ValueT = type.__call__(cls, **held)
    return made


def _init(cls: ValueType) -> Callable[..., None]:
    """The `__init__` of a class: sets each slot by its descriptor, for values are frozen."""
    known: dict[str, Any] = {"_missing": NO_DEFAULT}
    positional, named, body = ["self"], ["*"], []
    for name, one in cls.__fields__.items():
        known[f"_set_{name}"] = getattr(cls, name).__set__
        given = name
        parameter = name
        if one.default_factory is not None:
            known[f"_make_{name}"] = one.default_factory
            parameter += "=_missing"
            given = f"_make_{name}() if {name} is _missing else {name}"
        elif one.default is not NO_DEFAULT:
            known[f"_default_{name}"] = one.default
            parameter += f"=_default_{name}"
        (named if one.kw_only else positional).append(parameter)
        body.append(f" _set_{name}(self, {given})")
    if hasattr(cls, "__post_init__"):
        body.append(" self.__post_init__()")
    parameters = ", ".join(positional + (named if len(named) > 1 else []))
    exec(f"def __init__({parameters}):\n" + "\n".join(body or [" pass"]), known)  # noqa: S102
    init: Callable[..., None] = known["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__module__ = cls.__module__
    return init


@cache
def _twin(cls: ValueType) -> type[Any]:
    """A dataclass with the fields of a class of values, made on demand."""
    import dataclasses
    from inspect import get_annotations

    annotations: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        annotations.update(get_annotations(base))
    fields = []
    for name, one in cls.__fields__.items():
        how: dict[str, Any] = {"compare": one.compare, "kw_only": one.kw_only}
        if one.default_factory is not None:
            how["default_factory"] = one.default_factory
        elif one.default is not NO_DEFAULT:
            how["default"] = one.default
        fields.append((name, annotations[name], dataclasses.field(**how)))
    return dataclasses.make_dataclass(cls.__name__, fields, frozen=True)
