"""Whose a list is, by documents as clusters give them."""

from __future__ import annotations

from typing import Any

import pytest
from allowsync_backends.kubernetes.objects import entries_of, holds, network_of
from allowsync_backends.kubernetes.options import ObjectKind
from allowsync_backends.kubernetes.ownership import (
    UNKNOWN,
    ListOwners,
    is_alone,
    is_ours,
    list_owners,
)

PATH = ("spec", "nets")
HERE = ["81.2.69.1/32", "81.2.69.2/32"]
WHOLE: dict[str, Any] = {"f:spec": {"f:nets": {}}}
FIRST: dict[str, Any] = {"f:spec": {"f:nets": {".": {}, 'v:"81.2.69.1/32"': {}}}}
SECOND: dict[str, Any] = {"f:spec": {"f:nets": {'v:"81.2.69.2/32"': {}}}}
OTHER: dict[str, Any] = {"f:spec": {"f:allowedEgressDomains": {}}}
LABEL: dict[str, Any] = {"f:metadata": {"f:labels": {"f:allowsync/allowlist": {}}}}


def manager(name: str, fields: object, operation: str = "Apply", **more: Any) -> dict[str, Any]:
    return {"manager": name, "operation": operation, "fieldsV1": fields, **more}


def ours(fields: object) -> dict[str, Any]:
    return manager("allowsync:web", fields)


def document(*managers: Any) -> dict[str, Any]:
    return {"metadata": {"managedFields": list(managers)}, "spec": {"nets": HERE}}


@pytest.mark.parametrize(
    ("managers", "expected"),
    [
        ([ours(WHOLE)], ListOwners(frozenset(HERE))),
        ([ours(WHOLE), manager("a", OTHER)], ListOwners(frozenset(HERE))),
        ([ours(WHOLE), manager("a", WHOLE)], ListOwners(frozenset(HERE), rivals=("a",))),
        ([manager("b", WHOLE), manager("a", WHOLE)], ListOwners(rivals=("a", "b"))),
        ([], ListOwners(rivals=(UNKNOWN,))),
        ([ours(LABEL)], ListOwners(rivals=(UNKNOWN,))),
        ([ours(FIRST)], ListOwners(frozenset(HERE[:1]), frozenset(HERE[1:]))),
        ([ours(FIRST), manager("a", SECOND)], ListOwners(frozenset(HERE[:1]), frozenset(HERE[1:]))),
        ([manager("a", FIRST)], ListOwners(frozenset(), frozenset(HERE))),
        # Names that only look like ours, what a controller writes, and what cannot be read.
        ([manager("allowsync:web2", WHOLE)], ListOwners(rivals=("allowsync:web2",))),
        ([manager("allowsync:web", WHOLE, "Update")], ListOwners(rivals=("allowsync:web",))),
        ([ours(WHOLE), manager("a", WHOLE, subresource="status")], ListOwners(frozenset(HERE))),
        (["text", manager("a", None), ours("text")], ListOwners(rivals=(UNKNOWN,))),
        ([manager("", WHOLE)], ListOwners(rivals=(UNKNOWN,))),
        (
            [ours({"f:spec": {"f:nets": {"v:half": {}, "v:1": {}, 'v:"81.2.69.1/32"': {}}}})],
            ListOwners(frozenset(HERE[:1]), frozenset(HERE[1:])),
        ),
    ],
)
def test_the_owners_of_a_list(managers: list[Any], expected: ListOwners) -> None:
    assert list_owners(document(*managers), PATH, "web", HERE) == expected


def test_a_list_that_is_not_there_is_no_ones() -> None:
    assert list_owners({"metadata": {}}, PATH, "web", []) == ListOwners()
    assert list_owners({"metadata": {"managedFields": "text"}}, PATH, "web", []) == ListOwners()


@pytest.mark.parametrize(
    ("managers", "alone", "any_of_it"),
    [
        ([ours(WHOLE)], True, True),
        ([ours(WHOLE), manager("a", LABEL)], True, True),
        ([ours(WHOLE), manager("a", OTHER)], False, True),
        ([ours(LABEL)], False, True),
        ([manager("a", WHOLE)], False, False),
        ([], False, False),
    ],
)
def test_an_object_is_deleted_where_all_it_says_is_ours(
    managers: list[Any], alone: bool, any_of_it: bool
) -> None:
    found = document(*managers)
    assert (is_alone(found, "web"), is_ours(found, "web")) == (alone, any_of_it)


@pytest.mark.parametrize(
    ("kind", "spec", "expected"),
    [
        (ObjectKind.NETWORK_SET, {"nets": HERE}, HERE),
        (ObjectKind.NETWORK_SET, {"nets": [HERE[0], 7, None]}, HERE[:1]),
        (ObjectKind.NETWORK_SET, {"nets": "all"}, []),
        (ObjectKind.NETWORK_SET, None, []),
        (
            ObjectKind.NETWORK_POLICY,
            {"ingress": [{"from": [{"ipBlock": {"cidr": HERE[0]}}, {"podSelector": {}}]}, {}, 7]},
            HERE[:1],
        ),
    ],
)
def test_the_entries_of_a_list(kind: ObjectKind, spec: Any, expected: list[str]) -> None:
    assert entries_of(kind, {"spec": spec}) == expected


def test_a_guard_and_what_is_no_network_are_no_entries() -> None:
    texts = ("255.255.255.255/32", "100::/128", "home", "81.2.69.1/24")
    assert [network_of(one) for one in texts] == [None] * 4
    assert str(network_of("81.2.69.0/24")) == "81.2.69.0/24"


@pytest.mark.parametrize(
    ("found", "wanted", "expected"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, False),
        ({"a": 1}, {"a": {"b": 2}}, False),
        ({}, {"a": 1}, False),
        (["x", "y"], ["y", "x"], True),
        (["x"], ["y", "x"], False),
        ([{"a": 1}], [{"a": 1}], True),
        ([{"a": 1}, {}], [{"a": 1}], False),
        (None, ["x"], False),
    ],
)
def test_a_document_has_all_of_another(found: object, wanted: object, expected: bool) -> None:
    assert holds(found, wanted) is expected
