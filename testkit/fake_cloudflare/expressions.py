"""The little of the rules language that matters here: is it balanced, and which lists does it name.

https://developers.cloudflare.com/ruleset-engine/rules-language/ ("Values", "Lists"): a list of the
account is `$name` after `in`; the vendor's own lists have a dot in their names.
"""

from __future__ import annotations

import re
from typing import Final

from testkit.fake_cloudflare.replies import invalid

_LONGEST: Final = 4096
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_LIST: Final = re.compile(r"\$([A-Za-z0-9_.]*)")
_USED: Final = re.compile(r"(\S+)\s+in\s+\$([a-z0-9_]+(?:\.[a-z0-9_]+)?)(?![A-Za-z0-9_.])")
_OPENING: Final = {")": "(", "]": "[", "}": "{"}
_OF_ADDRESSES: Final = ("ip.src", "cf.edge.server_ip")


def references(expression: str) -> frozenset[str]:
    """The names of lists an expression refers to."""
    return frozenset(_LIST.findall(_QUOTED.sub('""', expression)))


def checked(value: object, kinds: dict[str, str]) -> str:
    """An expression, when it could be one and names only lists there are, after a fitting field.

    Args:
        value: What was given.
        kinds: The kind of each list of the account.
    """
    if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST:
        raise invalid(f"an expression is a text of 1 to {_LONGEST} characters")
    bare = _QUOTED.sub('""', value)
    if bare.count('"') % 2 or not _balanced(bare):
        raise invalid("the expression cannot be parsed: something is not closed")
    used = _USED.findall(bare)
    if len(used) != bare.count("$"):
        raise invalid("the expression cannot be parsed: a list stands after 'in'")
    for field, name in used:
        if "." not in name and name not in kinds:
            raise invalid(f"the expression refers to the unknown list ${name}")
        if kinds.get(name) == "ip" and field.lstrip("(!") not in _OF_ADDRESSES:
            raise invalid(f"{field} cannot be looked up in the list ${name}")
    return value


def _balanced(bare: str) -> bool:
    awaited: list[str] = []
    for character in bare:
        if character in "([{":
            awaited.append(character)
        elif character in _OPENING and (not awaited or awaited.pop() != _OPENING[character]):
            return False
    return not awaited
