"""Root meets a state that another user may write, and does nothing that it made up."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from allowsync.state.lists import list_path
from testkit.fake_dns.nameserver import NameServer
from tests.support.journals import craft
from tests.support.program import Installation, allowsync

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.root

SOMEBODY = 12345
OFFICE: dict[str, object] = {"office": {"networks": ["203.0.113.0/24"]}}


@pytest.fixture
def here(as_root: None) -> Iterator[Installation]:
    """An installation whose folder every user may enter."""
    with tempfile.TemporaryDirectory() as folder, NameServer({}) as server:
        Path(folder).chmod(0o755)
        yield Installation(Path(folder), server, OFFICE)


def give(state: Path, user: int) -> None:
    """Give a state to a user, as systemd does when a service becomes another user's."""
    for one in (state.parent, *state.parent.iterdir()):
        os.chown(one, user, user, follow_symlinks=False)


def plant(state: Path, *rows: tuple[str, object]) -> None:
    with closing(sqlite3.connect(state)) as connection:
        for statement, values in rows:
            connection.execute(statement, values)  # type: ignore[arg-type]
        connection.commit()


def a_target(name: str, backend: str, options: object, places: object) -> tuple[str, object]:
    statement = "INSERT OR REPLACE INTO targets VALUES (?, ?, ?, ?, ?)"
    row = (name, name.partition("/")[0], backend, json.dumps(options), json.dumps(places))
    return statement, row


def test_what_takes_root_is_not_cleared_as_such_a_state_says(here: Installation) -> None:
    former, reloaded = here.folder / "former.txt", here.folder / "reloaded"
    here.targets = [{"file": {"path": str(former), "reload": ["touch", str(reloaded)]}}]
    assert here("apply").code == 0
    here.targets = []
    assert here("apply").code == 0
    reloaded.unlink()
    give(here.state, SOMEBODY)
    cleared = here("clear", "--yes")
    assert cleared.code == 1
    assert f"the state is owned by user {SOMEBODY}: root does not trust its records" in cleared.err
    assert former.exists()
    assert not reloaded.exists()

    give(here.state, 0)
    assert here("clear", "--yes").code == 0
    assert not former.exists()
    assert not reloaded.exists(), "a command is the configuration's alone"


@pytest.mark.parametrize("handed_over", [False, True], ids=["theirs", "handed over to root"])
def test_root_deletes_nothing_that_a_journal_names(here: Installation, handed_over: bool) -> None:
    here("apply")
    precious = here.folder / "precious"
    precious.write_text("root's own")
    for command in ("status", "explain office", "check --no-packets", "history", "apply -n",
                    "approve office", "clear --yes", "apply"):  # fmt: skip
        give(here.state, SOMEBODY)
        os.chown(craft(here.state, precious), SOMEBODY, SOMEBODY)
        if handed_over:
            give(here.state, 0)
        here(*command.split())
        assert precious.exists(), command


@pytest.mark.parametrize("handed_over", [False, True], ids=["theirs", "handed over to root"])
def test_root_runs_no_command_that_a_state_names(here: Installation, handed_over: bool) -> None:
    planted = here.folder / "planted"
    here("apply")
    evil = {"path": str(here.file), "reload": ["/usr/bin/touch", str(planted)]}
    evil["check"] = evil["reload"]
    former = here.folder / "state" / "x"
    former.write_text("x")
    former.with_name(".x.allowsync-undo").write_text("x")
    plant(
        here.state,
        a_target("web/file", "file", evil, [["file", [str(here.file)], False]]),
        a_target("old/file", "file", {**evil, "path": str(former)}, ["x"]),
        ("INSERT INTO unconfirmed VALUES ('web/file', 1700000000000000)", ()),
    )
    give(here.state, 0 if handed_over else SOMEBODY)
    here.file.write_text(here.file.read_text().replace("203.0.113.0/24", "203.0.114.0/24"))
    for command in ("apply", "apply --offline", "apply --force", "clear --yes"):
        here(*command.split())
        assert not planted.exists(), command


ENDLESS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c)"
NOTHING = "'' AS target, '' AS action, '' AS network, '' AS hosts, '' AS why, 1 AS confirmed"
QUERIES = {
    "a view": f"DROP TABLE changes; CREATE VIEW changes AS {ENDLESS} SELECT n AS id, n AS at, "
    f"{NOTHING} FROM c",
    "a trigger": f"CREATE TRIGGER t BEFORE INSERT ON runs BEGIN SELECT ({ENDLESS} SELECT max(n) "
    "FROM c); END",
    "a virtual table": "DROP TABLE turns; CREATE VIRTUAL TABLE turns USING fts5 (target, what)",
}


@pytest.mark.parametrize("script", QUERIES.values(), ids=QUERIES)
def test_root_runs_no_query_that_a_state_brings_along(here: Installation, script: str) -> None:
    """One of them need not end, and root waits for it."""
    here("apply")
    with closing(sqlite3.connect(here.state)) as connection:
        connection.executescript(script)
    give(here.state, SOMEBODY)
    for command in ("history", "explain office", "status"):
        done = here(*command.split())
        assert "is no table, so no allowsync wrote it" in done.err + done.out, command
    done = here("apply")
    assert (done.code, "was set aside as" in done.err) == (0, True)
    assert here.allowed == ["203.0.113.0/24"]
    assert here("history").code == 0


def test_a_former_file_is_removed_only_where_it_is_ours(here: Installation) -> None:
    """Whoever may write the state names a file; root removes none that has not our mark."""
    here("apply")
    elsewhere = here.folder / "etc"
    elsewhere.mkdir()
    precious = elsewhere / "precious"
    precious.write_text("root's own\n")
    (here.state.parent / "link").symlink_to(elsewhere)
    live = here.state.parent / "by-way"
    live.symlink_to(here.folder)
    names = {"old": precious, "older": here.state.parent / "link" / "precious",
             "oldest": live / here.file.name}  # fmt: skip
    rows = [
        a_target(f"{name}/file", "file", {"path": str(path)}, [["file", [str(path)], False]])
        for name, path in names.items()
    ]
    odd = a_target("odd/file", "file", {"path": str(here.file)}, [["file", ["/x"], False]])
    plant(here.state, *rows, odd, a_target("a;b/nftables", "nftables", {"ports": ["1/tcp"]}, []))
    listed = here.file.read_text()
    only = [word for name in (*names, "odd", "a;b") for word in ("--only", name)]
    cleared = here("clear", "--yes", *only)
    assert cleared.code == 1
    assert cleared.err.count("could not be cleared") == 5, cleared.err
    assert cleared.err.count("put the target back into the configuration") == 5, cleared.err
    assert (precious.read_text(), here.file.read_text()) == ("root's own\n", listed)


def test_what_root_writes_stays_the_other_users(here: Installation) -> None:
    """By hand after a run of the service: afterwards that can go on."""
    here("apply")
    give(here.state, SOMEBODY)
    here.hosts = {"office": {"networks": ["203.0.114.0/24"]}}
    done = here("apply")
    assert (done.code, here.allowed) == (0, ["203.0.114.0/24"])
    here.more = {"notify": ["ntfy://127.0.0.1:9/topic"]}
    here.targets = [{"file": {"path": str(here.folder / "moved.txt")}}]
    assert here("apply").code == 0  # with all that an ordinary run has no need to import
    here.more = {}
    assert here("status").code == 0
    assert {one.stat().st_uid for one in here.state.parent.glob("state.db*")} <= {SOMEBODY, 0}
    assert here.state.stat().st_uid == SOMEBODY


def test_root_writes_nothing_where_a_link_of_theirs_leads(here: Installation) -> None:
    here("apply")
    give(here.state, SOMEBODY)
    secret = here.folder / "roots"
    secret.mkdir(0o700)
    for name in ("state.db", "state.db.lock", "state.db-journal", "state.db.before"):
        path = here.state.with_name(name)
        path.unlink(missing_ok=True)
        path.symlink_to(secret / name)
        os.chown(path, SOMEBODY, SOMEBODY, follow_symlinks=False)
        assert here("apply").code in (0, 1), name
        assert list(secret.iterdir()) == [], name
        path.unlink(missing_ok=True)


def test_a_copy_that_root_put_back_is_told_with_the_way_out(here: Installation) -> None:
    here("apply")
    give(here.state, SOMEBODY)
    os.chown(here.state, 0, 0)  # as `cp` by root leaves it
    way_out = f"chown {SOMEBODY} {here.state}"
    for command in ("status", "apply", "history"):
        done = here(command)
        assert done.code == 1
        assert f"user 0, and its folder to user {SOMEBODY}; {way_out}" in done.err, command
    assert here.allowed == ["203.0.113.0/24"]
    subprocess.run(way_out.split(), check=True)
    assert (here("apply").code, here("history").code) == (0, 0)


# Whose the folder is, the state and what is beside it, and who runs allowsync.
OWNERS = {
    "root, a copy in root's folder": (0, SOMEBODY, 0, 0),
    "root, all files in root's folder": (0, SOMEBODY, SOMEBODY, 0),
    "root, files of one user in a folder of another": (SOMEBODY + 1, SOMEBODY, SOMEBODY, 0),
    "a user, all files in root's folder": (0, SOMEBODY, SOMEBODY, SOMEBODY),
    "a user, root's copy": (SOMEBODY, 0, SOMEBODY, SOMEBODY),
}


@pytest.mark.parametrize(("folder", "state", "beside", "runs"), OWNERS.values(), ids=OWNERS)
def test_a_state_and_a_folder_of_two_users_are_told_with_the_way_out(
    here: Installation, folder: int, state: int, beside: int, runs: int
) -> None:
    """To SQLite some of them are "a readonly database", and others are denied."""
    here("apply")
    here.path.chmod(0o644)
    for one in (here.folder, here.file) if runs else ():
        os.chown(one, runs, runs)
    for one in here.state.parent.iterdir():
        os.chown(one, beside, beside)
    os.chown(here.state, state, state)
    here.state.chmod(0o644)
    here.state.parent.chmod(0o755)
    os.chown(here.state.parent, folder, folder)
    prefix = ("setpriv", f"--reuid={runs}", f"--regid={runs}", "--clear-groups") if runs else ()
    granted = ("grant", "198.51.100.7", "--for", "1h", "--config", here.path)
    done = allowsync(*granted, prefix=prefix)
    whose = (
        f"{here.state}: not granted: it belongs to user {state}, and its folder to user {folder}; "
    )
    assert (done.code, whose in done.err) == (1, True), done.err
    way_out = done.err.partition(whose)[2].split()
    assert way_out[0] == "chown"
    subprocess.run(way_out, check=True)
    assert allowsync(*granted, prefix=prefix).code == 0


def test_a_folder_that_others_may_write_in_is_refused(here: Installation) -> None:
    here("apply")
    listed = here.file.read_text()
    here.folder.chmod(0o777)
    here.hosts = {"office": {"networks": ["203.0.114.0/24"]}}
    here.freeze = True
    here.write()
    elsewhere = here.path.rename(here.state.parent / "config.yaml")
    elsewhere.chmod(0o600)
    done = allowsync("apply", "--config", elsewhere)
    assert "others may write in" in done.err
    assert (done.code, here.file.read_text()) == (1, listed)


def test_a_list_beside_such_a_state_is_that_users_and_follows_no_link(here: Installation) -> None:
    here.hosts = {"office": {"lists": ["office"]}}
    here.more = {"lists": {"office": {"file": "office.txt"}}}
    (here.folder / "office.txt").write_text("81.2.70.0/24\n")
    assert here("apply").code == 0
    give(here.state, SOMEBODY)
    (here.folder / "office.txt").write_text("81.2.70.0/24\n81.2.71.0/24\n")
    assert here("apply").code == 0
    kept = list_path(here.state, "office")
    assert kept.stat().st_uid == SOMEBODY
    assert here.allowed == ["81.2.70.0/23"]

    precious = here.folder / "precious"
    precious.write_text("root's own\n")
    kept.unlink()
    kept.symlink_to(precious)
    os.chown(kept, SOMEBODY, SOMEBODY, follow_symlinks=False)
    here("apply")
    assert precious.read_text() == "root's own\n"
    assert precious.stat().st_uid == 0
    assert here.allowed == ["81.2.70.0/23"]


def test_clear_by_a_user_who_may_not_enter_the_folder_says_to_use_sudo(here: Installation) -> None:
    here.write()
    here.path.chmod(0o644)
    here.state.parent.mkdir(mode=0o700)
    user = ("setpriv", f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", "--clear-groups")
    done = allowsync("clear", "--yes", "--config", here.path, prefix=user)
    assert done.code == 1
    assert f"{here.state}: Permission denied; run it with sudo" in done.err
