"""`allowsync cloudflare import` and `export`, on a fake account."""

from __future__ import annotations

import io
import stat
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from testkit.fake_cloudflare import FakeCloudflare
    from tests.backends.cloudflare.commands.conftest import Commands

TABLE = "ip,comment\r\n198.51.100.7,the office\r\n203.0.113.9,\r\n"


@pytest.fixture
def table(fake: FakeCloudflare, tmp_path: Path) -> Path:
    fake.add_list("friends", {"203.0.113.9": "by hand"})
    path = tmp_path / "table.csv"
    path.write_text(TABLE, newline="")
    return path


def test_a_table_is_put_into_a_list(fake: FakeCloudflare, run: Commands, table: Path) -> None:
    document = run.json("import", "friends", str(table)).document
    assert document["schema"] == "allowsync.cloudflare.import/1"
    assert (document["add"], document["unchanged"]) == (
        [{"network": "198.51.100.7/32", "comment": "the office"}],
        1,
    )
    assert fake.items("friends") == {"198.51.100.7": "the office", "203.0.113.9": "by hand"}
    fake.forget()
    assert run("import", "friends", str(table)).out == "friends\n  2 there already\n"
    assert fake.writes == []


def test_standard_input_is_read(
    fake: FakeCloudflare, run: Commands, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TABLE.encode())))
    assert run("import", "friends", "-").code == 0
    assert "198.51.100.7" in fake.items("friends")


def test_comments_are_replaced_after_a_question(
    fake: FakeCloudflare, run: Commands, table: Path
) -> None:
    table.write_text("203.0.113.9,new\n")
    assert run("import", "friends", str(table)).code == 2
    assert fake.writes == []
    assert run("import", "friends", str(table), "--yes").code == 0
    assert fake.items("friends") == {"203.0.113.9": "new"}


def test_a_table_with_a_flaw_changes_nothing(
    fake: FakeCloudflare, run: Commands, table: Path
) -> None:
    table.write_text("198.51.100.7,ok\nnobody,x\n198.51.100.7,again\n")
    done = run.json("import", "friends", str(table))
    assert done.code == 2
    assert [one["where"] for one in done.document["problems"]] == [f"{table}:2", f"{table}:3"]
    assert fake.requests == []


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"\xff\xfe", "is not UTF-8 text"), (b"ip,comment\n", "holds no address"), (None, "No such")],
)
def test_what_is_no_table_is_a_usage_error(
    fake: FakeCloudflare, run: Commands, table: Path, content: bytes | None, said: str
) -> None:
    if content is None:
        table.unlink()
    else:
        table.write_bytes(content)
    done = run("import", "friends", str(table))
    assert (done.code, fake.requests) == (2, [])
    assert said in done.err


def test_what_was_exported_can_be_imported_again(
    fake: FakeCloudflare, run: Commands, tmp_path: Path
) -> None:
    held = {"198.51.100.0/24": "=1+1", "203.0.113.9": 'a "b", c', "2001:db8:7::/64": None}
    fake.add_list("friends", held)
    done = run("export", "friends")
    assert done.out.startswith("ip,comment\r\n198.51.100.0/24,'=1+1\r\n")
    path = tmp_path / "out.csv"
    assert run("export", "friends", str(path)).out == f"{path}: 3 items\n"
    assert path.read_bytes() == done.out.encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for address in held:
        fake.pull("friends", address)
    assert run("import", "friends", str(path)).code == 0
    assert {one: text or "" for one, text in fake.items("friends").items()} == {
        one: text or "" for one, text in held.items()
    }


def test_a_file_is_replaced_after_a_question(
    fake: FakeCloudflare, run: Commands, table: Path
) -> None:
    assert run("export", "friends", str(table)).code == 2
    assert table.read_bytes() == TABLE.encode()
    assert run("export", "friends", str(table), "--yes").code == 0
    assert table.read_bytes() == b"ip,comment\r\n203.0.113.9,by hand\r\n"


def test_a_place_that_cannot_be_written_is_a_failure(
    run: Commands, table: Path, tmp_path: Path
) -> None:
    done = run("export", "friends", str(tmp_path / "no" / "such.csv"))
    assert done.code == 1
    assert "cannot be written" in done.err


def test_an_export_for_programs_is_one_document(
    fake: FakeCloudflare, run: Commands, table: Path
) -> None:
    document = run.json("export", "friends").document
    assert document["schema"] == "allowsync.cloudflare.export/1"
    assert [(one["network"], one["comment"]) for one in document["items"]] == [
        ("203.0.113.9/32", "by hand")
    ]
    out = run.json("export", "friends", str(table.with_name("new.csv")))
    assert out.document["file"] == str(table.with_name("new.csv"))
