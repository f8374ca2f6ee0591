"""The promises of every backend, kept by each kind of object: others have fields in it, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from allowsync_backends.kubernetes import TYPE, KubernetesOptions, ObjectKind

from allowsync.testing.contract import BackendContract
from testkit.fake_kubernetes import FakeKubernetes
from tests.support.kubernetes_targets import NAMESPACE, options, service

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from allowsync.model.types import Network

OURS = "allowsync:jellyfin"


class AtKubernetes(BackendContract):
    type = TYPE
    kind = ObjectKind.MIDDLEWARE

    @pytest.fixture(autouse=True)
    def target(self, tmp_path: Path) -> Iterator[None]:
        with FakeKubernetes() as fake:
            self.fake = fake
            self.arrange()
            self.said = options(fake, tmp_path, self.kind)
            yield

    def arrange(self) -> None:
        """What has to be there beforehand."""

    def options(self) -> KubernetesOptions:
        return self.said

    @property
    def name(self) -> str:
        return self.options().name("jellyfin")

    def plant(self) -> Iterable[Network]:
        """An object of others beside ours, and fields of others in ours."""
        self.fake.create(self.kind.value, self.strangers_object("others"))
        self.fake.apply(self.kind.value, self.strangers_object(self.name), "gardener")
        return ()

    def strangers_object(self, name: str) -> dict[str, Any]:
        metadata = {"name": name, "annotations": {"purpose": "by hand"}}
        if self.kind.namespaced:
            metadata["namespace"] = NAMESPACE
        return {"metadata": metadata, "spec": self.strangers_spec()}

    def strangers_spec(self) -> dict[str, Any]:
        return {"ipAllowList": {"ipStrategy": {"depth": 1}, "rejectStatusCode": 404}}

    def foreign(self) -> object:
        """All but what is ours: other objects, and what other managers have in this one."""
        found: list[tuple[Any, ...]] = []
        for one in self.fake.everything():
            managers = one["metadata"].pop("managedFields")
            one["metadata"].pop("resourceVersion")
            theirs = [of for of in managers if of["manager"] != OURS]
            if one["metadata"]["name"] != self.name:
                found.append((one, theirs))
            elif theirs:
                said = one["spec"].get("ipAllowList", {})
                kept = {key: said.get(key) for key in ("ipStrategy", "rejectStatusCode")}
                found.append((one["metadata"].get("annotations"), kept, theirs))
        return found

    def fingerprint(self) -> object:
        return [(one.path, one.body) for one in self.fake.writes], self.fake.store.version

    def damage(self) -> bool:
        namespace = NAMESPACE if self.kind.namespaced else ""
        self.fake.delete(self.kind.value, namespace, self.name)
        return True


class TestMiddleware(AtKubernetes):
    kind = ObjectKind.MIDDLEWARE


class TestMiddlewareTcp(AtKubernetes):
    kind = ObjectKind.MIDDLEWARE_TCP

    def strangers_spec(self) -> dict[str, Any]:
        return {"inFlightConn": {"amount": 10}}


class TestNetworkPolicy(AtKubernetes):
    kind = ObjectKind.NETWORK_POLICY

    def strangers_spec(self) -> dict[str, Any]:
        return {"podSelector": {"matchLabels": {"app": "jellyfin"}}}


class TestCiliumCidrGroup(AtKubernetes):
    kind = ObjectKind.CIDR_GROUP

    def plant(self) -> Iterable[Network]:
        """Its only field is the list."""
        self.fake.create(self.kind.value, self.strangers_object("others"))
        return ()

    def strangers_spec(self) -> dict[str, Any]:
        return {"externalCIDRs": ["198.51.100.0/24"]}


class TestGlobalNetworkSet(TestCiliumCidrGroup):
    kind = ObjectKind.NETWORK_SET

    def strangers_spec(self) -> dict[str, Any]:
        return {"nets": ["198.51.100.0/24"]}


class TestService(AtKubernetes):
    kind = ObjectKind.SERVICE

    def arrange(self) -> None:
        service(self.fake)

    def neighbour(self) -> None:
        """The object is named by the configuration, and one allowlist's."""

    def strangers_spec(self) -> dict[str, Any]:
        return {"externalTrafficPolicy": "Local"}

    def damage(self) -> bool:
        def empty(document: dict[str, Any]) -> None:
            del document["spec"]["loadBalancerSourceRanges"]

        self.fake.change("Service", NAMESPACE, "jellyfin", empty)
        return True
