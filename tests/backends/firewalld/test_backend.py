"""What others do to firewalld, and what becomes of an allowlist's sets and rules in it."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.common.firewalld_bus import RUNTIME
from allowsync_backends.ipset.firewalld import running

from allowsync.backend.api import BackendError
from allowsync.model.plan import Plan
from allowsync.model.types import Entry
from tests.support.firewalld import FILES, PORTS, backend, empty_sets, reset
from tests.support.gates import allow, planned
from tests.support.program import allowsync, allowsync_in
from tests.support.values import net

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from allowsync.backend.protocols import Backend
    from tests.support.firewalld import Firewalld
    from tests.support.program import ProgramResult

HOME, HOME6 = "81.2.69.142/32", "2a02:8109:9a40::/64"
SET, SET6 = "allowsync-x-4", "allowsync-x-6"
RULE = f'rule family="ipv4" source ipset="{SET}" port port="443" protocol="tcp" accept'
THEIRS = f'rule family="ipv4" source ipset="{SET}" port port="22" protocol="tcp" log accept'
SSH = 'rule family="ipv4" source address="90.0.0.77" port port="22" protocol="tcp" accept'


@pytest.fixture
def loaded(firewalld: Firewalld) -> Firewalld:
    """firewalld with our sets, which hold one home, and our rules."""
    firewalld.forget(**empty_sets("x"))
    allow(firewalld.inside, backend(), HOME, HOME6)
    return firewalld


def apply(firewalld: Firewalld, made: Backend, *wanted: str) -> None:
    """Apply as a run does."""
    networks = [net(one) for one in wanted]
    firewalld.inside.run(lambda: made.apply(planned(made.read(), networks)))


def held(firewalld: Firewalld, name: str = SET) -> tuple[list[str], list[str]]:
    """The entries of a set, in force and on the disk."""
    now = firewalld.ask(RUNTIME, "ipset", "getEntries", name, gives="as")
    kept = firewalld.kept("IPSet", name)
    return now, firewalld.ask(kept, "config.ipset", "getEntries", gives="as")


def test_a_new_set_is_loaded_by_a_reload_where_that_is_allowed(firewalld: Firewalld) -> None:
    after = allow(firewalld.inside, backend(), HOME)
    assert (after.entries, after.flaws) == (frozenset({Entry(net(HOME))}), ())
    assert held(firewalld) == (["81.2.69.142"], ["81.2.69.142"])


def test_otherwise_a_reload_is_asked_for_and_nothing_of_others_is_lost(
    firewalld: Firewalld,
) -> None:
    firewalld.add_rule(SSH, keep=False)
    made = backend(reload=False)
    first = firewalld.inside.run(made.read).obstacles[f"ipset {SET} is missing"]
    assert first.startswith("the next 'allowsync apply' writes it; 'firewall-cmd --reload' loads")
    for _ in range(2):
        with pytest.raises(BackendError, match="'firewall-cmd --reload' loads what is on the disk"):
            apply(firewalld, made, HOME)
    assert SSH in firewalld.rules()[0]
    (asked, _) = firewalld.inside.run(made.read).obstacles
    assert asked == f"ipset {SET} is on the disk, but firewalld has not loaded it"
    firewalld.reload()
    after = firewalld.inside.run(made.read)
    assert (after.entries, after.flaws) == (frozenset({Entry(net(HOME))}), ())


def drop_rule(firewalld: Firewalld) -> None:
    firewalld.remove_rule(RULE)


def drop_rule_for_now(firewalld: Firewalld) -> None:
    firewalld.remove_rule(RULE, keep=True)


def drop_entry(firewalld: Firewalld) -> None:
    firewalld.change(RUNTIME, "ipset", "removeEntry", "ss", SET, "81.2.69.142")


def drop_kept_entry(firewalld: Firewalld) -> None:
    firewalld.change(firewalld.kept("IPSet", SET), "config.ipset", "setEntries", "as", [])


def drop_kept_set(firewalld: Firewalld) -> None:
    firewalld.change(firewalld.kept("IPSet", SET), "config.ipset", "remove", "")


def keep_range(firewalld: Firewalld) -> None:
    entries = ["81.2.69.142", "81.2.69.150-81.2.69.200"]
    firewalld.change(firewalld.kept("IPSet", SET), "config.ipset", "setEntries", "as", entries)


@pytest.mark.parametrize(
    "deed",
    [drop_rule, drop_rule_for_now, drop_entry, drop_kept_entry, drop_kept_set, keep_range],
    ids=lambda deed: deed.__name__,
)
def test_what_was_changed_by_hand_is_seen_and_put_back(
    loaded: Firewalld, deed: Callable[[Firewalld], None]
) -> None:
    before = loaded.rules(), held(loaded)
    deed(loaded)
    assert loaded.inside.run(backend(reload=False).read).flaws
    after = allow(loaded.inside, backend(reload=False), HOME, HOME6)
    assert after.flaws == ()
    assert (loaded.rules(), held(loaded)) == before
    assert loaded.inside.run(backend().check) == ()


def test_a_port_that_is_no_longer_configured_is_closed(loaded: Firewalld) -> None:
    loaded.add_rule(THEIRS)
    left = PORTS[1:]
    assert loaded.inside.run(backend(ports=left).read).flaws == (
        "2 rules of zone public in force not as configured",
        "2 rules of zone public on the disk not as configured",
    )
    assert allow(loaded.inside, backend(ports=left), HOME, HOME6).flaws == ()
    for rules in loaded.rules():
        assert len(rules) == 3
        assert (THEIRS in rules, RULE in rules) == (True, False)


def test_another_zone_takes_its_rules_along(firewalld: Firewalld, tmp_path: Path) -> None:
    """Whole runs: what the former zone has is not left over, and keeps no set from going."""
    firewalld.forget()
    firewalld.add_rule(SSH)
    target = {"ports": ["443/tcp"], "zone": "public", "reload": True}
    document = {
        "hosts": {"alice": {"networks": [HOME]}},
        "allowlists": {"x": {"targets": [{"firewalld": target}]}},
        "state": str(tmp_path / "state.db"),
    }
    path = tmp_path / "config.yaml"

    def run(*command: str) -> str:
        path.write_text(json.dumps(document))
        path.chmod(0o600)
        return allowsync_in(firewalld.inside, *command, "--config", path)

    run("apply")
    assert RULE in firewalld.rules()[0]
    target["zone"] = "home"
    assert "2 rules of zone public on the disk not as configured" in run("apply")
    assert firewalld.rules() == ([SSH], [SSH])
    now = firewalld.ask(RUNTIME, "zone", "getRichRules", "home", gives="as")
    assert RULE in now
    assert run("apply") == ""
    run("clear", "--yes")
    assert not [one for one, text in firewalld.files().items() if SET in one + text]


def test_sets_that_no_configuration_names_are_found_and_cleared_without_a_state(
    firewalld: Firewalld, tmp_path: Path
) -> None:
    """Friends of an allowlist that was taken out would come in for good otherwise."""
    target = {"firewalld": {"ports": ["443"], "reload": True}}
    path, state = tmp_path / "config.yaml", tmp_path / "state.db"
    document = {
        "hosts": {"home": {"networks": [HOME]}},
        "allowlists": {"x": {"targets": [target]}},
        "state": str(state),
    }

    def run(*arguments: str) -> ProgramResult:
        path.write_text(json.dumps(document))
        path.chmod(0o600)
        return firewalld.inside.run(allowsync, *arguments, "--config", path)

    assert run("apply").code == 0
    state.unlink()
    document["allowlists"] = {"y": {"targets": [{"file": {"path": str(tmp_path / "y.txt")}}]}}
    done = run("apply")
    assert done.code == 1, "its rules let in who may have moved since, or has no access any more"
    assert "x/firewalld: is no longer configured but still enforced" in done.err
    assert RULE in firewalld.rules()[1]
    run("clear", "--only", "x/firewalld", "--yes")
    assert (firewalld.rules(), held_on_disk(firewalld)) == (([], []), [])
    assert run("apply").err == ""


def test_sets_of_another_configuration_are_left_alone(firewalld: Firewalld, tmp_path: Path) -> None:
    allow(firewalld.inside, backend(installation="0123abcd"), HOME)
    path = tmp_path / "config.yaml"
    document = {
        "hosts": {"work": {"networks": [HOME6]}},
        "allowlists": {"x": {"targets": [{"firewalld": {"ports": ["443"]}}]}},
        "state": str(tmp_path / "state.db"),
    }
    path.write_text(json.dumps(document))
    path.chmod(0o600)
    done = firewalld.inside.run(allowsync, "apply", "--config", path)
    assert done.code == 1
    assert "belongs to another configuration; nothing was changed" in done.err
    assert held(firewalld) == (["81.2.69.142"], ["81.2.69.142"])


def held_on_disk(firewalld: Firewalld) -> list[str]:
    """The files of sets of ours."""
    return [one for one in firewalld.files() if "/ipsets/allowsync-" in one]


def test_a_set_of_our_name_that_is_not_ours_is_left_alone(firewalld: Firewalld) -> None:
    theirs = empty_sets("x") | {SET: '<ipset type="hash:net"><entry>90.0.0.1</entry></ipset>'}
    firewalld.forget(**theirs)
    before = firewalld.files()
    assert firewalld.inside.run(backend().read).entries == frozenset()
    with pytest.raises(BackendError, match=f"ipset {SET} of firewalld is not allowsync's"):
        apply(firewalld, backend(), HOME)
    firewalld.inside.run(backend().clear)
    assert firewalld.files() == {at: text for at, text in before.items() if SET6 not in at}
    assert held(firewalld)[0] == ["90.0.0.1"]


def test_a_set_that_another_rule_names_is_emptied_but_not_deleted(loaded: Firewalld) -> None:
    loaded.add_rule(THEIRS)
    with pytest.raises(BackendError, match=f"ipset {SET} is empty now, but was not deleted"):
        loaded.inside.run(backend().clear)
    assert held(loaded) == ([], [])
    loaded.reload()
    loaded.remove_rule(THEIRS)
    loaded.inside.run(backend().clear)
    assert not [one for one in loaded.files() if SET in one]
    loaded.reload()
    assert loaded.sets() == set()


def test_a_zone_that_is_not_there_is_named(firewalld: Firewalld) -> None:
    firewalld.forget(**empty_sets("x"))
    made = backend(zone="attic")
    obstacles = firewalld.inside.run(made.read).obstacles
    assert "firewalld has no zone attic, or has it on the disk only" in obstacles
    with pytest.raises(BackendError, match="no zone attic"):
        apply(firewalld, made, HOME)
    assert held(firewalld) == ([], [])
    firewalld.inside.run(made.clear)


def test_sets_that_no_rule_uses_have_no_effect(loaded: Firewalld) -> None:
    alone = backend(ports=())
    loaded.inside.run(backend().clear)
    assert allow(loaded.inside, alone, HOME).flaws == ()
    (found,) = loaded.inside.run(alone.check)
    assert found.what == f"no rule of firewalld uses ipset {SET}: it has no effect"
    loaded.add_rule(THEIRS)
    assert loaded.inside.run(alone.check) == ()


def test_a_gate_of_iptables_beside_a_running_firewalld_is_told(loaded: Firewalld) -> None:
    (found,) = loaded.inside.run(lambda: list(running()))
    assert found.what.startswith("firewalld is running: each 'firewall-cmd --reload' removes")


def test_a_firewalld_that_is_off_or_has_failed_is_an_error(loaded: Firewalld) -> None:
    made, before = backend(), loaded.files()
    loaded.stop()
    for off in (made.read, made.clear, partial(made.apply, Plan("x", repair=("everything",)))):
        with pytest.raises(BackendError, match="firewalld does not run"):
            loaded.inside.run(off)
    assert loaded.files() == before
    assert not loaded.inside.run(lambda: list(running()))
    (said,) = loaded.inside.run(made.check)
    assert said.what == "firewalld does not run; start it with 'systemctl start firewalld'"
    loaded.inside.run(FILES.joinpath("ipsets", f"{SET}.xml").unlink)
    loaded.start()
    try:
        with pytest.raises(BackendError, match="firewalld has failed to load its configuration"):
            loaded.inside.run(made.read)
    finally:
        loaded.stop()
        loaded.inside.run(reset, {})
        loaded.start()
