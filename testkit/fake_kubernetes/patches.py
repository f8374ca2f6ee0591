"""Writes that are no server-side apply: a whole object, a merge patch, a JSON patch."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Final

from testkit.fake_kubernetes.statuses import Refusal

# The strategic kind merges lists by keys, which no test needs.
_MERGES: Final = ("application/merge-patch+json", "application/strategic-merge-patch+json")


def patched(live: dict[str, Any], sent: Any, content_type: str, method: str) -> dict[str, Any]:
    """An object after a write."""
    if method == "PUT":
        made: dict[str, Any] = sent
    elif content_type in _MERGES:
        made = _merge(live, sent)
    elif content_type == "application/json-patch+json":
        made = _steps(live, sent)
    else:
        raise Refusal(415, f"the body of the request was in an unknown format: {content_type}")
    made["metadata"].pop("managedFields", None)
    return made


def _merge(live: Any, sent: Any) -> Any:
    """RFC 7396."""
    if not isinstance(sent, dict):
        return sent
    made = dict(live) if isinstance(live, dict) else {}
    for key, value in sent.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = _merge(made.get(key), value)
    return made


def _steps(live: dict[str, Any], steps: list[dict[str, Any]]) -> dict[str, Any]:
    """RFC 6902, as far as fields of objects go."""
    made = deepcopy(live)
    for step in steps:
        *path, last = (
            one.replace("~1", "/").replace("~0", "~") for one in step["path"].lstrip("/").split("/")
        )
        place = made
        for one in path:
            place = place.setdefault(one, {})
        if step["op"] == "remove":
            del place[last]
        else:
            place[last] = step["value"]
    return made
