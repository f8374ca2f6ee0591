"""The JSON Schema accepts what can be loaded, and most of what cannot is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from allowsync.config import json_schema, show
from allowsync.config.schema.nodes import Node, Scalar, ScalarType, Sequence
from allowsync.config.schema.yaml_loader import read_yaml
from tests.allowsync.config.test_example import EXAMPLE
from tests.support.configuring import MINIMAL, loaded

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    written = json_schema()
    Draft202012Validator.check_schema(written)
    return Draft202012Validator(written)


def plain(text: str) -> Any:
    """A document as an editor with YAML 1.2 sees it."""
    root = read_yaml(text.encode())
    assert root is not None
    return _plain(root)


def _plain(node: Node) -> Any:
    if isinstance(node, Sequence):
        return [_plain(item) for item in node.items]
    if not isinstance(node, Scalar):
        return {key.text: _plain(value) for key, value in node.entries if isinstance(key, Scalar)}
    if node.type is ScalarType.TEXT:
        return node.text
    return json.loads(node.text.lower() if node.type is ScalarType.BOOLEAN else node.text or "null")


GOOD = {
    "the example": EXAMPLE,
    "the shortest": MINIMAL,
    "empty sections": MINIMAL + "policy:\nlimits: {}\nresolver:\n",
    "names that are numbers": MINIMAL.replace("web:", "web:\n    hosts: [alice]"),
    "sets of somebody's own": MINIMAL.replace(
        "{ports: [443/tcp]}", "{set: {table: inet filter, ipv4: a}, name: sets}"
    ),
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_what_can_be_loaded_is_accepted(
    schema: Draft202012Validator, tmp_path: Path, text: str
) -> None:
    shown = show(loaded(tmp_path, text))
    schema.validate(plain(text))
    masked = {"notify", "heartbeat"}
    schema.validate({key: one for key, one in shown.items() if key not in masked})


BAD = [
    "hosts: {}",
    "policy: {keep_absent: 3}",
    "policy: {canary: no}",
    "policy: {kept: 3d}",
    "limits: {max_remove_hosts: 2}",
    "resolver: {dnssec: maybe}",
    "resolver: {attempts: 0}",
    "metrics: [a]",
    "notify: x",
    "unknown: 1",
    "hosts: {Alice: a.example.org}",
    "hosts: {alice: {}}",
    "hosts: {alice: {hostname: a.example.org, ipv6_prefix: 32}}",
    "hosts: {alice: {hostname: a.example.org, families: [ipv5]}}",
    "hosts: {alice: {hostname: a.example.org, until: soon}}",
    "allowlists: {1web: {targets: [nftables: {}]}}",
    "allowlists: {web: {}}",
    "allowlists: {web: {targets: []}}",
    "allowlists: {web: {targets: [file]}}",
    "allowlists: {web: {targets: [nftable: {}]}}",
    "allowlists: {web: {targets: [nftables: {port: []}]}}",
]


@pytest.mark.parametrize("line", BAD)
def test_what_is_broken_is_refused(schema: Draft202012Validator, line: str) -> None:
    whole = plain(MINIMAL) | plain(line)
    assert not schema.is_valid(whole)


def test_every_key_is_explained() -> None:
    def explained(node: Any) -> None:
        for name, one in node.get("properties", {}).items():
            assert name == "name" or one.get("description") or "anyOf" in one, name
            explained(one)

    explained(json_schema())
