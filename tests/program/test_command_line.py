"""Options before a command and behind it, help, and what is said of mistyped words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.program import Installation, allowsync

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "words",
    [
        "--config {c} --json host list",
        "host --config {c} --json list",
        "host list --config {c} --json",
        "--json --config={c} host list --output json",
        "--config {c} host --config {c} list --json --config {c}",
    ],
)
def test_common_options_stand_on_any_level(here: Installation, words: str) -> None:
    here.write()
    done = allowsync(*words.format(c=here.path).split())
    assert (done.code, done.err) == (0, "")
    assert [one["host"] for one in done.document["hosts"]] == ["alice", "bob", "parents"]


def test_verbosity_counts_on_every_level_and_so_does_a_state(here: Installation) -> None:
    here("apply")
    before = allowsync("--state", here.state, "-v", "--config", here.path, "apply")
    behind = here("apply", "-v", "--state", str(here.state))
    assert "in sync (4 entries)" in before.out
    assert before == behind


def test_a_command_that_a_backend_brings_along_takes_them_too(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.yaml")
    for words in (["--config", missing, "cloudflare"], ["cloudflare", "--config", missing]):
        done = allowsync(*words, "lists")
        assert (done.code, missing in done.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--config", "/a", "status", "--config", "/b"], "--config is given twice, as '/a' and"),
        (["apply", "--config", "/a", "--config", "/b"], "--config is given twice, as '/a' and"),
        (["host", "--state", "/a", "list", "--state", "/b"], "--state is given twice"),
        (["--json", "status", "--output", "text"], "as 'json' and 'text'; pass it once"),
        (["apply", "--output", "text", "--json"], "--output is given twice"),
    ],
)
def test_different_values_for_one_option_are_a_usage_error(words: list[str], said: str) -> None:
    done = allowsync(*words)
    assert (done.code, said in done.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("status --config {c}", "this is a folder, not a file"),
        ("apply --config {c}", "this is a folder, not a file"),
        ("apply --config {c}/none.yaml", "file not found"),
        ("stats", "did you mean 'status'"),
        ("apply --frob", "--frob"),
    ],
)
def test_a_problem_is_said_once_in_the_document_or_on_standard_error(
    tmp_path: Path, words: str, said: str
) -> None:
    given = words.format(c=tmp_path).split()
    document = allowsync(*given, "--json")
    text = allowsync(*given)
    assert (document.code, document.err) == (text.code, text.out) == (2, "")
    (problem,) = document.document["problems"]
    assert said in problem["what"]
    assert text.err == f"{problem['where']}: {problem['what']}\n"


@pytest.mark.parametrize("words", ["apply -n", "apply --dry-run", "-v apply -n"])
def test_a_dry_run_has_a_short_option(here: Installation, words: str) -> None:
    assert "4 to add" in here(words).out
    assert sorted(one.name for one in here.folder.iterdir()) == ["config.yaml"]


@pytest.mark.parametrize("command", ["adopt", "host add", "host remove", "schedule install"])
def test_every_dry_run_has_the_short_option(command: str) -> None:
    assert "-n, --dry-run" in allowsync(*command.split(), "--help").out


@pytest.mark.parametrize("command", ["", "apply", "host", "host add", "cloudflare lists", "help"])
def test_help_shows_what_the_option_shows(command: str) -> None:
    words = command.split()
    asked = allowsync("help", *words)
    assert (asked.code, asked.out) == (0, allowsync(*words, "--help").out)
    assert allowsync("help", *words, "--json").document["text"] + "\n" == asked.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("aply", "no such command 'aply' (did you mean 'apply'?)"),
        ("help aply", "no such command 'aply' (did you mean 'apply'?)"),
        ("host ad", "no such command 'ad' (did you mean 'add'?)"),
        ("help host ad", "no such command 'ad' (did you mean 'add'?)"),
        ("config xyz", "no such command 'xyz'; there are edit, schema, show"),
        ("cloudflare list", "no such command 'list' (did you mean 'lists'?)"),
        ("help apply now", "'allowsync apply' has no sub-commands"),
        ("backends iptabels", "there is no backend 'iptabels' (did you mean 'ipset'?)"),
        ("backends iptables", "there is no backend 'iptables' (did you mean 'ipset'?)"),
        ("backends nftable", "there is no backend 'nftable' (did you mean 'nftables'?)"),
        ("--dry-run apply", "options of a command go behind it"),
        ("status --jsn", "no such option '--jsn' (did you mean '--json'?)"),
        ("apply --onyl web", "no such option '--onyl' (did you mean '--only'?)"),
    ],
)
def test_a_mistyped_word_gets_the_nearest_named(words: str, said: str) -> None:
    done = allowsync(*words.split())
    assert (done.code, done.out) == (2, "")
    assert said in done.err


@pytest.mark.parametrize("words", ["check --fix", "status --since", "config edit --foo"])
def test_an_option_that_is_like_none_is_not_taken_for_another(words: str) -> None:
    done = allowsync(*words.split())
    assert done.code == 2
    assert f"no such option '{words.split()[-1]}'; see 'allowsync" in done.err


@pytest.mark.parametrize("group", ["host", "schedule", "config", "cloudflare", "fleet"])
def test_the_help_of_a_group_cuts_no_summary(group: str) -> None:
    assert "..." not in allowsync(group, "--help").out.partition("Commands:")[2]


@pytest.mark.parametrize(("written", "meant"), [("iptables", "ipset"), ("fil", "file")])
def test_a_mistyped_backend_of_the_configuration_too(
    here: Installation, written: str, meant: str
) -> None:
    here.targets = [{written: {"ports": ["443/tcp"]}}]
    done = here("status")
    assert done.code == 2
    assert f"there is no backend '{written}' (did you mean '{meant}'?)" in done.err


def test_a_mistyped_target_gets_the_nearest_named(here: Installation) -> None:
    done = here("apply --only web/fil")
    assert (done.code, "(did you mean 'web/file'?)" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("grant", "NETWORK|me is missing; usage: allowsync grant [OPTIONS] NETWORK|me"),
        ("apply x", "unexpected extra argument (x); usage: allowsync apply [OPTIONS]"),
        ("apply --only", "option '--only' requires an argument"),
        ("apply --confirm 3y", "--confirm: expected a time from 1s to 1h such as 60s, got '3y'"),
        ("completion tcsh", "SHELL: 'tcsh' is not one of 'bash', 'zsh', 'fish'"),
        ("host --json", "a command is missing: add, list, remove"),
    ],
)
def test_a_usage_error_says_the_fact_and_what_to_do(words: str, said: str) -> None:
    done = allowsync(*words.split())
    command = words.split()[0]
    whole = f"{said}; see 'allowsync {command} --help'"
    assert done.code == 2
    if "--json" in words:  # people get the whole help
        assert done.document["problems"] == [{"where": "command line", "what": whole}]
    else:
        assert (done.out, done.err) == ("", f"command line: {whole}\n")


def test_a_usage_error_before_the_command_is_a_document_too() -> None:
    done = allowsync("--json", "--config", "/a", "status", "--config", "/b")
    assert (done.code, done.document["schema"]) == (2, "allowsync.status/1")


def test_a_name_that_is_in_no_configuration_is_resolved(
    here: Installation, zones: dict[str, object]
) -> None:
    zones["carol.example.net"] = ["81.2.69.9"]
    done = here("resolve CAROL.example.net. --json")
    assert done.code == 0
    (found,) = [one for one in done.document["answers"] if one["addresses"]]
    assert (found["host"], found["addresses"]) == ("carol.example.net", ["81.2.69.9"])
    assert "carol.example.net  ipv4" in here("resolve carol.example.net bob").out


def test_a_hostname_of_the_configuration_is_judged_as_its_host(here: Installation) -> None:
    done = here("resolve parents.example.org")
    assert (done.code, "parents  parents.example.org  ipv6" in done.out) == (0, True)
    assert "alice" not in done.out


def test_of_a_host_with_fixed_networks_alone_there_is_nothing_to_resolve(
    here: Installation,
) -> None:
    here.hosts = {**here.hosts, "office": {"networks": ["203.0.113.0/24"]}}
    said = "office: it has fixed networks alone; there is nothing to resolve\n"
    done = here("resolve office")
    assert (done.code, done.out, done.err) == (0, said, "")
    assert here("resolve").out.endswith(said)
    assert here("resolve office --json").document["answers"] == []


@pytest.mark.parametrize("word", ["alicia", "bad..name.org", "a b.org"])
def test_what_is_neither_host_nor_hostname_is_a_usage_error(here: Installation, word: str) -> None:
    done = here("resolve", word)
    assert (done.code, f"there is no host {word!r}" in done.err) == (2, True)


@pytest.mark.parametrize("word", ["203.0.113.7", "2001:db8::7", "203.0.113.0/24"])
def test_an_address_is_not_resolved_but_explained(here: Installation, word: str) -> None:
    done = here("resolve", word)
    assert (done.code, done.out) == (2, "")
    assert f"is an address, not a name; whether it is allowed: allowsync explain {word}" in (
        " ".join(done.err.split())
    )


def test_a_port_without_a_protocol_is_one_of_tcp(here: Installation) -> None:
    ports: list[object] = [8096, "443", "8000-8010", "53/udp"]
    here.targets = [{"nftables": {"ports": ports}}]
    (target,) = here("config show --json").document["allowlists"]["web"]["targets"]
    shown = ["8096/tcp", "443/tcp", "8000-8010/tcp", "53/udp"]
    assert target["nftables"]["ports"] == shown


@pytest.mark.parametrize(
    ("port", "said"),
    [
        (70000, "expected a port such as 443, 443/udp or 8000-8010/tcp, got 70000"),
        ("443/sctp", "expected a port such as 443, 443/udp"),
        (8.5, "expected a port such as 443, 443/udp"),
    ],
)
def test_what_is_no_port_is_a_configuration_error(
    here: Installation, port: object, said: str
) -> None:
    here.targets = [{"nftables": {"ports": [port]}}]
    done = here("status")
    assert (done.code, said in done.err) == (2, True)


def test_the_same_port_in_two_forms_is_a_duplicate(here: Installation) -> None:
    here.targets = [{"nftables": {"ports": [443, "443/tcp"]}}]
    assert here("status").code == 2


def test_one_target_of_an_allowlist_is_cleared_alone(here: Installation) -> None:
    other = here.folder / "other.txt"
    here.targets = [
        {"file": {"path": str(here.file)}},
        {"file": {"path": str(other), "name": "other"}},
    ]
    here("apply")
    done = here("clear --only web/other --yes")
    assert (done.code, done.out.partition(";")[0]) == (0, "web/other: cleared")
    assert (here.file.exists(), other.exists()) == (True, False)


LONG = "x" * 5000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (f"{LONG}", "no such command"),
        (f"apply --{LONG}", "no such option"),
        (f"apply --only {LONG}", "there is no allowlist or target"),
        (f"apply --confirm {LONG}", "expected a time from 1s to 1h"),
        (f"apply -n --assume alice={LONG}", "expected SERVFAIL"),
        (f"apply --output {LONG}", "is not one of 'text', 'json'"),
        (f"explain {LONG}", "there is no address or host"),
        (f"explain 192.0.2.1 --port {LONG}", "expected a port from 1 to 65535"),
        (f"history --since {LONG}", "expected a time such as"),
        (f"revoke {LONG}", "there is no host"),
        (f"grant {LONG} --for 4h", "expected a network such as"),
        (f"backends {LONG}", "there is no backend"),
        (f"status {LONG}", "unexpected extra argument"),
        (f"status {'x y ' * 1000}", "unexpected extra arguments"),
    ],
    ids=lambda value: value.replace(LONG, "LONG")[:40],
)
def test_a_long_argument_is_quoted_in_part(here: Installation, words: str, said: str) -> None:
    here.write()
    done = here(*words.split())
    assert (done.code, said in done.err) == (2, True)
    assert len(done.err) < 900
