"""HTML built from tags: all other text is escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from allowsync.report.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

# The void elements that are used (https://html.spec.whatwg.org/multipage/syntax.html#void-elements)
_VOID: Final = frozenset({"meta", "link"})


class Html(str):
    """A piece of HTML. Only this module makes them."""

    __slots__ = ()


def tag(element: str, /, *content: str | Iterable[str], **attributes: str | None) -> Html:
    """An element.

    Args:
        element: Its name.
        content: Its content; text is escaped, pieces of HTML are not.
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
    """Concatenated pieces; text is escaped."""
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


def time(at: datetime) -> Html:
    """An instant, for people and for programs."""
    return tag("time", f"{at:%Y-%m-%d %H:%M} UTC", datetime=at.isoformat(timespec="seconds"))


def table(caption: str, columns: tuple[str, ...], rows: Iterable[Html]) -> Html:
    """A table that screen readers still present as one when its cells are stacked."""
    heads = [tag("th", one, scope="col", role="columnheader") for one in columns]
    return tag(
        "table",
        tag("caption", caption),
        tag("thead", row(heads), role="rowgroup"),
        tag("tbody", list(rows), role="rowgroup"),
        role="table",
    )


def row(*cells: Html | list[Html]) -> Html:
    """A row of a table."""
    return tag("tr", *cells, role="row")


def head(*content: str | Iterable[str], span: int | None = None) -> Html:
    """The cell that names a row, or several rows."""
    rows = None if span is None else str(span)
    return tag("th", *content, scope="row", role="rowheader", rowspan=rows)


def cell(*content: str | Iterable[str], style: str | None = None) -> Html:
    """Another cell."""
    return tag("td", *content, role="cell", class_=style)
