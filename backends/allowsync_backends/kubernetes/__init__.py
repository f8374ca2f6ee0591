"""Objects of a Kubernetes cluster that hold a list of networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import API, BackendType, Needs
from allowsync_backends.kubernetes.options import KubernetesOptions, ObjectKind

if TYPE_CHECKING:
    from allowsync.backend.protocols import Backend
    from allowsync.model.target import Placement

__all__ = ["TYPE", "KubernetesOptions", "ObjectKind"]


def _make(placement: Placement, options: KubernetesOptions) -> Backend:
    from allowsync_backends.kubernetes.backend import KubernetesBackend

    return KubernetesBackend(placement.allowlist, options)


def _needs(options: KubernetesOptions) -> Needs:
    # A kubeconfig holds a key or a token, so root alone may read it.
    read = () if options.kubeconfig is None else (str(options.kubeconfig),)
    return Needs(any_user=not read, reads=read, lasting=True, online=True)


TYPE = BackendType(
    "kubernetes",
    "A list of networks in an object of a Kubernetes cluster",
    KubernetesOptions,
    _make,
    needs=_needs,
    api=API,
)
