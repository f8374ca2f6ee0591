"""Evaluates an expression of Cloudflare's rules language for one request. Pure.

True, false, or unknown (None): for a field, a function or another list unknown here, and for any
expression that cannot be parsed. See developers.cloudflare.com/ruleset-engine/rules-language/.
`not` binds closer than `and`, then `xor`, then `or`.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Final

from allowsync.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from allowsync.model.types import Network

Address = IPv4Address | IPv6Address
Truth = bool | None
Known = bool | str | Address | None

_TOKEN: Final = re.compile(
    r"""\s*(?: "(?P<text>(?:[^"\\]|\\.)*)" | r(?P<hashes>\#*)"(?P<raw>.*?)"(?P=hashes)
    | (?P<sign>&&|\|\||\^\^|[=!<>]=|[][(){},!<>~]) | (?P<word>[\w.:/$*-]+) )""",
    re.VERBOSE | re.DOTALL,
)
_SIGNS: Final = {"&&": "and", "||": "or", "^^": "xor", "!": "not", "==": "eq", "!=": "ne"}
_ORDERED: Final = frozenset(("lt", "le", "gt", "ge", "<", "<=", ">", ">=", "matches", "~"))
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_DEEPEST: Final = 50  # nested parentheses


class WebRequest(Value):
    """A request for a page, as far as it is known.

    Attributes:
        source: Its source address.
        listed: Whether that is in the list.
        host: The host name it is for.
        path: The path, without escapes.
    """

    source: Address
    listed: bool
    host: str
    path: str

    def field(self, name: str) -> Known:
        """Return the value of a field; None when it is not known."""
        return {
            "ip.src": self.source,
            "http.host": self.host,
            "http.request.uri.path": self.path,
            "raw.http.request.uri.path": self.path,
            "true": True,
            "false": False,
        }.get(name)


class _Token(Value):
    kind: str  # text, word, sign, or a text with unsupported escapes
    text: str


def evaluate(expression: str, request: WebRequest, list_name: str) -> Truth:
    """Return whether an expression is true of a request; None when that is not known."""
    try:
        reader = _Evaluation(_tokens(expression), request, list_name)
        return _truth(reader.whole())
    except ValueError:
        return None


def uses(expression: str, list_name: str) -> bool:
    """Whether an expression refers to a list; for an unreadable one, whether its text does."""
    name = f"${list_name}"
    try:
        return any(one.kind == "word" and one.text == name for one in _tokens(expression))
    except ValueError:
        return name in expression


def literals(expression: str) -> tuple[str, ...]:
    """Return the texts that an expression compares with."""
    try:
        return tuple(one.text for one in _tokens(expression) if one.kind == "text")
    except ValueError:
        return ()


def named_networks(expression: str) -> tuple[Network, ...]:
    """Return the networks that an expression names; of a range of addresses, its ends."""
    try:
        words = [one.text for one in _tokens(expression) if one.kind == "word"]
    except ValueError:
        return ()
    ends = (end for word in words for end in word.split(".."))
    return tuple(one for end in ends if (one := _network(end)) is not None)


def _network(text: str) -> Network | None:
    if not set(text) & set(".:"):
        return None  # a number, which Python would accept as an address
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


@lru_cache(maxsize=256)
def _tokens(expression: str) -> tuple[_Token, ...]:
    found: list[_Token] = []
    at, text = 0, expression.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError("not of the language")
        at = match.end()
        if (quoted := match["text"]) is not None:
            known = set(_ESCAPED.findall(quoted)) <= {'"', "\\"}
            found.append(_Token("text" if known else "escaped", _ESCAPED.sub(r"\1", quoted)))
        elif (raw := match["raw"]) is not None:
            found.append(_Token("text", raw))
        elif (sign := match["sign"]) is not None:
            found.append(_Token("sign", _SIGNS.get(sign, sign)))
        else:
            found.append(_Token("word", match["word"]))
    return tuple(found)


class _Evaluation:
    """Reads and evaluates tokens, from left to right."""

    def __init__(self, tokens: tuple[_Token, ...], request: WebRequest, list_name: str) -> None:
        self._tokens = tokens
        self._request = request
        self._list = f"${list_name}"
        self._at = 0
        self._depth = 0

    def whole(self) -> Known:
        value = self._or()
        if self._at != len(self._tokens):
            raise ValueError("something is left")
        return value

    def _peek(self) -> str:
        """Return the next word or sign; empty for a text and at the end."""
        if self._at == len(self._tokens):
            return ""
        token = self._tokens[self._at]
        return token.text if token.kind in ("word", "sign") else ""

    def _next(self) -> _Token:
        if self._at == len(self._tokens):
            raise ValueError("something is missing")
        self._at += 1
        return self._tokens[self._at - 1]

    def _took(self, text: str) -> bool:
        took = self._peek() == text
        self._at += took
        return took

    def _expect(self, text: str) -> None:
        if not self._took(text):
            raise ValueError(f"{text} is missing")

    def _or(self) -> Known:
        return self._joined("or", self._xor, lambda a, b: _not(_and(_not(a), _not(b))))

    def _xor(self) -> Known:
        return self._joined("xor", self._all, lambda a, b: None if None in (a, b) else a != b)

    def _all(self) -> Known:
        return self._joined("and", self._unary, _and)

    def _joined(
        self,
        word: str,
        part: Callable[[], Known],
        join: Callable[[Truth, Truth], Truth],
    ) -> Known:
        value = part()
        while self._took(word):
            value = join(_truth(value), _truth(part()))
        return value

    def _unary(self) -> Known:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ValueError("too deep")
        try:
            if self._took("not"):
                return _not(_truth(self._unary()))
            return self._comparison()
        finally:
            self._depth -= 1

    def _comparison(self) -> Known:
        left = self._operand()
        if self._took("in"):
            return self._within(left)
        strict = self._took("strict")
        operator = self._peek()
        if operator in ("eq", "ne", "contains", "wildcard") or operator in _ORDERED:
            self._at += 1
            return _compared(operator, left, self._literal(), strict=strict)
        if strict:
            raise ValueError("strict what")
        return left

    def _operand(self) -> Known:
        if self._took("("):
            value = self._or()
            self._expect(")")
            return value
        token = self._next()
        if token.kind in ("text", "escaped"):
            return token.text if token.kind == "text" else None
        if token.kind == "sign":
            raise ValueError("no value")
        value = self._call(token.text) if self._took("(") else self._request.field(token.text)
        while self._took("["):
            self._next()
            self._expect("]")
            value = None
        return value

    def _call(self, name: str) -> Known:
        given: list[Known] = []
        while not self._took(")"):
            if given:
                self._expect(",")
            given.append(self._or())
        texts = [one for one in given if isinstance(one, str)]
        return _called(name, texts) if len(texts) == len(given) else None

    def _literal(self) -> str | None:
        token = self._next()
        if token.kind == "sign":
            raise ValueError("no value")
        return None if token.kind == "escaped" else token.text

    def _within(self, left: Known) -> Truth:
        if not self._took("{"):
            ours = self._literal() == self._list and isinstance(left, Address)
            return self._request.listed if ours else None
        found: list[Truth] = []
        while not self._took("}"):
            found.append(_contains(self._literal(), left))
        return True if True in found else None if None in found else False


def _contains(literal: str | None, value: Known) -> Truth:
    if literal is None:
        return None
    if isinstance(value, str):
        return literal == value
    if not isinstance(value, Address):
        return None
    first, dots, last = literal.partition("..")
    if not dots:
        return value in ip_network(literal, strict=False)
    low, high = ip_address(first), ip_address(last)
    return low.version == value.version and int(low) <= int(value) <= int(high)


def _compared(operator: str, left: Known, right: str | None, *, strict: bool) -> Truth:
    if right is None:
        return None
    if operator in ("eq", "ne"):
        same = left == (right == "true") if isinstance(left, bool) else _contains(right, left)
        return same if operator == "eq" else _not(same)
    if not isinstance(left, str) or operator in _ORDERED:
        return None
    if operator == "contains":
        return right in left
    if set(right) & set("?[\\"):
        return None
    return fnmatchcase(left, right) if strict else fnmatchcase(left.lower(), right.lower())


def _called(name: str, texts: list[str]) -> bool | str | None:
    match name, texts:
        case "lower", [text]:
            return text.lower()
        case "upper", [text]:
            return text.upper()
        case "url_decode", [text, *_]:
            return None if "%" in text or "+" in text else text
        case "starts_with", [text, part]:
            return text.startswith(part)
        case "ends_with", [text, part]:
            return text.endswith(part)
        case _:
            return None


def _truth(value: Known) -> Truth:
    return value if isinstance(value, bool) else None


def _not(value: Truth) -> Truth:
    return None if value is None else not value


def _and(one: Truth, other: Truth) -> Truth:
    return False if False in (one, other) else None if None in (one, other) else True
