"""`check` is not content with a gate that stands: it looks at whom the gate lets in."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from testkit.fake_dns.nameserver import NameServer
from tests.support.met_packets import with_uplink
from tests.support.netns import Namespace
from tests.support.program import ProgramResult, allowsync

pytestmark = pytest.mark.root


@pytest.mark.parametrize(("peer", "warned"), [("81.2.70.7", True), ("81.2.69.7", False)])
def test_a_gate_that_would_cut_off_this_session_is_told_before_it_is_up(
    tmp_path: Path, peer: str, warned: bool
) -> None:
    config = tmp_path / "config.yaml"
    document = {
        "hosts": {"office": {"networks": ["81.2.69.0/24"]}},
        "allowlists": {"ssh": {"targets": [{"nftables": {"ports": ["22/tcp"]}}]}},
        "state": str(tmp_path / "state" / "state.db"),
    }
    config.write_text(json.dumps(document))
    config.chmod(0o600)
    environ = {"SSH_CONNECTION": f"{peer} 4711 93.184.10.2 22"}
    arguments = ("check", "--no-packets", "--config", config)
    with Namespace() as inside:
        done = inside.run(lambda: allowsync(*arguments, environ=environ))
    assert (f"your own session comes from {peer} to port 22/tcp" in done.out) == warned
    assert (f"allowsync host add NAME {peer}" in done.out) == warned


def guarding_ssh(folder: Path) -> Path:
    """A configuration of a gate that lets an office and a home in. Returns its place."""
    config = folder / "config.yaml"
    config.write_text(f"""\
hosts:
  office: {{networks: [81.2.69.0/24]}}
  home: {{networks: [81.2.71.1]}}
allowlists: {{ssh: {{targets: [{{nftables: {{ports: [22/tcp]}}}}]}}}}
state: {folder / "state" / "state.db"}
""")
    config.chmod(0o600)
    return config


def test_an_edit_that_would_cut_off_this_session_is_refused(tmp_path: Path) -> None:
    config = guarding_ssh(tmp_path)

    def run(peer: str, *command: str) -> tuple[int, bool]:
        environ = {"SSH_CONNECTION": f"{peer} 4711 93.184.10.2 22"}
        environ |= {"EDITOR": "sed -i /office:/d", "TMPDIR": str(tmp_path)}
        done = inside.run(lambda: allowsync(*command, "--config", config, environ=environ))
        return done.code, "own session; --force changes it nevertheless" in done.err

    with Namespace() as inside:
        before = config.read_text()
        assert run("81.2.70.7", "host", "remove", "home") == (2, True)
        assert run("81.2.69.7", "apply") == (0, False)
        for edit in (("host", "remove", "office"), ("config", "edit")):
            assert run("81.2.69.7", *edit) == (2, True)
        assert config.read_text() == before
        # What comes in though the gate stands without it, comes in by another way.
        assert run("81.2.70.7", "host", "remove", "office", "--dry-run") == (0, False)
        assert run("81.2.69.7", "host", "remove", "office", "--force") == (0, False)


def test_a_run_or_an_order_that_would_cut_off_this_session_is_refused(tmp_path: Path) -> None:
    config = guarding_ssh(tmp_path)

    def run(peer: str, *command: str) -> tuple[int, bool]:
        environ = {"SSH_CONNECTION": f"{peer} 4711 93.184.10.2 22"}
        done = inside.run(lambda: allowsync(*command, "--config", config, environ=environ))
        return done.code, "nothing was changed: it would cut off your own session" in done.err

    def rules() -> str:
        return inside.command("nft", "list", "ruleset")

    with Namespace() as inside:
        assert run("81.2.70.7", "apply") == (2, True)
        assert run("81.2.70.7", "apply", "--force") == (2, True)  # that is about limits
        assert rules() == ""
        assert run("81.2.70.7", "apply", "--dry-run") == (0, False)
        assert run("81.2.69.7", "apply") == (0, False)
        before = rules()
        for order in ("office", "81.2.69.7", "81.2.69.0/30", "81.0.0.0/8"):
            assert run("81.2.69.7", "revoke", order) == (2, True)
        assert rules() == before
        assert run("81.2.69.7", "apply", "--offline") == (0, False)  # no order was remembered
        assert rules() == before
        assert run("81.2.69.7", "revoke", "home") == (0, False)
        assert run("81.2.69.7", "revoke", "office", "--force") == (0, False)
        assert "81.2.69.0/24" not in rules()


@pytest.mark.parametrize(
    ("peer", "revoked", "refused"),
    [
        (
            "81.2.69.200",
            "office",
            True,
        ),  # the desk has a part of the office's network, not this one
        ("81.2.69.7", "office", False),  # the desk is let in still
        ("81.2.69.7", "desk", False),
        ("81.2.71.1", "home", False),  # another host is at the same address
        ("81.2.71.1", "81.2.71.1", True),
        ("81.2.72.9", "guest", True),  # a grant, which the order only ends
    ],
)
def test_an_order_about_a_network_that_hosts_share_leaves_this_session_alone_or_is_refused(
    tmp_path: Path, peer: str, revoked: str, refused: bool
) -> None:
    config = guarding_ssh(tmp_path)
    more = "\n  desk: {networks: [81.2.69.0/25]}\n  neighbour: {networks: [81.2.71.1]}\nallowlists"
    config.write_text(config.read_text().replace("\nallowlists", more))

    def run(peer: str, *command: str) -> ProgramResult:
        environ = {"SSH_CONNECTION": f"{peer} 4711 93.184.10.2 22"}
        return inside.run(lambda: allowsync(*command, "--config", config, environ=environ))

    with Namespace() as inside:
        assert run("81.2.69.7", "apply").code == 0
        granted = run("81.2.69.7", "grant", "81.2.72.9", "--as", "guest", "--for", "1h")
        assert granted.code == 0
        before = inside.command("nft", "list", "ruleset")
        done = run(peer, "revoke", revoked)
        assert done.code == (2 if refused else 0)
        assert ("revoke: nothing was changed" in done.err) == refused
        assert not refused or inside.command("nft", "list", "ruleset") == before
        assert run(peer, "revoke", revoked, "--force").code == 0


INSTALL = """\
mount -t tmpfs none /etc/cron.d
SSH_CONNECTION="$1 4711 93.184.10.2 22" "$2" schedule install --cron $4 --config "$3" 2>&1 || true
ls /etc/cron.d
"""


@pytest.mark.parametrize(
    ("peer", "how", "said", "installed"),
    [
        (
            "81.2.70.7",
            "",
            "schedule: nothing was changed: it would cut off your own session",
            False,
        ),
        ("81.2.70.7", "--dry-run", "ssh/nftables: warning: your own session comes from", False),
        ("81.2.70.7", "--force", "would cut off your own session", False),  # about files alone
        ("81.2.69.7", "", "a run every 5m, started by cron\n", True),
    ],
)
def test_a_schedule_whose_runs_would_cut_off_this_session_is_refused(
    tmp_path: Path, peer: str, how: str, said: str, installed: bool
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"""\
hosts: {{office: {{networks: [81.2.69.0/24]}}}}
allowlists: {{ssh: {{targets: [{{nftables: {{ports: [22/tcp]}}}}]}}}}
state: {tmp_path / "state" / "state.db"}
""")
    config.chmod(0o600)
    program = Path(sys.executable).with_name("allowsync")
    words = ("unshare", "--mount", "sh", "-euc", INSTALL, "sh")
    with Namespace() as inside:
        out = inside.command(*words, peer, str(program), str(config), how)
    assert said in out
    assert out.endswith("\nallowsync\n") == installed


def test_entries_that_others_took_out_or_put_in_are_found(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    document = {
        "hosts": {"office": {"networks": ["81.2.69.0/24"]}, "home": {"networks": ["81.2.70.1"]}},
        "allowlists": {"x": {"targets": [{"nftables": {"ports": ["8096/tcp"]}}]}},
        "state": str(tmp_path / "state" / "state.db"),
    }
    config.write_text(json.dumps(document))
    config.chmod(0o600)

    def run(*arguments: str) -> ProgramResult:
        return inside.run(allowsync, *arguments, "--config", config)

    with Namespace() as inside:
        assert run("apply").code == 0
        assert run("check").code == 0
        inside.nft("delete element inet allowsync_x ipv4 { 81.2.70.1 }")
        inside.nft("add element inet allowsync_x ipv4 { 0.0.0.0/2 }")
        done = run("check", "--output", "json", "--no-packets")
        assert done.code == 1
        found = [one["what"] for one in done.document["findings"] if one["severity"] == "error"]
        assert found == [
            "hosts are locked out, missing entries: 81.2.70.1 (home)",
            "unexpected entries: 0.0.0.0/2",
        ]
        assert run("apply").code == 0
        assert run("check").code == 0


FILTER = """table inet own { chain in { type filter hook input priority 0; policy drop;
 iif lo accept; icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
 ip saddr 81.2.69.1 tcp dport 8096 accept
 ip saddr 81.2.69.7 tcp dport 8096 accept
 ip saddr 81.2.70.9 tcp dport 8096 accept
}; }"""


def test_friends_whom_rules_let_in_are_no_strangers_before_the_first_run(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    names = {"alice.example.org": ["81.2.69.1"], "bob.example.org": ["81.2.69.7"]}

    def run(*arguments: str) -> ProgramResult:
        return inside.run(allowsync, *arguments, "--config", config)

    def admitted() -> list[str]:
        found = run("check", "--json").document["findings"]
        return [one["what"] for one in found if "not on an allowlist" in one["what"]]

    with Namespace() as inside, inside.run(NameServer, names) as server:
        document = {
            "hosts": {name: f"{name}.example.org" for name in ("alice", "bob")},
            "resolver": {"nameservers": [str(server)]},
            "allowlists": {"x": {"targets": [{"nftables": {"ports": ["8096/tcp"]}}]}},
            "state": str(tmp_path / "state" / "state.db"),
        }
        config.write_text(json.dumps(document))
        config.chmod(0o600)
        with_uplink(inside)
        inside.nft(FILTER)
        (stranger,) = admitted()
        assert stranger.startswith("81.2.70.9 reaches 8096/tcp")
        # An order holds, whatever the names answer.
        assert run("apply").code == 0
        assert admitted() == []
        assert run("revoke", "bob").code == 0
        inside.nft("flush table inet allowsync_x; delete table inet allowsync_x")
        assert [one.split()[0] for one in admitted()] == ["81.2.70.9", "81.2.69.7"]


def test_one_lack_is_said_once_and_a_name_that_does_not_exist_is_told(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"

    with Namespace() as inside, inside.run(NameServer, {"a.example.org": ["81.2.69.1"]}) as server:
        document = {
            "hosts": {"alice": {"hostname": ["a.example.org", "aa.example.org"]}},
            "resolver": {"nameservers": [str(server)]},
            "allowlists": {"x": {"targets": [{"nftables": {"ports": ["8096/tcp"]}}]}},
            "state": str(tmp_path / "state" / "state.db"),
        }
        config.write_text(json.dumps(document))
        config.chmod(0o600)
        with_uplink(inside)
        said = inside.run(allowsync, "check", "--config", config).out
        assert said.count("table inet allowsync_x does not exist") == 1
        assert "error: x/nftables: 8096/tcp is open to everyone" in said
        assert (
            "warning: alice: aa.example.org does not exist (NXDOMAIN); the host has an address by "
            "another hostname\n    check the name; to change it: allowsync config edit\n"
        ) in said
        unpacked = inside.run(allowsync, "check", "--no-packets", "--config", config).out
        assert "warning: x/nftables: table inet allowsync_x does not exist" in unpacked
