"""Cluster errors, in words that a person can act on. Pure."""

from __future__ import annotations

from typing import Final

from allowsync.text import printable
from allowsync_backends.kubernetes.errors import KubernetesError, KubernetesRefused, MissingApi

_UNTOUCHED: Final = "nothing was changed"


def what_happened(error: KubernetesError, what: str, of: str) -> str:
    """Return an error in words, with its consequence and advice.

    Args:
        error: The error.
        what: The object: `Middleware media/friends`.
        of: The software that installs its definition.
    """
    match error:
        case MissingApi():
            todo = f"install the definitions (CRDs) of {of}" if of else "look which API it is"
            return f"{what}: the cluster has no such kind of object; {_UNTOUCHED}; {todo}"
        case KubernetesRefused():
            return f"{what}: {_refused(error)}"
        case _:
            return f"{what}: {error}"


def conflict(managers: str) -> str:
    """Return advice for a list managed by others."""
    return f"take the list out of what {managers} applies, or say force: true to take it over"


def _refused(error: KubernetesRefused) -> str:
    said = printable(str(error))
    match error.status.code:
        case 401:
            return (
                f"the cluster does not take the credentials (HTTP 401); {_UNTOUCHED}; renew the "
                "token or the client certificate"
            )
        case 403:
            return f"{said}; {_UNTOUCHED}; give the right by a Role, as in examples/kubernetes"
        case 404:
            return f"{said}; {_UNTOUCHED}; make it first"
        case 409 if error.managers:
            fields = "; ".join(
                f"{where} ({printable(why)})" for where, why in error.managers.items()
            )
            todo = conflict("that manager")
            return f"another field manager has written {fields}; {_UNTOUCHED}; {todo}"
        case 409:
            return f"another client changed it meanwhile; {_UNTOUCHED}; the next run looks anew"
        case 429:
            return f"the API takes no more requests for now; {_UNTOUCHED}; the next run tries again"
        case code:
            return (
                f"the API refuses (HTTP {code}): {said}; {_UNTOUCHED}; see the page of this backend"
            )
