"""The reader of configurations: YAML, nodes with line numbers, and the kinds of values.

A backend declares its options with `option`: fields of a value or a frozen dataclass that a
configuration can set. The code that reads and describes them is needed only for validation, which
most runs skip. So this module imports none of it, and a kind may be given as a function that makes
it.
"""

from __future__ import annotations

from allowsync.model.value import NO_DEFAULT, Field
from allowsync.typed import TYPE_CHECKING, Any, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable

    from allowsync.config.schema.kind import Kind

T = TypeVar("T")

KEY = "__allowsync_options__"


class OptionField(Field):
    """A field of a value or a dataclass that a configuration can set."""

    __slots__ = ("help", "kind", "remembered")

    def __init__(self, kind: Any, text: str, default: Any, *, remembered: bool) -> None:
        super().__init__(default)
        self.kind = kind
        self.help = text
        self.remembered = remembered

    def __set_name__(self, owner: type[Any], name: str) -> None:
        """Replace the field by its plain default in a class that is no value, for its decorator."""
        setattr(owner, KEY, {**vars(owner).get(KEY, {}), name: self})
        if self.default is NO_DEFAULT:
            delattr(owner, name)
        else:
            setattr(owner, name, self.default)


@overload
def option(kind: Kind[T] | Callable[[], Kind[T]], *, help: str, remembered: bool = False) -> T: ...
@overload
def option(kind: Kind[T], *, help: str, default: T, remembered: bool = False) -> T: ...
@overload
def option(
    kind: Callable[[], Kind[T]], *, help: str, default: T, remembered: bool = False
) -> T: ...
@overload
def option(
    kind: Kind[T] | Callable[[], Kind[T]], *, help: str, default: None, remembered: bool = False
) -> T | None: ...
def option(
    kind: Any,
    *,
    help: str,  # noqa: A002
    default: Any = NO_DEFAULT,
    remembered: bool = False,
) -> Any:
    """A field that a configuration can set, of a value or a frozen dataclass.

    Args:
        kind: The kind of its values, or a function that makes it: then its imports happen only
            when a configuration is validated, and not in every run.
        help: Its purpose, in a sentence or two of Markdown.
        default: Its value if it is not written; without one it is required. None allows `null`.
        remembered: Whether the state keeps it, to find the remains of a target that is no longer
            configured. Anyone who may write the state chooses its value then: a port or the name
            of a set may be remembered; a command, an address to connect to or a secret may not.
    """
    return OptionField(kind, help, default, remembered=remembered)
