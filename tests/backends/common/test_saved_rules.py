"""Reading what other programs load at boot: within bounds, whatever is there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.common import saved_rules

from allowsync.model.target import Severity

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that nft loads at boot, in a folder where it looks for others."""
    monkeypatch.setattr(saved_rules, "NFT_FILES", (tmp_path / "nftables.conf",))
    monkeypatch.setattr(saved_rules, "NFT_FOLDER", tmp_path)
    return tmp_path / "nftables.conf"


def texts() -> dict[str, str]:
    """What was read, by the name of the file."""
    return {one.path.name: one.text for one in saved_rules.nft_files()}


def test_a_file_that_is_not_there_is_not_spoken_of(conf: Path) -> None:
    assert list(saved_rules.nft_files()) == []


def test_includes_are_followed_once_each(conf: Path) -> None:
    folder = conf.parent / "nftables.d"
    folder.mkdir()
    conf.write_text(
        f'include "nftables.d/*.nft"\n# include "no.nft"\n include "{conf}"\n'
        'include "missing.nft"\ninclude "nftables.d"\n'
    )
    (folder / "a.nft").write_text(f'a\ninclude "./b.nft"\ninclude "{folder}/[c-d].nft"\n')
    (folder / "b.nft").write_text("b")
    (folder / "c.nft").write_text("add allowsync \\\ntwo\nthree # allowsync\n#allowsync\n")
    (conf.parent / "no.nft").write_text("no")
    assert texts().keys() == {"nftables.conf", "a.nft", "b.nft", "c.nft"}
    assert texts()["c.nft"] == "add allowsync  two\nthree # allowsync\n"


def test_no_number_of_includes_holds_up_a_check(conf: Path) -> None:
    for number in range(saved_rules.MOST_FILES * 2):
        (conf.parent / f"{number}.nft").write_text('include "*.nft"\n')
    conf.write_text('include "*.nft"\ninclude "/*/*/*"\n')
    found = list(saved_rules.nft_files())
    assert len(found) == saved_rules.MOST_FILES + 1
    assert "more is included" in found[-1].why


def test_no_size_of_includes_fills_the_memory(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_rules, "MOST_TEXT", 1000)
    for number in range(5):
        (conf.parent / f"{number}.nft").write_text("allowsync " * 40)
    conf.write_text('include "*.nft"\n')
    found = list(saved_rules.nft_files())
    assert [bool(one.text) for one in found] == [True] * 4 + [False]
    assert "more is included" in found[-1].why


def test_what_cannot_be_read_is_told_and_not_guessed(
    conf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved_rules, "LARGEST", 100)
    conf.write_text('include "pipe.nft"\ninclude "loop.nft"\ninclude "large.nft"\n')
    os.mkfifo(conf.parent / "pipe.nft")
    (conf.parent / "loop.nft").symlink_to("loop.nft")
    (conf.parent / "large.nft").write_bytes(bytes(101))
    findings = list(saved_rules.unreadable(saved_rules.nft_files()))
    assert {one.severity for one in findings} == {Severity.INFO}
    assert [name for one in findings for name in ("pipe", "loop", "large") if name in one.what] == [
        "pipe",
        "loop",
        "large",
    ]


def test_any_bytes_are_text(conf: Path) -> None:
    conf.write_bytes(b'\xff\x00 include "\x00"\n include "' + b"x" * 5000 + b'"\ninclude "\xff"\n')
    assert list(texts()) == ["nftables.conf"]
