"""The cluster: who asks, what is asked for, and what is done with each request."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, Final

from testkit.fake_kubernetes.calls import APPLY, ApiTarget, ServedCall
from testkit.fake_kubernetes.definitions import KINDS
from testkit.fake_kubernetes.discovery import discovered
from testkit.fake_kubernetes.faults import (
    ApiAnswer,
    KubernetesFault,
    document_answer,
    refused_answer,
    spoilt,
)
from testkit.fake_kubernetes.http_server import ApiHttpServer
from testkit.fake_kubernetes.object_store import ObjectStore, is_selected
from testkit.fake_kubernetes.patches import patched
from testkit.fake_kubernetes.rights import ApiAction, is_allowed
from testkit.fake_kubernetes.statuses import Refusal, success

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from ssl import SSLContext
    from types import TracebackType

    from testkit.fake_kubernetes.definitions import Definition

_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_ROLES: Final = ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")


class FakeKubernetes:
    """One cluster.

    Attributes:
        token: Of a user who may do everything.
        users: The user of each token. Those who are no administrators have what roles give them.
        kinds: The kinds of objects that there are.
        faults: What becomes of the next requests of a method, one after the other.
        before_write: Called with a change that is to be made, before it is: another client.
        after_write: Called when it is made, before that is answered.
        calls: What was asked, but for watches and for what the test itself did.
    """

    token = "admin-token"  # noqa: S105 - of a fake
    admins = frozenset({"admin"})

    def __init__(self, context: SSLContext | None = None) -> None:
        self.users = {self.token: "admin"}
        self.kinds = list(KINDS)
        self.store = ObjectStore()
        self.calls: list[ServedCall] = []
        self.faults: dict[str, list[KubernetesFault]] = {}
        self.before_write: Callable[[], None] = lambda: None
        self.after_write: Callable[[], None] = lambda: None
        self.down = False
        self.over = threading.Event()
        self._guard = threading.RLock()
        self._secure = context is not None
        self._server = ApiHttpServer(self, context)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        for name in ("default", "media"):
            self.create("Namespace", {"metadata": {"name": name}})

    def __enter__(self) -> FakeKubernetes:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http{'s' if self._secure else ''}://127.0.0.1:{self.port}"

    @property
    def writes(self) -> list[ServedCall]:
        """The requests that change something."""
        return [one for one in self.calls if one.method != "GET" and "dryRun" not in one.query]

    def definition(self, kind: str, group: str = "") -> Definition:
        """The first definition of a kind of object."""
        return next(one for one in self.kinds if one.kind == kind and one.group.startswith(group))

    def forget(self, group: str) -> None:
        """Remove the definitions of a group."""
        self.kinds = [one for one in self.kinds if not one.group.startswith(group)]

    def create(self, kind: str, document: dict[str, Any], manager: str = "kubectl-create") -> None:
        """Make an object, as a user does."""
        target = self._target(kind, document)
        with self._guard:
            self.store.update(target.of, target.key, lambda _: document, manager, create=True)

    def change(
        self,
        kind: str,
        namespace: str,
        name: str,
        change: Callable[[dict[str, Any]], object],
        manager: str = "kubectl-edit",
    ) -> None:
        """Change an object in place, as a user does."""
        target = ApiTarget(self.definition(kind), namespace, name)

        def made(document: dict[str, Any]) -> dict[str, Any]:
            change(document)
            return document

        with self._guard:
            self.store.update(target.of, target.key, made, manager)

    def apply(self, kind: str, document: dict[str, Any], manager: str, **more: Any) -> None:
        """Apply an object from the server's side, as another manager does."""
        target = self._target(kind, document)
        with self._guard:
            self.store.apply(target.of, target.key, document, manager, **more)

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Delete an object, as a user does."""
        target = ApiTarget(self.definition(kind), namespace, name)
        with self._guard:
            self.store.delete(target.of, target.key, {})

    def get(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """An object; None where there is none."""
        of = self.definition(kind)
        found = {
            one["metadata"]["name"]: one
            for one in self.store.listed(of, ApiTarget(of).resource, namespace)
        }
        return found.get(name)

    def everything(self) -> list[dict[str, Any]]:
        """All objects there are, of each kind once."""
        resources = {ApiTarget(one).resource: one for one in reversed(self.kinds)}
        return [
            one for resource, of in resources.items() for one in self.store.listed(of, resource, "")
        ]

    def answer(self, call: ServedCall) -> ApiAnswer | None:
        """What a request is answered with; None where the connection is cut."""
        with self._guard:
            self.calls.append(call)
            if self.down:
                return None
            ordered = self.faults.get(call.method)
            if not ordered:
                return self._answered(call)
            call.fault = ordered.pop(0)
            done = self._answered(call).body if call.fault.done else b""
            return spoilt(call.fault, done)

    def watched(self, call: ServedCall) -> Iterator[bytes] | None:
        """The events of a watch, as they come; None where the request is none."""
        if call.query.get("watch") not in ("1", "true") or "sendInitialEvents" in call.query:
            return None
        with self._guard:
            target = self._named(call.path)
            if target is None:
                return None
            self._refuse(call, target, "watch")
        return self._events(target, int(call.query.get("resourceVersion") or 0))

    def _events(self, target: ApiTarget, seen: int) -> Iterator[bytes]:
        changed = self.store.changed
        while not self.over.is_set():
            with changed:
                if self.store.version <= seen:
                    changed.wait(0.2)
                new = [one for one in self.store.events if one.version > seen]
                seen = self.store.version
            for event in new:
                if event.key[0] == target.resource and target.namespace in ("", event.key[1]):
                    said = {"type": event.kind, "object": event.document}
                    yield json.dumps(said).encode() + b"\n"
            yield b""

    def _answered(self, call: ServedCall) -> ApiAnswer:
        try:
            if not call.user:
                raise Refusal(401, "Unauthorized")
            found = discovered(self.kinds, call.path)
            if found is not None:
                return document_answer(found)
            target = self._named(call.path)
            if target is None:
                return ApiAnswer(404, b"404 page not found\n", "text/plain; charset=utf-8")
            return document_answer(*self._carried_out(call, target))
        except Refusal as refusal:
            return refused_answer(refusal)

    def _carried_out(self, call: ServedCall, target: ApiTarget) -> tuple[dict[str, Any], int]:
        of = target.of
        if call.method == "GET":
            self._refuse(call, target, "get" if target.name else "list")
            if "sendInitialEvents" in call.query:
                raise Refusal(422, "sendInitialEvents is forbidden for watch")
            if target.name:
                return self.store.shown(of, target.key), 200
            listed = self.store.listed(of, target.resource, target.namespace)
            items = [one for one in listed if is_selected(one, call.query.get("labelSelector"))]
            version = {"resourceVersion": str(self.store.version)}
            kind = {"apiVersion": of.group, "kind": f"{of.kind}List"}
            return {**kind, "metadata": version, "items": items}, 200
        self._refuse(call, target, _VERBS[call.method])
        self.before_write()
        answered = self._written(call, target)
        self.after_write()
        return answered

    def _written(self, call: ServedCall, target: ApiTarget) -> tuple[dict[str, Any], int]:
        sent = call.document or {}
        if call.method == "DELETE":
            self.store.delete(target.of, target.key, sent.get("preconditions") or {})
            return success(name=target.name, kind=target.of.plural), 200
        there = self._exists(target)
        dry, strict = (
            call.query.get("dryRun") == "All",
            call.query.get("fieldValidation") == "Strict",
        )
        manager = call.query.get("fieldManager") or call.agent.partition("/")[0]
        if call.method == "POST":
            metadata = {**sent["metadata"]}
            if target.namespace:
                metadata["namespace"] = target.namespace
            target = ApiTarget(target.of, target.namespace, metadata["name"])
            self._refuse_namespace(target)
            sent = {**sent, "metadata": metadata}
            made = self.store.update(
                target.of, target.key, lambda _: sent, manager, dry=dry, strict=strict, create=True
            )
            return made, 201
        if call.method == "PATCH" and call.content_type == APPLY:
            return self._applied(call, target, sent, there=there)
        made = self.store.update(
            target.of,
            target.key,
            lambda live: patched(live, sent, call.content_type, call.method),
            manager,
            dry=dry,
            strict=strict,
        )
        return made, 200

    def _applied(
        self, call: ServedCall, target: ApiTarget, sent: dict[str, Any], *, there: bool
    ) -> tuple[dict[str, Any], int]:
        if "fieldManager" not in call.query:
            raise Refusal(400, "fieldManager is required for apply patch")
        if sent.get("metadata", {}).get("name") != target.name:
            raise Refusal(400, "the name of the object does not match the name on the URL")
        if not there:
            self._refuse(call, target, "create")
            self._refuse_namespace(target)
        made = self.store.apply(
            target.of,
            target.key,
            sent,
            call.query["fieldManager"],
            force=call.query.get("force") == "true",
            dry=call.query.get("dryRun") == "All",
            strict=call.query.get("fieldValidation") == "Strict",
        )
        return made, 200 if there else 201

    def _exists(self, target: ApiTarget) -> bool:
        try:
            self.store.shown(target.of, target.key)
        except Refusal:
            return False
        return True

    def _refuse_namespace(self, target: ApiTarget) -> None:
        if target.namespace and self.get("Namespace", "", target.namespace) is None:
            what = f'namespaces "{target.namespace}" not found'
            raise Refusal(404, what, name=target.namespace, kind="namespaces")

    def _refuse(self, call: ServedCall, target: ApiTarget, verb: str) -> None:
        if call.user in self.admins:
            return
        action = ApiAction(verb, target.group, target.of.plural, target.namespace, target.name)
        roles = [one for one in self.everything() if one["kind"] in _ROLES]
        if not is_allowed(call.user, action, roles):
            group = f' in API group "{target.group}"'
            where = f' in the namespace "{target.namespace}"' if target.namespace else ""
            raise Refusal(
                403,
                f'{target.of.plural}.{target.group} "{target.name}" is forbidden: User '
                f'"{call.user}" cannot {verb} resource "{target.of.plural}"{group}{where}',
                name=target.name,
                kind=target.of.plural,
            )

    def _named(self, path: str) -> ApiTarget | None:
        """What a path names; None where there is no such thing."""
        match path.strip("/").split("/"):
            case ["api", version, *rest]:
                group = version
            case ["apis", name, version, *rest]:
                group = f"{name}/{version}"
            case _:
                return None
        namespace = ""
        if len(rest) > 2 and rest[0] == "namespaces":
            namespace, rest = rest[1], rest[2:]
        plural, name = (*rest, "")[:2] if rest else ("", "")
        for of in self.kinds:
            if (of.group, of.plural) == (group, plural) and len(rest) < 3:
                return ApiTarget(of, namespace, name)
        return None

    def _target(self, kind: str, document: dict[str, Any]) -> ApiTarget:
        of = self.definition(kind, document.get("apiVersion", ""))
        metadata = document["metadata"]
        return ApiTarget(of, metadata.get("namespace", ""), metadata["name"])
