"""What a configuration may say of a Jellyfin target, and that it costs nothing where none is."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.jellyfin import JellyfinOptions, JellyfinSetting
from allowsync_backends.jellyfin.options import flaw

from allowsync.config import ConfigError, load

if TYPE_CHECKING:
    from pathlib import Path

KEY = "0123456789abcdef0123456789abcdef"


def options(folder: Path, *lines: str) -> JellyfinOptions:
    """The options of a target that is written so, beside its key."""
    secret, file = folder / "jellyfin.key", folder / "config.yaml"
    for one in (secret, file):
        one.touch(mode=0o600)
    secret.write_text(f"{KEY}\n")
    more = "".join(f"          {one}\n" for one in lines)
    file.write_text(
        "hosts:\n  alice: alice.example.org\nallowlists:\n  web:\n    targets:\n"
        f"      - jellyfin:\n          api_key_file: jellyfin.key\n{more}"
    )
    config = load(file, environ={"HOME": "/nonexistent"}, uid=os.getuid())
    (target,) = config.targets
    assert isinstance(target.options, JellyfinOptions)
    return target.options


def test_an_authority_of_its_own_is_trusted_instead_of_the_system(tmp_path: Path) -> None:
    lines = ("url: https://jellyfin.lan", "setting: lan_networks", "ca_file: home.pem")
    assert options(tmp_path, *lines).ca_file == tmp_path / "home.pem"


def test_a_url_and_a_setting_are_enough(tmp_path: Path) -> None:
    made = options(tmp_path, "url: http://127.0.0.1:8096", "setting: remote_filter")
    assert (made.base, made.setting) == ("http://127.0.0.1:8096", JellyfinSetting.REMOTE_FILTER)
    assert (made.key.value, made.restart, made.plain_http) == (KEY, False, False)
    assert KEY not in repr(made)


@pytest.mark.parametrize(
    "url",
    [
        "https://media.example.org",
        "https://media.example.org/jellyfin/",
        "http://localhost:8096",
        "http://192.168.1.5:8096",
        "http://[fd00::5]:8096",
        "http://100.101.102.103:8096",
    ],
)
def test_the_key_goes_in_the_clear_to_private_addresses_alone(tmp_path: Path, url: str) -> None:
    assert options(tmp_path, f"url: {url}", "setting: lan_networks").url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://media.example.org",
        "http://203.0.113.5",
        "http://localhost.example.org",
        "http://127.0.0.1.example.org",
        "http://jellyfin:8096",
        "http://0.0.0.0:8096",
    ],
)
def test_elsewhere_that_has_to_be_said(tmp_path: Path, url: str) -> None:
    lines = (f"url: {url}", "setting: lan_networks")
    with pytest.raises(ConfigError, match="in the clear"):
        options(tmp_path, *lines)
    assert options(tmp_path, *lines, "plain_http: true").url == url


@pytest.mark.parametrize(
    "lines",
    [
        ("url: ftp://127.0.0.1", "setting: lan_networks"),
        ("url: http://me:word@127.0.0.1", "setting: lan_networks"),
        ("url: http://127.0.0.1/?a=b", "setting: lan_networks"),
        ("url: http://127.0.0.1", "setting: KnownProxies"),
        ("url: http://127.0.0.1", "setting: lan_networks", "restart: true"),
        ("url: http://127.0.0.1", "setting: lan_networks", "ca_file: home.pem"),
        ("url: http://127.0.0.1", "setting: lan_networks", "api_key_env: KEY"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, lines: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError):
        options(tmp_path, *lines)


@pytest.mark.parametrize("key", ["two words", 'a"b', "a\nb", "ü", "Token=abc"])
def test_what_is_no_key_is_not_sent(key: str) -> None:
    assert flaw(key) != ""
    assert key not in flaw(key)


def test_a_setting_is_shared_by_allowlists_but_not_by_two_targets_of_one(tmp_path: Path) -> None:
    made = options(tmp_path, "url: http://127.0.0.1:8096/", "setting: remote_filter")
    slash = options(tmp_path, "url: http://127.0.0.1:8096", "setting: remote_filter")
    assert made.places("web") == slash.places("web")
    shared, own = made.places("web")
    assert shared.shared
    assert not own.shared
    assert made.places("web2")[0] == shared
    assert made.places("web2")[1] != own


def test_nothing_dear_is_imported_for_the_type_alone() -> None:
    program = (
        "import sys, allowsync_backends.jellyfin\n"
        "print([one for one in ('http.client', 'ssl', 'httpx', 'json', 'hashlib') "
        "if one in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
