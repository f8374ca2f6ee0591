"""What the page shows is what is written."""

from __future__ import annotations

import json
from ipaddress import ip_network
from typing import Any

import pytest
from allowsync_backends.jellyfin import TYPE
from allowsync_backends.jellyfin.content import changed, sorted_out
from allowsync_backends.jellyfin.options import JellyfinSetting

from tests.support.documents import ROOT, blocks_of
from tests.support.jellyfin_targets import FILTER

PAGE = ROOT / "docs" / "backends" / "jellyfin.md"


def test_the_list_that_is_shown_is_the_one_that_is_written() -> None:
    (block,) = [one.text for one in blocks_of(PAGE) if one.language == "json"]
    shown: Any = json.loads("{" + block + "}")["RemoteIPFilter"]
    friends = {ip_network("203.0.113.7/32")}
    assert changed(FILTER, ["198.51.100.0/24"], "jellyfin", friends) == shown
    assert sorted_out(shown, "jellyfin").ours == friends


@pytest.mark.parametrize("setting", list(JellyfinSetting))
def test_every_setting_is_in_the_table(setting: JellyfinSetting) -> None:
    assert f"| `{setting.value}` |" in PAGE.read_text()


def test_every_option_is_told() -> None:
    for name in ("url", "setting", "api_key_file", "api_key_env", "restart: true", "plain_http"):
        assert name in PAGE.read_text()
    assert TYPE.name == "jellyfin"
