"""Plans as values: what is added, removed, kept and withheld."""

from __future__ import annotations

from allowsync.model.plan import Plan
from allowsync.model.target import Capabilities, Current
from allowsync.model.types import Entry, Network
from allowsync.plan.planner import Situation, make_plan, unfit
from tests.support.values import V4, V6, entry, net, nets

Wanted = dict[Network, tuple[str, ...]]


def wanted(**hosts: str) -> Wanted:
    """`alice="81.2.69.1 81.2.69.2"` → who wants what."""
    found: dict[Network, set[str]] = {}
    for host, texts in hosts.items():
        for text in texts.split():
            found.setdefault(net(text), set()).add(host)
    return {network: tuple(sorted(labels)) for network, labels in found.items()}


def situation(held: str = "", want: Wanted | None = None, **fields: object) -> Situation:
    current = fields.pop("current", None) or Current(frozenset(Entry(net(t)) for t in held.split()))
    return Situation("web/memory", current, want or {}, **fields)  # type: ignore[arg-type]


def test_nothing_held_and_nothing_wanted_is_nothing_to_do() -> None:
    assert make_plan(situation()) == Plan("web/memory")
    assert make_plan(situation()).idle


def test_what_is_wanted_and_missing_is_added_in_order() -> None:
    plan = make_plan(situation("", wanted(bob="2a01::/64 81.2.69.9", alice="81.2.69.10")))
    assert plan.add == (
        entry("81.2.69.9", "bob"), entry("81.2.69.10", "alice"), entry("2a01::/64", "bob"),
    )  # fmt: skip
    assert not plan.idle


def test_what_is_held_and_wanted_is_kept_with_its_labels() -> None:
    plan = make_plan(situation("81.2.69.1", wanted(alice="81.2.69.1", bob="81.2.69.1")))
    assert plan.keep == (entry("81.2.69.1", "alice", "bob"),)
    assert plan.idle


def test_a_strangers_addition_is_removed() -> None:
    plan = make_plan(situation("81.2.69.1 6.6.6.6", wanted(alice="81.2.69.1")))
    assert plan.remove == (entry("6.6.6.6"),)


def test_a_removal_tells_whose_it_was() -> None:
    plan = make_plan(
        situation("81.2.69.1", claims={net("81.2.69.1"): ("alice",)}, trusted=frozenset({"alice"}))
    )
    assert plan.remove == (entry("81.2.69.1", "alice"),)


def test_an_entry_of_an_undecided_host_is_withheld() -> None:
    plan = make_plan(
        situation(
            "81.2.69.1 81.2.69.2",
            claims={net("81.2.69.1"): ("alice",), net("81.2.69.2"): ("bob",)},
            undecided=frozenset({"alice"}),
        )
    )
    assert plan.withheld == (entry("81.2.69.1", "alice"),)
    assert plan.remove == (entry("81.2.69.2", "bob"),)


def test_a_protected_entry_of_unknown_origin_is_withheld() -> None:
    plan = make_plan(situation("81.2.69.1", protected=frozenset(nets("81.2.69.1"))))
    assert (plan.withheld, plan.remove, plan.idle) == ((entry("81.2.69.1"),), (), True)


def test_an_inherited_entry_whose_time_is_over_is_removed() -> None:
    plan = make_plan(situation("81.2.69.1", inherited=frozenset(nets("81.2.69.1"))))
    assert plan.remove == (entry("81.2.69.1"),)


def test_what_a_wider_entry_covers_is_dropped_and_its_hosts_stay_named() -> None:
    plan = make_plan(situation("81.2.69.1", wanted(alice="81.2.69.1", office="81.2.69.0/24"),
                               claims={net("81.2.69.1"): ("alice",)}))  # fmt: skip
    assert plan.add == (entry("81.2.69.0/24", "alice", "office"),)
    assert plan.remove == (entry("81.2.69.1", "alice"),)


def test_a_narrow_entry_comes_back_in_the_plan_that_takes_the_wide_one() -> None:
    plan = make_plan(situation("81.2.69.0/24", wanted(alice="81.2.69.1")))
    assert (plan.add, plan.remove) == ((entry("81.2.69.1", "alice"),), (entry("81.2.69.0/24"),))


def test_a_withheld_entry_that_covers_a_wanted_one_stays_alone() -> None:
    wide = net("81.2.69.0/24")
    plan = make_plan(
        situation("81.2.69.0/24", wanted(alice="81.2.69.1"), protected=frozenset({wide}))
    )
    assert (plan.add, plan.withheld) == ((), (entry("81.2.69.0/24", "alice"),))


def test_overlapping_entries_stay_where_a_target_takes_them() -> None:
    both = wanted(alice="81.2.69.1", office="81.2.69.0/24")
    plan = make_plan(situation("", both, capabilities=Capabilities(overlaps=True)))
    assert {one.network for one in plan.add} == nets("81.2.69.1", "81.2.69.0/24")


def test_what_a_stranger_put_there_is_not_added_again() -> None:
    current = Current(others=frozenset(nets("81.2.69.1")))
    assert make_plan(situation(want=wanted(alice="81.2.69.1"), current=current)).idle


def test_around_a_strangers_entry_only_the_rest_is_added() -> None:
    current = Current(others=frozenset(nets("81.2.69.1")))
    plan = make_plan(situation(want=wanted(office="81.2.69.0/30"), current=current))
    assert {one.network for one in plan.add} == nets("81.2.69.0", "81.2.69.2/31")


def test_where_entries_may_overlap_a_strangers_is_in_the_way_of_the_very_same_only() -> None:
    current = Current(others=frozenset(nets("81.2.69.1")))
    both = wanted(alice="81.2.69.1", office="81.2.69.0/24")
    overlapping = Capabilities(overlaps=True)
    plan = make_plan(situation(want=both, current=current, capabilities=overlapping))
    assert plan.add == (entry("81.2.69.0/24", "office"),)


def test_what_a_target_cannot_hold_is_left_out_and_named() -> None:
    only_v4 = Capabilities(families=(V4,))
    here = situation("", wanted(alice="81.2.69.1 2a01::/64"), capabilities=only_v4)
    assert make_plan(here).add == (entry("81.2.69.1", "alice"),)
    assert unfit(here) == (entry("2a01::/64", "alice"),)


def test_what_takes_every_network_lacks_none() -> None:
    wide = wanted(alice="81.2.69.1 2a01::/64", office="0.0.0.0/0 ::/0")
    assert unfit(situation("", wide, capabilities=Capabilities())) == ()


def test_what_a_target_beside_it_holds_in_its_stead_is_not_missing() -> None:
    here = situation("", wanted(alice="81.2.69.1 2a01::/64"), beside=frozenset({V6}),
                     capabilities=Capabilities(families=(V4,)))  # fmt: skip
    assert make_plan(here).add == (entry("81.2.69.1", "alice"),)
    assert unfit(here) == ()


def test_widths_a_target_does_not_take_are_left_out() -> None:
    single = Capabilities(prefixes={V4: (32, 32)}, families=(V4,))
    here = situation("", wanted(office="81.2.69.0/24", alice="9.9.9.9"), capabilities=single)
    assert make_plan(here).add == (entry("9.9.9.9", "alice"),)
    assert unfit(here) == (entry("81.2.69.0/24", "office"),)


def test_a_flaw_is_something_to_do_even_if_every_entry_is_right() -> None:
    current = Current(frozenset({Entry(net("81.2.69.1"))}), flaws=("a rule is missing",))
    plan = make_plan(situation(want=wanted(alice="81.2.69.1"), current=current))
    assert (plan.repair, plan.idle) == (("a rule is missing",), False)


def test_applying_a_plan_and_planning_again_is_idle() -> None:
    first = make_plan(situation("6.6.6.6", wanted(alice="81.2.69.1", bob="81.2.69.0/24")))
    after = Current(frozenset(Entry(one.network) for one in first.final))
    again = make_plan(situation(want=wanted(alice="81.2.69.1", bob="81.2.69.0/24"), current=after))
    assert again.idle


def test_to_remove_or_to_repair_is_something_to_do() -> None:
    assert not Plan("web/memory", remove=(entry("81.2.69.1"),)).idle
    assert not Plan("web/memory", repair=("a rule is missing",)).idle
    assert Plan("web/memory", keep=(entry("81.2.69.1"),), withheld=(entry("9.9.9.9"),)).idle


def test_what_is_held_and_wanted_makes_room_for_what_a_stranger_put_beside_it() -> None:
    want = wanted(alice="81.2.69.0/24")
    others = frozenset(nets("81.2.69.0/25"))
    held = frozenset({Entry(net("81.2.69.0/24"))})
    plan = make_plan(situation("", want, current=Current(held, others=others)))
    assert plan.add == (entry("81.2.69.128/25", "alice"),)
    assert [one.network for one in plan.remove] == [net("81.2.69.0/24")]


LABELLED = Capabilities(labels=True)
MARKED = Capabilities(labels=True, replaced=True)


def written(*entries: Entry) -> Current:
    return Current(frozenset(entries))


def test_where_it_is_written_whose_an_entry_is_a_change_of_that_is_something_to_do() -> None:
    alone, both = entry("81.2.69.1", "alice"), entry("81.2.69.1", "alice", "bob")
    want = wanted(alice="81.2.69.1", bob="81.2.69.1")
    plan = make_plan(situation(want=want, current=written(alone), capabilities=LABELLED))
    assert plan.keep == (both,)
    assert plan.repair == ("host labels of 81.2.69.1/32 are outdated (alice, bob)",)
    assert make_plan(situation(want=want, current=written(both), capabilities=LABELLED)).idle
    assert make_plan(situation(want=want, current=written(alone))).idle


def test_labels_that_cannot_be_read_are_as_they_were_written() -> None:
    both = {"alice": "81.2.69.0/25", "bob": "81.2.69.0/25 81.2.69.1"}
    nameless = written(entry("81.2.69.0/25"))
    for claims, outdated in (
        (wanted(**both), ()),
        ({}, ("host labels of 81.2.69.0/25 are outdated (alice, bob)",)),
        (
            wanted(alice="81.2.69.0/25"),
            ("host labels of 81.2.69.0/25 are outdated (alice, bob)",),
        ),
    ):
        plan = make_plan(
            situation(want=wanted(**both), claims=claims, current=nameless, capabilities=LABELLED)
        )
        assert plan.repair == outdated


def test_an_address_that_was_replaced_is_marked_where_that_is_written() -> None:
    want, replaced = wanted(alice="81.2.69.1 81.2.69.2"), {net("81.2.69.1"): ("alice",)}
    new = entry("81.2.69.2", "alice")
    current = written(entry("81.2.69.1", "alice"), new)
    plan = make_plan(situation(want=want, current=current, capabilities=MARKED, replaced=replaced))
    assert plan.keep == (Entry(net("81.2.69.1"), ("alice",), ("alice",)), new)
    assert plan.repair == ("host labels of 81.2.69.1/32 are outdated (alice)",)
    for capabilities in (Capabilities(), LABELLED):
        elsewhere = make_plan(
            situation(want=want, current=current, capabilities=capabilities, replaced=replaced)
        )
        assert elsewhere.keep == (entry("81.2.69.1", "alice"), new)
        assert elsewhere.idle


def test_whose_an_entry_is_that_nobody_remembers_is_no_change() -> None:
    old = entry("81.2.69.1", "alice")
    plan = make_plan(
        situation(
            current=written(old), capabilities=LABELLED, protected=frozenset(nets("81.2.69.1"))
        )
    )
    assert plan.withheld == (entry("81.2.69.1"),)
    assert plan.idle


def test_what_is_wrong_around_the_entries_is_put_right_beside_whose_they_are_in_order() -> None:
    current = Current(
        frozenset(
            {
                *(entry("81.2.69.8"), entry("2a01::/64", "bob")),
                *(entry("81.2.69.10", "bob"), entry("81.2.69.9", "bob")),
            }
        ),
        flaws=("it was edited",),
    )
    want = wanted(alice="81.2.69.10 81.2.69.9 2a01::/64")
    plan = make_plan(situation(want=want, current=current, capabilities=LABELLED))
    assert plan.repair == (
        "it was edited",
        "host labels of 81.2.69.9/32 are outdated (alice)",
        "host labels of 81.2.69.10/32 are outdated (alice)",
        "host labels of 2a01::/64 are outdated (alice)",
    )
    assert plan.remove == (entry("81.2.69.8"),)


def test_what_is_held_back_of_a_host_that_has_another_is_about_to_go() -> None:
    remembered = {net("81.2.69.1"): ("alice", "bob")}
    more: dict[str, object] = {"claims": remembered, "held_back": remembered}
    want = wanted(alice="81.2.69.2")
    plan = make_plan(situation("81.2.69.1", want, capabilities=MARKED, **more))
    assert plan.withheld == (Entry(net("81.2.69.1"), ("alice", "bob"), ("alice",)),)
    assert plan.add == (entry("81.2.69.2", "alice"),)
    plain = make_plan(situation("81.2.69.1", want, **more))
    assert plain.withheld == (entry("81.2.69.1", "alice", "bob"),)
