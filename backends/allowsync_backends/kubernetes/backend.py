"""The backend for a list of networks in an object of a cluster.

The object is read right before it is written, by server-side apply: only our fields are sent, and
the version of the object that was read. So a change by another client in between is a conflict, not
a loss, and the fields of other managers stay.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from allowsync.backend.api import BackendError, OutcomeUnknown, mark
from allowsync.model.target import Capabilities
from allowsync.model.types import Family
from allowsync.model.value import Value
from allowsync_backends.kubernetes.access import access_of
from allowsync_backends.kubernetes.error_messages import what_happened
from allowsync_backends.kubernetes.errors import (
    KubernetesError,
    KubernetesNoReply,
    KubernetesOddReply,
    KubernetesRefused,
    MissingApi,
)
from allowsync_backends.kubernetes.objects import RESOURCES, url_path
from allowsync_backends.kubernetes.view import ObjectView, networks, object_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from allowsync.model.plan import Plan
    from allowsync.model.target import Current, Finding
    from allowsync_backends.kubernetes.options import KubernetesOptions
    from allowsync_backends.kubernetes.transport import ClusterTransport

# A network of width 0 is everyone.
PREFIXES: Final = {Family.IPV4: (1, 32), Family.IPV6: (1, 128)}
# As a NetworkPolicy they take 0.7 MB; etcd takes no object above 1.5.
MAX_ENTRIES: Final = 10_000


class KubernetesBackend(Value):
    """Keeps the list of one object.

    Attributes:
        allowlist: The allowlist that is kept there.
        options: The object, and the access to the cluster.
    """

    allowlist: str
    options: KubernetesOptions

    # Three attempts of a read and a change, which end with reasons of their own.
    patience = 200.0

    @property
    def capabilities(self) -> Capabilities:
        """The families of the options, down to half of the internet each."""
        return Capabilities(
            families=self.options.families,
            prefixes=PREFIXES,
            max_entries=MAX_ENTRIES,
            atomic=True,
        )

    def check(self) -> Sequence[Finding]:
        """Check that the object can be read and kept, and has an effect."""
        from allowsync_backends.kubernetes.check import findings

        return list(findings(self._looked_at, self._attempt))

    def read(self) -> Current:
        """Return our entries in the list."""
        return self._looked_at().current

    def apply(self, plan: Plan) -> None:
        """Write the whole list, in one request."""
        wanted = [one.network for one in plan.final]
        with self._asking() as transport:
            view = self._look(transport)
            for what, advice in view.current.obstacles.items():
                raise BackendError(f"{what}; nothing was changed; {advice}")
            if not view.is_held(wanted):
                self._change(
                    transport,
                    lambda: self._send(transport, view, view.wanted(wanted)),
                    lambda now: now.is_held(wanted),
                )

    def clear(self) -> None:
        """Delete an object that is ours alone; remove our fields from any other."""
        with self._asking() as transport:
            view = self._look(transport)
            if not view.is_ours:
                return

            def change() -> None:
                if view.is_alone:
                    transport.delete(self._path(view.version), view.preconditions)
                else:
                    self._send(transport, view, view.released())

            self._change(transport, change, lambda now: not now.is_ours)

    def _looked_at(self) -> ObjectView:
        with self._asking() as transport:
            return self._look(transport)

    def _attempt(self, view: ObjectView) -> None:
        """Have the API try to write an object unchanged."""
        document = view.wanted(networks(view.owners.ours))
        with self._asking() as transport:
            self._send(transport, view, document, dry=True)

    def _look(self, transport: ClusterTransport) -> ObjectView:
        """Return the present object, by the first version of the API that serves its kind."""
        *others, last = RESOURCES[self.options.kind].versions
        for version in others:
            try:
                return self._view(transport, version)
            except MissingApi:
                continue
        return self._view(transport, last)

    def _send(
        self,
        transport: ClusterTransport,
        view: ObjectView,
        document: dict[str, Any],
        *,
        dry: bool = False,
    ) -> None:
        """Apply a document as our part of the object."""
        transport.apply(
            self._path(view.version),
            document,
            mark(self.allowlist),
            force=self.options.force,
            dry=dry,
        )

    @contextmanager
    def _asking(self) -> Iterator[ClusterTransport]:
        """Yield the cluster's transport. Failures are raised as `BackendError`."""
        from allowsync_backends.kubernetes.transport import ClusterTransport

        try:
            with ClusterTransport(access_of(self.options)) as transport:
                yield transport
        except KubernetesError as error:
            stale = isinstance(error, KubernetesRefused) and error.is_stale
            raise BackendError(self._told(error), again=stale) from None

    def _told(self, error: KubernetesError) -> str:
        """Return an error in words."""
        what = object_name(self.options, self.allowlist)
        return what_happened(error, what, RESOURCES[self.options.kind].of)

    def _view(self, transport: ClusterTransport, version: str) -> ObjectView:
        try:
            found = transport.get(self._path(version))
        except KubernetesRefused as error:
            if error.status.code != 404:
                raise
            found = None
        if found is not None and found.get("kind") != self.options.kind.value:
            raise KubernetesOddReply("the API answered with another kind of object")
        return ObjectView(self.allowlist, self.options, version, found)

    def _path(self, version: str) -> str:
        options = self.options
        plural = RESOURCES[options.kind].plural
        return url_path(version, plural, options.namespace, options.name(self.allowlist))

    def _change(
        self,
        transport: ClusterTransport,
        change: Callable[[], object],
        is_made: Callable[[ObjectView], bool],
    ) -> None:
        """Make a change. Where its answer is lost, check whether it was made."""
        try:
            change()
        except (KubernetesNoReply, KubernetesOddReply) as error:
            try:
                made = is_made(self._look(transport))
            except KubernetesError:
                made = False
            if not made:
                what = f"could not confirm the change; it may be made yet: {self._told(error)}"
                raise OutcomeUnknown(what) from None
