"""Sequences in which a promise was broken once, as the state machines found them."""

from __future__ import annotations

import pytest

from allowsync.model.types import Family, Host
from tests.model.anything_happens import AnythingHappens
from tests.model.configuration_changes import ConfigurationChanges
from tests.model.installation import NAMESERVERS, Records
from tests.model.life import FRIENDS, GUESTS, PARKING, SILENT, home
from tests.model.machine_fails import MachineFails
from tests.model.names_change import NamesChange
from tests.support.values import net


def test_what_a_guest_takes_over_after_a_lost_state_is_there_when_the_guest_is_gone() -> None:
    """The second look of one run saw the wide entry alone, and forgot what it stood for."""
    life = AnythingHappens()
    life.begin(agreement=1)
    life.all_are_silent(records=SILENT[0], then=0)
    life.invites_guests(name="web", minutes=10, then=0)
    life.invites_guests(name="vpn", minutes=10, then=0)
    life.loses_its_state(whole=True, then=1)
    life.changes_lists(label="alice", name="web", then=1)
    assert not any(str(one) == GUESTS for one in life.at.stores["web/packets"].networks)
    life.teardown()


def test_one_nameserver_of_three_takes_no_home_by_giving_it_for_others() -> None:
    """Two that have to agree gave it; that a third gives it for two more names proves nothing."""
    life = AnythingHappens()
    life.begin(agreement=2)
    life.moves_everywhere(label="alice", number=2, then=4)
    life.the_first_nameserver_gives_a_home_for_any_name(whose="alice", number=2, then=0)
    life.moves_everywhere(label="dave", number=2, then=0)
    for label in ("bob", "carol"):
        life.the_first_nameserver_gives_a_home_of_another(label, whose="alice", number=2, then=1)
    life.teardown()


def test_a_run_for_one_list_loses_nothing_of_a_hostname_that_another_host_has_now() -> None:
    """What was known of it stood under a label of that list, whose host has another name now."""
    life = AnythingHappens()
    life.begin(agreement=1)
    life.all_are_silent(records=SILENT[0], then=0)
    life.swaps_names(label="alice", other="bob", then=0)
    life.runs_for_one_list(name="vpn")
    life.runs_on(count=2)
    life.teardown()


def test_a_home_that_a_wider_entry_covered_is_no_new_one_when_that_is_gone() -> None:
    """One nameserver of three gives it for any name by then; two gave it to its friend before."""
    life = AnythingHappens()
    life.begin(agreement=2)
    life.invites_guests(name="web", minutes=10, then=0)
    life.runs(minutes=5)
    life.the_first_nameserver_gives_a_home_for_any_name(whose="alice", number=1, then=1)
    assert net("81.2.0.1") in life.at.stores["web/packets"].networks
    life.teardown()


def test_a_page_that_three_friends_give_is_held_for_none_of_them() -> None:
    """Whatever guards the program has: who gives it within a day is all that is counted here."""
    life = AnythingHappens()
    life.begin(agreement=1)
    life.are_parked(labels=set(FRIENDS[:3]), page=PARKING[0], then=4)
    life.runs(minutes=23 * 60)
    life.teardown()


def test_a_page_that_was_left_is_not_what_comes_back_when_the_next_one_is_taken_back() -> None:
    """Of what was held before, nothing is restored that three friends give by now."""
    life = AnythingHappens()
    life.begin(agreement=1)
    life.are_parked(labels={"carol"}, page=PARKING[1], then=1)
    life.are_parked(labels={"carol"}, page=PARKING[0], then=5)
    assert net(PARKING[1][0]) not in life.at.stores["web/packets"].networks
    life.any_name_is_parked(page=PARKING[0], then=0)
    life.are_parked(labels={"alice", "bob", "carol"}, page=PARKING[1], then=1)
    life.teardown()


def test_a_page_goes_with_its_name_to_another_list() -> None:
    """What is believed of a name stays so when its host is moved: no answer makes it an arrival."""
    life = AnythingHappens()
    life.begin(agreement=1)
    life.are_parked(labels={"carol"}, page=PARKING[0], then=1)
    life.any_name_is_parked(page=PARKING[0], then=1)
    life.swaps_names(label="carol", other="dave", then=2)
    assert net(PARKING[0][0]) in life.at.stores["vpn/packets"].networks
    life.teardown()


def test_who_was_mixed_up_with_a_friend_does_not_keep_that_home_as_by_a_former_name() -> None:
    """The name that gave it is another host's now; of that host's own, nothing is left."""
    life = AnythingHappens()
    life.begin(agreement=1)
    life.changes_lists(label="alice", name="web", then=0)
    life.is_gone_everywhere(label="alice", reason="NODATA", then=0)
    life.loses_its_state(whole=True, then=1)
    life.is_flushed(then=0)
    life.swaps_names(label="alice", other="dave", then=1)
    life.teardown()


def is_let_in_by_a_page_and_gets_another_name(life: AnythingHappens, label: str) -> None:
    life.begin(agreement=1)
    life.all_are_silent(records=SILENT[0], then=0)
    life.loses_its_state(whole=True, then=0)
    life.are_parked(labels={label}, page=PARKING[0], then=1)
    life.at.says(f"{label}.example.net", SILENT[0])
    life.at.hosts[label] = Host(label, (f"{label}.example.net",))
    life.runs(minutes=5)
    assert net(PARKING[0][0]) in life.at.stores["web/packets"].networks


def test_a_page_is_taken_back_though_the_name_that_gave_it_is_asked_no_more() -> None:
    """What a former name had given was looked at for no host."""
    life = AnythingHappens()
    is_let_in_by_a_page_and_gets_another_name(life, "carol")
    life.are_parked(labels={"alice", "bob", "dave"}, page=PARKING[0], then=1)
    life.teardown()


def test_a_page_that_a_former_name_gave_is_taken_back_from_the_list_that_comes_later() -> None:
    """The run for the other list had forgotten the name by which its host had it."""
    life = AnythingHappens()
    is_let_in_by_a_page_and_gets_another_name(life, "alice")
    for label in ("bob", "carol"):
        life.changes_lists(label=label, name="vpn", then=0)
    life.are_parked(labels={"bob", "carol", "dave"}, page=PARKING[0], then=0)
    life.runs_for_one_list(name="vpn")
    life.runs_for_one_list(name="vpn")
    life.runs(minutes=5)
    life.teardown()


def test_a_page_is_taken_back_from_two_friends_who_were_mixed_up_and_swapped() -> None:
    """One had it by the name that is the other's now."""
    life = AnythingHappens()
    life.begin(agreement=1)
    life.all_are_silent(records=SILENT[0], then=0)
    life.loses_its_state(whole=True, then=0)
    life.are_parked(labels={"carol"}, page=PARKING[0], then=1)
    life.swaps_names(label="carol", other="alice", then=1)
    life.are_parked(labels=set(FRIENDS), page=PARKING[1], then=1)
    life.teardown()


def test_a_backup_that_no_run_came_after_is_the_state_itself() -> None:
    """A friend who was on no list then has the known home when put on one, though DNS is silent."""
    life = AnythingHappens()
    life.begin(agreement=2)
    life.changes_lists(label="bob", name="web", then=1)
    life.all_are_silent(records=SILENT[0], then=1)
    life.keeps_a_backup()
    life.changes_lists(label="bob", name="vpn", then=0)
    life.puts_the_backup_back(then=1)
    assert net("81.2.1.1") in life.at.stores["vpn/packets"].networks
    life.teardown()


def test_a_clock_of_a_machine_that_knows_of_no_other_counts() -> None:
    """All that told of a later instant is gone: with the state what stood beside it, then /run."""
    life = AnythingHappens()
    life.begin(agreement=1)
    life.sets_its_clock(days=-30, then=0)
    life.invites_guests(name="web", minutes=10, then=0)
    life.loses_its_state(whole=True, then=0)
    life.starts_anew(offline=False)
    assert any(str(one) == GUESTS for one in life.at.stores["web/packets"].networks)
    life.teardown()


def test_a_lost_state_and_a_nameserver_that_denies_one_family_take_no_home() -> None:
    """NXDOMAIN about one family of a name that has the other is no answer: its home stays."""
    life = AnythingHappens()
    life.begin(agreement=1)
    life.is_denied_the_other_family(label="bob", number=1, family=0, then=0)
    life.loses_its_state(whole=True, then=4)
    assert net("2a01:4f8:1:1::/64") in life.at.stores["web/packets"].networks
    life.teardown()


@pytest.mark.parametrize("records", SILENT)
def test_an_answer_that_is_not_believed_takes_no_home(records: Records) -> None:
    """Two have to agree that a home was left: one does, and the other gives a private address."""
    life = AnythingHappens()
    life.begin(agreement=2)
    life.moves_everywhere(label="alice", number=2, then=1)
    life.moves(label="alice", number=1, servers={NAMESERVERS[2]}, then=0)
    life.is_silent(label="alice", records=records, servers={NAMESERVERS[1]}, then=4)
    assert net("81.2.0.1") in life.at.stores["web/packets"].networks
    life.teardown()


def test_a_latched_name_is_opened_by_no_other_name_of_its_host() -> None:
    """Both gave one page, and one of them had been gone for a week; then it was free to move."""
    life = AnythingHappens()
    life.begin(agreement=1)
    life.is_gone_for_a_week(label="alice", reason="NXDOMAIN")
    life.is_gone_for_a_week(label="carol", reason="NXDOMAIN")
    life.shares_a_host(label="carol", other="dave", then=0)
    life.are_parked(labels={"carol", "dave"}, page=PARKING[0], then=1)
    life.moves_everywhere(label="carol", number=2, then=4)
    life.teardown()


def test_after_a_lost_state_one_nameserver_of_three_takes_no_home() -> None:
    """The others give it for its name alone, as two did before that is forgotten."""
    life = AnythingHappens()
    life.begin(agreement=2)
    life.the_first_nameserver_gives_a_home_for_any_name(whose="alice", number=1, then=2)
    life.loses_its_state(whole=True, then=2)
    for _ in range(5):
        life.runs(minutes=23 * 60)
    assert net("81.2.0.1") in life.at.stores["web/packets"].networks
    life.teardown()


def test_a_friend_without_ipv6_needs_no_approval_after_days_without_an_answer() -> None:
    """That the name has no IPv6 address is no absence of the name."""
    life = AnythingHappens()
    life.begin(agreement=1)
    life.has_one_family(label="alice", number=1, family=0, then=1)
    for _ in range(9):
        life.runs(minutes=23 * 60)
    life.is_silent(label="alice", records=SILENT[0], servers=set(NAMESERVERS), then=1)
    for _ in range(4):
        life.runs(minutes=23 * 60)
    assert net("81.2.0.1") not in life.at.stores["web/packets"].networks
    life.has_one_family(label="alice", number=2, family=0, then=1)
    assert net("81.2.0.2") in life.at.stores["web/packets"].networks
    life.teardown()


def test_a_home_that_was_over_in_an_older_state_is_not_over_now() -> None:
    """Only a limit held it there; the run after the backup heard of it again."""
    life = MachineFails()
    life.begin(agreement=1)
    life.all_are_silent_for_days(records=SILENT[0])
    life.has_the_state_before_a_move(label="bob", number=1, then=0)
    for label in ("alice", "carol", "dave"):
        life.at.says(life.name(label), home(label, 2))
    life.runs_on(count=4)
    life.teardown()


def test_a_boot_restores_nothing_that_force_left_out_of_a_flushed_gate() -> None:
    life = MachineFails()
    life.begin(agreement=1)
    life.all_are_silent(records=SILENT[0], then=0)
    life.loses_its_state(whole=True, then=1)
    life.moves_everywhere(label="dave", number=2, then=4)
    life.all_are_silent_for_days(records=SILENT[0])
    life.at.flush()
    life.runs_with_force(minutes=5)
    filled = set(life.at.stores["web/packets"].networks)
    life.at.reboot()
    life.at.run(1, offline=True)
    assert life.at.stores["web/packets"].networks == filled
    life.teardown()


def test_what_a_guest_covers_in_the_run_that_finds_it_is_there_when_the_guest_is_gone() -> None:
    """As after a lost state: here the target has a memory, of before the run that let it in."""
    life = MachineFails()
    life.begin(agreement=1)
    life.all_are_silent_for_days(records=SILENT[0])
    for number in (3, 1):
        life.has_the_state_before_a_move(label="carol", number=number, then=1)
    life.puts_the_backup_back(then=0)
    life.invited_guests_are_gone(behind=0, name="web", then=0)
    life.teardown()


def test_what_a_name_gave_before_the_clock_was_put_back_is_over_after_a_day_all_the_same() -> None:
    """Its host is asked for one family alone since, so that no answer ended it."""
    life = ConfigurationChanges()
    life.begin(agreement=1)
    life.is_asked(label="bob", families=(Family.IPV4,), then=1)
    life.has_another_name(label="carol", records=SILENT[0], then=1)
    life.invited_guests_are_gone(name="web", behind=30, then=1)
    life.shares_a_host(label="carol", other="dave", then=1)
    life.swaps_names(label="bob", other="dave", then=1)
    life.moves_by_another_name(label="carol", number=2, then=4)
    life.moves_by_another_name(label="carol", number=3, then=1)
    life.are_at_home_for_days()
    life.teardown()


def test_what_one_nameserver_gives_names_that_need_an_approval_takes_no_home() -> None:
    """They were not put to the other nameservers, and counted as if those had agreed."""
    life = NamesChange()
    life.begin(agreement=2)
    for label in ("alice", "bob", "carol"):
        life.is_gone_for_a_week(label=label, reason="NXDOMAIN")
    life.the_first_nameserver_gives_a_home_for_all(whose="dave", number=2)
    assert net("81.2.3.2") in life.at.stores["web/packets"].networks
    life.teardown()


def test_a_limit_keeps_a_page_that_other_friends_give_after_its_time() -> None:
    """Nothing else is left in there: which of them it is kept for, nothing tells any more."""
    life = NamesChange()
    life.begin(agreement=1)
    life.all_are_silent_for_days(records=SILENT[0])
    life.are_parked(labels={"dave"}, page=PARKING[0], then=1)
    life.all_are_silent_for_days(records=SILENT[0])
    assert net(PARKING[0][0]) in life.at.stores["web/packets"].networks
    life.are_parked(labels={"alice", "bob", "carol"}, page=PARKING[0], then=1)
    assert net(PARKING[0][0]) in life.at.stores["web/packets"].networks
    life.teardown()


def test_a_label_keeps_what_a_limit_held_for_it_when_its_host_has_the_name_of_one_that_left() -> (
    None
):
    """Two friends were mixed up, and one was taken out before any run: it looks like one edit."""
    life = ConfigurationChanges()
    life.begin(agreement=1)
    life.all_are_silent_for_days(records=SILENT[0])
    life.swaps_names(label="bob", other="alice", then=0)
    life.leaves(label="bob", then=4)
    assert "bob" in life.at.hosts
    assert net("81.2.1.1") in life.at.stores["web/packets"].networks
    life.teardown()
