"""What is written, and what the example puts into a cluster, by the published OpenAPI documents."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import kubernetes_validate
import pytest
import yaml
from allowsync_backends.common.ports import Port, Protocol
from allowsync_backends.kubernetes import ObjectKind

from tests.support.documents import ROOT
from tests.support.kubernetes_targets import keep, service, target

if TYPE_CHECKING:
    from testkit.fake_kubernetes import FakeKubernetes

EXAMPLE: Final = ROOT / "examples" / "kubernetes"
SCHEMAS: Final = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"


def _versions() -> list[str]:
    """Some of the versions that there are documents of, the first and the last among them."""
    names = (one.name for one in SCHEMAS.glob("v1.*.0-local"))
    minors = sorted(int(name.split(".")[1]) for name in names)
    some = {minors[len(minors) * number // 4] for number in range(4)} | {minors[-1]}
    return [f"1.{one}" for one in sorted(some)]


VERSIONS: Final = _versions()
SPECS: Final = {
    ObjectKind.NETWORK_POLICY: "io.k8s.api.networking.v1.NetworkPolicySpec",
    ObjectKind.SERVICE: "io.k8s.api.core.v1.ServiceSpec",
}


@cache
def definitions(version: str) -> dict[str, Any]:
    """Every definition of a version of Kubernetes."""
    text = (SCHEMAS / f"v{version}.0-local" / "_definitions.json").read_text()
    loaded: dict[str, Any] = json.loads(text)["$defs"]
    return loaded


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", list(SPECS))
def test_what_is_written_is_valid(
    fake: FakeKubernetes, tmp_path: Path, kind: ObjectKind, version: str
) -> None:
    service(fake)
    ports = (Port(8096, 8096, Protocol.TCP), Port(7359, 7360, Protocol.UDP))
    more: dict[str, Any] = {"ports": ports} if kind is ObjectKind.NETWORK_POLICY else {}
    backend = target(fake, tmp_path, kind, **more)
    keep(backend, "81.2.69.1/32", "2a02:8109::/64")
    found = fake.get(kind.value, "media", backend.options.name("web"))
    assert found is not None
    kubernetes_validate.validate(found, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("file", ["rights", "state", "cronjob"])
def test_the_example_is_valid(file: str, version: str) -> None:
    for document in yaml.safe_load_all((EXAMPLE / f"{file}.yaml").read_text()):
        kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("kind", "name"), SPECS.items())
def test_the_test_server_knows_no_field_that_kubernetes_does_not(
    fake: FakeKubernetes, kind: ObjectKind, name: str, version: str
) -> None:
    """And each of their lists has one owner, as ownership goes by."""
    schema = definitions(version)[name]["properties"]
    known = fake.definition(kind.value).schema["properties"]["spec"]["properties"]
    assert known.keys() <= schema.keys()
    for field in ("ingress", "loadBalancerSourceRanges"):
        said = schema.get(field, {}).get("x-kubernetes-list-type", "atomic")
        assert said == "atomic"
