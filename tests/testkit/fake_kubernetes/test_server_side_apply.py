"""The fake owns, merges, drops and refuses fields as Kubernetes documents server-side apply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from testkit.fake_kubernetes import FakeKubernetes
from testkit.fake_kubernetes.statuses import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

ALICE, BOB, CAROL = "81.2.69.1/32", "81.2.69.2/32", "81.2.69.3/32"
NAME = "friends"


@pytest.fixture
def fake() -> Iterator[FakeKubernetes]:
    with FakeKubernetes() as serving:
        yield serving


def middleware(**allow: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "media", "name": NAME}, "spec": {"ipAllowList": allow}}


def found(fake: FakeKubernetes) -> dict[str, Any]:
    one = fake.get("Middleware", "media", NAME)
    assert one is not None
    return one


def allowed(fake: FakeKubernetes) -> dict[str, Any]:
    said: dict[str, Any] = found(fake)["spec"]["ipAllowList"]
    return said


def managers(fake: FakeKubernetes) -> dict[str, Any]:
    return {
        f"{one['manager']} {one['operation']}": one["fieldsV1"]
        for one in found(fake)["metadata"]["managedFields"]
    }


def test_a_list_is_one_field_of_its_manager(fake: FakeKubernetes) -> None:
    fake.apply("Middleware", middleware(sourceRange=[ALICE, BOB]), "a")
    assert managers(fake) == {"a Apply": {"f:spec": {"f:ipAllowList": {"f:sourceRange": {}}}}}


def test_a_field_that_is_not_applied_any_more_is_dropped(fake: FakeKubernetes) -> None:
    fake.apply("Middleware", middleware(sourceRange=[ALICE], rejectStatusCode=404), "a")
    fake.apply("Middleware", middleware(rejectStatusCode=404), "a")
    assert allowed(fake) == {"rejectStatusCode": 404}


def test_a_field_that_another_has_applied_as_well_stays(fake: FakeKubernetes) -> None:
    fake.apply("Middleware", middleware(sourceRange=[ALICE], rejectStatusCode=404), "a")
    fake.apply("Middleware", middleware(sourceRange=[ALICE]), "b")
    fake.apply("Middleware", middleware(rejectStatusCode=404), "a")
    assert allowed(fake) == {"sourceRange": [ALICE], "rejectStatusCode": 404}


def test_another_value_for_a_field_of_others_is_a_conflict(fake: FakeKubernetes) -> None:
    fake.apply("Middleware", middleware(sourceRange=[ALICE]), "a")
    with pytest.raises(Refusal, match="Apply failed with 1 conflict") as caught:
        fake.apply("Middleware", middleware(sourceRange=[BOB]), "b")
    assert caught.value.code == 409
    (cause,) = caught.value.details["causes"]
    assert cause == {
        "reason": "FieldManagerConflict",
        "message": 'conflict with "a" using traefik.io/v1alpha1',
        "field": ".spec.ipAllowList.sourceRange",
    }
    assert allowed(fake) == {"sourceRange": [ALICE]}


def test_by_force_a_field_changes_its_manager(fake: FakeKubernetes) -> None:
    fake.apply("Middleware", middleware(sourceRange=[ALICE], rejectStatusCode=404), "a")
    fake.apply("Middleware", middleware(sourceRange=[BOB]), "b", force=True)
    assert managers(fake) == {
        "a Apply": {"f:spec": {"f:ipAllowList": {"f:rejectStatusCode": {}}}},
        "b Apply": {"f:spec": {"f:ipAllowList": {"f:sourceRange": {}}}},
    }


def test_an_update_takes_what_it_changes_without_being_asked(fake: FakeKubernetes) -> None:
    fake.apply("Middleware", middleware(sourceRange=[ALICE], rejectStatusCode=404), "a")

    def edit(document: dict[str, Any]) -> None:
        document["spec"]["ipAllowList"]["sourceRange"] = [BOB]

    fake.change("Middleware", "media", NAME, edit, "kubectl-edit")
    assert managers(fake) == {
        "a Apply": {"f:spec": {"f:ipAllowList": {"f:rejectStatusCode": {}}}},
        "kubectl-edit Update": {"f:spec": {"f:ipAllowList": {"f:sourceRange": {}}}},
    }


def test_what_changes_nothing_makes_no_new_version(fake: FakeKubernetes) -> None:
    fake.apply("Middleware", middleware(sourceRange=[ALICE]), "a")
    before = found(fake)
    fake.apply("Middleware", middleware(sourceRange=[ALICE]), "a")
    assert found(fake) == before


def test_an_old_version_is_refused(fake: FakeKubernetes) -> None:
    fake.apply("Middleware", middleware(sourceRange=[ALICE]), "a")
    old = found(fake)["metadata"]["resourceVersion"]
    fake.apply("Middleware", middleware(sourceRange=[BOB]), "a")
    document = middleware(sourceRange=[CAROL])
    document["metadata"]["resourceVersion"] = old
    with pytest.raises(Refusal, match="the object has been modified"):
        fake.apply("Middleware", document, "a", force=True)


def test_a_trial_changes_nothing_and_refuses_what_a_change_would(fake: FakeKubernetes) -> None:
    fake.apply("Middleware", middleware(sourceRange=[ALICE]), "a")
    before = fake.store.version, found(fake)
    fake.apply("Middleware", middleware(sourceRange=[BOB]), "a", dry=True)
    with pytest.raises(Refusal, match="conflict"):
        fake.apply("Middleware", middleware(sourceRange=[BOB]), "b", dry=True)
    assert (fake.store.version, found(fake)) == before


def test_of_a_list_that_is_a_set_each_manager_has_its_own_items(fake: FakeKubernetes) -> None:
    fake.forget("crd.projectcalico.org")

    def nets(*several: str) -> dict[str, Any]:
        return {"metadata": {"name": NAME}, "spec": {"nets": list(several)}}

    fake.apply("GlobalNetworkSet", nets(ALICE, BOB), "a")
    fake.apply("GlobalNetworkSet", nets(BOB, CAROL), "b")
    one = fake.get("GlobalNetworkSet", "", NAME)
    assert one is not None
    assert one["spec"] == {"nets": [ALICE, BOB, CAROL]}
    assert one["metadata"]["managedFields"][0]["fieldsV1"] == {
        "f:spec": {"f:nets": {f'v:"{ALICE}"': {}, f'v:"{BOB}"': {}}}
    }
    fake.apply("GlobalNetworkSet", nets(), "a")
    one = fake.get("GlobalNetworkSet", "", NAME)
    assert one is not None
    assert one["spec"] == {"nets": [BOB, CAROL]}


@pytest.mark.parametrize(
    ("kind", "spec", "code", "said"),
    [
        ("Middleware", {"ipAllowList": {"sourceRange": "all"}}, 422, "is not of type 'array'"),
        ("Middleware", {"ipAllowList": {"rejectStatusCode": 99}}, 422, "less than the minimum"),
        ("Middleware", {"ipWhitelist": {}}, 400, 'unknown field "spec.ipWhitelist"'),
        (
            "NetworkPolicy",
            {"ingress": [{"from": [{"ipBlock": {"cidr": "home"}}]}]},
            422,
            "must be a valid CIDR value",
        ),
        ("NetworkPolicy", {"ingress": [{"form": []}]}, 400, 'unknown field "spec.ingress.0.form"'),
        ("CiliumCIDRGroup", {"externalCIDRs": ["home"]}, 422, "must be a valid CIDR value"),
        ("Service", {"loadBalancerSourceRanges": [ALICE]}, 422, "may only be used when `type`"),
    ],
)
def test_what_a_definition_does_not_allow_is_refused(
    fake: FakeKubernetes, kind: str, spec: dict[str, Any], code: int, said: str
) -> None:
    document = {"metadata": {"namespace": "media", "name": NAME}, "spec": spec}
    with pytest.raises(Refusal) as caught:
        fake.apply(kind, document, "a", strict=True)
    assert (caught.value.code, said in str(caught.value)) == (code, True)


def test_a_label_or_name_that_cannot_be_is_refused(fake: FakeKubernetes) -> None:
    document = middleware(sourceRange=[ALICE])
    document["metadata"]["labels"] = {"allowsync/allowlist": "ends_"}
    with pytest.raises(Refusal, match=r"metadata\.labels"):
        fake.apply("Middleware", document, "a")
    document["metadata"] = {"namespace": "media", "name": "ends-"}
    with pytest.raises(Refusal, match=r"metadata\.name"):
        fake.apply("Middleware", document, "a")
