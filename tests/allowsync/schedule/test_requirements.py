"""What the service is allowed follows from what the configuration names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from allowsync.schedule.dropin import ServiceSpec, early, quoted, restore, service
from allowsync.schedule.requirements import CONFIGURATION, Requirements, requirements
from tests.support.configuring import HOME, HOSTS, loaded

if TYPE_CHECKING:
    from collections.abc import Mapping

PROGRAM = "/usr/local/bin/allowsync"
LOADERS = "ip6tables.service iptables.service netfilter-persistent.service ufw.service"
NFTABLES = "nftables: {ports: [443/tcp]}"
STATE = "state: /var/lib/allowsync/state.db\n"


def needed(
    folder: Path, *targets: str, more: str = STATE, environ: Mapping[str, str] = HOME
) -> Requirements:
    """What a configuration takes that has one allowlist per target."""
    lists = "".join(
        f"  list{number}:\n    targets: [{{{target}}}]\n" for number, target in enumerate(targets)
    )
    config = loaded(folder, f"{HOSTS}allowlists:\n{lists}{more}", environ=environ)
    return requirements(config, CONFIGURATION)


def lines(text: str) -> list[str]:
    """What counts of a drop-in."""
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def as_root(*chosen: str) -> list[str]:
    """The directives that make root of the user of the units."""
    command = " ".join((PROGRAM, "apply", *chosen))
    return [
        *("User=root", "Group=root", "AmbientCapabilities="),
        *("ExecStartPre=", "ExecStart=", f"ExecStart={command}"),
    ]


def test_a_gate_of_nftables_takes_no_root_and_nothing_else(tmp_path: Path) -> None:
    found = needed(tmp_path, NFTABLES)
    assert found.root_because == ""
    assert service(ServiceSpec(found, PROGRAM, as_root=False)) == ""
    assert restore(ServiceSpec(found, PROGRAM, as_root=False)) == ""


def test_whoever_wants_root_gets_the_unit_turned_round(tmp_path: Path) -> None:
    found = needed(tmp_path, NFTABLES)
    assert lines(service(ServiceSpec(found, PROGRAM, as_root=True))) == ["[Service]", *as_root()]
    assert lines(restore(ServiceSpec(found, PROGRAM, as_root=True))) == [
        "[Service]",
        *as_root("--offline"),
    ]


def test_who_is_not_root_is_told_where_the_state_is(tmp_path: Path) -> None:
    found = needed(tmp_path, NFTABLES, "file: {path: /srv/friends.txt}")
    drop_in = lines(restore(ServiceSpec(found, PROGRAM, as_root=False)))
    state = "--state /var/lib/allowsync/state.db"
    assert f"ExecStart={PROGRAM} apply --offline --only list0 {state}" in drop_in
    given = ServiceSpec(found, PROGRAM, ("--state", "/srv/state.db"), as_root=False)
    assert f"ExecStart={PROGRAM} apply --state /srv/state.db" in lines(service(given))


def test_iptables_takes_a_raw_socket_at_boot_too_and_comes_after_what_loads_rules(
    tmp_path: Path,
) -> None:
    found = needed(tmp_path, "ipset: {ports: [443/tcp], iptables: nft}")
    assert lines(restore(ServiceSpec(found, PROGRAM))) == [
        "[Unit]",
        f"After=allowsync-early.service firewalld.service {LOADERS}",
        "[Service]",
        *as_root("--offline"),
        "CapabilityBoundingSet=CAP_NET_RAW",
        "RestrictAddressFamilies=AF_INET AF_INET6",
    ]
    unprivileged = lines(service(ServiceSpec(found, PROGRAM, as_root=False)))
    assert unprivileged[-3:] == [
        "AmbientCapabilities=CAP_NET_RAW",
        "CapabilityBoundingSet=CAP_NET_RAW",
        "SystemCallFilter=~capset",
    ]


@pytest.mark.parametrize("options", ["iptables: nft", "ports: [443/tcp], iptables: nft"])
def test_sets_come_before_the_rules_that_use_them_and_all_of_it_after(
    tmp_path: Path, options: str
) -> None:
    shape = ServiceSpec(needed(tmp_path, f"ipset: {{{options}}}"), PROGRAM)
    first, then = lines(early(shape)), lines(restore(shape))
    assert f"Before=firewalld.service {LOADERS}" in first
    assert f"After=allowsync-early.service firewalld.service {LOADERS}" in then
    assert first[first.index("[Service]") :] == then[then.index("[Service]") :]


def test_iptables_legacy_locks_a_file_that_is_roots(tmp_path: Path) -> None:
    found = needed(tmp_path, "ipset: {ports: [443/tcp], iptables: legacy}")
    assert found.root_because == "list0/ipset takes root"
    drop_in = lines(service(ServiceSpec(found, PROGRAM)))
    assert "ReadWritePaths=-/run/xtables.lock" in drop_in
    assert "ExecStartPre=+touch /run/xtables.lock" in drop_in


def test_ufw_takes_root_its_folder_and_more_of_proc(tmp_path: Path) -> None:
    found = needed(tmp_path, "ufw: {ports: [22/tcp]}")
    assert found.root_because == "list0/ufw takes root"
    assert lines(service(ServiceSpec(found, PROGRAM))) == [
        "[Unit]",
        "After=ufw.service",
        "[Service]",
        *as_root(),
        "CapabilityBoundingSet=CAP_NET_RAW",
        "ExecStartPre=+touch /run/ufw.lock /run/xtables.lock",
        "ReadWritePaths=-/etc/ufw -/run/ufw.lock -/run/xtables.lock",
        "ProcSubset=all",
        "SystemCallFilter=~capset",
    ]


def test_a_file_takes_its_folder_and_a_reload_takes_sockets(tmp_path: Path) -> None:
    plain = needed(tmp_path, "file: {path: /srv/a b/friends.txt}")
    assert lines(service(ServiceSpec(plain, PROGRAM))) == [
        "[Service]",
        *as_root(),
        'ReadWritePaths="-/srv/a b"',
    ]
    told = needed(tmp_path, "file: {path: /srv/friends.txt, reload: [systemctl, reload, haproxy]}")
    assert lines(service(ServiceSpec(told, PROGRAM))) == [
        "[Service]",
        *as_root(),
        "ReadWritePaths=-/srv",
        "RestrictAddressFamilies=AF_UNIX",
        "SystemCallFilter=@resources",
    ]


@pytest.mark.root
def test_a_folder_that_is_somebody_elses_takes_more_of_root(tmp_path: Path, as_root: None) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    target = f"file: {{path: {folder}/friends.txt}}"
    assert needed(tmp_path, target).needs.capabilities == ()
    os.chown(folder, 12345, -1)
    assert needed(tmp_path, target).needs.capabilities == ("CAP_DAC_OVERRIDE",)


def test_only_what_a_restart_takes_away_is_restored(tmp_path: Path) -> None:
    both = needed(tmp_path, NFTABLES, "file: {path: /srv/friends.txt}")
    assert (both.restored, both.everything) == (("list0",), False)
    command = f"ExecStart={PROGRAM} apply --offline --only list0"
    assert command in lines(restore(ServiceSpec(both, PROGRAM)))
    assert f"ExecStart={PROGRAM} apply" in lines(service(ServiceSpec(both, PROGRAM)))
    assert needed(tmp_path, "file: {path: /srv/friends.txt}").restored == ()


def test_of_an_allowlist_with_what_lasts_only_the_rest_is_restored(tmp_path: Path) -> None:
    text = (
        f"{HOSTS}allowlists:\n"
        "  mixed: {targets: [{nftables: {ports: [443/tcp]}}, {file: {path: /srv/a.txt}}, ipset]}\n"
        "  gates: {targets: [{nftables: {ports: [22/tcp]}}, ipset]}\n"
        "  files: {targets: [{file: {path: /srv/b.txt}}]}\n"
    )
    found = requirements(loaded(tmp_path, text + STATE), CONFIGURATION)
    assert (found.restored, found.everything) == (("mixed/nftables", "mixed/ipset", "gates"), False)
    command = "apply --offline --only mixed/nftables --only mixed/ipset --only gates"
    assert f"ExecStart={PROGRAM} {command}" in lines(restore(ServiceSpec(found, PROGRAM)))


def test_all_needs_come_together(tmp_path: Path) -> None:
    found = needed(
        tmp_path,
        NFTABLES,
        "ufw: {ports: [22/tcp]}",
        "file: {path: /srv/friends.txt, check: [nginx, -t]}",
        more=f"{STATE}metrics: /var/lib/node_exporter/allowsync.prom\n",
    )
    assert found.needs.capabilities == ("CAP_NET_RAW",)
    assert set(found.needs.writes) > {"/srv", "/etc/ufw", "/var/lib/node_exporter"}
    assert (found.needs.commands, found.needs.all_of_proc) == (True, True)


@pytest.mark.parametrize(
    ("more", "because"),
    [
        (f"{STATE}metrics: /srv/a.prom\n", "it writes /srv/a.prom"),
        ("state: /srv/state.db\n", "the state is not /var/lib/allowsync/state.db"),
    ],
)
def test_what_root_writes_takes_root(tmp_path: Path, more: str, because: str) -> None:
    assert needed(tmp_path, NFTABLES, more=more).root_because == because


def test_a_state_of_ones_own_may_be_written(tmp_path: Path) -> None:
    assert needed(tmp_path, NFTABLES, more="state: /srv/a/state.db\n").needs.writes == ("/srv/a",)


def test_a_secret_in_a_file_of_roots_takes_root(tmp_path: Path) -> None:
    token = tmp_path / "url"
    token.write_text("https://hc.example.net/ping/1")
    token.chmod(0o600)
    found = needed(tmp_path, NFTABLES, more=f"{STATE}heartbeat: {{url_file: {token}}}\n")
    assert found.root_because == f"only root may read {token}"


def test_credentials_and_variables_are_passed_on(tmp_path: Path) -> None:
    (tmp_path / "ping").write_text("https://hc.example.net/ping/1")
    environ = {**HOME, "CREDENTIALS_DIRECTORY": str(tmp_path), "NTFY": "ntfy://ntfy.example.net/a"}
    told = "heartbeat: {url_credential: ping}\nnotify: [{url_env: NTFY}]\n"
    found = needed(tmp_path, NFTABLES, more=STATE + told, environ=environ)
    assert (found.credentials, found.variables) == (("ping",), ("NTFY",))
    assert found.root_because == ""
    assert lines(service(ServiceSpec(found, PROGRAM, as_root=False))) == [
        "[Service]",
        "LoadCredential=ping:/etc/credstore/ping",
        "EnvironmentFile=/etc/allowsync/environment",
    ]


def test_another_place_of_the_configuration_is_told_to_every_run(tmp_path: Path) -> None:
    config = loaded(tmp_path, f"{HOSTS}allowlists:\n  a:\n    targets: [{{{NFTABLES}}}]\n{STATE}")
    found = requirements(config, Path("/srv/friends.yaml"))
    assert found.root_because == "the configuration is not /etc/allowsync/config.yaml"
    shape = ServiceSpec(found, PROGRAM, ("--config", "/srv/$a %b.yaml"))
    command = f'ExecStart={PROGRAM} apply --config "/srv/$$a %%b.yaml"'
    assert command in lines(service(shape))
    assert "--offline" in lines(restore(shape))[-1]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("/srv/a", "/srv/a"),
        ("", '""'),
        ("/srv/a b", '"/srv/a b"'),
        ('/srv/"', '"/srv/\\""'),
        ("/srv/a\\b", '"/srv/a\\\\b"'),
        ("/srv/%h", '"/srv/%%h"'),
        ("/srv/a\nUser=root", '"/srv/a\\nUser=root"'),
    ],
)
def test_a_word_is_one_word_to_systemd(word: str, said: str) -> None:
    assert quoted(word) == said
