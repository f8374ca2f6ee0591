"""Every kind of value that a configuration, or a backend's options, can be made of."""

from __future__ import annotations

from allowsync.config.groups import ListOf, MapOf, OneOrMany, Optional
from allowsync.config.kind import Kind, Leaf, UnfitError
from allowsync.config.leaves import (
    AbsolutePath,
    Boolean,
    Choice,
    Integer,
    Name,
    Number,
    Pattern,
    Text,
)
from allowsync.config.moments import Duration, Moment
from allowsync.config.reading import INVALID, Invalid, Reading

__all__ = [
    "INVALID",
    "AbsolutePath",
    "Boolean",
    "Choice",
    "Duration",
    "Integer",
    "Invalid",
    "Kind",
    "Leaf",
    "ListOf",
    "MapOf",
    "Moment",
    "Name",
    "Number",
    "OneOrMany",
    "Optional",
    "Pattern",
    "Reading",
    "Text",
    "UnfitError",
]
