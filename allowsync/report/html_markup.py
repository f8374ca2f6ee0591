"""HTML made of tags: whatever is not made here is text, and can be nothing else."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from allowsync.report.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

# https://html.spec.whatwg.org/multipage/syntax.html#void-elements, those that are used
_VOID: Final = frozenset({"meta", "link"})


class Html(str):
    """A piece of HTML. Only this module makes any."""

    __slots__ = ()


def tag(element: str, /, *content: str | Iterable[str], **attributes: str | None) -> Html:
    """An element.

    Args:
        element: Its name.
        content: What is in it; text is escaped, pieces of HTML are not.
        attributes: Its attributes, escaped. A final `_` is dropped and others become `-`; None
            leaves an attribute out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if element in _VOID:
        return Html(f"<{element}{written}>")
    return Html(f"<{element}{written}>{joined(*content)}</{element}>")


def joined(*content: str | Iterable[str]) -> Html:
    """Pieces one after the other; text is escaped."""
    return Html("".join(map(_piece, content)))


def trusted(text: str) -> Html:
    """Text of the program itself, taken for HTML: a style sheet, a doctype."""
    return Html(text)


def _piece(content: str | Iterable[str]) -> str:
    if isinstance(content, Html):
        return content
    if isinstance(content, str):
        return _text(content)
    return "".join(map(_piece, content))


def _text(text: str) -> str:
    return escape(printable(text), quote=True)
