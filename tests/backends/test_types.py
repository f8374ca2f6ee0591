"""The promises of every backend type, kept by all that come with allowsync."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from allowsync_backends.apache import TYPE as APACHE
from allowsync_backends.caddy import TYPE as CADDY
from allowsync_backends.cloudflare import TYPE as CLOUDFLARE
from allowsync_backends.fail2ban import TYPE as FAIL2BAN
from allowsync_backends.file import TYPE as FILE
from allowsync_backends.firewalld import TYPE as FIREWALLD
from allowsync_backends.haproxy import TYPE as HAPROXY
from allowsync_backends.ipset import TYPE as IPSET
from allowsync_backends.jellyfin import TYPE as JELLYFIN
from allowsync_backends.kubernetes import TYPE as KUBERNETES
from allowsync_backends.nftables import TYPE as NFTABLES
from allowsync_backends.nginx import TYPE as NGINX
from allowsync_backends.traefik import TYPE as TRAEFIK
from allowsync_backends.ufw import TYPE as UFW

from allowsync.backend.registry import names
from allowsync.testing.type_contract import BackendTypeContract

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Written = Mapping[str, object]

PORTS = {"ports": ["443/tcp", "8000-8010/udp"]}
IN_PORTS = {"a port such as 443, 443/udp": {"ports": ["443/sctp"]}}


class TestNftables(BackendTypeContract):
    type = NFTABLES

    def accepted(self) -> Sequence[Written]:
        return [
            PORTS,
            {**PORTS, "open_interfaces": ["wg0"]},
            {"set": {"table": "inet filter", "ipv4": "friends4", "ipv6": "friends6"}},
        ]

    def rejected(self) -> Mapping[str, Written]:
        both = {**PORTS, "set": {"table": "inet filter", "ipv4": "friends4"}}
        return {"needs ports": {}, "not both": both, **IN_PORTS}


class TestIpset(BackendTypeContract):
    type = IPSET

    def accepted(self) -> Sequence[Written]:
        return [{}, {**PORTS, "iptables": "legacy", "open_interfaces": []}]

    def rejected(self) -> Mapping[str, Written]:
        return {"auto": {"iptables": "other"}, **IN_PORTS}


class TestUfw(BackendTypeContract):
    type = UFW
    own_kinds = ("UFW rules", "UFW route rules")

    def accepted(self) -> Sequence[Written]:
        return [PORTS, {**PORTS, "route": True, "end_streams": False}]

    def rejected(self) -> Mapping[str, Written]:
        return {"needs ports": {"ports": []}, "'ports' is missing": {}, **IN_PORTS}


class TestFirewalld(BackendTypeContract):
    type = FIREWALLD

    def accepted(self) -> Sequence[Written]:
        return [{}, PORTS, {**PORTS, "zone": "home", "reload": True, "end_streams": False}]

    def rejected(self) -> Mapping[str, Written]:
        return {"a zone such as": {**PORTS, "zone": "my home"}, **IN_PORTS}


class TestCloudflare(BackendTypeContract):
    type = CLOUDFLARE
    own_kinds = ("items of a Cloudflare list",)
    least: ClassVar[Written] = {"account_id": "0" * 32, "list": "friends", "api_token_env": "TOKEN"}

    def environ(self) -> Mapping[str, str]:
        return {"TOKEN": "a-token"}

    def accepted(self) -> Sequence[Written]:
        return [self.least, {**self.least, "exclusive": True}, {**self.least, "owner": "attic"}]

    def rejected(self) -> Mapping[str, Written]:
        return {
            "none is given": {"account_id": "0" * 32, "list": "friends"},
            "an account id": {**self.least, "account_id": "mine"},
            "an https:// URL": {**self.least, "api_url": "http://api.example.com"},
        }


class TestJellyfin(BackendTypeContract):
    type = JELLYFIN
    own_kinds = ("entries of a Jellyfin setting",)
    least: ClassVar[Written] = {
        "url": "http://127.0.0.1:8096",
        "setting": "remote_filter",
        "api_key_env": "KEY",
    }

    def environ(self) -> Mapping[str, str]:
        return {"KEY": "0123456789abcdef0123456789abcdef"}

    def accepted(self) -> Sequence[Written]:
        return [
            self.least,
            {**self.least, "setting": "known_proxies", "restart": True},
            {**self.least, "url": "http://jellyfin:8096/media/", "plain_http": True},
        ]

    def rejected(self) -> Mapping[str, Written]:
        return {
            "none is given": {name: of for name, of in self.least.items() if name != "api_key_env"},
            "'setting' is missing": {"url": "http://127.0.0.1:8096", "api_key_env": "KEY"},
            "restart is for known_proxies": {**self.least, "restart": True},
            "in the clear": {**self.least, "url": "http://media.example.org"},
            "a URL such as": {**self.least, "url": "http://me:word@127.0.0.1"},
        }


class TestKubernetes(BackendTypeContract):
    type = KUBERNETES
    least: ClassVar[Written] = {"kind": "Middleware", "namespace": "media"}

    def accepted(self) -> Sequence[Written]:
        policy = {"kind": "NetworkPolicy", "namespace": "media", "pods": ["app=jellyfin"]}
        return [
            self.least,
            {**self.least, "object": "friends", "kubeconfig": "/srv/kube", "context": "home"},
            {**policy, "ports": ["8096", "7359/udp"]},
            {"kind": "CiliumCIDRGroup", "families": ["ipv4"], "force": True},
            {"kind": "Service", "namespace": "media", "object": "jellyfin"},
        ]

    def rejected(self) -> Mapping[str, Written]:
        policy = {"kind": "NetworkPolicy", "namespace": "media"}
        group = {"kind": "CiliumCIDRGroup"}
        return {
            "'kind' is missing": {},
            "one of Middleware, MiddlewareTCP": {**self.least, "kind": "Ingress"},
            "a Middleware needs namespace": {"kind": "Middleware"},
            "is in no namespace": {**group, "namespace": "media"},
            "a Service needs object": {"kind": "Service", "namespace": "media"},
            "a NetworkPolicy needs pods": policy,
            "a Middleware has no pods": {**self.least, "pods": ["app=jellyfin"]},
            "a Middleware has no ports": {**self.least, "ports": ["443"]},
            "a label such as app=jellyfin": {**policy, "pods": ["app in (a, b)"]},
            "the name of an object": {**self.least, "object": "Friends"},
            "the name of a namespace": {**self.least, "namespace": "../kube-system"},
            "context names one of a kubeconfig": {**self.least, "context": "home"},
            "a list of at least 1": {**self.least, "families": []},
        }


class TestFail2ban(BackendTypeContract):
    type = FAIL2BAN

    def accepted(self) -> Sequence[Written]:
        return [{"jails": ["sshd"]}, {"jails": ["sshd"], "container": "f2b", "path": "/srv/a"}]

    def rejected(self) -> Mapping[str, Written]:
        return {"no jail": {"jails": ["DEFAULT"]}, "'jails' is missing": {}}


class FileType(BackendTypeContract):
    """A type that writes one file."""

    least: ClassVar[Written] = {"path": "/srv/friends"}

    def accepted(self) -> Sequence[Written]:
        return [self.least, {**self.least, "mode": "0640", "reload": ["true"]}]

    def rejected(self) -> Mapping[str, Written]:
        return {
            "'path' is missing": {},
            "would let everyone change": {**self.least, "mode": "0666"},
            "must start with": {**self.least, "reload": ["bin/reload"]},
        }


class TestFile(FileType):
    type = FILE

    def accepted(self) -> Sequence[Written]:
        return [*super().accepted(), {**self.least, "template": "/srv/a.j2"}]


class Served(FileType):
    """A type that writes a file for a server."""

    def accepted(self) -> Sequence[Written]:
        ways: list[Written] = [{"unit": "web.service"}, {"pid_file": "/run/web.pid"}]
        return [*super().accepted(), *({**self.least, **way} for way in ways)]


class Believing(Served):
    """A type that also writes a file of the proxies that its server believes."""

    def accepted(self) -> Sequence[Written]:
        return [*super().accepted(), {**self.least, "style": "realip"}]


class TestNginx(Believing):
    type = NGINX


class TestApache(Believing):
    type = APACHE


class TestCaddy(Believing):
    type = CADDY

    def rejected(self) -> Mapping[str, Written]:
        gate = {**self.least, "style": "realip", "matcher": "client_ip"}
        return {**super().rejected(), "are for style: gate": gate}


class TestHaproxy(Served):
    type = HAPROXY


class TestTraefik(Served):
    type = TRAEFIK
    least: ClassVar[Written] = {"path": "/srv/traefik/friends.yml"}

    def rejected(self) -> Mapping[str, Written]:
        return {**super().rejected(), "must end in .yml": {"path": "/srv/friends"}}


def test_no_type_is_left_out() -> None:
    kinds = [one for one in globals().values() if isinstance(one, type) and hasattr(one, "type")]
    assert sorted(one.type.name for one in kinds) == sorted(names())
