"""What is shown of a configuration could be loaded again, and holds no secret."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from allowsync.config import show
from tests.allowsync.config.test_example import EXAMPLE
from tests.support.configuring import MINIMAL, loaded

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.config.settings import Config


def without_targets(config: Config) -> Config:
    bare = {name: replace(one, targets=()) for name, one in config.allowlists.items()}
    return replace(config, allowlists=bare)


def again(folder: Path, config: Config) -> Config:
    """A configuration loaded from what was shown of it: JSON is YAML too."""
    return loaded(folder, json.dumps(show(config), indent=1))


def test_what_is_shown_can_be_loaded_again(tmp_path: Path) -> None:
    text = EXAMPLE.partition("notify:")[0] + "metrics: m.prom\n"
    config = loaded(tmp_path, text)
    reloaded = again(tmp_path, config)
    assert without_targets(reloaded) == without_targets(config)
    assert [(one.name, one.options) for one in reloaded.targets] == [
        (one.name, one.options) for one in config.targets
    ]


def test_showing_twice_shows_the_same(tmp_path: Path) -> None:
    config = loaded(tmp_path, EXAMPLE.partition("notify:")[0])
    assert show(again(tmp_path, config)) == show(config)


def test_defaults_are_filled_in_and_durations_shown_as_written(tmp_path: Path) -> None:
    shown = show(loaded(tmp_path))
    assert shown["policy"]["keep_unavailable"] == "3d"
    assert shown["resolver"]["timeout"] == "3s"
    assert shown["limits"]["max_remove_hosts"] == 0.5
    assert shown["hosts"]["alice"] == {
        "hostname": "alice.example.org",
        "families": ["ipv4", "ipv6"],
        "ipv4_prefix": 32,
        "ipv6_prefix": 64,
    }
    assert shown["allowlists"]["web"]["hosts"] == ["alice", "carl"]


def test_a_host_shows_what_of_the_policy_is_its_own(tmp_path: Path) -> None:
    text = MINIMAL.replace("networks:", "max_moves: 3, keep_absent: 1h, networks:")
    shown = show(loaded(tmp_path, text))["hosts"]["carl"]
    assert shown["max_moves"] == 3
    assert "keep_absent" not in shown  # the same as everybody's


def test_a_target_shows_its_name_where_it_has_one(tmp_path: Path) -> None:
    text = MINIMAL.replace("{ports", "{name: gate, ports")
    (target,) = show(loaded(tmp_path, text))["allowlists"]["web"]["targets"]
    assert target["nftables"]["name"] == "gate"


def test_secrets_are_masked(tmp_path: Path) -> None:
    text = MINIMAL + "notify: ['ntfy://u:hunter2@x/y']\nheartbeat: https://x/hunter2\n"
    config = loaded(tmp_path, text)
    shown = show(config)
    assert (shown["notify"], shown["heartbeat"]) == (["****"], "****")
    assert "hunter2" not in json.dumps(shown) + repr(config)
