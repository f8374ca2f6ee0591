"""What is new is in everywhere before what is old goes anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from allowsync.engine.rollback.pending import unconfirmed
from allowsync.engine.rollout import Part, Step, additive, first_part, joined, steps
from allowsync.model.outcome import Outcome
from allowsync.model.plan import Plan
from allowsync.model.target import Current
from allowsync.plan.planner import Situation, make_plan
from tests.support.layers import Layer, Layers, nets_of
from tests.support.values import T0, entry, net

if TYPE_CHECKING:
    from collections.abc import Callable

OLD, NEW, BOB = "81.2.69.1", "81.2.69.2", "81.2.69.9"
MOVED = {"alice": NEW}, {"alice": OLD}


def test_a_single_target_is_changed_in_one_step() -> None:
    layers = Layers([Layer("gate", OLD)])
    (done,) = layers.run(*MOVED)
    assert (layers.calls, done.report.outcome) == ([f"gate +{NEW} -{OLD}"], Outcome.APPLIED)


def test_the_new_address_is_in_everywhere_before_the_old_one_leaves_any() -> None:
    layers = Layers([Layer("gate", OLD), Layer("proxy", OLD), Layer("cloud", OLD)])
    layers.run(*MOVED)
    assert layers.calls == [
        f"gate +{NEW}", f"proxy +{NEW}", f"cloud +{NEW} -{OLD}", f"gate -{OLD}", f"proxy -{OLD}",
    ]  # fmt: skip


def test_who_only_lets_in_comes_first_and_who_only_takes_away_last() -> None:
    layers = Layers([Layer("gate", f"{OLD} {NEW}"), Layer("proxy", OLD), Layer("cloud")])
    layers.run(*MOVED)
    assert layers.calls == [f"cloud +{NEW}", f"proxy +{NEW} -{OLD}", f"gate -{OLD}"]


def test_where_nobody_leaves_each_is_changed_whole_in_order() -> None:
    layers = Layers([Layer("gate"), Layer("proxy")])
    layers.run({"alice": NEW})
    assert layers.calls == [f"gate +{NEW}", f"proxy +{NEW}"]


def test_nothing_to_do_has_no_steps() -> None:
    assert steps(Layers([Layer("gate", NEW), Layer("proxy", NEW)]).drafts(*MOVED)) == ()


def test_a_target_that_cannot_be_read_is_left_out() -> None:
    layers = Layers([Layer("gate", OLD), Layer("proxy", OLD)])
    layers.layers[0].store.fail_read = "no privilege"
    drafts = layers.drafts(*MOVED)
    assert steps(drafts) == (Step(1, Part.WHOLE),)
    assert first_part(drafts[0]) is None
    assert [one.report.outcome for one in layers.enforce(drafts)] == [
        Outcome.FAILED, Outcome.APPLIED,
    ]  # fmt: skip


def test_the_first_part_of_a_plan_that_takes_nothing_out_is_all_of_it() -> None:
    (one,) = Layers([Layer("gate")]).drafts({"alice": NEW})
    assert first_part(one) is one.report.plan is not None


def test_what_stays_anyway_is_told_apart_from_what_stays_for_now() -> None:
    current = Current(frozenset({entry(OLD), entry(BOB)}))
    situation = Situation("web/x", current, {net(NEW): ("alice",)}, protected=frozenset({net(BOB)}))
    more = additive(situation, make_plan(situation))
    assert more == Plan(
        "web/x", add=(entry(NEW, "alice"),), keep=(entry(OLD),), withheld=(entry(BOB),)
    )


def test_a_target_in_step_is_not_touched() -> None:
    layers = Layers([Layer("gate", NEW), Layer("proxy", OLD)])
    done = layers.run(*MOVED)
    assert layers.calls == [f"proxy +{NEW} -{OLD}"]
    assert done[0].report.outcome is Outcome.UNCHANGED


def test_what_is_put_right_counts_as_letting_in() -> None:
    broken = Layer("gate", f"{OLD} {NEW}", flaw="the chain is gone")
    layers = Layers([broken, Layer("proxy", OLD)])
    done = layers.run(*MOVED)
    assert layers.calls == ["gate", f"proxy +{NEW} -{OLD}", f"gate -{OLD}"]
    plan = done[0].report.plan
    assert plan is not None
    assert (plan.repair, plan.remove) == (("the chain is gone",), (entry(OLD, "alice"),))


def test_who_only_says_anew_whose_an_entry_is_lets_in_nobody_and_comes_last() -> None:
    layers = Layers([Layer("proxy", f"{OLD} {NEW}", labels=True), Layer("gate", OLD)])
    layers.run(*MOVED)
    assert layers.calls == [f"gate +{NEW} -{OLD}", f"proxy -{OLD}"]


def test_reports_stay_in_order_and_tell_each_change_once() -> None:
    layers = Layers([Layer("gate", OLD), Layer("proxy", f"{OLD} {NEW}"), Layer("cloud", OLD)])
    drafts = layers.drafts(*MOVED)
    done = layers.enforce(drafts)
    assert [one.report.target for one in done] == ["web/gate", "web/proxy", "web/cloud"]
    assert [one.report.plan for one in done] == [one.report.plan for one in drafts]
    assert {one.report.outcome for one in done} == {Outcome.APPLIED}
    assert [one.report.current for one in done] == [one.report.current for one in drafts]


class TestNoRoom:
    """A target that cannot hold what is new beside what is old is changed when all others have."""

    def test_one_that_changes_in_one_step_does_so_in_between(self) -> None:
        layers = Layers([Layer("gate", OLD, room=1), Layer("proxy", OLD), Layer("cloud", OLD)])
        layers.run(*MOVED)
        assert layers.calls == [
            f"proxy +{NEW}", f"cloud +{NEW}", f"gate +{NEW} -{OLD}",
            f"proxy -{OLD}", f"cloud -{OLD}",
        ]  # fmt: skip

    def test_one_that_does_not_makes_room_first(self) -> None:
        layers = Layers([Layer("cloud", OLD, atomic=False, room=1), Layer("gate", OLD)])
        done = layers.run(*MOVED)
        assert layers.calls == [f"gate +{NEW}", f"cloud -{OLD}", f"cloud +{NEW}", f"gate -{OLD}"]
        plan = done[0].report.plan
        assert plan is not None
        assert (plan.add, plan.remove) == ((entry(NEW, "alice"),), (entry(OLD, "alice"),))

    def test_it_does_so_also_when_it_is_the_only_one(self) -> None:
        layers = Layers([Layer("cloud", OLD, atomic=False, room=1)])
        (done,) = layers.run(*MOVED)
        assert (layers.layers[0].now, done.report.outcome) == (nets_of(NEW), Outcome.APPLIED)

    def test_just_enough_room_is_enough(self) -> None:
        layers = Layers([Layer("cloud", OLD, atomic=False, room=2), Layer("gate", OLD)])
        layers.run(*MOVED)
        assert layers.calls[0] == f"cloud +{NEW}"


class TestNoOverlap:
    """Where entries may not cover each other, access counts and not the entry it rests on."""

    def test_a_wider_network_takes_the_place_of_a_narrow_one_at_once(self) -> None:
        layers = Layers([Layer("gate", OLD, overlaps=False), Layer("proxy", OLD)])
        layers.run({"alice": "81.2.69.0/24"}, {"alice": OLD})
        assert layers.calls == [f"gate +81.2.69.0/24 -{OLD}", f"proxy +81.2.69.0/24 -{OLD}"]

    def test_a_narrower_one_waits_as_the_wide_one_lets_it_in_already(self) -> None:
        wide = "81.2.69.0/24"
        layers = Layers([Layer("gate", wide, overlaps=False), Layer("proxy"), Layer("cloud", wide)])
        layers.run({"alice": NEW}, {"alice": wide})
        assert layers.calls == [
            f"proxy +{NEW}", f"cloud +{NEW} -{wide}", f"gate +{NEW} -{wide}",
        ]  # fmt: skip


class TestFailures:
    """One target's failure is its own."""

    def test_what_is_old_goes_elsewhere_though_what_is_new_could_not_go_in_here(self) -> None:
        layers = Layers([Layer("proxy", OLD, fails=("add",)), Layer("gate", OLD)])
        done = layers.run(*MOVED)
        assert [one.now for one in layers.layers] == [nets_of(OLD), nets_of(NEW)]
        assert [one.report.outcome for one in done] == [Outcome.FAILED, Outcome.APPLIED]

    def test_who_could_not_be_let_in_keeps_what_there_is_at_that_target(self) -> None:
        layers = Layers([Layer("proxy", OLD, fails=("add",)), Layer("gate", OLD)])
        drafts = layers.drafts(*MOVED)
        (proxy, _) = layers.enforce(drafts)
        assert layers.calls == [f"proxy +{NEW}", f"gate +{NEW} -{OLD}"]
        assert proxy.report.plan == drafts[0].report.plan
        assert proxy.report.reason == "told to fail to add"

    def test_a_half_that_failed_is_told_with_the_half_that_did_not(self) -> None:
        layers = Layers([Layer("proxy", OLD, fails=("remove",)), Layer("gate", OLD)])
        drafts = layers.drafts(*MOVED)
        (proxy, gate) = layers.enforce(drafts)
        assert (layers.layers[0].now, layers.layers[1].now) == (
            nets_of(f"{OLD} {NEW}"),
            nets_of(NEW),
        )
        assert (proxy.report.outcome, gate.report.outcome) == (Outcome.FAILED, Outcome.APPLIED)
        assert proxy.report.reason == "done in part (1 added, 0 removed): told to fail to remove"
        assert proxy.report.plan == drafts[0].report.plan

    @pytest.mark.parametrize("alone", [True, False])
    def test_access_that_ended_ends_though_somebody_else_could_not_be_let_in(
        self, alone: bool
    ) -> None:
        cloud, gate = (
            Layer("cloud", f"{OLD} {BOB}", room=9, fails=("add",)),
            Layer("gate", f"{OLD} {BOB}"),
        )
        layers = Layers([cloud] if alone else [cloud, gate])
        drafts = layers.drafts({"alice": NEW}, {"alice": OLD, "bob": BOB})
        done = layers.enforce(drafts)[0].report
        assert (cloud.now, done.outcome) == (nets_of(OLD), Outcome.FAILED)
        out = "revoked or expired access was removed (1 removed), the rest failed: "
        assert done.reason == out + "told to fail to add"
        assert done.plan == drafts[0].report.plan

    @pytest.mark.parametrize(
        "wrong",
        [
            {"fails": ("add", "remove"), "room": 9},
            {"fails": ("add",), "room": 9, "flaw": "no chain"},
            {"fails": ("add",)},
        ],
    )
    def test_a_target_that_takes_nothing_is_not_whole_or_cannot_be_full_keeps_what_it_has(
        self, wrong: dict[str, Any]
    ) -> None:
        cloud = Layer("cloud", f"{OLD} {BOB}", **wrong)
        (done,) = Layers([cloud]).run({"alice": NEW}, {"alice": OLD, "bob": BOB})
        kept = nets_of(f"{OLD} {BOB}")
        assert (cloud.now, done.report.reason) == (kept, "told to fail to add")

    def test_what_is_nobodys_as_far_as_is_known_stays_until_all_of_the_plan_goes_through(
        self,
    ) -> None:
        cloud = Layer("cloud", f"{OLD} {BOB} 6.6.6.6", room=9, fails=("add",))
        Layers([cloud]).run({"alice": NEW}, {"alice": OLD, "bob": BOB})
        assert cloud.now == nets_of(f"{OLD} 6.6.6.6")

    def test_who_may_not_be_removed_until_somebody_confirms_it_is_not(self) -> None:
        cloud = Layer("cloud", f"{OLD} {BOB}", room=9, fails=("add",))
        layers = Layers([cloud], kept=unconfirmed(T0))
        layers.run({"alice": NEW}, {"alice": OLD, "bob": BOB})
        assert (cloud.now, layers.calls) == (nets_of(f"{OLD} {BOB}"), [f"cloud +{NEW}"])

    def test_nobody_is_taken_out_where_nobody_else_is_in(self) -> None:
        cloud = Layer("cloud", BOB, room=9, fails=("add",))
        layers = Layers([cloud])
        layers.run({"alice": NEW}, {"bob": BOB})
        assert (cloud.now, layers.calls) == (nets_of(BOB), [f"cloud +{NEW} -{BOB}"])

    def test_a_target_out_of_reach_by_then_is_told_as_it_failed(self) -> None:
        cloud = Layer("cloud", f"{OLD} {BOB}", room=9, fails=("add",))
        layers = Layers([cloud])
        drafts = layers.drafts({"alice": NEW}, {"alice": OLD, "bob": BOB})
        cloud.store.fail_read = "gone"
        (done,) = layers.enforce(drafts)
        assert done.report.reason == "told to fail to add"

    def test_an_end_of_access_that_nobody_saw_is_not_known(self) -> None:
        cloud = Layer("cloud", f"{OLD} {BOB}", room=9, fails=("add",))
        cloud.store.unknown = "the line went dead"
        (done,) = Layers([cloud]).run({"alice": NEW}, {"alice": OLD, "bob": BOB})
        assert done.report.outcome is Outcome.UNKNOWN
        assert done.report.reason == (
            "could not confirm the update; it may hold old or new entries: the line went dead"
        )

    def test_after_an_unknown_outcome_nothing_is_taken_out(self) -> None:
        proxy = Layer("proxy", OLD)
        proxy.store.unknown = "the line went dead"
        layers = Layers([proxy, Layer("gate", OLD)])
        done = layers.run(*MOVED)
        assert layers.calls == [f"proxy +{NEW}", f"gate +{NEW} -{OLD}"]
        plan = done[0].report.plan
        assert plan is not None
        assert (done[0].report.outcome, plan.add, plan.remove) == (
            Outcome.UNKNOWN, (entry(NEW, "alice"),), (),
        )  # fmt: skip
        assert plan.keep == (entry(OLD, "alice"),)

    @pytest.mark.parametrize("when", ["read", "apply"])
    def test_what_is_not_known_of_the_second_half_is_told(self, when: str) -> None:
        proxy, gate = Layer("proxy", OLD), Layer("gate", OLD)
        layers = Layers([proxy, gate])
        drafts = layers.drafts(*MOVED)
        told = "told to fail" if when == "read" else ""
        meanwhile(layers, lambda: _break(proxy, told))
        done = layers.enforce(drafts)[0].report
        assert proxy.now == nets_of(f"{OLD} {NEW}")
        assert done.reason.startswith("done in part (1 added, 0 removed): ")
        assert done.outcome is (Outcome.FAILED if told else Outcome.UNKNOWN)
        assert done.plan == drafts[0].report.plan


def _break(layer: Layer, fail_read: str) -> None:
    layer.store.fail_read = fail_read
    layer.store.unknown = "the line went dead"
    layer.store.lands = False


def meanwhile(layers: Layers, deed: Callable[[], object]) -> None:
    """Do something between the halves: when the gate, which is changed whole, has been."""
    note = layers.note

    def noting() -> None:
        note()
        if layers.calls[-1:] == [f"gate +{NEW} -{OLD}"]:
            deed()

    layers.note = noting  # type: ignore[method-assign]


class TestInterference:
    """Others change a target, too."""

    def test_each_half_is_tried_again_as_that_half(self) -> None:
        proxy = Layer("proxy", OLD)
        proxy.store.again = 1
        layers = Layers([proxy, Layer("gate", OLD)])
        layers.run(*MOVED)
        assert layers.calls == [
            f"proxy +{NEW}", f"proxy +{NEW}", f"gate +{NEW} -{OLD}", f"proxy -{OLD}",
        ]  # fmt: skip

    def test_what_a_stranger_puts_in_between_goes_with_the_rest(self) -> None:
        proxy = Layer("proxy", OLD)
        layers = Layers([proxy, Layer("gate", OLD)])
        drafts = layers.drafts(*MOVED)
        meanwhile(layers, lambda: proxy.store.networks.add(net("6.6.6.6")))
        done = layers.enforce(drafts)[0].report
        assert (proxy.now, done.outcome) == (nets_of(NEW), Outcome.APPLIED)
        assert done.plan is not None
        assert done.plan.remove == (entry("6.6.6.6"), entry(OLD, "alice"))

    def test_what_somebody_flushes_in_between_is_back(self) -> None:
        proxy = Layer("proxy", OLD)
        layers = Layers([proxy, Layer("gate", OLD)])
        drafts = layers.drafts(*MOVED)
        meanwhile(layers, proxy.store.networks.clear)
        done = layers.enforce(drafts)[0].report
        assert (proxy.now, done.outcome) == (nets_of(NEW), Outcome.APPLIED)
        assert done.plan is not None
        assert done.plan.add == (entry(NEW, "alice"),)

    def test_where_somebody_else_did_the_second_half_all_is_well(self) -> None:
        proxy = Layer("proxy", OLD)
        layers = Layers([proxy, Layer("gate", OLD)])
        drafts = layers.drafts(*MOVED)
        meanwhile(layers, lambda: proxy.store.networks.discard(net(OLD)))
        done = layers.enforce(drafts)[0].report
        assert (proxy.now, done.outcome) == (nets_of(NEW), Outcome.APPLIED)
        assert layers.calls == [f"proxy +{NEW}", f"gate +{NEW} -{OLD}"]


class TestSums:
    """Two plans that are carried out one after the other, told as one."""

    def test_what_came_and_went_is_not_told(self) -> None:
        first = Plan("web/x", add=(entry(NEW),), keep=(entry(OLD),))
        second = Plan("web/x", remove=(entry(NEW),), keep=(entry(OLD),))
        assert joined(first, second) == Plan("web/x", keep=(entry(OLD),))

    def test_what_went_and_came_is_kept(self) -> None:
        first = Plan("web/x", remove=(entry(OLD),))
        second = Plan("web/x", add=(entry(OLD, "alice"),))
        assert joined(first, second) == Plan("web/x", keep=(entry(OLD, "alice"),))

    def test_what_is_to_go_twice_is_told_once_as_is_what_is_put_right(self) -> None:
        first = Plan("web/x", remove=(entry(OLD),), repair=("no chain",))
        second = Plan("web/x", remove=(entry(OLD, "alice"),), repair=("no chain", "no set"))
        assert joined(first, second) == Plan(
            "web/x", remove=(entry(OLD, "alice"),), repair=("no chain", "no set")
        )

    def test_what_came_and_stays_is_new_whoever_wants_it_by_then(self) -> None:
        first = Plan("web/x", add=(entry(NEW, "alice"),))
        second = Plan("web/x", withheld=(entry(NEW),))
        assert joined(first, second) == Plan("web/x", add=(entry(NEW),))

    def test_what_stays_for_now_is_told_as_the_second_one_knows_it(self) -> None:
        first = Plan("web/x", keep=(entry(OLD), entry(BOB)), add=(entry(NEW),))
        second = Plan("web/x", withheld=(entry(OLD, "alice"),), keep=(entry(BOB), entry(NEW)))
        assert joined(first, second) == Plan(
            "web/x", add=(entry(NEW),), keep=(entry(BOB),), withheld=(entry(OLD, "alice"),)
        )
