"""Where the cluster is and who asks there: kubeconfigs, certificates, tokens, a pod's account."""

from __future__ import annotations

import ssl
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from allowsync_backends.kubernetes import KubernetesOptions, ObjectKind
from allowsync_backends.kubernetes.backend import KubernetesBackend

from allowsync.backend.api import BackendError
from testkit.fake_dns.tls import Authority
from testkit.fake_kubernetes import FakeKubernetes
from tests.support.kubernetes_targets import held, keep, kubeconfig

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALICE = "81.2.69.1/32"


def encoded(pem: bytes) -> str:
    return b64encode(pem).decode()


def at(path: Path | None, **more: Any) -> KubernetesBackend:
    options = KubernetesOptions(ObjectKind.MIDDLEWARE, namespace="media", kubeconfig=path, **more)
    return KubernetesBackend("web", options)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    (folder := tmp_path / "pki").mkdir()
    return Authority(folder)


@pytest.fixture
def secure(authority: Authority) -> Iterator[FakeKubernetes]:
    """By HTTPS, for those whose certificate the authority signed, and by token."""
    context = authority.serves("127.0.0.1", "cluster.example.org")
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(authority.certificate)
    with FakeKubernetes(context) as fake:
        yield fake


def test_a_client_certificate_in_the_kubeconfig(
    tmp_path: Path, authority: Authority, secure: FakeKubernetes
) -> None:
    certificate, key = authority.identifies("admin")
    user = {"client-certificate-data": encoded(certificate), "client-key-data": encoded(key)}
    trusted = {"certificate-authority-data": encoded(authority.certificate.read_bytes())}
    path = kubeconfig(tmp_path, secure.url, user=user, cluster=trusted)
    assert held(keep(at(path), ALICE)) == {ALICE}
    assert {one.user for one in secure.calls} == {"admin"}


def test_files_beside_the_kubeconfig(
    tmp_path: Path, authority: Authority, secure: FakeKubernetes
) -> None:
    certificate, key = authority.identifies("admin")
    (tmp_path / "me.crt").write_bytes(certificate)
    (tmp_path / "me.key").touch(mode=0o600)
    (tmp_path / "me.key").write_bytes(key)
    user = {"client-certificate": "me.crt", "client-key": "me.key"}
    path = kubeconfig(
        tmp_path, secure.url, user=user, cluster={"certificate-authority": "pki/authority.pem"}
    )
    assert held(keep(at(path), ALICE)) == {ALICE}


def test_a_token_of_a_file_is_read_anew_each_time(
    tmp_path: Path, authority: Authority, secure: FakeKubernetes
) -> None:
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text("old\n")
    trusted = {"certificate-authority": str(authority.certificate)}
    user = {"tokenFile": "token", "token": "another"}
    path = kubeconfig(tmp_path, secure.url, user=user, cluster=trusted)
    backend = at(path)
    with pytest.raises(BackendError, match=r"does not take the credentials \(HTTP 401\)"):
        backend.read()
    token.write_text(f"{secure.token}\n")
    assert held(keep(backend, ALICE)) == {ALICE}


def test_the_certificate_has_the_name_that_is_asked_for(
    tmp_path: Path, authority: Authority, secure: FakeKubernetes
) -> None:
    trusted = {"certificate-authority": str(authority.certificate)}
    for name, fits in (("cluster.example.org", True), ("other.example.org", False)):
        cluster = {**trusted, "tls-server-name": name}
        path = kubeconfig(tmp_path, secure.url, user={"token": secure.token}, cluster=cluster)
        if fits:
            assert at(path).read().entries == frozenset()
        else:
            with pytest.raises(BackendError, match="certificate verify failed"):
                at(path).read()


def test_a_cluster_that_no_known_authority_signed_gets_no_token(
    tmp_path: Path, secure: FakeKubernetes
) -> None:
    path = kubeconfig(tmp_path, secure.url, user={"token": secure.token})
    with pytest.raises(BackendError, match="certificate verify failed"):
        at(path).read()
    assert secure.calls == []


def test_an_authority_without_a_key_identifier_is_trusted(
    tmp_path: Path, authority: Authority, secure: FakeKubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of many clusters are; Python 3.13 refuses them unless told otherwise."""
    usual = ssl.create_default_context

    def strict(**more: Any) -> ssl.SSLContext:
        made = usual(**more)
        made.verify_flags |= ssl.VERIFY_X509_STRICT
        return made

    monkeypatch.setattr(ssl, "create_default_context", strict)
    trusted = {"certificate-authority": str(authority.certificate)}
    path = kubeconfig(tmp_path, secure.url, user={"token": secure.token}, cluster=trusted)
    assert held(keep(at(path), ALICE)) == {ALICE}


def test_a_context_is_chosen_by_name(tmp_path: Path, fake: FakeKubernetes) -> None:
    contexts = [
        {"name": "home", "context": {"cluster": "k3s", "user": "nobody"}},
        {"name": "work", "context": {"cluster": "k3s", "user": "allowsync"}},
    ]
    path = kubeconfig(tmp_path, fake.url, user={"token": fake.token}, contexts=contexts)
    assert held(keep(at(path, context="work"), ALICE)) == {ALICE}
    with pytest.raises(BackendError, match=r"no user 'nobody'.*name one of these: allowsync"):
        at(path).read()
    with pytest.raises(BackendError, match=r"no context 'rest'.*name one of these: home, work"):
        at(path, context="rest").read()


@pytest.mark.parametrize(
    ("user", "cluster", "more", "said"),
    [
        ({"exec": {"command": "aws"}}, {}, {}, "exec is not supported.*it starts a program"),
        ({"auth-provider": {"name": "gcp"}}, {}, {}, "auth-provider is not supported"),
        ({"username": "me", "password": "word"}, {}, {}, "username is not supported"),
        ({"as": "admin"}, {}, {}, "as is not supported"),
        ({}, {"insecure-skip-tls-verify": True}, {}, "insecure-skip-tls-verify is not supported"),
        ({}, {"proxy-url": "socks5://127.0.0.1"}, {}, "proxy-url is not supported"),
        ({}, {"server": "http://192.0.2.1:6443"}, {}, "server is no https:// URL"),
        ({}, {"server": 6443}, {}, "server is no text"),
        ({"token": "two words"}, {}, {}, "the token of user 'allowsync' of .* is none"),
        ({"tokenFile": "missing"}, {}, {}, "missing: file not found"),
        ({}, {}, {"current-context": ""}, "no current-context"),
        ({}, {}, {"contexts": None}, "no context 'home'.*name one of these: none"),
        ({}, {}, {"clusters": [{"name": "k3s"}]}, "no cluster 'k3s'"),
    ],
)
def test_a_kubeconfig_that_does_not_do_is_named_and_nothing_is_asked(
    fake: FakeKubernetes,
    tmp_path: Path,
    user: dict[str, Any],
    cluster: dict[str, Any],
    more: dict[str, Any],
    said: str,
) -> None:
    path = kubeconfig(
        tmp_path, fake.url, user={"token": fake.token, **user}, cluster=cluster, **more
    )
    with pytest.raises(BackendError, match=said) as caught:
        at(path).read()
    assert "nothing was asked" in str(caught.value)
    assert fake.token not in str(caught.value)
    assert "word" not in str(caught.value).replace("passwords", "")
    assert fake.calls == []


def test_an_empty_file_of_a_token_is_named_and_nothing_is_asked(
    fake: FakeKubernetes, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("\n")
    (tmp_path / "token").chmod(0o600)
    path = kubeconfig(tmp_path, fake.url, user={"tokenFile": "token"})
    with pytest.raises(BackendError, match=r"the token of user 'allowsync' of .* is none"):
        at(path).read()
    (tmp_path / "token").write_text("")
    with pytest.raises(BackendError, match="is none; nothing was asked"):
        at(path).read()
    assert fake.calls == []


@pytest.mark.parametrize(
    ("cluster", "user", "said"),
    [
        ({"certificate-authority-data": "!"}, {}, "certificate-authority-data is no base 64"),
        ({"certificate-authority-data": encoded(b"no certificate")}, {}, "cannot be used"),
        ({}, {"client-certificate-data": encoded(b"x")}, "half of a client certificate"),
        (
            {},
            {"client-certificate-data": encoded(b"x"), "client-key-data": encoded(b"y")},
            "cannot be used",
        ),
    ],
)
def test_certificates_that_are_none_are_named(
    tmp_path: Path, cluster: dict[str, Any], user: dict[str, Any], said: str
) -> None:
    path = kubeconfig(tmp_path, "https://127.0.0.1:1", user=user, cluster=cluster)
    with pytest.raises(BackendError, match=said):
        at(path).read()


@pytest.mark.parametrize("text", ["", "[", "- a list", "{" * 5000])
def test_what_is_no_kubeconfig_is_said(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.touch(mode=0o600)
    path.write_text(text)
    with pytest.raises(BackendError, match="it is no kubeconfig"):
        at(path).read()


def test_a_kubeconfig_that_is_missing_or_open_to_others_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="file not found"):
        at(tmp_path / "missing").read()


def test_in_a_pod_its_service_account_asks(
    tmp_path: Path, authority: Authority, secure: FakeKubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ca.crt").write_bytes(authority.certificate.read_bytes())
    (tmp_path / "token").write_text("old")
    monkeypatch.setattr("allowsync_backends.kubernetes.access.SERVICE_ACCOUNT", tmp_path)
    with pytest.raises(
        BackendError, match=r"KUBERNETES_SERVICE_HOST is not set.*name a kubeconfig"
    ):
        at(None).read()
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(secure.port))
    backend = at(None)
    with pytest.raises(BackendError, match="renew the token"):
        backend.read()
    (tmp_path / "token").write_text(secure.token)
    assert held(keep(backend, ALICE)) == {ALICE}


def test_nothing_of_the_environment_is_heeded(
    fake: FakeKubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("KUBECONFIG", "/nonexistent")
    path = kubeconfig(tmp_path, fake.url, user={"token": fake.token})
    assert held(keep(at(path), ALICE)) == {ALICE}
