"""What `check` says of a target, found out by a change that is only tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from allowsync_backends.kubernetes import ObjectKind

from allowsync.model.target import Severity
from tests.support.kubernetes_targets import keep, kubeconfig, service, target

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync_backends.kubernetes.backend import KubernetesBackend

    from testkit.fake_kubernetes import FakeKubernetes

ALICE = "81.2.69.1/32"


def said(backend: KubernetesBackend) -> list[tuple[Severity, str]]:
    return [(one.severity, one.what) for one in backend.check()]


@pytest.mark.parametrize("kind", list(ObjectKind))
def test_there_is_nothing_to_say_of_a_list_that_is_kept(
    fake: FakeKubernetes, tmp_path: Path, kind: ObjectKind
) -> None:
    service(fake)
    keep(target(fake, tmp_path, kind), ALICE)
    before = fake.store.version
    assert said(target(fake, tmp_path, kind)) == []
    assert fake.store.version == before


def test_before_the_first_run_the_object_is_missing(fake: FakeKubernetes, tmp_path: Path) -> None:
    what = "Middleware media/allowsync-web does not exist"
    assert said(target(fake, tmp_path)) == [(Severity.WARNING, what)]
    assert fake.get("Middleware", "media", "allowsync-web") is None


def role(*verbs: str, name: str = "allowsync-web") -> dict[str, Any]:
    rule = {
        "apiGroups": ["traefik.io"],
        "resources": ["middlewares"],
        "resourceNames": [name],
        "verbs": list(verbs),
    }
    return {"metadata": {"namespace": "media", "name": "allowsync"}, "rules": [rule]}


BINDING = {
    "metadata": {"namespace": "media", "name": "allowsync"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "allowsync"},
    "subjects": [{"kind": "ServiceAccount", "namespace": "media", "name": "allowsync"}],
}


@pytest.mark.parametrize(
    ("verbs", "lacks"),
    [(("patch", "create"), "get"), (("get",), "patch"), (("get", "patch"), "create")],
)
def test_a_right_that_is_missing_is_named(
    fake: FakeKubernetes, tmp_path: Path, verbs: tuple[str, ...], lacks: str
) -> None:
    fake.users["t"] = "system:serviceaccount:media:allowsync"
    fake.create("Role", role(*verbs))
    fake.create("RoleBinding", BINDING)
    backend = target(fake, tmp_path)
    kubeconfig(tmp_path, fake.url, user={"token": "t"})
    (severity, what) = said(backend)[-1]
    assert severity is Severity.ERROR
    assert f'cannot {lacks} resource "middlewares"' in what
    assert "give the right by a Role" in what


def test_a_list_of_another_manager_is_an_error(fake: FakeKubernetes, tmp_path: Path) -> None:
    metadata = {"namespace": "media", "name": "allowsync-web"}
    theirs = {"ipAllowList": {"sourceRange": ["198.51.100.0/24"]}}
    fake.create("Middleware", {"metadata": metadata, "spec": theirs})
    (found,) = target(fake, tmp_path).check()
    assert found.severity is Severity.ERROR
    assert "is managed by kubectl-create" in found.what
    assert "force: true" in found.advice


def test_a_cluster_without_the_definition_is_an_error(fake: FakeKubernetes, tmp_path: Path) -> None:
    fake.forget("traefik.io")
    ((severity, what),) = said(target(fake, tmp_path))
    assert severity is Severity.ERROR
    assert "install the definitions (CRDs) of Traefik" in what


def test_ports_of_nodes_stay_open(fake: FakeKubernetes, tmp_path: Path) -> None:
    ports = [{"port": 443, "protocol": "TCP", "nodePort": 30443}]
    service(fake, ports=ports, allocateLoadBalancerNodePorts=True)
    keep(target(fake, tmp_path, ObjectKind.SERVICE), ALICE)
    what = "Service media/jellyfin is open to everyone at port 30443 of each node"
    assert said(target(fake, tmp_path, ObjectKind.SERVICE)) == [(Severity.WARNING, what)]


@pytest.mark.parametrize(
    ("kind", "spec", "is_open"),
    [
        (ObjectKind.SERVICE, {"loadBalancerSourceRanges": ["0.0.0.0/0"]}, True),
        (ObjectKind.SERVICE, {"loadBalancerSourceRanges": ["198.51.100.0/24"]}, False),
        (ObjectKind.NETWORK_POLICY, {"podSelector": {}, "ingress": [{}]}, True),
        (
            ObjectKind.NETWORK_POLICY,
            {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "::/0"}}]}]},
            True,
        ),
        (
            ObjectKind.NETWORK_POLICY,
            {"podSelector": {}, "ingress": [{"from": [{"podSelector": {}}]}]},
            False,
        ),
        (ObjectKind.MIDDLEWARE, {"ipAllowList": {"sourceRange": ["0.0.0.0/0"]}}, True),
    ],
)
def test_an_object_of_others_that_lets_in_everyone_is_called_open(
    fake: FakeKubernetes, tmp_path: Path, kind: ObjectKind, spec: dict[str, Any], *, is_open: bool
) -> None:
    """It is refused as that of another manager; what it does meanwhile counts more."""
    if kind is ObjectKind.SERVICE:
        service(fake, **spec)
    else:
        metadata = {"namespace": "media", "name": "allowsync-web"}
        fake.create(kind.value, {"metadata": metadata, "spec": spec})
    (found,) = said(target(fake, tmp_path, kind))
    assert found[0] is Severity.ERROR
    assert "is managed by" in found[1]
    assert ("and it is open to everyone" in found[1]) is is_open
