"""Every kind of value that a configuration, or a backend's options, can be made of."""

from __future__ import annotations

from allowsync.config.schema.collection_kinds import ListOf, MapOf, OneOrMany, Optional
from allowsync.config.schema.context import INVALID, Invalid, Reading
from allowsync.config.schema.kind import Kind, Leaf, UnfitError
from allowsync.config.schema.scalar_kinds import (
    AbsolutePath,
    Boolean,
    Choice,
    Integer,
    Name,
    Number,
    Pattern,
    Text,
)
from allowsync.config.schema.time_kinds import Duration, Moment

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
