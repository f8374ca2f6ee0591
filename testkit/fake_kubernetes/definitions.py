"""The kinds of objects that a cluster has, with their schemas.

Of NetworkPolicy and Service from the OpenAPI document of Kubernetes 1.33, of the others from the
definitions that Traefik 3, Cilium 1.18 and Calico 3.30 bring along; fields that no test has are
left out, and refused.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple


class Definition(NamedTuple):
    """A kind of object.

    Attributes:
        group: Its group and version: `traefik.io/v1alpha1`, `v1`.
        kind: What it is called.
        plural: What it is called in paths.
        namespaced: Whether it is in a namespace.
        spec: The schema of its fields beside its metadata; None where anything goes.
        custom: Whether a CustomResourceDefinition brings it along.
    """

    group: str
    kind: str
    plural: str
    namespaced: bool = True
    spec: dict[str, Any] | None = None
    custom: bool = True

    @property
    def schema(self) -> dict[str, Any]:
        """The schema of the whole object, without its metadata."""
        return {"properties": {"spec": self.spec}} if self.spec else {}


def _object(*required: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        **({"required": list(required)} if required else {}),
    }


def _list(item: dict[str, Any], kind: str = "") -> dict[str, Any]:
    marked = {"x-kubernetes-list-type": kind} if kind else {}
    return {"type": "array", "items": item, **marked}


_TEXT: Final = {"type": "string"}
_NUMBER: Final = {"type": "integer"}
_FLAG: Final = {"type": "boolean"}
_ANY: Final[dict[str, Any]] = {"type": "object"}
_LABELS: Final = {"type": "object", "additionalProperties": _TEXT}

_STRATEGY: Final = _object(depth=_NUMBER, excludedIPs=_list(_TEXT), ipv6Subnet=_NUMBER)
_ALLOW: Final = _object(
    sourceRange=_list(_TEXT),
    ipStrategy=_STRATEGY,
    rejectStatusCode={"type": "integer", "minimum": 400, "maximum": 599},
)
_MIDDLEWARE: Final = _object(ipAllowList=_ALLOW, chain=_ANY, headers=_ANY)
_MIDDLEWARE_TCP: Final = _object(ipAllowList=_object(sourceRange=_list(_TEXT)), inFlightConn=_ANY)

_SELECTOR: Final = _object(matchLabels=_LABELS, matchExpressions=_list(_ANY))
_PORT: Final = _object(
    protocol={"type": "string", "enum": ["TCP", "UDP", "SCTP"]}, port={}, endPort=_NUMBER
)
_BLOCK: Final = {
    **_object("cidr", cidr=_TEXT),
    "properties": {"cidr": _TEXT, "except": _list(_TEXT)},
}
_PEER: Final = _object(ipBlock=_BLOCK, podSelector=_SELECTOR, namespaceSelector=_SELECTOR)
_INGRESS: Final = {
    **_object(ports=_list(_PORT)),
    "properties": {"from": _list(_PEER), "ports": _list(_PORT)},
}
_POLICY: Final = _object(
    podSelector=_SELECTOR,
    ingress=_list(_INGRESS, "atomic"),
    egress=_list(_ANY, "atomic"),
    policyTypes=_list({"type": "string", "enum": ["Ingress", "Egress"]}, "atomic"),
)

_SERVICE_PORT: Final = _object(
    name=_TEXT, protocol=_TEXT, port=_NUMBER, targetPort={}, nodePort=_NUMBER
)
_SERVICE: Final = _object(
    type={"type": "string", "enum": ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]},
    selector=_LABELS,
    ports=_list(_SERVICE_PORT),
    clusterIP=_TEXT,
    externalName=_TEXT,
    ipFamilies=_list({"type": "string", "enum": ["IPv4", "IPv6"]}, "atomic"),
    ipFamilyPolicy=_TEXT,
    externalTrafficPolicy=_TEXT,
    allocateLoadBalancerNodePorts=_FLAG,
    loadBalancerSourceRanges=_list(_TEXT, "atomic"),
)

_CIDR: Final = {"type": "string", "format": "cidr"}
_GROUP: Final = _object("externalCIDRs", externalCIDRs=_list(_CIDR))

_TRAEFIK: Final = "traefik.io/v1alpha1"

KINDS: Final = (
    Definition(_TRAEFIK, "Middleware", "middlewares", spec=_MIDDLEWARE),
    Definition(_TRAEFIK, "MiddlewareTCP", "middlewaretcps", spec=_MIDDLEWARE_TCP),
    Definition(_TRAEFIK, "IngressRoute", "ingressroutes"),
    Definition(_TRAEFIK, "IngressRouteTCP", "ingressroutetcps"),
    Definition(_TRAEFIK, "IngressRouteUDP", "ingressrouteudps"),
    Definition(_TRAEFIK, "TraefikService", "traefikservices"),
    Definition(_TRAEFIK, "TLSOption", "tlsoptions"),
    Definition(_TRAEFIK, "TLSStore", "tlsstores"),
    Definition(_TRAEFIK, "ServersTransport", "serverstransports"),
    Definition(_TRAEFIK, "ServersTransportTCP", "serverstransporttcps"),
    Definition(
        "networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", spec=_POLICY, custom=False
    ),
    Definition("v1", "Service", "services", spec=_SERVICE, custom=False),
    Definition(
        "cilium.io/v2", "CiliumCIDRGroup", "ciliumcidrgroups", namespaced=False, spec=_GROUP
    ),
    Definition(
        "cilium.io/v2alpha1", "CiliumCIDRGroup", "ciliumcidrgroups", namespaced=False, spec=_GROUP
    ),
    Definition(
        "crd.projectcalico.org/v1",
        "GlobalNetworkSet",
        "globalnetworksets",
        namespaced=False,
        spec=_object(nets=_list(_TEXT)),
    ),
    Definition(
        "projectcalico.org/v3",
        "GlobalNetworkSet",
        "globalnetworksets",
        namespaced=False,
        spec=_object(nets=_list(_TEXT, "set"), allowedEgressDomains=_list(_TEXT, "set")),
    ),
    Definition("v1", "Namespace", "namespaces", namespaced=False, custom=False),
    Definition("v1", "ServiceAccount", "serviceaccounts", custom=False),
    Definition("v1", "Secret", "secrets", custom=False),
    Definition("v1", "ConfigMap", "configmaps", custom=False),
    Definition("v1", "Node", "nodes", namespaced=False, custom=False),
    Definition("v1", "PersistentVolumeClaim", "persistentvolumeclaims", custom=False),
    Definition("discovery.k8s.io/v1", "EndpointSlice", "endpointslices", custom=False),
    Definition("batch/v1", "CronJob", "cronjobs", custom=False),
    Definition("rbac.authorization.k8s.io/v1", "Role", "roles", custom=False),
    Definition("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", custom=False),
    Definition(
        "rbac.authorization.k8s.io/v1",
        "ClusterRole",
        "clusterroles",
        namespaced=False,
        custom=False,
    ),
    Definition(
        "rbac.authorization.k8s.io/v1",
        "ClusterRoleBinding",
        "clusterrolebindings",
        namespaced=False,
        custom=False,
    ),
)
