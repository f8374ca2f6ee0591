"""`grant`, `revoke` and `approve` over hours, reboots and clocks that jump."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from allowsync.system import clock as machine_clock

if TYPE_CHECKING:
    from tests.support.days import Days
    from tests.support.program import ProgramResult

HOME, BOB, GUEST = "81.2.69.1", "81.2.69.2", "81.2.70.7"


def let_in(days: Days) -> list[str]:
    return [one.removesuffix("/32") for one in days.here.allowed]


@pytest.fixture
def granted(over_days: Days) -> Days:
    """A guest for four hours, beside Alice and Bob."""
    assert over_days("apply").code == 0
    assert over_days("grant", GUEST).code == 0
    assert let_in(over_days) == [HOME, BOB, GUEST]
    return over_days


def test_a_grant_is_ended_by_the_clock(granted: Days) -> None:
    assert granted.at(239)("apply").code == 0
    assert let_in(granted) == [HOME, BOB, GUEST]
    done = granted.at(241)("apply")
    assert done.code == 0
    assert "access ended on 2026-11-20 19:00 UTC" in done.out
    assert let_in(granted) == [HOME, BOB]
    told = granted("history").out
    assert "+ guest-81.2.70.7  81.2.70.7 granted on web until 2026-11-20 19:00 UTC" in told
    assert "allowed from 81.2.70.7 by command" in told
    assert "guest-81.2.70.7" in granted("status").out
    granted.at(60 * 30)("apply")
    assert "guest-81.2.70.7" not in granted("status").out


def test_an_order_tells_what_it_changed_and_counts_the_rest(over_days: Days) -> None:
    assert over_days("apply").code == 0
    given, taken = over_days("grant", GUEST), over_days("revoke guest-81.2.70.7")
    assert given.out.splitlines()[1:-1] == [
        f"  + {GUEST}              guest-{GUEST}",
        "  0 removed, 1 added, 2 unchanged",
    ]
    assert taken.out.splitlines()[2:-1] == ["  1 removed, 0 added, 2 unchanged"]
    assert f"guest-{GUEST} is no longer configured or granted" in over_days("history").out


def test_a_host_whose_network_is_revoked_has_no_access_because_of_that(granted: Days) -> None:
    granted("revoke", GUEST)
    granted("revoke", BOB)
    told = granted("status")
    why = "is revoked; to let it in again: allowsync approve"
    assert f"until 2026-11-20 19:00 UTC\n    {GUEST} {why} {GUEST}\n" in told.out
    assert f"bob.example.org\n    {BOB} {why} {BOB}\n" in told.out
    page = granted.here.folder / "page.html"
    granted("status --html", str(page))
    assert f"{GUEST} {why} {GUEST}" in page.read_text()
    assert "no address is known" not in page.read_text()
    granted("approve", GUEST, BOB)
    assert "revoked" not in granted("status").out


def test_a_grant_is_explained_as_one(granted: Days) -> None:
    told = granted(f"explain {GUEST}").out
    assert f"guest-{GUEST}: {GUEST}, granted by command, since" in told


def test_where_an_order_is_not_in_force_yet_is_said(granted: Days) -> None:
    granted.here.file.unlink()
    granted.here.file.mkdir()
    for order in ("grant 81.2.71.7", "revoke alice"):
        done = granted(order)
        late = "; not in force yet at web/file: the next run tries again\n"
        assert (done.code, done.out.endswith(late)) == (1, True)
    granted.here.file.rmdir()
    assert granted("apply").code == 0
    assert let_in(granted) == [BOB, GUEST, "81.2.71.7"]


def test_a_grant_lasts_over_a_reboot_and_no_longer(
    granted: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_clock, "_boot", lambda: "another")
    granted.at(120)("apply", "--offline")
    assert let_in(granted) == [HOME, BOB, GUEST]
    granted.at(241)("apply")
    assert let_in(granted) == [HOME, BOB]


def test_a_clock_that_is_set_back_does_not_prolong_a_grant(
    granted: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted.at(200)("apply")
    uptime = machine_clock.uptime()
    monkeypatch.setattr(machine_clock, "uptime", lambda: uptime * 2)  # much time passed
    granted.at(30)("apply")
    assert let_in(granted) == [HOME, BOB]


@pytest.mark.parametrize(("back", "later"), [(-600, True), (-60 * 24 * 400, False)])
def test_a_grant_by_a_clock_that_was_ahead_is_not_in_force_before(
    granted: Days, back: float, later: bool
) -> None:
    granted.at(back)("apply")
    assert let_in(granted) == [HOME, BOB]
    granted.at(60)("apply")
    assert (GUEST in let_in(granted)) == later


def test_a_revocation_outlasts_the_history_and_every_clock(over_days: Days) -> None:
    over_days("apply")
    assert over_days("revoke alice").code == 0
    for minutes in (10, 60 * 24 * 500, -60 * 24 * 500, 60 * 24 * 2000):
        over_days.at(minutes)("apply", "--force")
        assert HOME not in let_in(over_days)


def test_the_last_host_can_be_revoked_and_no_limit_refuses_it(over_days: Days) -> None:
    over_days("apply")
    assert over_days("revoke bob").code == 0
    assert over_days("revoke 81.2.69.1").code == 0
    assert let_in(over_days) == []


def test_an_address_that_others_share_stays_open_and_that_is_said(over_days: Days) -> None:
    over_days.here.hosts["carol"] = {"networks": ["81.2.69.0/24"]}
    over_days("apply")
    done = over_days("revoke alice")
    assert "81.2.69.1, where alice was, is allowed still as carol" in done.out
    assert "to close it: allowsync revoke 81.2.69.1" in done.out
    done = over_days("revoke 81.2.69.1")
    assert "- 81.2.69.0/24" in done.out  # a part of it cannot be shut out alone
    assert let_in(over_days) == [BOB]


def refusal(done: ProgramResult, schema: str) -> str:
    assert done.code == 2
    document = done.document
    assert (document["schema"], document["exit_code"]) == (schema, 2)
    return "; ".join(one["what"] for one in document["problems"])


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ("81.2.70.0/8", "is an address inside a network"),
        ("81.0.0.0/8", "is the widest that may be granted"),
        ("64:ff9b::/96", "IPv4 addresses behind NAT64"),
        ("127.0.0.1", "from which no packet can come"),
        ("guest.example.org", "is a hostname: expected a network, or me"),
        ("guest.example.org", "whose address changes: allowsync host add NAME guest.example.org"),
        ("guest", "expected a network"),
        ("alice", "'alice' is a host, which has access by its names: expected a network"),
        (f"{GUEST} --for 4", "--for: expected a duration"),
        (f"{GUEST} --for 0s", "longer than 0s"),
        (f"{GUEST} --for 999999999w", "--for: expected a duration of at most 36500d"),
        (f"{GUEST} --as Guest", "expected a name"),
        (f"{GUEST} --as alice", "there is a host 'alice': choose another name with --as"),
        (f"{GUEST} --on wep", "there is no allowlist 'wep' (did you mean 'web'?)"),
        ("81.2.71.7 --as guest-81.2.70.7", "guest-81.2.70.7 is 81.2.70.7 until"),
    ],
)
def test_what_cannot_be_granted_is_named(granted: Days, arguments: str, what: str) -> None:
    done = granted("grant", *arguments.split(), "--output", "json")
    assert what in refusal(done, "allowsync.grant/1")
    assert let_in(granted) == [HOME, BOB, GUEST]


def test_what_cannot_be_revoked_is_named(granted: Days) -> None:
    said = refusal(granted("revoke", "alise", "--output", "json"), "allowsync.revoke/1")
    assert said == "there is no host 'alise' (did you mean 'alice'?)"
    said = refusal(granted("revoke", "81.2.69.1/8", "--output", "json"), "allowsync.revoke/1")
    assert said == "81.2.69.1/8 has host bits set (did you mean 81.0.0.0/8?)"
    said = refusal(granted("revoke", "10.0.0.0/33", "--output", "json"), "allowsync.revoke/1")
    assert said.startswith("'10.0.0.0/33' is not a network: expected one such as")


def test_a_grant_that_is_given_again_ends_later(granted: Days) -> None:
    assert granted.at(180)("grant", GUEST, "--for", "2h").code == 0
    granted.at(299)("apply")
    assert GUEST in let_in(granted)
    granted.at(301)("apply")
    assert GUEST not in let_in(granted)


def test_several_allowlists_have_to_be_told_apart(over_days: Days) -> None:
    other = over_days.here.folder / "ssh.txt"
    targets = {"targets": [{"file": {"path": str(over_days.here.file)}}]}
    over_days.here.more["allowlists"] = {
        "web": targets, "ssh": {"targets": [{"file": {"path": str(other)}}]}}  # fmt: skip
    over_days("apply")
    said = refusal(over_days("grant", GUEST, "--output", "json"), "allowsync.grant/1")
    assert said == "there are several allowlists: choose --on web or --on ssh"
    assert over_days("grant", GUEST, "--on", "ssh").code == 0
    assert (GUEST in other.read_text(), GUEST in let_in(over_days)) == (True, False)


def test_an_order_needs_a_place_where_it_is_remembered(over_days: Days) -> None:
    over_days("apply")
    over_days.here.more["state"] = str(over_days.here.file / "state.db")
    for command in (f"grant {GUEST}", "revoke alice"):
        done = over_days(command)
        assert (done.code, done.out) == (1, "")
    assert let_in(over_days) == [HOME, BOB]


def test_what_the_state_holds_of_orders_can_be_damaged(granted: Days) -> None:
    granted("revoke alice")
    with sqlite3.connect(granted.here.state) as connection:
        connection.execute("UPDATE orders SET network = 'nowhere'")
    connection.close()
    done = granted("apply")
    assert "was set aside as" in done.err
    assert HOME not in let_in(granted)


def test_an_order_that_the_state_does_not_take_is_told(granted: Days) -> None:
    with sqlite3.connect(granted.here.state) as connection:
        connection.execute("CREATE UNIQUE INDEX full ON orders (id * 0)")  # it holds one already
    connection.close()
    done = granted("revoke alice")  # the file beside the state took it
    assert (done.code, "the order cannot be stored" in done.err) == (1, True)
    assert HOME not in let_in(granted)
    done = granted("revoke guest-81.2.70.7")  # grants are kept in the state alone
    assert (done.code, done.out) == (1, "")
    assert GUEST in let_in(granted)
