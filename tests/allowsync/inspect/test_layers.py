"""What `check` finds where the layers of a configuration do not fit each other."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from allowsync.backend.api import BackendError
from allowsync.config import load
from allowsync.inspect import layers
from allowsync.inspect.access_at import AccessAt
from allowsync.inspect.explain import AccessVerdict, Explanation, TargetAnswer
from allowsync.inspect.layers import about_layers, by_layers
from allowsync.model.value import replace
from tests.support.values import T0

if TYPE_CHECKING:
    from pathlib import Path

EDGE = "hosts: {alice: alice.example.org, edge: {networks: [cloudflare]}}\n"
ONLY_EDGE = "hosts: {edge: {networks: [cloudflare]}}\n"
WRITTEN_EDGE = "hosts: {alice: alice.example.org, edge: {networks: [104.16.0.0/16]}}\n"
VPN = "hosts: {alice: alice.example.org, bob: {networks: [104.28.1.2]}}\n"
FRIEND = "hosts: {alice: alice.example.org}\n"
LIST = (
    "cloudflare: {account_id: 0123456789abcdef0123456789abcdef, list: a, api_token_file: ./token}"
)
FILE = "targets: [{file: {path: /run/friends.lst}}]"


def found(tmp_path: Path, text: str) -> list[str]:
    """What is found in a configuration, which is read twice: the second time as it was kept."""
    path = tmp_path / "config.yaml"
    path.write_text(f"{text}\nstate: {tmp_path / 'state.db'}\n")
    path.chmod(0o600)
    (tmp_path / "token").write_text("a-token-of-some-length-0123456789abcdef")
    (tmp_path / "token").chmod(0o600)
    configs = [load(path, environ={}, uid=os.geteuid(), keep=True) for _ in range(2)]
    first, again = ([str(one) for one in about_layers(config)] for config in configs)
    assert first == again
    return first


def test_a_cdn_among_the_friends_of_an_allowlist_of_every_host_is_found(tmp_path: Path) -> None:
    (said,) = found(tmp_path, EDGE + f"allowlists: {{jellyfin: {{{FILE}}}}}")
    assert said == (
        "allowlists.jellyfin: names no hosts, so edge is on it, too: all clients behind the "
        "published networks of cloudflare have access; "
        "list its hosts, and put edge on an allowlist of its own"
    )


@pytest.mark.parametrize(
    ("hosts", "members"),
    [
        (EDGE, "hosts: [alice], "),
        (EDGE, "hosts: [edge], "),
        (EDGE, "hosts: [alice, edge], "),
        (WRITTEN_EDGE, "hosts: [alice, edge], "),
        (ONLY_EDGE, ""),
        (VPN, ""),
    ],
)
def test_an_allowlist_that_names_a_cdn_or_has_nothing_else_is_right(
    tmp_path: Path, hosts: str, members: str
) -> None:
    assert found(tmp_path, hosts + f"allowlists: {{jellyfin: {{{members}{FILE}}}}}") == []


def test_networks_of_cloudflare_that_are_written_out_are_no_friends_either(tmp_path: Path) -> None:
    assert found(tmp_path, WRITTEN_EDGE + f"allowlists: {{jellyfin: {{{FILE}}}}}")


@pytest.mark.parametrize("kind", ["nftables", "ipset", "ufw"])
def test_a_gate_behind_a_list_at_a_cdn_shuts_out_whom_the_list_lets_in(
    tmp_path: Path, kind: str
) -> None:
    gate = f"{kind}: {{ports: [8096/tcp, 443/tcp, 443/udp]}}"
    (said,) = found(
        tmp_path, FRIEND + f"allowlists: {{jellyfin: {{targets: [{{{LIST}}}, {{{gate}}}]}}}}"
    )
    assert said == (
        f"jellyfin/{kind}: does not admit the networks of cloudflare at 443/tcp: hosts that "
        "jellyfin/cloudflare admits arrive from there, and are dropped; keep the hosts at "
        "jellyfin/cloudflare alone, and let the gate admit a host with networks: [cloudflare]"
    )


@pytest.mark.parametrize("ports", ["8096/tcp", "443/udp", "22/tcp, 9000-9100/tcp"])
def test_a_gate_at_ports_that_a_cdn_does_not_pass_on_is_right(tmp_path: Path, ports: str) -> None:
    gate = f"nftables: {{ports: [{ports}]}}"
    text = f"allowlists: {{jellyfin: {{targets: [{{{LIST}}}, {{{gate}}}]}}}}"
    assert found(tmp_path, FRIEND + text) == []


@pytest.mark.parametrize("hosts", [EDGE, WRITTEN_EDGE])
@pytest.mark.parametrize("members", ["[edge]", "[alice, edge]"])
def test_a_gate_that_admits_the_cdn_behind_its_list_is_right(
    tmp_path: Path, hosts: str, members: str
) -> None:
    lists = f"jellyfin: {{hosts: [alice], targets: [{{{LIST}}}]}}"
    origin = f"origin: {{hosts: {members}, targets: [{{nftables: {{ports: [80/tcp, 443/tcp]}}}}]}}"
    assert found(tmp_path, hosts + f"allowlists: {{{lists}, {origin}}}") == []


def test_friends_of_a_list_at_a_cdn_in_a_gate_of_another_allowlist_are_found(
    tmp_path: Path,
) -> None:
    lists = f"jellyfin: {{targets: [{{{LIST}}}]}}"
    (said,) = found(
        tmp_path,
        FRIEND + f"allowlists: {{{lists}, door: {{targets: [{{nftables: {{ports: [80/tcp]}}}}]}}}}",
    )
    assert said.startswith("door/nftables: ")


def test_a_backend_that_breaks_when_asked_what_it_guards_ends_no_check(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    gate = "targets: [{nftables: {ports: [443/tcp]}}]"
    path.write_text(f"{FRIEND}allowlists: {{web: {{{gate}}}}}\nstate: {tmp_path / 'state.db'}\n")
    path.chmod(0o600)
    config = load(path, environ={}, uid=os.geteuid(), keep=False)
    (allowlist,) = config.allowlists.values()
    (target,) = allowlist.targets
    asked: list[object] = []

    def guards(options: object) -> None:
        asked.append(options)
        raise SystemExit(0)

    broken = replace(target, backend=replace(target.backend, guards=guards))
    config = replace(config, allowlists={"web": replace(allowlist, targets=(broken,))})
    assert not list(layers.gates(config))
    assert asked


@pytest.mark.parametrize(("kind", "shut"), [("nftables", True), ("ufw", False)])
def test_a_gate_beside_one_that_admits_the_cdn_still_shuts_it_out(
    tmp_path: Path, kind: str, *, shut: bool
) -> None:
    gate = f"targets: [{{{kind}: {{ports: [443/tcp]}}}}]"
    lists = f"jellyfin: {{hosts: [alice], targets: [{{{LIST}}}]}}"
    admits, friends = f"origin: {{hosts: [edge], {gate}}}", f"door: {{hosts: [alice], {gate}}}"
    said = found(tmp_path, EDGE + f"allowlists: {{{lists}, {admits}, {friends}}}")
    assert [one.partition(":")[0] for one in said] == (["door/nftables"] if shut else [])


class Breaking:
    """Options that cannot say which network is in front."""

    def front(self) -> None:
        raise SystemExit(0)


def test_a_backend_that_breaks_when_asked_what_is_in_front_ends_no_check(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    gate = "targets: [{nftables: {ports: [443/tcp]}}]"
    path.write_text(f"{FRIEND}allowlists: {{web: {{{gate}}}}}\nstate: {tmp_path / 'state.db'}\n")
    path.chmod(0o600)
    config = load(path, environ={}, uid=os.geteuid(), keep=False)
    (target,) = config.targets
    broken = replace(target, options=Breaking())
    allowlists = {"web": replace(config.allowlists["web"], targets=(broken,))}
    assert list(layers._fronts(replace(config, allowlists=allowlists))) == []
    with pytest.raises(BackendError, match="unexpected SystemExit"):
        _ = broken.front


LAYERS = (
    (
        f"film: {{hosts: [alice], targets: [{{{LIST}}}, "
        "{nginx: {path: /etc/nginx/friends.conf}}]}"
    ),
    "origin: {hosts: [edge], targets: [{nftables: {ports: [443/tcp]}}]}",
)
YES, NO = AccessVerdict.YES, AccessVerdict.NO


def explained(
    tmp_path: Path,
    verdicts: dict[str, AccessVerdict],
    *,
    host: str = "alice",
    allowlists: tuple[str, ...] = LAYERS,
) -> dict[str, str]:
    """Through whose networks each target is passed by a host."""
    answer = by_config(tmp_path, verdicts, host, allowlists)
    assert [one.verdict for one in answer.places] == list(verdicts.values())
    return {one.target: one.through for one in answer.places}


def by_config(
    tmp_path: Path, verdicts: dict[str, AccessVerdict], host: str, allowlists: tuple[str, ...]
) -> Explanation:
    """What layers make of an explanation."""
    (tmp_path / "token").write_text("a-token-of-some-length-0123456789abcdef")
    (tmp_path / "token").chmod(0o600)
    path = tmp_path / "config.yaml"
    path.write_text(f"{EDGE}allowlists: {{{', '.join(allowlists)}}}\nstate: {tmp_path / 'db'}\n")
    path.chmod(0o600)
    config = load(path, environ={}, uid=os.geteuid(), keep=False)
    scene = AccessAt(T0, T0, (), (), past=False)
    places = tuple(TargetAnswer(name, one) for name, one in verdicts.items())
    return by_layers(config, Explanation(host, host, None, scene, places, ()))


def test_a_gate_for_a_cdn_is_passed_by_hosts_on_a_list_at_it_or_behind_it(tmp_path: Path) -> None:
    whole = {"film/cloudflare": YES, "film/nginx": YES, "origin/nftables": NO}
    passed = {"film/cloudflare": "", "film/nginx": "", "origin/nftables": "cloudflare"}
    assert explained(tmp_path, whole) == passed
    assert explained(tmp_path, {**whole, "film/cloudflare": NO}) == passed
    assert explained(tmp_path, {**whole, "film/nginx": NO}) == passed


@pytest.mark.parametrize(
    ("verdicts", "more"),
    [
        pytest.param({"film/nginx": NO, "origin/nftables": NO}, {}, id="on no list"),
        pytest.param({"origin/nftables": NO}, {}, id="no list at all"),
        pytest.param({"film/nginx": YES, "origin/nftables": YES}, {}, id="let in by itself"),
        pytest.param({"film/nginx": YES, "origin/nftables": NO}, {"host": "edge"}, id="the CDN"),
        pytest.param(
            {"film/nginx": YES, "origin/nftables": NO},
            {"allowlists": (LAYERS[0], LAYERS[1].replace("[edge]", "[alice]"))},
            id="a gate for hosts",
        ),
        pytest.param(
            {"film/nginx": YES, "origin/nftables": NO},
            {"allowlists": (LAYERS[0], LAYERS[1].replace("[edge]", "[alice, edge]"))},
            id="a gate for both, out of sync",
        ),
    ],
)
def test_what_is_no_layer_is_passed_by_nobody_else(
    tmp_path: Path, verdicts: dict[str, AccessVerdict], more: Any
) -> None:
    assert set(explained(tmp_path, verdicts, **more).values()) == {""}


@pytest.mark.parametrize(("at_cdn", "told"), [(YES, True), (NO, False)])
def test_a_gate_that_drops_who_comes_through_the_cdn_is_a_reason(
    tmp_path: Path, at_cdn: AccessVerdict, told: bool
) -> None:
    both = f"film: {{hosts: [alice], targets: [{{{LIST}}}, {{nftables: {{ports: [443/tcp]}}}}]}}"
    verdicts = {"film/cloudflare": at_cdn, "film/nftables": YES}
    reasons = by_config(tmp_path, verdicts, "alice", (both,)).reasons
    dropped = (
        "film/nftables does not admit the networks of cloudflare at 443/tcp: hosts that "
        "film/cloudflare admits arrive from there, and are dropped"
    )
    assert reasons == ((dropped,) if told else ())
