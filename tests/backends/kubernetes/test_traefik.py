"""A real Traefik with its CRD provider: requests knock while the list of a Middleware changes."""

from __future__ import annotations

import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from allowsync_backends.kubernetes import ObjectKind

from testkit.fake_kubernetes import FakeKubernetes
from tests.support.gates import allow
from tests.support.internet import FRIEND, FRIEND6, STRANGER, STRANGER6
from tests.support.kubernetes_targets import NAMESPACE, target
from tests.support.requests import NONE, is_felt_by_nobody, neighbourhood, status, wait_for
from tests.support.sampling import share
from tests.traefik.real import BEHIND, HTTP, TCP, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync_backends.kubernetes.backend import KubernetesBackend

    from tests.support.netns import Namespace

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.usefixtures("as_root")]

PROGRAM: Final = Path(sys.executable).with_name("traefik")
REFUSED: Final = 403

STATIC: Final = """
global: {{checkNewVersion: false, sendAnonymousUsage: false}}
log: {{level: ERROR}}
entryPoints:
  web: {{address: ":{http}"}}
  tcp: {{address: ":{tcp}"}}
providers:
  providersThrottleDuration: 20ms
  kubernetesCRD:
    endpoint: {url}
    token: {token}
    namespaces: [{namespace}]
    allowExternalNameServices: true
"""


def route(kind: str, **more: Any) -> dict[str, Any]:
    """A route through the middleware that allowsync keeps."""
    entry, match = ("tcp", "HostSNI(`*`)") if kind.endswith("TCP") else ("web", "PathPrefix(`/`)")
    one = {
        "match": match,
        "services": [{"name": "app", "port": BEHIND}],
        "middlewares": [{"name": "allowsync-x"}],
        **more,
    }
    metadata = {"namespace": NAMESPACE, "name": "app"}
    return {"metadata": metadata, "spec": {"entryPoints": [entry], "routes": [one]}}


@pytest.fixture
def inside() -> Iterator[Namespace]:
    with neighbourhood() as inside:
        yield inside


@pytest.fixture
def cluster(inside: Namespace) -> Iterator[FakeKubernetes]:
    with inside.run(FakeKubernetes) as fake:
        metadata = {"namespace": NAMESPACE, "name": "app"}
        spec = {
            "type": "ExternalName",
            "externalName": "127.0.0.1",
            "ports": [{"port": BEHIND, "protocol": "TCP"}],
        }
        fake.create("Service", {"metadata": metadata, "spec": spec})
        fake.create("IngressRoute", {**route("IngressRoute")})
        tcp = route("IngressRouteTCP")
        fake.create("IngressRouteTCP", tcp)
        with tempfile.TemporaryDirectory() as base, traefik(inside, fake, Path(base)):
            yield fake


@contextmanager
def traefik(inside: Namespace, fake: FakeKubernetes, base: Path) -> Iterator[None]:
    """Traefik as an account without rights, and a web server behind it."""
    base.chmod(0o755)
    static = base / "traefik.yml"
    static.write_text(
        STATIC.format(http=HTTP, tcp=TCP, url=fake.url, token=fake.token, namespace=NAMESPACE)
    )
    with running(PROGRAM, inside, static):
        yield


def kept(fake: FakeKubernetes, folder: Path, port: int) -> KubernetesBackend:
    kind = ObjectKind.MIDDLEWARE if port == HTTP else ObjectKind.MIDDLEWARE_TCP
    return target(fake, folder, kind, allowlist="x")


@pytest.mark.parametrize("port", [HTTP, TCP])
def test_friends_get_in_and_strangers_do_not(
    inside: Namespace, cluster: FakeKubernetes, tmp_path: Path, port: int
) -> None:
    backend = kept(cluster, tmp_path, port)
    allow(inside, backend, FRIEND, FRIEND6)
    wait_for(inside, FRIEND, port)
    refused = REFUSED if port == HTTP else NONE
    got = [status(inside, one, port) for one in (FRIEND, FRIEND6, STRANGER, STRANGER6)]
    assert got == [200, 200, refused, refused]
    allow(inside, backend)
    wait_for(inside, FRIEND, port, refused)
    wait_for(inside, STRANGER6, port, refused)
    unknown = {one.path.rpartition("/")[2] for one in cluster.calls if one.status == 404}
    assert unknown <= {"allowsync-x"}, "Traefik asks for kinds that the server does not have"


@pytest.mark.parametrize(("port", "applies"), [(HTTP, share(100, 15)), (TCP, share(100, 8))])
def test_no_change_of_the_list_is_felt(
    inside: Namespace, cluster: FakeKubernetes, tmp_path: Path, port: int, applies: int
) -> None:
    backend = kept(cluster, tmp_path, port)
    allow(inside, backend, FRIEND, FRIEND6)
    wait_for(inside, FRIEND, port)
    wait_for(inside, FRIEND6, port)
    is_felt_by_nobody("traefik in kubernetes", inside, backend, port, applies=applies)
