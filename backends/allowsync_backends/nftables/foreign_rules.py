"""Whether a ruleset of the user's own looks into a set. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from allowsync_backends.nftables.nft_json import Json


def uses(listed: Sequence[tuple[str, Json]], name: str) -> bool:
    """Whether a rule of a table mentions one of its sets."""
    return any(f"@{name}" in _texts(rule.get("expr")) for kind, rule in listed if kind == "rule")


def _texts(value: Any) -> set[str]:
    match value:
        case str():
            return {value}
        case dict():
            return {text for one in value.values() for text in _texts(one)}
        case list() | tuple():
            return {text for one in value for text in _texts(one)}
        case _:
            return set()
