"""Every command and every exit code, driven as in the contract with the people who use it."""

from __future__ import annotations

import json
import os
import pty
import signal
import stat
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
import yaml

from allowsync import __version__
from allowsync.cli.summaries import COMMANDS
from allowsync.state import Lock
from testkit.fake_dns.behaviours import REFUSED, SERVFAIL, Delay, Silent
from tests.support.program import EXECUTABLE, Installation, allowsync

if TYPE_CHECKING:
    from pathlib import Path

FIRST = ["81.2.69.1/32", "81.2.69.2/32", "2a01:4f8:1:2::/64", "2a01:4f8:9:9::/64"]
FIRST[3] = "2a01:4f8:9::/56"


def test_it_knows_its_version() -> None:
    assert allowsync("--version").out == f"allowsync {__version__}\n"


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_every_command(flag: str) -> None:
    shown = allowsync(flag)
    assert shown.code == 0
    assert all(f"  {command} " in shown.out for command in COMMANDS)


@pytest.mark.parametrize(
    "command",
    [
        *COMMANDS,
        *("config edit", "config schema", "config show"),
        *("host add", "host list", "host remove"),
        *("schedule install", "schedule remove", "schedule show"),
    ],
)
def test_every_command_has_help_with_the_common_options(command: str) -> None:
    shown = allowsync(*command.split(), "--help")
    assert shown.code == 0
    if command not in ("config", "host", "schedule"):
        assert all(one in shown.out for one in ("--config", "--state", "--output", "--no-color"))


def test_an_apply_puts_friends_in_and_then_has_nothing_to_say(here: Installation) -> None:
    first = here("apply")
    assert (first.code, first.err, here.allowed) == (0, "", FIRST)
    assert "4 added" in first.out
    second = here("apply")
    assert (second.code, second.out, second.err) == (0, "", "")
    assert "in sync (4 entries)" in here("apply -v").out
    assert on_a_terminal(here, "apply", "--no-color") == "in sync: nothing to do\r\n"
    assert on_a_terminal(here, "apply", "-q") == ""


def test_a_dry_run_writes_nothing(here: Installation) -> None:
    done = here("apply --dry-run")
    assert (done.code, "  + 81.2.69.1 " in done.out) == (0, True)
    assert sorted(one.name for one in here.folder.iterdir()) == ["config.yaml"]


def test_changes_to_make_have_an_exit_code_of_their_own(here: Installation) -> None:
    assert here("apply --dry-run --detailed-exitcode").code == 10
    here("apply")
    assert here("apply --dry-run --detailed-exitcode").code == 0
    assert here("apply --detailed-exitcode").code == 2


def test_a_silent_dns_keeps_everybody_and_says_so(
    here: Installation, zones: dict[str, object]
) -> None:
    here("apply")
    zones["*"] = SERVFAIL
    for name in list(zones):
        zones[name] = SERVFAIL
    done = here("apply")
    assert (done.code, here.allowed) == (3, FIRST)
    assert "kept: no answer from DNS for" in done.out
    assert "(SERVFAIL); expires in 3 d" in done.out
    assert here("status").code == 3


def test_an_unreachable_dns_keeps_everybody(here: Installation) -> None:
    here("apply")
    here.resolver = {"nameservers": ["127.0.0.1:9"]}
    done = here("apply --output json")
    assert (done.code, here.allowed) == (3, FIRST)
    reasons = {query["reason"] for host in done.document["hosts"] for query in host["queries"]}
    assert reasons == {"connection refused by 127.0.0.1:9"}


def test_a_friend_moves(here: Installation, zones: dict[str, object]) -> None:
    here.policy = {"keep_replaced": "0s", "replaced_runs": 2}
    here("apply")
    zones["alice.example.org"] = ["81.2.69.77", "2a01:4f8:1:2::7"]
    done = here("apply")
    assert "alice.example.org moved from 81.2.69.1" in done.out
    assert {"81.2.69.1/32", "81.2.69.77/32"} <= set(here.allowed)
    here("apply")
    assert "81.2.69.1/32" not in here.allowed
    assert "81.2.69.77/32" in here.allowed


def test_an_address_that_is_not_believed_adds_nothing_and_removes_nothing(
    here: Installation, zones: dict[str, object]
) -> None:
    here("apply")
    zones["bob.example.org"] = ["127.0.0.1"]
    done = here("apply")
    assert (done.code, here.allowed) == (3, FIRST)
    assert "bob.example.org: 127.0.0.1 rejected: a loopback address" in done.err


def test_a_limit_refuses_and_force_applies(here: Installation, zones: dict[str, object]) -> None:
    here.policy = {"keep_absent": "0s", "absent_runs": 1}
    here("apply")
    for name in list(zones)[:2]:
        del zones[name]
    refused = here("apply --output json")
    assert (refused.code, here.allowed) == (4, FIRST)
    (target,) = refused.document["targets"]
    assert target["outcome"] == "refused"
    assert {entry["network"] for entry in target["withheld"]} == set(FIRST[:3])
    assert here("apply --dry-run").code == 4
    assert (here("apply --force").code, here.allowed) == (0, FIRST[3:])


def test_a_failing_target_is_told(here: Installation) -> None:
    here.targets = [{"file": {"path": str(here.folder / "missing" / "file")}}]
    done = here("apply")
    assert (done.code, "web/file" in done.err) == (1, True)


def test_a_second_run_is_turned_away(here: Installation) -> None:
    here("apply")
    with Lock(here.state):
        done = here("apply --output json")
        assert done.code == 5
        assert done.document.keys() == {"schema", "exit_code", "problems"}
        assert here("clear --yes").code == 5
        assert here("apply --dry-run").code == 0
        assert here("status").code == 0


def test_a_bad_configuration_is_refused_with_nothing_touched(here: Installation) -> None:
    here.hosts["carol"] = {"hostname": "carol.example.org", "ipv6_prefix": "sixty-four"}
    here.policy = {"max_moves": -1}
    for command in ("apply", "status", "check", "resolve", "clear --yes", "config show"):
        done = here(command)
        assert done.code == 2
        assert "hosts.carol.ipv6_prefix: expected a number from 1 to 128, got 'sixty-four'" in (
            done.err
        )
        assert "policy.max_moves" in done.err
    told = here("apply --output json").document
    assert (told["exit_code"], len(told["problems"])) == (2, 2)
    assert told["problems"][0]["where"].startswith(f"{here.path}:")
    assert sorted(one.name for one in here.folder.iterdir()) == ["config.yaml"]


def test_a_missing_configuration_is_named(tmp_path: Path) -> None:
    done = allowsync("apply", "--config", tmp_path / "none.yaml")
    assert (done.code, str(tmp_path / "none.yaml") in done.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["aply"], "did you mean 'apply'?"),
        (["apply", "--dryrun"], "--dry-run"),
        (["apply", "extra"], "extra"),
        ([], "Usage"),
    ],
)
def test_usage_errors_are_exit_code_2_and_helpful(words: list[str], hint: str) -> None:
    done = allowsync(*words)
    assert (done.code, hint in done.err + done.out) == (2, True)


def test_a_usage_error_is_a_document_too() -> None:
    told = allowsync("apply", "--nonsense", "--output", "json")
    assert told.code == 2
    assert told.document.keys() == {"schema", "exit_code", "problems"}


def test_an_unknown_allowlist_or_host_is_named_with_a_suggestion(here: Installation) -> None:
    assert "did you mean 'web'?" in here("apply --only wed").err
    assert here("apply --only wed").code == 2
    assert "did you mean 'alice'?" in here("resolve alize").err


def test_status_tells_who_is_allowed(here: Installation) -> None:
    before = here("status")
    assert (before.code, "no answer yet" in before.out) == (1, True)
    here("apply")
    done = here("status")
    assert (done.code, "web/file is in sync (4 entries)" in done.out) == (0, True)
    told = here("status --output json").document
    assert told["schema"] == "allowsync.status/1"
    assert [host["host"] for host in told["hosts"]] == ["alice", "bob", "parents"]
    assert told["targets"][0]["in_step"] is True
    assert {one["network"] for one in told["targets"][0]["entries"]} == set(FIRST)


def test_resolve_shows_each_nameserver_and_what_is_believed(
    here: Installation, zones: dict[str, object]
) -> None:
    zones["bob.example.org"] = ["10.0.0.1"]
    done = here("resolve bob")
    assert done.code == 3
    assert str(here.server) in done.out
    assert "10.0.0.1 rejected: a private address" in done.out
    assert "alice" not in done.out
    told = here("resolve --output json").document
    assert {one["nameserver"] for one in told["answers"]} == {str(here.server)}


def test_check_finds_what_is_wrong(here: Installation, zones: dict[str, object]) -> None:
    assert here("check").code == 0
    zones["alice.example.org"] = REFUSED
    done = here("check")
    assert (done.code, "error: alice: no address" in done.out) == (1, True)
    missing = here.folder / "missing"
    here.more = {"metrics": f"{missing}/allowsync.prom", "report": f"{missing}/who.html"}
    done = here("check --output json")
    told = {one["where"]: one["what"] for one in done.document["findings"]}
    assert told["metrics"] == told["report"] == f"folder {missing} does not exist"
    assert done.code == 1


@pytest.mark.root
def test_check_finds_a_folder_that_takes_nothing_not_even_from_root(
    here: Installation, as_root: None
) -> None:
    folder = here.folder / "pages"
    folder.mkdir()
    here.more = {"report": f"{folder}/who.html"}
    here.write()
    line = 'mount -t tmpfs -o ro none "$1" && shift && exec "$@"'
    inside = ("unshare", "--mount", "sh", "-c", line, "sh", str(folder))
    done = allowsync("check", "--config", here.path, prefix=inside)
    assert (done.code, f"error: report: folder {folder} cannot be written" in done.out) == (1, True)
    assert allowsync("check", "--config", here.path).code == 0


def test_clear_asks_first_and_removes_only_what_is_ours(here: Installation) -> None:
    here("apply")
    asked = here("clear")
    assert (asked.code, here.file.exists()) == (2, True)
    done = here("clear --yes")
    assert (done.code, here.file.exists()) == (0, False)
    assert done.out.startswith("web/file: cleared;")
    assert here("clear --yes").code == 0


def test_clear_refuses_what_is_a_strangers(here: Installation) -> None:
    here.file.write_text("precious\n")
    done = here("clear --yes --output json")
    assert here.file.read_text() == "precious\n"
    assert done.document["targets"][0]["target"] == "web/file"
    assert here("apply").code == 1
    assert here.file.read_text() == "precious\n"


def test_a_target_configured_no_more_is_told_until_it_is_cleared(here: Installation) -> None:
    here("apply")
    other = here.folder / "other.txt"
    here.targets = [{"file": {"path": str(other), "name": "other"}}]
    for _ in range(2):
        done = here("apply")
        assert "web/file: is no longer configured but still enforced" in done.err
    assert "web/file" in here("check").out
    assert here("clear --yes --only web").code == 0
    assert not here.file.exists()
    here("apply")
    assert here("apply").err == ""


def test_backends_and_their_options_are_listed() -> None:
    told = allowsync("backends", "--output", "json").document
    names = {one["name"] for one in told["backends"]}
    assert {"file", "nftables"} <= names
    lines = allowsync("backends").out.splitlines()
    assert [line.partition(":")[0] for line in lines] == sorted(names)
    assert "path (required)" in allowsync("backends", "file").out
    only = allowsync("backends", "file", "--json").document["backends"]
    assert [one["name"] for one in only] == ["file"]


def test_config_show_gives_a_configuration_back(here: Installation) -> None:
    here.more = {"heartbeat": "https://example.org/secret-token"}
    shown = here("config show")
    assert shown.code == 0
    assert "secret-token" not in shown.out
    assert yaml.safe_load(shown.out)["policy"]["keep_absent"] == "1h"
    schema = json.loads(here("config schema").out)
    assert "hosts" in schema["properties"]


def test_offline_restores_without_a_question_to_the_dns(here: Installation) -> None:
    here("apply")
    here.file.unlink()
    asked = len(here.server.asked)
    done = here("apply --offline")
    assert (done.code, here.allowed, len(here.server.asked)) == (0, FIRST, asked)


def test_quiet_says_only_what_failed(here: Installation, zones: dict[str, object]) -> None:
    assert here("apply -q").out == ""
    zones["bob.example.org"] = SERVFAIL
    done = here("apply -q")
    assert (done.code, done.out, done.err) == (3, "", "")


def test_there_are_no_colours_in_a_pipe_nor_with_no_color(here: Installation) -> None:
    assert "\x1b" not in here("apply --dry-run").out
    assert "\x1b" in on_a_terminal(here, "apply", "--dry-run")
    assert "\x1b" not in on_a_terminal(here, "apply", "--dry-run", "--no-color")
    assert "\x1b" not in on_a_terminal(here, "apply", "--dry-run", NO_COLOR="1")


def on_a_terminal(here: Installation, *words: str, **environ: str) -> str:
    """What the program writes when its output is a terminal."""
    here.write()
    master, slave = pty.openpty()
    command = [str(EXECUTABLE), *words, "--config", str(here.path)]
    env = {"PATH": os.environ["PATH"], "TERM": "xterm", **environ}
    with subprocess.Popen(command, stdout=slave, stderr=slave, stdin=slave, env=env) as running:
        running.wait(60)
    os.close(slave)
    text = b""
    os.set_blocking(master, False)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            text += os.read(master, 65536)
        except OSError:
            break
    os.close(master)
    return text.decode()


def test_long_work_shows_progress_on_a_terminal_and_nowhere_else(
    here: Installation, zones: dict[str, object]
) -> None:
    zones["*"] = Delay(0.8, ["81.2.69.7"])
    here.hosts = {f"h{n}": f"h{n}.example.org" for n in range(60)}
    here.policy = {"canary": False, "max_sharing": 60}
    pieces = on_a_terminal(here, "apply", "--dry-run").split("\r")
    shown = max(len(one) for one in pieces if "resolving" in one)
    wiped = [len(one) for one in pieces if one and not one.strip(" ")]
    assert wiped == [shown]  # more spaces would wrap on a narrow terminal
    assert "resolving" not in on_a_terminal(here, "apply", "--dry-run", "-q")
    assert "resolving" not in here("apply --dry-run").err


def test_an_interrupt_ends_it_without_a_traceback(
    here: Installation, zones: dict[str, object]
) -> None:
    zones["*"] = Silent()
    here.hosts = {"alice": "alice.example.net"}
    here.resolver = {"timeout": "20s"}
    here.write()
    command = [str(EXECUTABLE), "apply", "--config", str(here.path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        while not here.server.asked:
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=120)
    assert (running.returncode, said.strip()) == (130, "allowsync: interrupted")
    assert not here.file.exists()


def test_the_shell_completes_commands_and_options() -> None:
    def completed(*words: str) -> list[str]:
        environ = {
            "_ALLOWSYNC_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(("allowsync", *words)),
            "COMP_CWORD": str(len(words)),
        }
        return allowsync(environ=environ).out.splitlines()

    assert completed("appl") == ["plain,apply"]
    assert "plain,--dry-run" in completed("apply", "--d")
    for shell in ("bash", "zsh", "fish"):
        assert "allowsync" in allowsync(environ={"_ALLOWSYNC_COMPLETE": f"{shell}_source"}).out


def test_a_reader_that_leaves_early_is_no_traceback(here: Installation) -> None:
    here.hosts = {f"h{n}": f"h{n}.example.org" for n in range(400)}
    here.write()
    command = f"{EXECUTABLE} config show --config {here.path} | head -n 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("hosts:\n", "")


def test_the_state_is_for_its_owner_only(here: Installation) -> None:
    here("apply")
    assert stat.S_IMODE(here.state.stat().st_mode) == 0o600


def test_a_state_elsewhere_may_be_given(here: Installation, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "s.db"
    here("apply", "--state", str(elsewhere))
    assert (elsewhere.exists(), here.state.exists()) == (True, False)


def test_an_unwritable_state_keeps_no_file_from_its_entries(here: Installation) -> None:
    here.state.parent.touch()
    done = here("apply")
    assert (done.code, here.allowed) == (1, FIRST)
    assert "enforced, but not recorded: the state cannot be written" in done.err


def test_a_garbage_state_is_set_aside_and_nothing_is_lost(here: Installation) -> None:
    here("apply")
    here.state.write_bytes(b"\x00garbage" * 999)
    done = here("apply")
    assert (done.code, here.allowed) == (0, FIRST)
    assert "set aside" in done.err
