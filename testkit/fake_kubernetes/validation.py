"""What the API refuses of an object: unknown fields, wrong types, names and networks."""

from __future__ import annotations

import re
from copy import deepcopy
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final

from jsonschema import Draft202012Validator

from testkit.fake_kubernetes.statuses import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testkit.fake_kubernetes.definitions import Definition

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL: Final = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_KEY: Final = re.compile(
    r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"
)


def refuse_invalid(
    of: Definition, document: dict[str, Any], *, strict: bool, whole: bool = False
) -> dict[str, Any]:
    """A document without what its definition does not know.

    Raises:
        Refusal: It holds such a field and was to be strict, or what cannot be.
    """
    if document.get("kind", of.kind) != of.kind or document.get("apiVersion", of.group) != of.group:
        raise Refusal(400, "the object provided is unrecognized: another kind or version")
    unknown = sorted(_unknown(of.spec, document.get("spec"), "spec"))
    if unknown and strict:
        listed = ", ".join(f'unknown field "{one}"' for one in unknown)
        raise Refusal(400, f"strict decoding error: {listed}")
    document = deepcopy(document)
    for path in unknown:
        _prune(document, path.split("."))
    flaws = list(_flaws(of, document, whole=whole))
    if flaws:
        name = document["metadata"].get("name", "")
        what = "; ".join(flaws)
        raise Refusal(422, f'{of.kind} "{name}" is invalid: {what}', name=name, kind=of.kind)
    return document


def _unknown(schema: dict[str, Any] | None, value: Any, path: str) -> Iterator[str]:
    if schema is None or "properties" not in schema:
        if schema is not None and isinstance(value, list):
            for number, one in enumerate(value):
                yield from _unknown(schema.get("items"), one, f"{path}.{number}")
        return
    for key, below in value.items() if isinstance(value, dict) else ():
        known = schema["properties"].get(key)
        if known is None:
            yield f"{path}.{key}"
        else:
            yield from _unknown(known, below, f"{path}.{key}")


def _prune(document: Any, path: list[str]) -> None:
    for step in path[:-1]:
        document = document[int(step)] if isinstance(document, list) else document[step]
    del document[path[-1]]


def _flaws(of: Definition, document: dict[str, Any], *, whole: bool) -> Iterator[str]:
    metadata = document.get("metadata") or {}
    if not _NAME.fullmatch(str(metadata.get("name", ""))):
        yield f'metadata.name: Invalid value: "{metadata.get("name")}"'
    for key, value in (metadata.get("labels") or {}).items():
        if not (_KEY.fullmatch(key) and _LABEL.fullmatch(value) and len(value) < 64):
            yield f'metadata.labels: Invalid value: "{key}={value}"'
    spec = document.get("spec")
    if of.spec is not None and (spec is not None or whole):
        required = whole or "required" not in of.spec
        schema = of.spec if required else {**of.spec, "required": []}
        for error in Draft202012Validator(schema).iter_errors(spec or {}):
            yield f"spec.{'.'.join(map(str, error.absolute_path))}: {error.message}"
    if whole:
        yield from _of_kind(of.kind, spec or {})


def _of_kind(kind: str, spec: dict[str, Any]) -> Iterator[str]:
    if kind == "NetworkPolicy":
        for rule in spec.get("ingress") or ():
            for peer in rule.get("from") or ():
                yield from _networks("spec.ingress", [peer.get("ipBlock", {}).get("cidr", "0/0")])
    if kind == "CiliumCIDRGroup":
        yield from _networks("spec.externalCIDRs", spec.get("externalCIDRs") or ())
    if kind == "Service":
        ranges = spec.get("loadBalancerSourceRanges")
        if ranges and spec.get("type", "ClusterIP") != "LoadBalancer":
            why = "may only be used when `type` is 'LoadBalancer'"
            yield f"spec.LoadBalancerSourceRanges: Forbidden: {why}"
        yield from _networks("spec.loadBalancerSourceRanges", ranges or ())


def _networks(where: str, texts: Any) -> Iterator[str]:
    for text in texts:
        try:
            ip_network(text.strip())
        except ValueError:
            if text != "0/0":
                yield f'{where}: Invalid value: "{text}": must be a valid CIDR value'
