"""The token is in no output, whatever happens, and nothing ends in a traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testkit.fake_cloudflare import (
    CutConnection,
    FailedCall,
    OperationFails,
    RateLimited,
    TruncatedReply,
    Unsuccessful,
    Wrong,
    WrongType,
)

if TYPE_CHECKING:
    from pathlib import Path

    from testkit.fake_cloudflare import FakeCloudflare, OrderedFault
    from tests.backends.cloudflare.commands.conftest import Commands
    from tests.support.program import ProgramResult

PLANTED = "planted-token-0123456789-abcdefghijklmno"
COMMANDS = (
    ("lists",),
    ("show", "friends"),
    ("create", "others"),
    ("delete", "friends", "--yes"),
    ("add", "friends", "198.51.100.7"),
    ("remove", "friends", "203.0.113.9", "--yes"),
    ("import", "friends", "TABLE"),
    ("export", "friends"),
    ("rule", "--list", "friends", "--host", "a.example.org", "--yes"),
)
WRITES = {"add": ("items.create",), "import": ("items.create",), "remove": ("items.delete",)}
FAULTS: tuple[OrderedFault, ...] = (
    CutConnection(),
    FailedCall(500),
    FailedCall(503, html=True),
    OperationFails("full\x1b[2J"),
    RateLimited("3600"),
    TruncatedReply(),
    Unsuccessful(message="who are you\x1b[2J", status=400),
    Unsuccessful(status=401),
    Unsuccessful(status=403),
    Unsuccessful(status=404),
    Wrong({"result": {"id": 3}, "success": True, "errors": [], "messages": []}),
    WrongType(),
)


@pytest.fixture
def planted(fake: FakeCloudflare, run: Commands, tmp_path: Path) -> Commands:
    fake.tokens[PLANTED] = fake.tokens[fake.token]
    run.token.write_text(PLANTED)
    fake.add_list("friends", {"203.0.113.9": "by hand"})
    fake.add_zone("example.org")
    (tmp_path / "table.csv").write_text("198.51.100.7,x\n")
    return run


def is_clean(done: ProgramResult) -> bool:
    text = done.out + done.err
    return (
        PLANTED not in text
        and "Traceback" not in text
        and "allowsync: internal" not in text
        and all(one.isprintable() or one in "\r\n" for one in text)
    )


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
def test_no_fault_shows_the_token_or_a_traceback(
    fake: FakeCloudflare, planted: Commands, tmp_path: Path, fault: OrderedFault
) -> None:
    for command in COMMANDS:
        typed = [str(tmp_path / "table.csv") if one == "TABLE" else one for one in command]
        for on in ("*", *WRITES.get(command[0], ())):
            fake.faults.add(fault, on=on, times=6)
            done = planted(*typed, "-v")
            fake.faults.clear()
            fake.finish()
            assert done.code in (0, 1, 2)
            assert is_clean(done)


@pytest.mark.parametrize(
    "written",
    ["", f"{PLANTED} \n", f"two\n{PLANTED}\n", f"{PLANTED}\x00", "no such token", f"{PLANTED}é"],
)
def test_no_token_that_is_none_is_shown(run: Commands, written: str) -> None:
    run.token.write_text(written)
    done = run("lists")
    assert done.code in (1, 2)
    assert is_clean(done)
    assert not written.strip() or written.strip() not in done.err


def test_a_token_given_for_its_file_is_not_shown(run: Commands) -> None:
    run.access[1] = f"--token-file={PLANTED}"
    done = run("lists")
    assert done.code == 2
    assert "--token-file: expected the path of a file" in done.err
    assert is_clean(done)


def test_a_token_file_that_others_may_read_is_refused(as_root: None, run: Commands) -> None:
    run.token.chmod(0o644)
    done = run("lists")
    assert done.code == 2
    assert "others may read it" in done.err
