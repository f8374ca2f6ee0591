"""Findings about the list of an object: whether it can be kept, and its effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.backend.api import BackendError
from allowsync.model.target import Finding, Severity, flaw_findings
from allowsync_backends.kubernetes.objects import at, items_at
from allowsync_backends.kubernetes.options import ObjectKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from allowsync_backends.kubernetes.view import ObjectView

_PAGE: Final = "see docs/backends/kubernetes.md"


def findings(
    look: Callable[[], ObjectView], attempt: Callable[[ObjectView], object]
) -> Iterator[Finding]:
    """Report on the object. Changes nothing, raises nothing.

    Missing rights, an unfit definition and conflicts with other managers are found by a dry run of
    a change.

    Args:
        look: Returns the present object.
        attempt: Tries to write it unchanged.
    """
    try:
        view = look()
        current = view.current
        yield from flaw_findings(current.flaws, current.obstacles)
        if not current.obstacles:
            attempt(view)
        yield from _service(view)
    except BackendError as error:
        yield Finding(Severity.ERROR, str(error), _PAGE)


def _service(view: ObjectView) -> Iterator[Finding]:
    """Report ports of each node, which source ranges do not close."""
    if view.options.kind is not ObjectKind.SERVICE:
        return
    ports = (at(one, ("nodePort",)) for one in items_at(view.found, ("spec", "ports")))
    if open_ports := [str(one) for one in ports if one]:
        what = f"{view.what} is open to everyone at port {', '.join(open_ports)} of each node"
        advice = "say allocateLoadBalancerNodePorts: false in it, or close them at the nodes"
        yield Finding(Severity.WARNING, what, advice)
