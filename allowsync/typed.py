"""The names of `typing` that modules of every run need, without importing it.

`typing` takes as long to import as `re`, and matters almost only to type checkers. They read the
names of `typing` here; a run gets stand-ins without effect, except for `NamedTuple`.
"""

from __future__ import annotations

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import (
        Any,
        ClassVar,
        Final,
        Generic,
        NamedTuple,
        NoReturn,
        Protocol,
        Self,
        TypeAlias,
        TypeVar,
        assert_never,
        cast,
        dataclass_transform,
        overload,
    )
else:
    from collections import namedtuple

    Any = ClassVar = Final = NoReturn = Self = TypeAlias = object

    class Generic:
        """Takes parameters, as `list` does."""

        __slots__ = ()

        def __class_getitem__(cls, _):
            return cls

    class Protocol:
        """A structural type; not checked at run time."""

        __slots__ = ()

    def TypeVar(name, **_):  # noqa: N802 - as it is named in `typing`
        """A name."""
        return name

    def cast(_, value):
        """The value as it is."""
        return value

    def overload(function):
        """The function as it is."""
        return function

    def dataclass_transform(**_):
        """A decorator that leaves a class as it is."""
        return lambda made: made

    def assert_never(value):
        """Raise AssertionError: a value is outside its closed set."""
        raise AssertionError(f"expected no such value: {value!r}")

    class _Rows(type):
        def __new__(cls, name, bases, namespace):
            if not bases:
                return super().__new__(cls, name, bases, namespace)
            fields = namespace.pop("__annotations__", {})
            defaults = [namespace.pop(one) for one in fields if one in namespace]
            row = namedtuple(name, fields, defaults=defaults, module=namespace["__module__"])
            row.__annotations__ = row.__new__.__annotations__ = fields
            for one, value in namespace.items():
                if one not in ("__module__", "__qualname__"):
                    setattr(row, one, value)
            return row

    class NamedTuple(metaclass=_Rows):
        """A tuple whose annotations name its fields (`collections.namedtuple`)."""


__all__ = [
    "TYPE_CHECKING",
    "Any",
    "ClassVar",
    "Final",
    "Generic",
    "NamedTuple",
    "NoReturn",
    "Protocol",
    "Self",
    "TypeAlias",
    "TypeVar",
    "assert_never",
    "cast",
    "dataclass_transform",
    "overload",
]
