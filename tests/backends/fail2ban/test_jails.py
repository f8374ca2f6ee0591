"""What becomes of jails of a real Fail2ban, and of what others want of them."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from allowsync.backend.api import BackendError
from allowsync.model.target import Severity
from tests.support.fail2ban import Fail2ban, fail2ban
from tests.support.gates import allow, planned

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.netns import Namespace
    from tests.support.within import Within

pytestmark = pytest.mark.root

FRIEND, FRIEND6, MOVED = "81.2.69.142", "2a02:8109:9a40:1778::142", "81.2.70.9"
STRANGER = "185.199.108.7"
REFERRING = "[DEFAULT]\nallowsync_x =\nignoreip = 10.7.7.7 %(allowsync_x)s\n"


@pytest.fixture
def server(inside: Namespace, tmp_path: Path) -> Iterator[Fail2ban]:
    """A server with two jails; nobody has written anything into its configuration."""
    with fail2ban(inside, tmp_path, jails=("door", "gate")) as running:
        yield running


def allowed(target: Within, *wanted: str) -> tuple[str, ...]:
    """Let a target hold just that; what is wrong with it afterwards."""
    return allow(target.inside, target.backend, *wanted).flaws


def test_whoever_is_trusted_is_let_go_and_nobody_else(server: Fail2ban) -> None:
    server.knock_wrongly(FRIEND, MOVED, FRIEND6, STRANGER)
    server.until_banned(FRIEND, MOVED, FRIEND6, STRANGER)
    assert allowed(server.target(), "81.2.68.0/22", "2a02:8109:9a40:1700::/56") == ()
    assert server.banned() == [STRANGER]
    server.stop()
    server.start()
    server.until_banned(STRANGER)
    assert server.banned() == [STRANGER], "a restart brings no ban of a friend back"


def test_whoever_is_trusted_no_more_can_be_banned_again(server: Fail2ban) -> None:
    target = server.target()
    allowed(target, f"{FRIEND}/32", f"{FRIEND6}/128")
    server.knock_wrongly(FRIEND, FRIEND6, STRANGER)
    server.until_banned(STRANGER)
    assert server.banned() == [STRANGER]
    allowed(target, "81.2.70.0/24")
    server.knock_wrongly(FRIEND, FRIEND6)
    server.until_banned(FRIEND, FRIEND6)


def test_what_the_configuration_ignores_stays_ignored_when_a_friend_leaves_there(
    server: Fail2ban,
) -> None:
    (server.config / "jail.local").write_text(
        f"[DEFAULT]\nignoreip = {FRIEND}/32 10.0.0.9/8 %(allowsync_x)s\n"
    )
    target = server.target()
    allowed(target, f"{FRIEND}/32", "10.0.0.0/8", f"{MOVED}/32")
    allowed(target, f"{FRIEND6}/128")
    assert server.ignored("door") == ["10.0.0.0/8", FRIEND6, FRIEND]
    assert server.ignored("gate") == ["10.0.0.0/8", FRIEND6, FRIEND]


def test_without_a_word_in_the_configuration_a_restart_is_made_good_by_the_next_run(
    server: Fail2ban,
) -> None:
    target = server.target()
    allowed(target, f"{FRIEND}/32", f"{MOVED}/32")
    assert server.client("reload", "door").strip() == "OK"
    assert target.read().flaws == ("jail door does not ignore 2 networks of the allowlist",)
    assert allowed(target, f"{FRIEND}/32", f"{MOVED}/32") == ()


def test_with_a_word_in_the_configuration_a_restart_changes_nothing(server: Fail2ban) -> None:
    (server.config / "jail.local").write_text(REFERRING)
    target = server.target()
    allowed(target, f"{FRIEND}/32", f"{FRIEND6}/128")
    server.knock_wrongly(FRIEND, FRIEND6, STRANGER)
    server.until_banned(STRANGER)
    server.kill()  # so it will read again what was logged
    server.start()
    server.until_banned(STRANGER)
    assert server.banned() == [STRANGER]
    assert server.ignored() == ["10.7.7.7", FRIEND6, FRIEND]
    assert target.read().flaws == ()
    target.clear()
    server.kill()
    server.start()
    assert server.ignored() == ["10.7.7.7"]


def test_a_friend_banned_by_hand_is_a_flaw_that_a_run_puts_right(server: Fail2ban) -> None:
    target = server.target()
    allowed(target, "81.2.69.0/24")
    server.client("set", "gate", "banip", FRIEND)
    assert target.read().flaws == (f"jail gate has banned {FRIEND}, which is on the allowlist",)
    assert allowed(target, "81.2.69.0/24") == ()
    assert server.banned("gate") == []


def test_a_whole_network_banned_by_hand_is_told_and_left(server: Fail2ban) -> None:
    target = server.target()
    allowed(target, f"{FRIEND}/32")
    server.client("set", "door", "banip", "81.2.69.0/24")
    assert target.read().flaws == ()
    assert "jail door has banned 81.2.69.0/24, and friends with it" in whats(target)
    assert server.banned() == ["81.2.69.0/24"]


def test_a_friend_banned_by_another_jail_is_told(server: Fail2ban) -> None:
    target = server.target(jails=("door",))
    allowed(target, f"{FRIEND}/32")
    server.client("set", "gate", "banip", FRIEND)
    assert f"jail gate has banned {FRIEND}, which is on the allowlist" in whats(target)
    assert server.banned("gate") == [FRIEND]


def whats(target: Within) -> dict[str, Severity]:
    return {finding.what: finding.severity for finding in target.check()}


def test_a_jail_that_is_named_no_more_forgets(server: Fail2ban) -> None:
    allowed(server.target(), f"{FRIEND}/32")
    fewer = server.target(jails=("gate",))
    flaw = f"{server.file} is for other jails: door, gate"
    assert fewer.read().flaws == (flaw,)
    assert allowed(fewer, f"{FRIEND}/32") == ()
    assert (server.ignored("door"), server.ignored("gate")) == ([], [FRIEND])


def test_two_allowlists_share_a_jail(server: Fail2ban) -> None:
    one, other = server.target("x"), server.target("y", jails=("gate",))
    allowed(one, f"{FRIEND}/32", f"{MOVED}/32")
    allowed(other, f"{FRIEND}/32")
    allowed(one, f"{MOVED}/32")
    assert (server.ignored("door"), server.ignored("gate")) == ([MOVED], [FRIEND, MOVED])
    assert other.read().flaws == ()
    other.clear()
    assert server.ignored("gate") == [MOVED]


def test_a_file_of_another_name_takes_over_what_the_former_one_held(server: Fail2ban) -> None:
    former = server.target()
    allowed(former, f"{FRIEND}/32", f"{MOVED}/32")
    latter = server.target(path=server.file.with_name("friends.local"))
    assert allowed(latter, f"{MOVED}/32") == ()
    former.clear()
    assert (server.ignored("door"), server.ignored("gate")) == ([MOVED], [MOVED])
    assert (server.file.exists(), latter.read().flaws) == (False, ())


def test_a_jail_that_does_not_exist_is_an_error_once_the_others_are_right(
    server: Fail2ban,
) -> None:
    target = server.target(jails=("door", "haven"))
    with pytest.raises(BackendError, match=r"^Fail2ban has no jail haven$"):
        allowed(target, f"{FRIEND}/32")
    assert server.ignored() == [FRIEND]
    assert target.read().flaws == ("Fail2ban has no jail haven",)
    assert whats(target)["Fail2ban has no jail haven"] is Severity.ERROR


def test_a_jail_that_was_stopped_bans_nobody_and_is_no_flaw(server: Fail2ban) -> None:
    server.client("stop", "gate")
    target = server.target()
    assert allowed(target, f"{FRIEND}/32") == ()
    assert whats(target)["jail gate does not run"] is Severity.WARNING


def test_a_server_that_ended_somehow_is_no_failure_and_catches_up(server: Fail2ban) -> None:
    target = server.target()
    allowed(target, f"{FRIEND}/32")
    server.kill()
    assert server.socket.exists(), "nobody listens there any more"
    assert allowed(target, f"{MOVED}/32") == ()
    assert whats(target)["Fail2ban does not run"] is Severity.WARNING
    server.start()
    assert target.read().flaws != ()
    assert allowed(target, f"{MOVED}/32") == ()
    assert server.ignored() == [MOVED]


def test_an_identifier_that_looks_like_a_prompt_confuses_nobody(server: Fail2ban) -> None:
    server.client("set", "door", "banip", "fail2ban> [{'door': []}]")
    assert "fail2ban> " in server.client("banned")
    server.client("set", "door", "banip", FRIEND)
    target = server.target()
    assert allowed(target, f"{FRIEND}/32") == ()
    assert (server.ignored(), server.client("banned").count(FRIEND)) == ([FRIEND], 0)


def test_a_run_that_was_killed_in_between_leaves_nothing_unknown(server: Fail2ban) -> None:
    """Before anything comes into force it is in the file; and it is until it has gone."""
    backend = server.target().backend
    plan = planned(backend.read(), [ip_network(f"{FRIEND}/32")])
    backend.record.write([entry.network for entry in plan.final], ["door", "gate"])  # type: ignore[attr-defined]
    assert server.target().read().flaws != ()
    assert allowed(server.target(), f"{MOVED}/32") == ()
    assert server.ignored() == [MOVED]
    backend.record.write([ip_network(f"{FRIEND}/32"), ip_network(f"{MOVED}/32")], ["door", "gate"])  # type: ignore[attr-defined]
    assert allowed(server.target(), f"{MOVED}/32") == ()
    assert server.ignored() == [MOVED]
