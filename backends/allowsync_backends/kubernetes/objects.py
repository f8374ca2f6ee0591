"""The objects as documents: the place of the list in each, and its content. Pure.

`NetworkPolicy` and `Service` as in the API of Kubernetes (networking.k8s.io/v1, v1), the others as
in the definitions of Traefik 3, Cilium 1.13 to 1.18 and Calico 3.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from allowsync.model.types import Family, by_network
from allowsync_backends.kubernetes.options import ObjectKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from allowsync.model.types import Network
    from allowsync_backends.kubernetes.options import KubernetesOptions

# By this label an object is found: `kubectl get middleware -l allowsync/allowlist=web`.
LABEL: Final = "allowsync/allowlist"

# An empty list means everyone to a Service and to a NetworkPolicy, and kube-proxy treats each
# family by itself. So these are in each list: no packet comes from either (RFC 1122, 3.2.1.3, and
# RFC 6666).
GUARDS: Final[dict[Family, Network]] = {
    Family.IPV4: ip_network("255.255.255.255/32"),
    Family.IPV6: ip_network("100::/128"),
}


class ApiResource(NamedTuple):
    """A kind of object in the API.

    Attributes:
        versions: The groups and versions that serve it; the first present one is used.
        plural: Its name in paths.
        path: The place of the list in the object.
        of: The software that installs its definition; empty where every cluster has it.
    """

    versions: tuple[str, ...]
    plural: str
    path: tuple[str, ...]
    of: str = ""


_TRAEFIK: Final = (("traefik.io/v1alpha1",), ("spec", "ipAllowList", "sourceRange"), "Traefik")

RESOURCES: Final = {
    ObjectKind.MIDDLEWARE: ApiResource(_TRAEFIK[0], "middlewares", *_TRAEFIK[1:]),
    ObjectKind.MIDDLEWARE_TCP: ApiResource(_TRAEFIK[0], "middlewaretcps", *_TRAEFIK[1:]),
    ObjectKind.NETWORK_POLICY: ApiResource(
        ("networking.k8s.io/v1",), "networkpolicies", ("spec", "ingress")
    ),
    ObjectKind.CIDR_GROUP: ApiResource(
        ("cilium.io/v2", "cilium.io/v2alpha1"),
        "ciliumcidrgroups",
        ("spec", "externalCIDRs"),
        "Cilium",
    ),
    # The group that Calico's own programs read. Where there is none, Calico keeps the other itself.
    ObjectKind.NETWORK_SET: ApiResource(
        ("crd.projectcalico.org/v1", "projectcalico.org/v3"),
        "globalnetworksets",
        ("spec", "nets"),
        "Calico",
    ),
    ObjectKind.SERVICE: ApiResource(("v1",), "services", ("spec", "loadBalancerSourceRanges")),
}


def url_path(version: str, plural: str, namespace: str | None, name: str) -> str:
    """Return the path of an object in the API."""
    root = "/api" if "/" not in version else "/apis"
    within = f"/namespaces/{namespace}" if namespace is not None else ""
    return f"{root}/{version}{within}/{plural}/{name}"


def listed(networks: Iterable[Network], families: Iterable[Family]) -> list[str]:
    """Return the entries of a list: the networks in order, then the guards."""
    guards = (GUARDS[family] for family in families)
    return [str(one) for one in (*sorted(networks, key=by_network), *guards)]


def network_of(text: str) -> Network | None:
    """Return the network of an entry; None for a guard, and for an entry that is no network."""
    try:
        found = ip_network(text)
    except ValueError:
        return None
    return None if found in GUARDS.values() else found


def written(
    options: KubernetesOptions, allowlist: str, version: str, entries: list[str]
) -> dict[str, Any]:
    """Return our part of the object."""
    metadata = {"name": options.name(allowlist), "labels": {LABEL: allowlist}}
    if options.namespace is not None:
        metadata["namespace"] = options.namespace
    return {
        "apiVersion": version,
        "kind": options.kind.value,
        "metadata": metadata,
        "spec": _spec(options, entries),
    }


def entries_of(kind: ObjectKind, found: Mapping[str, Any]) -> list[str]:
    """Return the texts of the list's entries; none where there is no list."""
    said = items_at(found, RESOURCES[kind].path)
    if kind is ObjectKind.NETWORK_POLICY:
        peers = (peer for rule in said for peer in items_at(rule, ("from",)))
        said = [at(peer, ("ipBlock", "cidr")) for peer in peers]
    return [one for one in said if isinstance(one, str)]


def is_open(kind: ObjectKind, found: Mapping[str, Any]) -> bool:
    """Whether an object admits everyone: by a network of width 0, or without any list.

    A rule of a NetworkPolicy without `from` matches all sources, and a LoadBalancer without source
    ranges admits all (Kubernetes, "Network Policies" and "Service").
    """
    if any(one.endswith("/0") for one in entries_of(kind, found)):
        return True
    if kind is ObjectKind.SERVICE:
        return not items_at(found, RESOURCES[kind].path)
    if kind is ObjectKind.NETWORK_POLICY:
        rules = items_at(found, RESOURCES[kind].path)
        return any(not items_at(one, ("from",)) for one in rules)
    return False


def items_at(document: Any, path: tuple[str, ...]) -> list[Any]:
    """Return the items of a list at a place of a document; none where there is no list."""
    found = at(document, path)
    return found if isinstance(found, list) else []


def at(document: Any, path: tuple[str, ...]) -> Any:
    """Return the value at a place of a document; None where it has no such place."""
    for key in path:
        if not isinstance(document, dict):
            return None
        document = document.get(key)
    return document


def holds(found: Any, wanted: Any) -> bool:
    """Whether a document includes all of another. Lists of texts are compared as sets."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            holds(found.get(key), value) for key, value in wanted.items()
        )
    if isinstance(wanted, list) and isinstance(found, list) and _texts(wanted) and _texts(found):
        return set(wanted) == set(found)
    return bool(found == wanted)


def _texts(several: list[Any]) -> bool:
    return all(isinstance(one, str) for one in several)


def _spec(options: KubernetesOptions, entries: list[str]) -> dict[str, Any]:
    if options.kind is ObjectKind.NETWORK_POLICY:
        return _policy(options, entries)
    held: Any = entries
    for key in reversed(RESOURCES[options.kind].path[1:]):
        held = {key: held}
    return dict(held)


def _policy(options: KubernetesOptions, entries: list[str]) -> dict[str, Any]:
    rule: dict[str, Any] = {"from": [{"ipBlock": {"cidr": one}} for one in entries]}
    if options.ports:
        rule["ports"] = [
            {"protocol": one.protocol.name, "port": one.first}
            | ({"endPort": one.last} if one.last != one.first else {})
            for one in options.ports
        ]
    labels = dict(one.split("=", 1) for one in options.pods)
    return {
        "podSelector": {"matchLabels": labels},
        "policyTypes": ["Ingress"],
        "ingress": [rule],
    }
