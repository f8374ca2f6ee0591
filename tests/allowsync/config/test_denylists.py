"""The section `denylists`: what may be written, and what is said about the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from allowsync.config import json_schema, rebuild_options, show
from allowsync.model.target import Effect
from tests.support.configuring import MINIMAL, loaded, problems
from tests.support.values import net

if TYPE_CHECKING:
    from pathlib import Path

DENY = (
    MINIMAL
    + """\
denylists:
  scanners:
    networks: [198.51.100.0/24, "2001:db8:bad::/48", 203.0.113.7]
    except: [carl, 198.51.100.128/25]
    targets:
      - nftables
      - nftables: {name: own, set: {table: inet filter, ipv4: bad4}}
      - ipset: {sets_only: true}
"""
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    config = loaded(tmp_path, DENY)
    one = config.denylists["scanners"]
    assert one.networks == tuple(map(net, ("198.51.100.0/24", "2001:db8:bad::/48", "203.0.113.7")))
    assert one.spared == ("carl", net("198.51.100.128/25"))
    assert [(target.name, target.effect) for target in one.targets] == [
        ("scanners/nftables", Effect.DENY),
        ("scanners/own", Effect.DENY),
        ("scanners/ipset", Effect.DENY),
    ]
    names = ["web/nftables", *(target.name for target in one.targets)]
    assert [target.name for target in config.targets] == names
    assert all(target.guard is None for target in one.targets)


def test_it_is_shown_so_that_it_could_be_loaded_again(tmp_path: Path) -> None:
    shown = show(loaded(tmp_path, DENY))["denylists"]["scanners"]
    assert shown["except"] == ["carl", "198.51.100.128/25"]
    assert [next(iter(one)) for one in shown["targets"]] == ["nftables", "nftables", "ipset"]
    assert "denylists" not in show(loaded(tmp_path))


def test_the_state_keeps_which_effect_a_target_has(tmp_path: Path) -> None:
    _, target, _ = loaded(tmp_path, DENY).denylists["scanners"].targets
    assert rebuild_options(target.backend, target.remembered) == target.options
    assert not hasattr(rebuild_options(target.backend, {"ports": ["443/tcp"]}), "sets_only")


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("scanners:", "web:", 9, "there is an allowlist 'web'; a denylist needs another name"),
        ("carl,", "carla,", 11, "'carla' is not among hosts (did you mean 'carl'?)"),
        ("203.0.113.7", "4.0.0.0/6", 10, "4.0.0.0/6 is too wide: /8 or /16 is the widest"),
        ("- nftables\n", "- ufw\n", 13, "ufw cannot deny: a denylist is enforced by "),
        ("sets_only: true", "sets_only: true, ports: [1/tcp]", 15, "takes either ports or"),
        ("set: {table: inet filter, ipv4: bad4}", "ports: [1/tcp]", 14, "is already used by the"),
        ("    networks:", "    netwerks:", 10, "unknown key 'netwerks'"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, said: str
) -> None:
    found = problems(tmp_path, DENY.replace(old, new))
    assert any(f":{line}: " in one and said in one for one in found), found


def test_it_needs_networks(tmp_path: Path) -> None:
    text = DENY.replace("    networks: [198", "    # [198")
    assert any("needs lists or networks" in str(one) for one in problems(tmp_path, text))


def test_editors_know_it(tmp_path: Path) -> None:
    section = json_schema()["properties"]["denylists"]
    targets = section["additionalProperties"]["properties"]["targets"]["items"]["anyOf"]
    kinds = {next(iter(one["properties"])) for one in targets if "properties" in one}
    assert {"nftables", "ipset"} <= kinds
    assert "ufw" not in kinds
    assert {"enum": ["ipset", "nftables"], "type": "string"} in targets


def test_lists_are_named_that_are_described(tmp_path: Path) -> None:
    lists = "lists:\n  level1: {url: https://lists.example.org/level1}\n"
    text = DENY.replace("    except:", "    lists: [level1]\n    except:") + lists
    config = loaded(tmp_path, text)
    assert config.denylists["scanners"].lists == ("level1",)
    assert config.lists_in_use == ("level1",)
    assert show(config)["denylists"]["scanners"]["lists"] == ["level1"]
    assert any("there is no list" in one for one in problems(tmp_path, text.replace(lists, "")))
