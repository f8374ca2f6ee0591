"""`allowsync host`: friends added, listed and removed by commands alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.support.program import allowsync

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.program import Installation, ProgramResult

CONFIG = """\
# Ours.
hosts:
  alice: alice.example.org    # at home
  office:
    networks: [81.2.70.0/24]

allowlists:
  web:
    hosts: [alice, office]
    targets:
      - file: {path: web.txt}
  ssh:
    hosts: [office]
    targets:
      - file: {path: ssh.txt}
state: state/state.db
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    path.chmod(0o600)
    return path


def host(path: Path, *arguments: str) -> ProgramResult:
    return allowsync("host", *arguments, "--config", path)


def test_a_friend_is_added_and_all_else_stays(path: Path) -> None:
    done = host(path, "add", "bob", "bob.example.org", "--on", "web")
    assert (done.code, done.err) == (0, "")
    assert "\n+  bob: bob.example.org\n" in done.out
    assert done.out.endswith("bob is allowed on web with the next run; now: allowsync apply\n")
    with_bob = CONFIG.replace("0/24]\n", "0/24]\n  bob: bob.example.org\n", 1)
    assert path.read_text() == with_bob.replace("[alice, office]", "[alice, office, bob]")
    assert host(path, "remove", "bob").code == 0
    assert path.read_text() == CONFIG


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
def test_a_date_that_access_ends_on_is_shown_as_it_was_written(path: Path, zone: str) -> None:
    added = "host add guest 81.2.69.9 --on web --until 2027-01-31"
    for command in (added, "host list", "apply --offline", "status"):
        done = allowsync(*command.split(), "--config", path, environ={"TZ": zone})
        if command in ("host list", "status"):
            assert "until the end of 2027-01-31" in done.out


def test_where_an_allowlist_beside_the_chosen_one_has_every_host_it_is_said(path: Path) -> None:
    path.write_text(CONFIG.replace("    hosts: [alice, office]\n", ""))
    done = host(path, "add", "bob", "bob.example.org", "--on", "ssh", "--dry-run")
    said = "bob is allowed on ssh and on web (every host is) once this is written"
    assert (done.code, done.out.endswith(f"a dry run: {said}\n")) == (0, True)


def test_hosts_are_listed_with_what_they_are_allowed_by(path: Path) -> None:
    assert host(path, "list").out == (
        "alice   alice.example.org  web\noffice  81.2.70.0/24       web, ssh\n"
    )
    listed = host(path, "list", "--output", "json").document
    assert (listed["schema"], listed["exit_code"], listed["problems"]) == (
        "allowsync.host/1",
        0,
        [],
    )
    assert listed["hosts"][1] == {
        "host": "office", "hostnames": [], "networks": ["81.2.70.0/24"], "until": None,
        "allowlists": ["web", "ssh"], "revoked": None,
    }  # fmt: skip


def test_a_dry_run_shows_the_change_and_writes_nothing(path: Path) -> None:
    done = host(path, "remove", "alice", "--dry-run", "--output", "json")
    assert done.code == 0
    document = done.document
    assert document["diff"].count("\n-") == 2  # the host, and the list
    assert (document["action"], document["host"], document["dry_run"]) == ("remove", "alice", True)
    assert document["allowlists"] == ["web"]
    assert path.read_text() == CONFIG


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (
            "add bob bob.example.org",
            "several allowlists name their hosts: choose --on web or --on ssh",
        ),
        ("add bob bob.example.org --on wep", "there is no allowlist 'wep' (did you mean 'web'?)"),
        (
            "add alice a.example.org --on web",
            "there is a host 'alice' already, allowed by alice.example.org; to change it",
        ),
        ("add office o.example.org --on web", "'office' already, allowed by 81.2.70.0/24; to"),
        ("add Bob bob.example.org --on web", "command line: NAME: expected a name of 1 to 40"),
        ("add bob bob --on web", "hosts.bob: 'bob' is not a whole hostname"),
        (
            "add bob https://bob.example.org/ --on web",
            "hosts.bob: 'https://bob.example.org/' is a URL, not a hostname",
        ),
        ("add bob 81.2.70.300 --on web", "'81.2.70.300' is no valid IPv4 address, and no hostname"),
        ("add bob 81.2.70.1/24 --on web", "is an address inside a network"),
        ("add bob 81.2.0.0/8 --on web", "81.2.0.0/8"),
        ("add bob bob.example.org --on web --until soon", "hosts.bob.until"),
        (
            "add bob b.example.org --on web --until 2020-01-01",
            "--until 2020-01-01 lies in the past",
        ),
        ("remove alise", "there is no host 'alise' (did you mean 'alice'?)"),
        (
            "remove office",
            "config.yaml:13: allowlists.ssh.hosts: 'office': it is the only one there",
        ),
        ("add " + "b" * 5000 + " b.example.org --on web", f"got '{'b' * 77}'..."),
        ("add bob " + "b" * 5000 + " --on web", f"'{'b' * 77}'... is longer than 253 characters"),
        ("add bob b.example.org --on web --apply --dry-run", "exclude each other"),
    ],
)
def test_what_cannot_be_done_changes_nothing(path: Path, arguments: str, what: str) -> None:
    done = host(path, *arguments.split())
    assert (done.code, done.out) == (2, "")
    assert what in done.err
    assert path.read_text() == CONFIG
    told = host(path, *arguments.split(), "--output", "json")
    assert (told.code, told.document["schema"]) == (2, "allowsync.host/1")
    assert any(what in one["what"] or what in f"{one['where']}: {one['what']}"
               for one in told.document["problems"])  # fmt: skip


def test_a_configuration_that_is_wrong_is_not_made_worse(path: Path) -> None:
    wrong = CONFIG.replace("state/state.db", "[]")
    path.write_text(wrong)
    done = host(path, "add", "bob", "bob.example.org", "--on", "web")
    assert done.code == 2
    assert f"{path}:17: state: " in done.err
    assert (
        "not changed: the edited text would not be valid; line numbers are those of that text"
        in done.err
    )
    assert path.read_text() == wrong


def test_friends_added_at_once_are_all_there(path: Path) -> None:
    def add(name: str) -> int:
        return allowsync("host", "add", name, f"{name}.example.org", "--on", "web",
                         "--config", path, prefix=("nice",)).code  # fmt: skip

    with ThreadPoolExecutor() as threads:
        assert list(threads.map(add, ("bob", "carol", "dave"))) == [0, 0, 0]
    names = host(path, "list", "--output", "json").document["hosts"]
    assert sorted(one["host"] for one in names) == ["alice", "bob", "carol", "dave", "office"]


def test_a_change_is_applied_at_once_where_that_is_wanted(here: Installation) -> None:
    here("apply")
    here.freeze = True
    done = here("host add dave 81.2.71.0/24 --apply --output json")
    assert done.code == 0
    document = done.document
    assert (document["host"], document["run"]["schema"]) == ("dave", "allowsync.run/1")
    assert [one["network"] for one in document["run"]["targets"][0]["add"]] == ["81.2.71.0/24"]
    assert "81.2.71.0/24" in here.allowed
    done = here("host remove dave --apply")
    assert (done.code, "  - 81.2.71.0/24" in done.out) == (0, True)
    assert "81.2.71.0/24" not in here.allowed
