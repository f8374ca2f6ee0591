"""The section `lists`: networks that others keep in a file or publish at a URL."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from allowsync.config.errors import suggestion
from allowsync.config.schema.collection_kinds import ListOf, MapOf, Optional
from allowsync.config.schema.nodes import Mapping, Scalar, Sequence
from allowsync.config.schema.object import Object, Option, plain_options
from allowsync.config.schema.scalar_kinds import AbsolutePath, Choice, Integer, Name, Pattern
from allowsync.config.schema.time_kinds import Duration
from allowsync.model.list_source import ListFormat, ListSource
from allowsync.text import quote

if TYPE_CHECKING:
    from collections.abc import Collection

    from allowsync.config.schema.context import Entries, Reading
    from allowsync.config.schema.nodes import Node

_LONGEST: Final = timedelta(days=3650)
# ASCII alone: the path is sent to the server as written.
_HOST: Final = r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[1-9][0-9]{0,4})?"
_URL: Final = rf"https?://{_HOST}(?:[/?][!-\"$-~]*)?"

LIST_NAME: Final = Pattern("[a-z][a-z0-9_-]{0,30}", "the name of a list")

LIST: Final = Object(
    ListSource,
    plain_options(
        ListSource,
        {
            "url": Option(
                Optional(Pattern(_URL, "an https:// URL")),
                "The URL to fetch it from (`https://`; `http://` only with `sha256`). A hostname "
                "with special-purpose addresses only is not connected to; an address is used as "
                "written.",
            ),
            "file": Option(
                Optional(AbsolutePath("the path of a file")),
                "The file to read it from. Every run checks it, and reads it again after a change.",
            ),
            "format": Option(
                Choice(ListFormat),
                "`text`: one network or address per line; `#` and `;` begin a comment. `json`, "
                "`jsonlines` and `csv`: see `field`.",
            ),
            "field": Option(
                Optional(Name(r"[^\x00-\x1f\x7f]{1,200}", "the name of a field")),
                "The field with the networks. `json`: a path such as `prefixes.ip_prefix` "
                "(without one, the document is a list of networks); `jsonlines`: a path in each "
                "line; `csv`: a column by its name in the first line, or by its number.",
            ),
            "refresh": Option(
                Optional(Duration(zero=False, longest=_LONGEST)),
                "The interval between fetches, at least an hour; default `12h`. After three "
                "intervals without success it is outdated. For a file: how often it is "
                "rewritten; without this, it is never outdated.",
            ),
            "keep": Option(
                Duration(zero=False, longest=_LONGEST),
                "How long a list is used that cannot be updated. After that a denylist drops it; "
                "hosts keep its networks.",
            ),
            "max_networks": Option(
                Integer(1, 1_000_000), "A list with more networks is rejected as a whole."
            ),
            "sha256": Option(
                Optional(Pattern("[0-9a-f]{64}", "64 hexadecimal digits")),
                "The SHA-256 digest that its content has to match.",
            ),
        },
    ),
)


def lists_kind() -> MapOf[ListSource]:
    """The kind of the section."""
    return MapOf(LIST_NAME, LIST)


def names_kind() -> ListOf[str]:
    """The kind of a list of list names. `check_named` checks that they exist."""
    return ListOf(LIST_NAME, unique=True, least=1)


def list_names(entries: Entries) -> list[str]:
    """The names of all lists that a configuration describes, invalid ones included."""
    section = entries["lists"][1] if "lists" in entries else None
    written = section.entries if isinstance(section, Mapping) else ()
    return [key.text for key, _ in written if isinstance(key, Scalar)]


def check_named(node: Node, at: str, known: Collection[str], reading: Reading) -> bool:
    """Whether every list that a node names is described; reports each that is not."""
    items = node.items if isinstance(node, Sequence) else ()
    texts = [one for one in items if isinstance(one, Scalar)]
    named = [one for one in texts if LIST_NAME.regex.fullmatch(one.text)]
    unknown = [one for one in named if one.text not in known]
    for one in unknown:
        hint = suggestion(one.text, known) or f"; in lists: {', '.join(known) or 'none'}"
        reading.problem(one, at, f"there is no list {quote(one.text)}{hint}")
    return not unknown
