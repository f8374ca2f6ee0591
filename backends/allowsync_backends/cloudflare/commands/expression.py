"""The expression of a rule that blocks all clients outside a list, or those in it. Pure.

Cloudflare's rules language: developers.cloudflare.com/ruleset-engine/rules-language/. It compares
bytes, and its fields hold the client's text. So all is compared in lower case, paths with their
escapes undone. `http.host` is the header: it may end in a port or a dot, so its beginning is
compared; a name of the same zone that begins with the whole of another is blocked with it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST: Final = 4096  # characters, of an expression

_LABEL: Final = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST: Final = re.compile(rf"(?:{_LABEL}\.)+{_LABEL}")
_PATH: Final = re.compile(r"/[!-~]*")
_REFERENCE: Final = re.compile(r"\$([a-z0-9_]+)(?![a-z0-9_.])")
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')


class NoExpressionError(ValueError):
    """The input cannot be guarded; the text holds the reason."""


def blocking(
    list_name: str, hosts: Iterable[str], paths: Iterable[str], *, listed: bool = False
) -> str:
    """Return the condition of a request to block, for one of the hosts and paths.

    Args:
        list_name: A list of addresses.
        hosts: As `host` returns them; without any, every host of the zone is meant.
        paths: Prefixes of guarded paths, as `path` returns them; without any, every path is meant.
        listed: Whether to block addresses in the list; else those outside of it.

    Raises:
        NoExpressionError: It would be longer than rules may be.
    """
    parts = [
        _any("lower(http.host)", hosts),
        _any("lower(url_decode(http.request.uri.path))", paths),
        f"{'' if listed else 'not '}ip.src in ${list_name}",
    ]
    made = " and ".join(filter(None, parts))
    if len(made) > LONGEST:
        raise NoExpressionError(f"more than a rule can hold ({LONGEST} characters)")
    return made


def host(text: str) -> str:
    """Return a host name in the form compared.

    Raises:
        NoExpressionError: The text is no host name.
    """
    name = text
    if not text.isascii():
        import idna

        try:
            name = idna.encode(text, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            name = ""
    name = name.lower().removesuffix(".")
    if len(name) > 253 or not _HOST.fullmatch(name):
        raise NoExpressionError("is not a host name such as jellyfin.example.org")
    return name


def path(text: str) -> str:
    """Return a path prefix in the form compared: in lower case, its escapes undone.

    Raises:
        NoExpressionError: It is no path, or holds characters that a client would have to escape.
    """
    if not _PATH.fullmatch(text) or set(text) & set("?#%"):
        raise NoExpressionError(
            "is not the beginning of a path such as /admin (of printable ASCII, without ?, # and %)"
        )
    return text.lower()


def within(name: str, zone: str) -> bool:
    """Whether a host name belongs to a zone."""
    return name == zone or name.endswith(f".{zone}")


def zones_of(name: str) -> tuple[str, ...]:
    """Return the zones a host name may belong to, the narrowest first."""
    labels = name.split(".")
    return tuple(".".join(labels[start:]) for start in range(len(labels) - 1))


def quoted(text: str) -> str:
    """Format a text as a literal of the language: in quotes, backslashes and quotes escaped."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def lists_in(text: str) -> frozenset[str]:
    """Return the lists of the account that an expression refers to."""
    return frozenset(_REFERENCE.findall(_QUOTED.sub('""', text)))


def _any(field: str, beginnings: Iterable[str]) -> str:
    tests = [f"starts_with({field}, {quoted(one)})" for one in sorted(set(beginnings))]
    return f"({' or '.join(tests)})" if len(tests) > 1 else "".join(tests)
