"""Why an entry comes, goes or stays, in words."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from allowsync.model.answer import Unavailable
from allowsync.model.memory import HostMemory
from allowsync.model.networks import short
from allowsync.model.plan import Plan
from allowsync.model.types import Host
from allowsync.plan.reasons import Reasons
from allowsync.policy.clock import Now
from allowsync.policy.decision import decide
from tests.support.values import (
    FIVE_MINUTES,
    GONE,
    HOME,
    HOME6,
    MOVED,
    SERVFAIL,
    T0,
    V4,
    V6,
    Life,
    entry,
    found,
    host,
    net,
)  # fmt: skip

if TYPE_CHECKING:
    from allowsync.policy.decision import Decision

NOTHING = Plan("web/memory")


def reasons(life: Life) -> Reasons:
    return Reasons({life.host.name: life.decision}, life.instant)


def removed(life: Life, text: str = HOME, *labels: str) -> str:
    return reasons(life).removed(entry(text, *(labels or ("alice",))), NOTHING)


def test_a_single_address_is_written_without_its_width() -> None:
    assert [short(net(one)) for one in (HOME, "81.2.69.0/24", "2a01::1/128", "2a01::/64")] == [
        HOME, "81.2.69.0/24", "2a01::1", "2a01::/64",
    ]  # fmt: skip


def test_a_moved_address_says_where_from() -> None:
    life = Life(host())
    life.run(found(HOME))
    life.run(found(MOVED))
    assert reasons(life).added(entry(MOVED, "bob", "alice")) == (
        f"alice.example.org moved from {HOME}"
    )
    assert reasons(life).added(entry("9.9.9.9", "alice")) == ""


def test_a_replaced_address_says_where_to() -> None:
    life = Life(host(keep_replaced=timedelta(0), replaced_runs=1))
    life.run(found(HOME))
    life.run(found(MOVED))
    assert removed(life) == f"alice.example.org moved to {MOVED}"


def test_an_absent_name_says_for_how_long_and_how_often() -> None:
    life = Life(host(keep_absent=timedelta(minutes=65)))
    life.run(found(HOME))
    for _ in range(14):
        life.run(GONE)
    assert removed(life) == "gone from DNS for 1 h 5 min (NXDOMAIN, 14 times)"


def test_a_silent_name_says_so_when_it_is_given_up() -> None:
    life = Life(host(keep_unavailable=FIVE_MINUTES))
    life.run(found(HOME))
    life.run(SERVFAIL)
    life.run(SERVFAIL)
    assert removed(life) == "no answer from DNS for 10 min (SERVFAIL, 2 times)"


def test_one_time_is_once() -> None:
    life = Life(host(keep_absent=timedelta(0), absent_runs=1))
    life.run(found(HOME))
    life.run(GONE)
    assert removed(life) == "gone from DNS for 0 s (NXDOMAIN, once)"


def test_a_name_that_was_never_found_has_no_span() -> None:
    life = Life(host())
    life.run(SERVFAIL)
    assert removed(life) == "no answer from DNS (SERVFAIL, once)"


def test_how_often_a_name_was_absent_that_never_had_an_address_is_not_counted() -> None:
    life = Life(host())
    life.run(GONE)
    life.run(GONE)
    assert removed(life) == "gone from DNS for 5 min (NXDOMAIN)"


def test_access_that_ended_says_when() -> None:
    life = Life(host(until=T0))
    life.run(found(HOME))
    assert removed(life) == "access ended on 2026-11-20 15:00 UTC"


def test_a_host_that_is_allowed_here_no_longer_is_named() -> None:
    life = Life(host())
    life.run(found(HOME))
    assert removed(life, HOME, "bob") == "bob is no longer allowed here"


def test_a_host_that_is_allowed_elsewhere_did_not_move_to_where_it_is() -> None:
    life = Life(host())
    life.run(found(HOME))
    assert removed(life) == "alice is no longer allowed here"


def test_a_family_no_longer_asked_for_says_so() -> None:
    life = Life(host(families=(V4,)))
    life.run(found(HOME))
    assert removed(life, HOME6) == "no longer configured"


def test_several_hosts_give_their_reasons_once_each() -> None:
    life = Life(host())
    life.run(found(MOVED))
    assert removed(life, HOME, "bob", "carol", "bob") == (
        "bob is no longer allowed here; carol is no longer allowed here"
    )


def test_what_nobody_wanted_says_so() -> None:
    assert "no trusted host uses" in Reasons({}, T0).removed(entry("6.6.6.6"), NOTHING)


def test_what_a_wider_entry_covers_says_by_which() -> None:
    wide = Plan("web/memory", add=(entry("81.2.69.0/24", "office"),))
    assert Reasons({}, T0).removed(entry(HOME, "alice"), wide) == "covered by 81.2.69.0/24"


def test_a_kept_address_says_for_how_long_and_until_when() -> None:
    life = Life(host())
    life.run(found(HOME))
    life.run(SERVFAIL, after=timedelta(hours=2))
    assert reasons(life).kept(entry(HOME, "alice")) == (
        "kept: no answer from DNS for 2 h (SERVFAIL); expires in 2 d 22 h"
    )
    life.run(GONE)
    assert reasons(life).kept(entry(HOME, "alice")) == (
        "kept: gone from DNS for 0 s (NXDOMAIN); expires in 1 h"
    )


def test_an_address_whose_answers_are_rejected_says_why_and_until_when() -> None:
    life = Life(host())
    life.run(found(HOME))
    life.run(found("127.0.0.1"), after=timedelta(hours=2))
    kept = reasons(life).kept(entry(HOME, "alice"))
    assert kept.startswith("kept: answer rejected (127.0.0.1 is a loopback address")
    assert kept.endswith("; expires in 2 d 22 h")


def test_an_address_restored_without_asking_says_how_old_it_is() -> None:
    life = Life(host())
    life.run(found(HOME))
    life.run(after=timedelta(hours=2))
    assert reasons(life).kept(entry(HOME, "alice")) == (
        "kept: last confirmed 2 h ago, not asked now"
    )


def test_what_rests_on_a_good_answer_needs_no_reason() -> None:
    life = Life(host())
    life.run(found(HOME))
    assert reasons(life).kept(entry(HOME, "alice")) == ""
    assert reasons(life).kept(entry(HOME, "nobody")) == ""


def test_what_one_host_confirms_is_not_kept_on_old_knowledge_of_another() -> None:
    alice, bob = Life(host("alice")), Life(host("bob"))
    alice.run(found(HOME))
    bob.run(found(HOME))
    both: dict[str, Decision] = {"alice": alice.run(SERVFAIL), "bob": bob.run(found(HOME))}
    assert Reasons(both, T0).kept(entry(HOME, "alice", "bob")) == ""


def test_a_withheld_entry_says_why_nobody_dares_to_remove_it() -> None:
    life = Life(host())
    life.run(SERVFAIL)
    assert reasons(life).withheld(entry(HOME, "alice")) == (
        "retained: no answer yet for alice (SERVFAIL)"
    )
    assert reasons(life).withheld(entry(HOME)) == "retained for now: its host is unknown"


def test_a_refused_removal_gives_the_reason_it_would_have_had() -> None:
    life = Life(host(keep_absent=timedelta(0), absent_runs=1))
    life.run(found(HOME))
    life.run(GONE)
    assert reasons(life).withheld(entry(HOME, "alice")) == (
        "retained: removal blocked by limits: gone from DNS for 0 s (NXDOMAIN, once)"
    )


def test_a_host_nobody_asked_about_is_unknown_without_a_reason() -> None:
    life = Life(Host("alice", ("alice.example.org",)))
    life.run()
    assert reasons(life).withheld(entry(HOME, "alice")) == (
        "retained: no answer yet for alice (not asked)"
    )


def test_hostnames_of_one_host_are_told_apart() -> None:
    life = Life(host(hostnames=("a.example", "b.example"), families=(V4, V6)))
    life.run(found(HOME), found(HOME6), found(MOVED), SERVFAIL)
    life.run(GONE, found(HOME6), SERVFAIL, SERVFAIL)
    assert "gone from DNS" in reasons(life).kept(entry(HOME, "alice"))
    assert "no answer" in reasons(life).kept(entry(MOVED, "alice"))


def test_a_friend_who_left_several_addresses_moved_from_all_of_them() -> None:
    life = Life(host())
    life.run(found(HOME, "81.2.69.9"))
    life.run(found(MOVED))
    assert reasons(life).added(entry(MOVED, "alice")) == (
        f"alice.example.org moved from {HOME}, 81.2.69.9"
    )


def test_a_friend_who_has_several_addresses_now_moved_to_all_of_them() -> None:
    life = Life(host(keep_replaced=timedelta(0), replaced_runs=1))
    life.run(found(HOME))
    life.run(found(MOVED, "81.2.69.9"))
    assert removed(life) == f"alice.example.org moved to {MOVED}, 81.2.69.9"


def test_where_somebody_moved_to_is_not_where_he_came_from() -> None:
    life = Life(host())
    life.run(found(HOME))
    life.run(found(MOVED))
    assert removed(life, "9.9.9.9") == f"alice.example.org moved to {MOVED}"


def test_only_what_covers_an_entry_is_a_reason_to_take_it_out() -> None:
    life = Life(host(keep_replaced=timedelta(0), replaced_runs=1))
    life.run(found(HOME))
    life.run(found(MOVED))
    plan = Plan("web/memory", keep=(entry(MOVED, "alice"),))
    assert (
        reasons(life).removed(entry(HOME, "alice"), plan) == f"alice.example.org moved to {MOVED}"
    )


def test_the_grant_that_was_confirmed_last_is_why_an_entry_stays() -> None:
    alice, bob = Life(host("alice")), Life(host("bob"))
    for life, runs in ((alice, 1), (bob, 7)):
        for _ in range(runs):
            life.run(found(HOME))
    for _ in range(7):
        alice.run(SERVFAIL)
    bob.run(SERVFAIL)
    both = Reasons({"alice": alice.decision, "bob": bob.decision}, bob.instant)
    assert both.kept(entry(HOME, "alice", "bob")).startswith("kept: no answer from DNS for 5 min (")


def test_an_end_that_has_not_come_is_no_reason() -> None:
    life = Life(host(until=T0 + timedelta(days=1), keep_replaced=timedelta(0), replaced_runs=1))
    life.run(found(HOME))
    life.run(found(MOVED))
    assert removed(life) == f"alice.example.org moved to {MOVED}"


def test_a_name_that_is_silent_now_is_not_said_to_have_moved() -> None:
    life = Life(host())
    life.run(found(HOME))
    life.run(SERVFAIL)
    assert removed(life, "9.9.9.9") == "no answer from DNS for 5 min (SERVFAIL, once)"


def test_a_name_nobody_asked_for_yet_did_not_move() -> None:
    life = Life(host())
    life.run()
    assert removed(life) == "no longer configured"


def test_of_several_names_the_silent_one_is_the_reason() -> None:
    life = Life(host(hostnames=("a.example", "b.example")))
    life.decision = decide(
        life.host, {life.host.queries[1]: SERVFAIL}, HostMemory(), Now(life.instant)
    )
    assert removed(life) == "no answer from DNS (SERVFAIL, once)"


def test_a_silence_after_an_absence_is_told_as_a_silence() -> None:
    life = Life(host())
    for answer in (found(HOME), GONE, SERVFAIL):
        life.run(answer)
    said = reasons(life).kept(entry(HOME, "alice"))
    assert said == "kept: no answer from DNS for 10 min (SERVFAIL); expires in 3 d"


def test_what_is_put_in_for_a_host_that_is_kept_says_why() -> None:
    life = Life(host(keep_absent=timedelta(0), absent_runs=1))
    life.run(found(HOME))
    life.run(GONE)
    why = "retained: removal blocked by limits: gone from DNS for 0 s (NXDOMAIN, once)"
    assert reasons(life).added(entry(HOME, "alice")) == why
    assert reasons(life).added(entry(HOME)) == ""
    both = f"{why}; retained: removal blocked by limits: bob is no longer allowed here"
    assert reasons(life).withheld(entry(HOME, "alice", "bob")) == both


def test_a_machine_that_follows_hears_nothing_of_the_fleet_and_not_of_the_dns() -> None:
    life = Life(host(keep_unavailable=FIVE_MINUTES))
    life.run(found(HOME))
    life.run(Unavailable("fleet: the store is down"))
    said = reasons(life).kept(entry(HOME, "alice"))
    assert said == "kept: no news from the fleet for 5 min (the store is down); expires in 0 s"
    life.run(Unavailable("fleet: the store is down"))
    assert removed(life) == "no news from the fleet for 10 min (the store is down, 2 times)"


def test_of_a_host_without_a_document_it_is_unknown_whether_it_is_allowed() -> None:
    why = reasons(Life(host())).withheld(entry(HOME, "bob"), {"bob"})
    assert why == ("retained: it is not known whether bob is still allowed: no news of its list")
