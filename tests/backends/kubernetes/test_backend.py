"""What is written into each kind of object, and whose it is after that."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
from allowsync_backends.common.ports import Port, Protocol
from allowsync_backends.kubernetes import ObjectKind

from allowsync.backend.api import BackendError
from allowsync.model.plan import Plan
from allowsync.model.types import Entry, Family
from tests.support.kubernetes_targets import GUARDS, guarded, held, keep, service, target

if TYPE_CHECKING:
    from pathlib import Path

    from testkit.fake_kubernetes import FakeKubernetes

ALICE, BOB, CAROL = "81.2.69.1/32", "2a02:8109::/64", "81.2.70.0/24"
NAME = "allowsync-web"
KINDS = list(ObjectKind)
MADE = [one for one in KINDS if one is not ObjectKind.SERVICE]

SPECS: dict[ObjectKind, Any] = {
    ObjectKind.MIDDLEWARE: {"ipAllowList": {"sourceRange": guarded(ALICE, BOB)}},
    ObjectKind.MIDDLEWARE_TCP: {"ipAllowList": {"sourceRange": guarded(ALICE, BOB)}},
    ObjectKind.CIDR_GROUP: {"externalCIDRs": guarded(ALICE, BOB)},
    ObjectKind.NETWORK_SET: {"nets": guarded(ALICE, BOB)},
    ObjectKind.NETWORK_POLICY: {
        "podSelector": {"matchLabels": {"app": "jellyfin"}},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"ipBlock": {"cidr": one}} for one in guarded(ALICE, BOB)]}],
    },
}


def at(kind: ObjectKind) -> str:
    return "media" if kind.namespaced else ""


def spec(fake: FakeKubernetes, kind: ObjectKind, name: str = NAME) -> dict[str, Any]:
    found = fake.get(kind.value, at(kind), name)
    assert found is not None
    said: dict[str, Any] = found["spec"]
    return said


def ranges(fake: FakeKubernetes, name: str = NAME) -> list[str]:
    listed: list[str] = spec(fake, ObjectKind.MIDDLEWARE, name)["ipAllowList"]["sourceRange"]
    return listed


@pytest.mark.parametrize("kind", MADE)
def test_an_object_is_made_with_the_networks_and_nothing_else(
    fake: FakeKubernetes, tmp_path: Path, kind: ObjectKind
) -> None:
    assert held(keep(target(fake, tmp_path, kind), ALICE, BOB)) == {ALICE, BOB}
    assert spec(fake, kind) == SPECS[kind]
    assert len(fake.writes) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_list_without_hosts_has_an_address_of_no_one_in_each_family(
    fake: FakeKubernetes, tmp_path: Path, kind: ObjectKind
) -> None:
    """Of an empty one a Service, and the `from` of a NetworkPolicy, let in everyone."""
    service(fake)
    backend = target(fake, tmp_path, kind)
    keep(backend, ALICE, BOB)
    backend.apply(Plan("x", remove=(Entry(ip_network(ALICE)), Entry(ip_network(BOB)))))
    assert (held(backend.read()), backend.read().flaws) == (set(), ())
    text = str(fake.get(kind.value, at(kind), backend.options.name("web")))
    assert all(one in text for one in GUARDS)


def test_an_object_that_is_gone_is_made_again_though_no_host_is_left(
    fake: FakeKubernetes, tmp_path: Path
) -> None:
    keep(target(fake, tmp_path))
    assert ranges(fake) == list(GUARDS)
    fake.delete("Middleware", "media", NAME)
    assert target(fake, tmp_path).read().flaws == (f"Middleware media/{NAME} does not exist",)
    keep(target(fake, tmp_path))
    assert ranges(fake) == list(GUARDS)


def test_ports_of_a_policy_are_those_that_hosts_reach(fake: FakeKubernetes, tmp_path: Path) -> None:
    ports = (Port(8096, 8096, Protocol.TCP), Port(7359, 7360, Protocol.UDP))
    backend = target(fake, tmp_path, ObjectKind.NETWORK_POLICY, ports=ports)
    keep(backend, ALICE)
    assert spec(fake, ObjectKind.NETWORK_POLICY)["ingress"][0]["ports"] == [
        {"protocol": "TCP", "port": 8096},
        {"protocol": "UDP", "port": 7359, "endPort": 7360},
    ]
    changed = target(fake, tmp_path, ObjectKind.NETWORK_POLICY, ports=ports[:1])
    assert changed.read().flaws == (f"NetworkPolicy media/{NAME} is not as configured",)
    assert keep(changed, ALICE).flaws == ()
    assert len(spec(fake, ObjectKind.NETWORK_POLICY)["ingress"][0]["ports"]) == 1


def test_one_family_is_held_where_one_is_asked_for(fake: FakeKubernetes, tmp_path: Path) -> None:
    backend = target(fake, tmp_path, families=(Family.IPV4,))
    assert not backend.capabilities.holds(ip_network(BOB))
    keep(backend, ALICE)
    assert ranges(fake) == guarded(ALICE, families=(4,))


@pytest.mark.parametrize("kind", KINDS)
def test_an_idle_run_asks_once_and_writes_nothing(
    fake: FakeKubernetes, tmp_path: Path, kind: ObjectKind
) -> None:
    service(fake)
    keep(target(fake, tmp_path, kind), ALICE)
    fake.calls.clear()
    assert target(fake, tmp_path, kind).read().flaws == ()
    assert [one.method for one in fake.calls] == ["GET"]


def test_what_others_have_in_a_middleware_stays(fake: FakeKubernetes, tmp_path: Path) -> None:
    theirs = {"ipStrategy": {"depth": 1}, "rejectStatusCode": 404}
    metadata = {"namespace": "media", "name": NAME}
    fake.create("Middleware", {"metadata": metadata, "spec": {"ipAllowList": theirs}})
    backend = target(fake, tmp_path)
    keep(backend, ALICE)
    assert spec(fake, ObjectKind.MIDDLEWARE)["ipAllowList"] == {
        **theirs,
        "sourceRange": guarded(ALICE),
    }
    backend.clear()
    assert spec(fake, ObjectKind.MIDDLEWARE)["ipAllowList"] == theirs


def test_a_list_of_others_is_refused_and_named(fake: FakeKubernetes, tmp_path: Path) -> None:
    metadata = {"namespace": "media", "name": NAME}
    theirs = {"ipAllowList": {"sourceRange": ["198.51.100.0/24"]}}
    fake.create("Middleware", {"metadata": metadata, "spec": theirs})
    backend = target(fake, tmp_path)
    current = backend.read()
    assert current.entries == frozenset()
    assert list(current.obstacles) == [
        f"the list of Middleware media/{NAME} is managed by kubectl-create"
    ]
    with pytest.raises(BackendError, match="managed by kubectl-create; nothing was changed; take"):
        backend.apply(Plan("x", add=(Entry(ip_network(ALICE)),)))
    backend.clear()
    assert ranges(fake) == ["198.51.100.0/24"]
    assert fake.writes == []


def test_by_force_the_list_of_others_is_taken_over(fake: FakeKubernetes, tmp_path: Path) -> None:
    metadata = {"namespace": "media", "name": NAME}
    theirs = {"ipAllowList": {"sourceRange": ["198.51.100.0/24"], "rejectStatusCode": 404}}
    fake.create("Middleware", {"metadata": metadata, "spec": theirs})
    assert held(keep(target(fake, tmp_path, force=True), ALICE)) == {ALICE}
    assert ranges(fake) == guarded(ALICE)
    assert target(fake, tmp_path).read().flaws == ()
    target(fake, tmp_path).clear()
    assert spec(fake, ObjectKind.MIDDLEWARE) == {"ipAllowList": {"rejectStatusCode": 404}}


def test_a_list_that_was_edited_by_hand_is_a_conflict_that_is_said(
    fake: FakeKubernetes, tmp_path: Path
) -> None:
    keep(target(fake, tmp_path), ALICE)

    def add(document: dict[str, Any]) -> None:
        document["spec"]["ipAllowList"]["sourceRange"].append(CAROL)

    fake.change("Middleware", "media", NAME, add)
    with pytest.raises(BackendError, match="is managed by kubectl-edit"):
        keep(target(fake, tmp_path), ALICE, BOB)
    assert ranges(fake) == [*guarded(ALICE), CAROL]
    assert held(keep(target(fake, tmp_path, force=True), ALICE, BOB)) == {ALICE, BOB}


def test_a_manager_that_comes_between_look_and_change_is_named_by_the_api(
    fake: FakeKubernetes, tmp_path: Path
) -> None:
    """It made the very object that we are about to make, so no version tells."""
    theirs = {"ipAllowList": {"sourceRange": [CAROL]}}

    def make() -> None:
        fake.before_write = lambda: None
        metadata = {"namespace": "media", "name": NAME}
        fake.apply("Middleware", {"metadata": metadata, "spec": theirs}, "argocd")

    fake.before_write = make
    with pytest.raises(BackendError, match=r'ipAllowList\.sourceRange \(conflict with "argocd"'):
        keep(target(fake, tmp_path), ALICE)
    assert ranges(fake) == [CAROL]


def test_a_change_between_look_and_change_asks_for_a_fresh_look(
    fake: FakeKubernetes, tmp_path: Path
) -> None:
    keep(target(fake, tmp_path), ALICE)

    def label() -> None:
        fake.before_write = lambda: None

        def add(document: dict[str, Any]) -> None:
            document["metadata"]["labels"]["team"] = "media"

        fake.change("Middleware", "media", NAME, add)

    fake.before_write = label
    with pytest.raises(BackendError, match="another client changed it meanwhile") as caught:
        keep(target(fake, tmp_path), ALICE, BOB)
    assert caught.value.again
    assert held(keep(target(fake, tmp_path), ALICE, BOB)) == {ALICE, BOB}
    found = fake.get("Middleware", "media", NAME)
    assert found is not None
    assert found["metadata"]["labels"]["team"] == "media"


def test_where_a_list_is_a_set_the_entries_of_others_stay_beside_ours(
    fake: FakeKubernetes, tmp_path: Path
) -> None:
    fake.forget("crd.projectcalico.org")
    fake.apply(
        "GlobalNetworkSet", {"metadata": {"name": NAME}, "spec": {"nets": [CAROL]}}, "gardener"
    )
    backend = target(fake, tmp_path, ObjectKind.NETWORK_SET)
    current = keep(backend, ALICE, BOB)
    assert (held(current), set(current.others)) == ({ALICE, BOB}, {ip_network(CAROL)})
    assert current.flaws == ()
    keep(backend, BOB)
    assert set(spec(fake, ObjectKind.NETWORK_SET)["nets"]) == {CAROL, *guarded(BOB)}
    backend.clear()
    assert spec(fake, ObjectKind.NETWORK_SET) == {"nets": [CAROL]}


@pytest.mark.parametrize(
    ("kind", "group"),
    [(ObjectKind.CIDR_GROUP, "cilium.io/v2"), (ObjectKind.NETWORK_SET, "crd.projectcalico.org")],
)
def test_an_older_or_newer_api_is_found(
    fake: FakeKubernetes, tmp_path: Path, kind: ObjectKind, group: str
) -> None:
    fake.kinds = [one for one in fake.kinds if one.group != group]
    fake.kinds = [one for one in fake.kinds if one.group != f"{group}/v1"]
    assert held(keep(target(fake, tmp_path, kind), ALICE)) == {ALICE}
    assert target(fake, tmp_path, kind).read().flaws == ()


@pytest.mark.parametrize(
    ("kind", "of"),
    [
        (ObjectKind.MIDDLEWARE, "Traefik"),
        (ObjectKind.CIDR_GROUP, "Cilium"),
        (ObjectKind.NETWORK_SET, "Calico"),
    ],
)
def test_a_cluster_without_the_definition_is_said(
    fake: FakeKubernetes, tmp_path: Path, kind: ObjectKind, of: str
) -> None:
    fake.kinds = [one for one in fake.kinds if one.kind != kind.value]
    with pytest.raises(
        BackendError, match=rf"no such kind of object.*definitions \(CRDs\) of {of}"
    ):
        target(fake, tmp_path, kind).read()


def test_a_namespace_that_is_not_there_is_said(fake: FakeKubernetes, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match='namespaces "nowhere" not found; nothing was changed'):
        keep(target(fake, tmp_path, namespace="nowhere"), ALICE)


@pytest.mark.parametrize("kind", MADE)
def test_clearing_deletes_an_object_that_is_ours_alone(
    fake: FakeKubernetes, tmp_path: Path, kind: ObjectKind
) -> None:
    keep(target(fake, tmp_path, kind), ALICE)
    target(fake, tmp_path, kind).clear()
    assert fake.get(kind.value, at(kind), NAME) is None


def test_an_object_that_changed_since_the_look_is_not_deleted(
    fake: FakeKubernetes, tmp_path: Path
) -> None:
    keep(target(fake, tmp_path), ALICE)

    def meddle() -> None:
        fake.before_write = lambda: None

        def add(document: dict[str, Any]) -> None:
            document["spec"]["headers"] = {"frameDeny": True}

        fake.change("Middleware", "media", NAME, add)

    fake.before_write = meddle
    with pytest.raises(BackendError, match="another client changed it meanwhile"):
        target(fake, tmp_path).clear()
    target(fake, tmp_path).clear()
    assert spec(fake, ObjectKind.MIDDLEWARE) == {"headers": {"frameDeny": True}}


def test_of_a_service_the_ranges_alone_are_ours(fake: FakeKubernetes, tmp_path: Path) -> None:
    service(fake)
    before = fake.get("Service", "media", "jellyfin")
    assert before is not None
    backend = target(fake, tmp_path, ObjectKind.SERVICE)
    assert "open to everyone" in backend.read().flaws[0]
    keep(backend, ALICE)
    made = spec(fake, ObjectKind.SERVICE, "jellyfin")
    assert made == {**before["spec"], "loadBalancerSourceRanges": guarded(ALICE)}
    backend.clear()
    after = fake.get("Service", "media", "jellyfin")
    assert after is not None
    assert (after["spec"], after["metadata"]["labels"]) == (
        before["spec"],
        before["metadata"]["labels"],
    )


@pytest.mark.parametrize(
    ("more", "options", "said"),
    [
        ({"type": "NodePort"}, {}, "is of type NodePort, which has no source ranges"),
        ({}, {"families": (Family.IPV4,)}, "serves IPv6, which is left open to everyone"),
        (None, {}, "Service media/jellyfin does not exist"),
    ],
)
def test_a_service_that_would_stay_open_is_refused(
    fake: FakeKubernetes,
    tmp_path: Path,
    more: dict[str, Any] | None,
    options: dict[str, Any],
    said: str,
) -> None:
    if more is not None:
        service(fake, **more)
    backend = target(fake, tmp_path, ObjectKind.SERVICE, **options)
    assert any(said in one for one in backend.read().obstacles)
    with pytest.raises(BackendError, match=said):
        backend.apply(Plan("x", add=(Entry(ip_network(ALICE)),)))
    assert fake.writes == []


def test_two_allowlists_leave_each_other_alone(fake: FakeKubernetes, tmp_path: Path) -> None:
    keep(target(fake, tmp_path, object="friends"), ALICE)
    other = target(fake, tmp_path, allowlist="web2", object="friends")
    with pytest.raises(BackendError, match="is managed by allowsync:web"):
        keep(other, BOB)
    other.clear()
    assert ranges(fake, "friends") == guarded(ALICE)


def test_what_is_written_is_found_by_its_label(fake: FakeKubernetes, tmp_path: Path) -> None:
    keep(target(fake, tmp_path, allowlist="our_web"), ALICE)
    found = fake.get("Middleware", "media", "allowsync-our-web")
    assert found is not None
    assert found["metadata"]["labels"] == {"allowsync/allowlist": "our_web"}
    assert [one["manager"] for one in found["metadata"]["managedFields"]] == ["allowsync:our_web"]


def test_a_definition_that_lacks_the_list_is_refused_and_not_taken_for_empty(
    fake: FakeKubernetes, tmp_path: Path
) -> None:
    """As in version 2 of Traefik, which would drop the field without a word."""
    old = {"type": "object", "properties": {"ipWhiteList": {"type": "object"}}}
    fake.kinds = [one._replace(spec=old) if one.kind == "Middleware" else one for one in fake.kinds]
    with pytest.raises(BackendError, match=r'HTTP 400.*unknown field "spec\.ipAllowList"'):
        keep(target(fake, tmp_path), ALICE)
    assert fake.get("Middleware", "media", NAME) is None


def test_ten_thousand_networks_are_held(fake: FakeKubernetes, tmp_path: Path) -> None:
    backend = target(fake, tmp_path, ObjectKind.NETWORK_POLICY)
    many = tuple(Entry(ip_network(f"90.{n // 250}.{n % 250}.0/24")) for n in range(10_000))
    backend.apply(Plan("x", add=many))
    assert backend.read().entries == frozenset(many)
