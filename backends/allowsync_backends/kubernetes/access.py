"""Access to a cluster: by a kubeconfig, or as the service account of a pod.

All of it is read anew in each run, as tokens and certificates are renewed. Settings that would
start a program, or trust an unauthenticated server, are refused.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from allowsync_backends.kubernetes.credentials import ClusterAccess, content, header_token, trust
from allowsync_backends.kubernetes.errors import NoAccess

if TYPE_CHECKING:
    from allowsync_backends.kubernetes.options import KubernetesOptions

# The place of both in every pod (Kubernetes, "Accessing the Kubernetes API from a Pod").
SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_HOST: Final = "KUBERNETES_SERVICE_HOST"
_PORT: Final = "KUBERNETES_SERVICE_PORT"


def access_of(options: KubernetesOptions) -> ClusterAccess:
    """Return the access to the cluster of a target.

    Raises:
        NoAccess: It is unknown, or must not be used.
    """
    if options.kubeconfig is None:
        return _in_cluster()
    from allowsync_backends.kubernetes.kubeconfig import kubeconfig_access

    return kubeconfig_access(options.kubeconfig, options.context)


def _in_cluster() -> ClusterAccess:
    host, port = os.environ.get(_HOST, ""), os.environ.get(_PORT, "")
    if not (host and port):
        raise NoAccess(
            f"{_HOST} is not set, as it is in every pod; nothing was asked; "
            "name a kubeconfig where allowsync does not run in the cluster"
        )
    bracketed = f"[{host}]" if ":" in host else host
    # The kubelet puts both there, readable to all of the pod, and vouches for them.
    authority = content(SERVICE_ACCOUNT / "ca.crt", secret=False, vouched=True)
    token = content(SERVICE_ACCOUNT / "token", vouched=True)
    return ClusterAccess(
        f"https://{bracketed}:{port}", trust(authority), header_token(token, "the service account")
    )
