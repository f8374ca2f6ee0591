"""What Traefik documents of its dynamic configuration, as JSON Schema.

Written after the reference of the file provider for versions 2 and 3: the keys that our middlewares
and the documents in the documentation use, and no others, so that a key of ours that Traefik does
not have is an error.
"""

from __future__ import annotations

from typing import Any, Final

from jsonschema import Draft202012Validator

# ParseCIDR and ParseIP of Go's package net: one address, or one with the length of its prefix.
_RANGE: Final = {
    "type": "string",
    "pattern": r"^(?:\d{1,3}(?:\.\d{1,3}){3}(?:/(?:[12]?\d|3[0-2]))?"
    r"|[0-9a-f:]*:[0-9a-f:]*(?:/(?:\d{1,2}|1[01]\d|12[0-8]))?)$",
}
_NAMES: Final = {"type": "array", "items": {"type": "string", "pattern": r"^[\w-]+(?:@\w+)?$"}}


def _object(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _named(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": schema, "minProperties": 1}


_RANGES: Final = {"type": "array", "items": _RANGE, "minItems": 1}
_STRATEGY: Final = {
    **_object(depth={"type": "integer", "minimum": 1}, excludedIPs=_RANGES),
    "minProperties": 1,
}
_STATUS: Final = {"type": "integer", "minimum": 100, "maximum": 599}


def _lists(version: int, *, http: bool) -> dict[str, Any]:
    """The middleware of an allowlist, under the name that a version has for it."""
    settings: dict[str, Any] = {"sourceRange": _RANGES}
    if http:
        settings["ipStrategy"] = _STRATEGY
    if http and version >= 3:
        settings["rejectStatusCode"] = _STATUS
    name = "ipAllowList" if version >= 3 else "ipWhiteList"
    return {name: _object(("sourceRange",), **settings)}


def _one_of(**kinds: Any) -> dict[str, Any]:
    return {**_object(**kinds), "minProperties": 1, "maxProperties": 1}


def _router(**more: Any) -> dict[str, Any]:
    return _object(
        ("rule", "service"),
        rule={"type": "string"},
        service={"type": "string"},
        entryPoints=_NAMES,
        middlewares=_NAMES,
        priority={"type": "integer"},
        tls=_object(certResolver={"type": "string"}, passthrough={"type": "boolean"}),
        **more,
    )


def _service(server: str) -> dict[str, Any]:
    servers = {"type": "array", "items": _object((server,), **{server: {"type": "string"}})}
    return _one_of(loadBalancer=_object(("servers",), servers=servers))


def validator(version: int) -> Draft202012Validator:
    """Takes what Traefik of that version documents."""
    forward = _object(
        ("address",), address={"type": "string"}, authResponseHeaders={"type": "array"}
    )
    texts = {"type": "object", "additionalProperties": {"type": "string"}}
    http = _object(
        routers=_named(_router()),
        services=_named(_service("url")),
        middlewares=_named(
            _one_of(
                **_lists(version, http=True),
                forwardAuth=forward,
                headers=_object(customRequestHeaders=texts),
                chain=_object(("middlewares",), middlewares=_NAMES),
            )
        ),
    )
    tcp = _object(
        routers=_named(_router()),
        services=_named(_service("address")),
        middlewares=_named(_one_of(**_lists(version, http=False))),
    )
    schema = {**_object(http=http, tcp=tcp), "minProperties": 1}
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)
