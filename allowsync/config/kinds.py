"""Every kind of value for a configuration or for a backend's options.

Each is imported on first use: most runs have a cached configuration, and need none.
"""

from __future__ import annotations

from allowsync.typed import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from allowsync.config.networks import AnyNetwork, Unreachable
    from allowsync.config.schema.collection_kinds import ListOf, MapOf, OneOrMany, Optional
    from allowsync.config.schema.context import INVALID, Invalid, Reading
    from allowsync.config.schema.kind import Kind, Leaf, UnfitError
    from allowsync.config.schema.object import Object
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
    from allowsync.config.secret_kinds import SecretCredential, SecretEnv, SecretFile, SecretUrl
    from allowsync.config.source_kinds import ProxyOrSource

__all__ = [
    "INVALID",
    "AbsolutePath",
    "AnyNetwork",
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
    "Object",
    "OneOrMany",
    "Optional",
    "Pattern",
    "ProxyOrSource",
    "Reading",
    "SecretCredential",
    "SecretEnv",
    "SecretFile",
    "SecretUrl",
    "Text",
    "UnfitError",
    "Unreachable",
]

_MODULES: Final = (
    ("schema.scalar_kinds", "AbsolutePath Boolean Choice Integer Name Number Pattern Text"),
    ("schema.collection_kinds", "ListOf MapOf OneOrMany Optional"),
    ("schema.context", "INVALID Invalid Reading"),
    ("schema.kind", "Kind Leaf UnfitError"),
    ("schema.object", "Object"),
    ("schema.time_kinds", "Duration Moment"),
    ("secret_kinds", "SecretCredential SecretEnv SecretFile SecretUrl"),
    ("networks", "AnyNetwork Unreachable"),
    ("source_kinds", "ProxyOrSource"),
)


def __getattr__(name: str) -> Any:
    """Import the module of a kind, and keep the kind here (PEP 562)."""
    from importlib import import_module

    for module, names in _MODULES:
        if name in names.split():
            found = getattr(import_module(f"allowsync.config.{module}"), name)
            globals()[name] = found
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The kinds, for `help`."""
    return __all__
