"""A list in an object of a cluster as a target, in tests: made for a fake, and brought to hold what
a test says.
"""

from __future__ import annotations

import json
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from allowsync_backends.kubernetes import KubernetesOptions, ObjectKind
from allowsync_backends.kubernetes.backend import KubernetesBackend

from allowsync.plan.planner import Situation, make_plan

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from allowsync.model.target import Current
    from testkit.fake_kubernetes import FakeKubernetes

NAMESPACE = "media"
GUARDS = ("255.255.255.255/32", "100::/128")


def kubeconfig(
    folder: Path,
    url: str,
    *,
    user: dict[str, Any] | None = None,
    cluster: dict[str, Any] | None = None,
    **more: Any,
) -> Path:
    """A kubeconfig for a cluster; JSON is YAML."""
    path = folder / "kubeconfig"
    path.touch(mode=0o600)
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "home",
        "contexts": [{"name": "home", "context": {"cluster": "k3s", "user": "allowsync"}}],
        "clusters": [{"name": "k3s", "cluster": {"server": url, **(cluster or {})}}],
        "users": [{"name": "allowsync", "user": user or {}}],
        **more,
    }
    path.write_text(json.dumps(document))
    return path


def written(kind: ObjectKind, **more: Any) -> dict[str, Any]:
    """The least that a target of a kind says."""
    needed: dict[str, Any] = {}
    if kind.namespaced:
        needed["namespace"] = NAMESPACE
    if kind is ObjectKind.SERVICE:
        needed["object"] = "jellyfin"
    if kind is ObjectKind.NETWORK_POLICY:
        needed["pods"] = ("app=jellyfin",)
    return needed | more


def options(
    fake: FakeKubernetes, folder: Path, kind: ObjectKind = ObjectKind.MIDDLEWARE, **more: Any
) -> KubernetesOptions:
    path = kubeconfig(folder, fake.url, user={"token": fake.token})
    return KubernetesOptions(kind, **written(kind, kubeconfig=path, **more))


def target(
    fake: FakeKubernetes,
    folder: Path,
    kind: ObjectKind = ObjectKind.MIDDLEWARE,
    allowlist: str = "web",
    **more: Any,
) -> KubernetesBackend:
    return KubernetesBackend(allowlist, options(fake, folder, kind, **more))


def service(fake: FakeKubernetes, **spec: Any) -> None:
    """A service that a user made."""
    document = {
        "metadata": {
            "namespace": NAMESPACE,
            "name": "jellyfin",
            "labels": {"app.kubernetes.io/managed-by": "Helm"},
        },
        "spec": {
            "type": "LoadBalancer",
            "selector": {"app": "jellyfin"},
            "ports": [{"port": 443, "targetPort": 8096, "protocol": "TCP"}],
            "ipFamilies": ["IPv4", "IPv6"],
            "allocateLoadBalancerNodePorts": False,
            **spec,
        },
    }
    fake.create("Service", document, "helm")


def keep(backend: KubernetesBackend, *wanted: str) -> Current:
    """Look, plan and apply, as a run does; what is there after that."""
    labels = {ip_network(one): ("alice",) for one in wanted}
    situation = Situation(
        "x",
        backend.read(),
        labels,
        trusted=frozenset({"alice"}),
        capabilities=backend.capabilities,
    )
    plan = make_plan(situation)
    if not plan.idle:
        backend.apply(plan)
    return backend.read()


def held(current: Current) -> set[str]:
    """The networks that are ours."""
    return {str(one.network) for one in current.entries}


def guarded(*wanted: str, families: Iterable[int] = (4, 6)) -> list[str]:
    """The entries of a list that holds networks."""
    guards = dict(zip((4, 6), GUARDS, strict=True))
    return [*wanted, *(guards[one] for one in families)]
