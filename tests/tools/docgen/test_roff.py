"""Markdown as manual pages: nothing is lost, and nothing is taken for a command of roff."""

from __future__ import annotations

import re
import subprocess
from datetime import date

import pytest

from tools.docgen.roff import page

DAY = date(2026, 11, 20)


def shown(body: str) -> str:
    """What a person reads, without heads and feet, and with single spaces."""
    text = page("test", 8, "1.0", DAY, f"## Name\n\ntest - it\n\n## Body\n\n{body}")
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-P-cbou"],
        input=text,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return " ".join(done.stdout.partition("BODY")[2].rpartition("allowsync 1.0")[0].split())


@pytest.mark.parametrize(
    "text",
    [
        ".TH is not a request",
        "'br neither",
        "a \\ backslash, \\n and \\fB",
        "quotes: \" and 'one'",
        "--dry-run and a-b",
        "an ellipsis … and ü",
        "tilde ~ and caret ^",
        f"a line that is broken {'x' * 60} .before a point {'y' * 60} 'and a quote",
    ],
)
def test_text_is_shown_as_it_is(text: str) -> None:
    assert shown(text) == " ".join(text.split())


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("see [the guide](guide.md#a)", "see the guide"),
        ("`--only NAME` is **bold**", "--only NAME is bold"),
        ("\\[HOST]... in brackets", "[HOST]... in brackets"),
        ("- one\n- two\n  lines", "• one • two lines"),
        ("```sh\n.first\n\n  second\n```", ".first second"),
        ("| A | B |\n|---|---|\n| `-x` | it says \\| so |", "-x it says | so"),
        ("| A | B | C |\n|---|---|---|\n| k | 5 | why |", "k why B: 5."),
        ("| A | B | C |\n|---|---|---|\n| k |  | why |", "k why"),
    ],
)
def test_markdown_becomes_text(markdown: str, text: str) -> None:
    assert shown(markdown) == text


def test_lines_in_a_block_stay_lines() -> None:
    text = page("test", 8, "1.0", DAY, "## Name\n\n```sh\none two\nthree\n```")
    assert re.search(r"^\.nf\none two\nthree\n\.fi$", text, re.MULTILINE)
