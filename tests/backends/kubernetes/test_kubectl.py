"""The real kubectl beside allowsync, and the example as it is put into a cluster and run there."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from allowsync_backends.kubernetes import KubernetesOptions, ObjectKind
from allowsync_backends.kubernetes.backend import KubernetesBackend

from allowsync.backend.api import BackendError
from allowsync.config import load
from testkit.fake_dns.nameserver import NameServer
from testkit.fake_dns.tls import Authority
from testkit.fake_kubernetes import FakeKubernetes
from tests.support.documents import ROOT
from tests.support.kubernetes_targets import guarded, held, keep, kubeconfig
from tests.support.program import EXECUTABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

KUBECTL = Path(sys.executable).with_name("kubectl")
EXAMPLE = ROOT / "examples" / "kubernetes"
ALICE, BOB, CAROL = "81.2.69.1/32", "81.2.69.2/32", "81.2.70.0/24"
NAME = "allowsync-web"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[FakeKubernetes]:
    (pki := tmp_path / "pki").mkdir()
    authority = Authority(pki)
    context = authority.serves("127.0.0.1")
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(authority.certificate)
    with FakeKubernetes(context) as fake:
        trusted = {"certificate-authority": str(authority.certificate)}
        kubeconfig(tmp_path, fake.url, user={"token": fake.token}, cluster=trusted)
        yield fake


def kubectl(
    folder: Path, *arguments: str | Path, document: object = None
) -> subprocess.CompletedProcess[str]:
    """Run it with the kubeconfig of a folder, and with a home of its own."""
    given = {"HOME": str(folder), "KUBECONFIG": str(folder / "kubeconfig"), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [KUBECTL, *arguments],
        input=json.dumps(document),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=given,
    )


def ours(folder: Path) -> KubernetesBackend:
    """The target, by the same kubeconfig."""
    path = folder / "kubeconfig"
    options = KubernetesOptions(ObjectKind.MIDDLEWARE, namespace="media", kubeconfig=path)
    return KubernetesBackend("web", options)


def seen(folder: Path) -> dict[str, Any]:
    """The object as kubectl finds it by the label."""
    selector = ("--namespace", "media", "--selector", "allowsync/allowlist=web")
    done = kubectl(folder, "get", "middleware", *selector, "--output", "json")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)["items"]
    assert isinstance(found, dict)
    return found


def listing(*entries: str) -> dict[str, Any]:
    return {
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "Middleware",
        "metadata": {"namespace": "media", "name": NAME},
        "spec": {"ipAllowList": {"sourceRange": list(entries)}},
    }


def test_kubectl_finds_what_was_written(cluster: FakeKubernetes, tmp_path: Path) -> None:
    keep(ours(tmp_path), ALICE)
    assert seen(tmp_path)["spec"] == {"ipAllowList": {"sourceRange": guarded(ALICE)}}


def test_kubectl_is_refused_our_list_and_told_whose_it_is(
    cluster: FakeKubernetes, tmp_path: Path
) -> None:
    keep(ours(tmp_path), ALICE)
    done = kubectl(
        tmp_path, "apply", "--server-side", "--validate=false", "-f", "-", document=listing(CAROL)
    )
    assert done.returncode == 1
    assert 'conflict with "allowsync:web"' in done.stderr
    assert ".spec.ipAllowList.sourceRange" in done.stderr
    assert held(ours(tmp_path).read()) == {ALICE}


def test_what_kubectl_took_over_is_left_to_it(cluster: FakeKubernetes, tmp_path: Path) -> None:
    keep(ours(tmp_path), ALICE)
    apply = ("apply", "--server-side", "--validate=false", "--force-conflicts", "-f", "-")
    assert kubectl(tmp_path, *apply, document=listing(CAROL)).returncode == 0
    with pytest.raises(BackendError, match="is managed by kubectl"):
        keep(ours(tmp_path), ALICE, BOB)
    assert seen(tmp_path)["spec"]["ipAllowList"]["sourceRange"] == [CAROL]


def test_what_kubectl_patched_is_said(cluster: FakeKubernetes, tmp_path: Path) -> None:
    keep(ours(tmp_path), ALICE)
    patch = json.dumps({"spec": listing(CAROL)["spec"]})
    done = kubectl(
        *(tmp_path, "patch", "middleware", NAME, "-n", "media", "--type", "merge", "-p", patch)
    )
    assert done.returncode == 0, done.stderr
    assert list(ours(tmp_path).read().obstacles) == [
        f"the list of Middleware media/{NAME} is managed by kubectl-patch"
    ]


def test_fields_that_kubectl_applied_stay(cluster: FakeKubernetes, tmp_path: Path) -> None:
    document = listing()
    document["spec"]["ipAllowList"] = {"ipStrategy": {"depth": 1}}
    backend = ours(tmp_path)
    done = kubectl(
        tmp_path, "apply", "--server-side", "--validate=false", "-f", "-", document=document
    )
    assert done.returncode == 0, done.stderr
    keep(backend, ALICE)
    kubectl(tmp_path, "annotate", "middleware", NAME, "-n", "media", "team=media")
    keep(backend, ALICE, BOB)
    found = seen(tmp_path)
    assert found["metadata"]["annotations"] == {"team": "media"}
    assert found["spec"]["ipAllowList"] == {
        "ipStrategy": {"depth": 1},
        "sourceRange": guarded(ALICE, BOB),
    }


def test_the_configuration_of_the_example_loads() -> None:
    config = load(EXAMPLE / "config.yaml", environ={}, uid=65534)
    assert [one.name for one in config.targets] == ["jellyfin/kubernetes"]


def test_the_role_of_the_example_is_the_one_on_the_page() -> None:
    page = (ROOT / "docs/backends/kubernetes.md").read_text()
    (role,) = (
        one
        for one in yaml.safe_load_all((EXAMPLE / "rights.yaml").read_text())
        if one["kind"] == "Role"
    )
    _, _, rest = page.partition("```yaml\nrules:")
    assert yaml.safe_load("rules:" + rest.partition("```")[0])["rules"] == role["rules"]


# What the security context of the example leaves: an account of its own, a root to read only, a
# volume of the account's group. Reading everywhere is for the Python of this machine.
POD = """
mount -t tmpfs none /var/run && mkdir -p {account} && cp {folder}/pki/authority.pem {account}/ca.crt
printf %s {token} >{account}/token
mount --bind {folder}/state {folder}/state && mount -o remount,bind,ro /
setpriv=$(command -v setpriv)
exec $setpriv --reuid 65532 --regid 65532 --clear-groups --no-new-privs \
    --inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search \
    --bounding-set=-all,+dac_read_search "$@"
"""
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


def in_pod(
    cluster: FakeKubernetes, folder: Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run allowsync with what the example's pod has: an account's files, the API's address."""
    (folder / "state").mkdir(exist_ok=True)
    os.chown(folder / "state", 0, 65532)
    (folder / "state").chmod(0o2775)
    script = POD.format(account=ACCOUNT, folder=folder, token="pod-token")
    return subprocess.run(
        ["unshare", "--mount", "sh", "-ec", script, "sh", EXECUTABLE, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={
            "HOME": "/nonexistent",
            "PATH": os.environ["PATH"],
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(cluster.port),
        },
    )


@pytest.mark.root
@pytest.mark.usefixtures("as_root")
def test_the_example_has_all_the_rights_that_it_takes_and_no_more(
    cluster: FakeKubernetes, tmp_path: Path
) -> None:
    done = kubectl(tmp_path, "apply", "--server-side", "--validate=false", "-k", EXAMPLE)
    assert done.returncode == 0, done.stderr
    kinds = {one["kind"] for one in cluster.everything()}
    assert kinds >= {"CronJob", "Role", "RoleBinding", "ServiceAccount", "ConfigMap"}
    cluster.users["pod-token"] = "system:serviceaccount:media:allowsync"
    (mounted,) = (one for one in cluster.everything() if one["kind"] == "ConfigMap")
    zones = {"alice.duckdns.org": ["81.2.69.1"], "bob.ddns.example.net": ["81.2.69.2"]}
    with NameServer(zones) as server:
        config = tmp_path / "config.yaml"
        written = mounted["data"]["config.yaml"].replace("/state/", f"{tmp_path}/state/")
        resolver = {"resolver": {"nameservers": [str(server)]}, "policy": {"canary": False}}
        config.write_text(written + yaml.safe_dump(resolver))
        given = ("--config", str(config))
        for command in (["apply"], ["check", "--no-packets"], ["apply"]):
            ran = in_pod(cluster, tmp_path, *command, *given)
            assert ran.returncode == 0, ran.stdout + ran.stderr
        found = cluster.get("Middleware", "media", "allowsync-jellyfin")
        assert found is not None
        assert found["spec"]["ipAllowList"]["sourceRange"] == guarded(ALICE, BOB)
        assert {one.user for one in cluster.calls if "allowsync-jellyfin" in one.path} == {
            "system:serviceaccount:media:allowsync"
        }
        assert in_pod(cluster, tmp_path, "clear", "--yes", *given).returncode == 0
        assert cluster.get("Middleware", "media", "allowsync-jellyfin") is None
        other = written.replace("kind: Middleware", "kind: Middleware, object: another")
        config.write_text(other + yaml.safe_dump(resolver))
        refused = in_pod(cluster, tmp_path, "apply", *given)
    assert refused.returncode == 1
    assert 'cannot get resource "middlewares"' in " ".join(
        (refused.stdout + refused.stderr).split()
    )
