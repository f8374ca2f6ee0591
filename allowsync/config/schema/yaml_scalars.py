"""The scalars of YAML 1.2's core schema (section 10.3.2 of its specification).

PyYAML reads YAML 1.1, where `no` is false, `22:22` is 1342 and `012` is ten. Here they are text,
text and twelve.
"""

from __future__ import annotations

import re
from typing import Final

from allowsync.config.schema.nodes import ScalarType

CORE: Final = "tag:yaml.org,2002:"
LIST_TAG: Final = CORE + "seq"
MAPPING_TAG: Final = CORE + "map"

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS: Final = frozenset({"true", "True", "TRUE", "false", "False", "FALSE"})
_INTEGER: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_NUMERIC_START: Final = frozenset("0123456789+-.")

# Each tag's type, and the resolved types of the scalars that it may tag.
_TAGS: Final = {
    CORE + "str": (ScalarType.TEXT, frozenset(ScalarType)),
    CORE + "null": (ScalarType.NULL, frozenset({ScalarType.NULL})),
    CORE + "bool": (ScalarType.BOOLEAN, frozenset({ScalarType.BOOLEAN})),
    CORE + "int": (ScalarType.INTEGER, frozenset({ScalarType.INTEGER})),
    CORE + "float": (ScalarType.FLOAT, frozenset({ScalarType.INTEGER, ScalarType.FLOAT})),
}


def plain_type(text: str) -> ScalarType:
    """The type of a scalar without quotes and tag."""
    if text in _NULLS:
        return ScalarType.NULL
    if text[0] in _NUMERIC_START:
        if _INTEGER.fullmatch(text):
            return ScalarType.INTEGER
        return ScalarType.FLOAT if _FLOAT.fullmatch(text) else ScalarType.TEXT
    return ScalarType.BOOLEAN if text in _BOOLEANS else ScalarType.TEXT


def tagged_type(text: str, tag: str) -> ScalarType | None:
    """The type of a scalar with an explicit tag; None if the tag is unknown or does not fit."""
    if tag == "!":
        return ScalarType.TEXT
    if tag not in _TAGS:
        return None
    type_, allowed = _TAGS[tag]
    return type_ if plain_type(text) in allowed else None
