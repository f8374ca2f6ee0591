"""Options of a Kubernetes target."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from allowsync.config import kinds
from allowsync.config.schema import option
from allowsync.model.target import Place
from allowsync.model.types import BOTH_FAMILIES, Family
from allowsync.model.value import Value
from allowsync_backends.common import port_list
from allowsync_backends.common.ports import Port  # noqa: TC001 - a kept configuration has it

if TYPE_CHECKING:
    from pathlib import Path

# RFC 1123, as Kubernetes applies it to names of objects and of namespaces.
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME: Final = rf"{_LABEL}(?:\.{_LABEL}){{0,4}}"
# Kubernetes' "Syntax and character set" of labels.
_PART: Final = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_POD_LABEL: Final = rf"(?:{_NAME}/)?{_PART}=(?:{_PART})?"

IN_CLUSTER: Final = "the cluster it runs in"


class ObjectKind(Enum):
    """The kind of object that holds the list."""

    MIDDLEWARE = "Middleware"
    MIDDLEWARE_TCP = "MiddlewareTCP"
    NETWORK_POLICY = "NetworkPolicy"
    CIDR_GROUP = "CiliumCIDRGroup"
    NETWORK_SET = "GlobalNetworkSet"
    SERVICE = "Service"

    @property
    def namespaced(self) -> bool:
        """Whether it is in a namespace; otherwise there is one of a name in the cluster."""
        return self not in (ObjectKind.CIDR_GROUP, ObjectKind.NETWORK_SET)


class KubernetesOptions(Value):
    """One object of a cluster."""

    kind: ObjectKind = option(
        lambda: kinds.Choice(ObjectKind),
        help="The kind of object whose list is maintained: a `Middleware` or `MiddlewareTCP` of "
        "Traefik, a `NetworkPolicy`, a `CiliumCIDRGroup`, a `GlobalNetworkSet` of Calico, "
        "or the source ranges of a `Service` of type `LoadBalancer`.",
    )
    namespace: str | None = option(
        lambda: kinds.Pattern(_LABEL, "the name of a namespace"),
        help="The object's namespace; none for `CiliumCIDRGroup` and `GlobalNetworkSet`.",
        default=None,
    )
    object: str | None = option(
        lambda: kinds.Pattern(_NAME, "the name of an object"),
        help="The object's name. Default: `allowsync-<allowlist>`, with `-` for `_`. A "
        "`Service` has to be named, as it is never created.",
        default=None,
    )
    pods: tuple[str, ...] = option(
        lambda: kinds.ListOf(
            kinds.Pattern(_POD_LABEL, "a label such as app=jellyfin"), unique=True
        ),
        help="For a `NetworkPolicy`: the labels of the pods that only hosts may reach.",
        default=(),
    )
    ports: tuple[Port, ...] = option(
        port_list,
        help="For a `NetworkPolicy`: the ports of these pods that hosts may reach. Default: all.",
        default=(),
    )
    families: tuple[Family, ...] = option(
        lambda: kinds.ListOf(kinds.Choice(Family), unique=True, least=1),
        help="The address families of the list. Omit one that the reader of the list does not "
        "support.",
        default=BOTH_FAMILIES,
    )
    kubeconfig: Path | None = option(
        lambda: kinds.AbsolutePath("a kubeconfig"),
        help="The kubeconfig with the cluster and the user. Without it, allowsync runs in a pod "
        "and uses its service account.",
        default=None,
    )
    context: str | None = option(
        lambda: kinds.Text("the name of a context"),
        help="The context of the kubeconfig. Default: its `current-context`.",
        default=None,
    )
    force: bool = option(
        lambda: kinds.Boolean(),
        help="Whether to take over a list that another field manager, such as kubectl or Helm, "
        "has written, and replace its content.",
        default=False,
    )

    def __post_init__(self) -> None:
        if self.kind.namespaced is (self.namespace is None):
            wrong = (
                "needs namespace" if self.kind.namespaced else "is in no namespace: leave it out"
            )
            raise ValueError(f"a {self.kind.value} {wrong}")
        if self.kind is ObjectKind.SERVICE and self.object is None:
            raise ValueError("a Service needs object: the name of one that there is")
        if (self.kind is ObjectKind.NETWORK_POLICY) is not bool(self.pods):
            needs = "needs pods" if not self.pods else f"has no pods: they are for {_POLICY}"
            raise ValueError(f"a {self.kind.value} {needs}")
        if self.ports and self.kind is not ObjectKind.NETWORK_POLICY:
            raise ValueError(f"a {self.kind.value} has no ports: they are for {_POLICY}")
        if self.context is not None and self.kubeconfig is None:
            raise ValueError("context names one of a kubeconfig, and none is given")

    def name(self, allowlist: str) -> str:
        """Return the name of the object."""
        return self.object or f"allowsync-{allowlist.replace('_', '-')}"

    def places(self, allowlist: str) -> tuple[Place, ...]:
        """Return the object, whose whole list is ours."""
        where = IN_CLUSTER if self.kubeconfig is None else str(self.kubeconfig)
        name = (where, self.context or "its context", self.namespace or "no namespace")
        return (Place("Kubernetes object", (*name, self.kind.value, self.name(allowlist))),)


_POLICY: Final = ObjectKind.NETWORK_POLICY.value
