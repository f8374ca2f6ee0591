"""Whole runs of the program against a cluster: exit codes, documents, kills, a lost state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from allowsync_backends.kubernetes import ObjectKind

from testkit.fake_dns.nameserver import NameServer
from testkit.fake_kubernetes import KubernetesFault
from tests.support.kubernetes_targets import guarded, kubeconfig, service, written
from tests.support.program import Installation, ProgramResult, killed_when
from tests.support.scoreboard import record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testkit.fake_kubernetes import FakeKubernetes

ALICE, BOB = "81.2.69.1", "81.2.69.2"


@pytest.fixture
def server() -> Iterator[NameServer]:
    with NameServer({"alice.example.org": [ALICE]}) as serving:
        yield serving


@pytest.fixture
def here(tmp_path: Path, fake: FakeKubernetes, server: NameServer) -> Installation:
    kubeconfig(tmp_path, fake.url, user={"token": fake.token})
    service(fake)
    hosts: dict[str, object] = {"alice": "alice.example.org"}
    made = Installation(tmp_path, server, hosts, {"canary": False})
    return configured(made, ObjectKind.MIDDLEWARE)


def configured(here: Installation, *kinds: ObjectKind, **more: object) -> Installation:
    here.targets = [
        {
            "kubernetes": {
                **{
                    name: list(value) if isinstance(value, tuple) else value
                    for name, value in written(kind).items()
                },
                "kind": kind.value,
                "name": kind.value.lower(),
                "kubeconfig": "./kubeconfig",
                **more,
            }
        }
        for kind in kinds
    ]
    return here


def run(
    here: Installation, fake: FakeKubernetes, command: str = "apply --output json"
) -> ProgramResult:
    """The token is never shown, whatever happens."""
    done = here(command)
    assert fake.token not in done.out + done.err
    return done


def outcome(done: ProgramResult) -> tuple[int, str]:
    return done.code, done.document["targets"][0]["outcome"]


def ranges(fake: FakeKubernetes) -> list[str]:
    found: dict[str, Any] = fake.get("Middleware", "media", "allowsync-web") or {}
    listed: list[str] = found["spec"]["ipAllowList"]["sourceRange"]
    return listed


def test_a_friend_is_in_the_list_and_an_idle_run_asks_once(
    here: Installation, fake: FakeKubernetes
) -> None:
    assert outcome(run(here, fake, "apply --dry-run --output json")) == (0, "planned")
    assert fake.writes == []
    assert outcome(run(here, fake)) == (0, "applied")
    assert ranges(fake) == guarded(f"{ALICE}/32")
    fake.calls.clear()
    assert outcome(run(here, fake)) == (0, "unchanged")
    assert [one.method for one in fake.calls] == ["GET"]


def test_a_friend_who_moves_is_in_at_once_and_out_at_the_old_address_later(
    here: Installation, fake: FakeKubernetes, server: NameServer
) -> None:
    here.policy = {"canary": False, "keep_replaced": "0s", "replaced_runs": 1}
    run(here, fake)
    server.zones["alice.example.org"] = [BOB]
    for _ in range(2):
        assert run(here, fake).code == 0
    assert ranges(fake) == guarded(f"{BOB}/32")


def test_a_dns_that_says_nothing_removes_nothing(
    here: Installation, fake: FakeKubernetes, server: NameServer
) -> None:
    run(here, fake)
    server.zones.clear()
    assert run(here, fake).code == 3
    assert ranges(fake) == guarded(f"{ALICE}/32")


def test_every_kind_is_kept_by_one_run_and_cleared_by_one_command(
    here: Installation, fake: FakeKubernetes
) -> None:
    configured(here, *ObjectKind)
    before = {one["metadata"]["name"] for one in fake.everything()}
    assert run(here, fake).code == 0
    assert run(here, fake).code == 0
    assert len(fake.writes) == len(ObjectKind)
    assert run(here, fake, "check").code == 0
    assert run(here, fake, f"explain {ALICE}").code == 0
    assert run(here, fake, "clear --yes").code == 0
    assert {one["metadata"]["name"] for one in fake.everything()} == before
    found = fake.get("Service", "media", "jellyfin")
    assert found is not None
    assert "loadBalancerSourceRanges" not in found["spec"]


def test_without_its_state_it_knows_its_own(here: Installation, fake: FakeKubernetes) -> None:
    run(here, fake)
    here.state.unlink()
    assert outcome(run(here, fake)) == (0, "unchanged")
    assert run(here, fake, "clear --yes").code == 0
    assert fake.get("Middleware", "media", "allowsync-web") is None


def test_an_object_that_was_deleted_is_made_again_though_the_dns_is_silent(
    here: Installation, fake: FakeKubernetes, server: NameServer
) -> None:
    run(here, fake)
    fake.delete("Middleware", "media", "allowsync-web")
    server.zones.clear()
    assert run(here, fake).code == 3
    assert ranges(fake) == guarded(f"{ALICE}/32")


def test_one_run_looks_anew_after_another_client_came_in_between(
    here: Installation, fake: FakeKubernetes, server: NameServer
) -> None:
    run(here, fake)
    server.zones["alice.example.org"] = [ALICE, BOB]

    def label() -> None:
        fake.before_write = lambda: None

        def add(document: dict[str, Any]) -> None:
            document["metadata"]["labels"]["team"] = "media"

        fake.change("Middleware", "media", "allowsync-web", add)

    fake.before_write = label
    assert outcome(run(here, fake)) == (0, "applied")
    assert ranges(fake) == guarded(f"{ALICE}/32", f"{BOB}/32")
    record("interference", cases=1, lock_outs=0, strangers=0)


def test_an_outcome_that_was_not_seen_is_unknown_and_settled_by_the_next_run(
    here: Installation, fake: FakeKubernetes
) -> None:
    def fail() -> None:
        fake.after_write = lambda: None
        fake.faults["GET"] = [KubernetesFault.CUT_BEFORE] * 3

    fake.after_write = fail
    fake.faults["PATCH"] = [KubernetesFault.CUT_AFTER]
    assert outcome(run(here, fake)) == (1, "unknown")
    fake.faults.clear()
    assert outcome(run(here, fake)) == (0, "unchanged")
    record("faults", cases=1, lock_outs=0, strangers=0)


@pytest.mark.parametrize("when", ["before_write", "after_write"])
def test_a_run_that_is_killed_around_its_write_leaves_all_as_it_was_or_should_be(
    here: Installation, fake: FakeKubernetes, when: str
) -> None:
    killed_when(here, fake, when)
    assert run(here, fake).code == 0
    assert ranges(fake) == guarded(f"{ALICE}/32")
    record("kills", cases=1, lock_outs=0, strangers=0)


@pytest.mark.parametrize("command", ["check", "status", "explain alice", "apply", "clear --yes"])
def test_a_cluster_that_is_not_there_fails_alone_and_is_named(
    here: Installation, fake: FakeKubernetes, command: str
) -> None:
    here.targets.append({"file": {"path": str(here.file)}})
    run(here, fake)
    fake.down = True
    done = run(here, fake, command)
    assert done.code == (0 if command.startswith("explain") else 1)
    assert here.file.exists() is not command.startswith("clear")
    fake.down = False
    assert ranges(fake) == guarded(f"{ALICE}/32")


def test_without_a_network_it_is_left_alone(here: Installation, fake: FakeKubernetes) -> None:
    run(here, fake)
    fake.calls.clear()
    assert run(here, fake, "apply --offline").code == 0
    assert fake.calls == []


def test_a_list_of_another_manager_fails_the_target_and_stays(
    here: Installation, fake: FakeKubernetes
) -> None:
    metadata = {"namespace": "media", "name": "allowsync-web"}
    theirs = {"ipAllowList": {"sourceRange": ["198.51.100.0/24"]}}
    fake.create("Middleware", {"metadata": metadata, "spec": theirs})
    done = run(here, fake, "apply")
    assert done.code == 1
    said = " ".join((done.out + done.err).split())
    assert "the list of Middleware media/allowsync-web is managed by kubectl-create" in said
    assert "force: true" in said
    assert ranges(fake) == ["198.51.100.0/24"]


def test_a_pod_has_no_kubeconfig_and_outside_of_one_that_is_said(
    here: Installation, fake: FakeKubernetes
) -> None:
    here.targets = [{"kubernetes": {"kind": "Middleware", "namespace": "media"}}]
    done = run(here, fake, "apply")
    assert done.code == 1
    assert "KUBERNETES_SERVICE_HOST is not set" in " ".join((done.out + done.err).split())


def test_what_was_never_made_is_not_said_to_be_enforced(
    here: Installation, fake: FakeKubernetes
) -> None:
    """Its namespace was not there. It is not known either that nothing is left of it."""
    configured(here, ObjectKind.MIDDLEWARE, namespace="nowhere")
    assert outcome(run(here, fake)) == (1, "failed")
    here.targets = [{"file": {"path": str(here.file)}}]
    for _ in range(2):
        said = " ".join(run(here, fake, "apply").err.split())
        assert "still enforced;" not in said
        assert "may still be enforced: its last change failed, or was not confirmed" in said
