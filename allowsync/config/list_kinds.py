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
                "Where it is fetched (`https://`; `http://` only with `sha256`). A name that has "
                "special addresses only is not asked; an address is asked as it is written.",
            ),
            "file": Option(
                Optional(AbsolutePath("the path of a file")),
                "The file that holds it. Looked at in every run, read where it was changed.",
            ),
            "format": Option(
                Choice(ListFormat),
                "`text`: a network or an address a line, `#` and `;` begin a comment. `json`, "
                "`jsonlines` and `csv`: see `field`.",
            ),
            "field": Option(
                Optional(Name(r"[^\x00-\x1f\x7f]{1,200}", "the name of a field")),
                "Where its networks are. `json`: a path such as `prefixes.ip_prefix` (without one "
                "the document is a list of them); `jsonlines`: a path in each line; `csv`: a "
                "column by its name in the first line, or by its number.",
            ),
            "refresh": Option(
                Optional(Duration(zero=False, longest=_LONGEST)),
                "How often it is fetched, `12h` unless written, an hour at least. It is old at "
                "three times that. Of a file: how often others write it anew; without, it is never "
                "old.",
            ),
            "keep": Option(
                Duration(zero=False, longest=_LONGEST),
                "How long a list counts of which nothing newer can be had. Past that a denylist "
                "drops it; hosts keep what it gave them.",
            ),
            "max_networks": Option(
                Integer(1, 1_000_000), "A list with more networks is refused as a whole."
            ),
            "sha256": Option(
                Optional(Pattern("[0-9a-f]{64}", "64 hexadecimal digits")),
                "The digest that its content must have.",
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
