"""YAML as its version 1.2 has it, read without recursion, and what is refused."""

from __future__ import annotations

import pytest
import yaml

from allowsync.config.schema import yaml_loader as yaml12
from allowsync.config.schema.nodes import Mapping, Scalar, ScalarType, Sequence
from allowsync.config.schema.yaml_loader import YamlError, read_yaml
from allowsync.config.secure_file import LARGEST_FILE

LOADERS = [yaml.SafeLoader, *([yaml.CSafeLoader] if hasattr(yaml, "CSafeLoader") else [])]


@pytest.fixture(autouse=True, params=LOADERS, ids=lambda loader: loader.__name__)
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both parsers: with libyaml and without."""
    monkeypatch.setattr(yaml12, "LOADER", request.param)


def value(text: str) -> Scalar:
    root = read_yaml(f"key: {text}\n".encode())
    assert isinstance(root, Mapping)
    (entry,) = root.entries
    assert isinstance(entry[1], Scalar)
    return entry[1]


def refused(content: str | bytes) -> YamlError:
    with pytest.raises(YamlError) as raised:
        read_yaml(content if isinstance(content, bytes) else content.encode())
    return raised.value


TYPES = {
    ScalarType.NULL: ["", "~", "null", "Null", "NULL", "!!null null"],
    ScalarType.BOOLEAN: ["true", "True", "TRUE", "false", "False", "FALSE", "!!bool true"],
    ScalarType.INTEGER: ["0", "-1", "+12", "012", "0o17", "0xfF", "!!int 5"],
    ScalarType.FLOAT: ["1.5", ".5", "-1e3", "1.", "+.5e-3", ".inf", "-.Inf", ".NAN", "!!float 1"],
    ScalarType.TEXT: [
        *("no", "yes", "on", "off", "y", "n", "nULL", "tRUE", "a"),
        *("22:22", "190:20:30", "2027-01-31", "2027-01-31 10:00:00", "0b11", "1_000", "0o8", "08x"),
        *("1.2.3", "+", "-x", ".", "e3", "0x", "=", "<<", "!!str 5", "! 5.5"),
        *('"5"', "'true'", "''", '"null"', "|-\n  5", ">-\n  true"),
    ],
}


@pytest.mark.parametrize(
    ("text", "expected"), [(text, one) for one, texts in TYPES.items() for text in texts]
)
def test_plain_scalars_are_those_of_the_core_schema(text: str, expected: ScalarType) -> None:
    assert value(text).type is expected


def test_a_node_knows_its_line() -> None:
    assert read_yaml(b"a:\n  - 1\n  - b: {c: 2}\n") == Mapping(
        (
            (
                Scalar("a", ScalarType.TEXT, 1),
                Sequence(
                    (
                        Scalar("1", ScalarType.INTEGER, 2),
                        Mapping(
                            (
                                (
                                    Scalar("b", ScalarType.TEXT, 3),
                                    Mapping(
                                        (
                                            (
                                                Scalar("c", ScalarType.TEXT, 3),
                                                Scalar("2", ScalarType.INTEGER, 3),
                                            ),
                                        ),
                                        3,
                                    ),
                                ),
                            ),
                            3,
                        ),
                    ),
                    1,
                ),
            ),
        ),
        1,
    )


@pytest.mark.parametrize("text", ["", "# nothing\n", "\n\n"])
def test_a_file_without_a_document_holds_nothing(text: str) -> None:
    assert read_yaml(text.encode()) is None


def test_a_byte_order_mark_at_the_start_is_no_part_of_the_text() -> None:
    assert read_yaml(b"\xef\xbb\xbfa: 1\n") == read_yaml(b"a: 1\n")


def test_an_alias_stands_for_the_last_anchor_of_its_name() -> None:
    root = read_yaml(b"[&a 1, *a, &a 2, *a]")
    assert isinstance(root, Sequence)
    assert [one.text for one in root.items if isinstance(one, Scalar)] == ["1", "1", "2", "2"]


REFUSED = {
    "not UTF-8": (b"a: 1\nb: \xff\n", 2, "byte 0xff"),
    "UTF-16": ("a: 1".encode("utf-16"), 1, "not UTF-8"),
    "NUL": (b"a: 1\n\n\0", 3, r"'\x00'"),
    "an escape character": (b"a: \x1b[31m", 1, r"'\x1b'"),
    "DEL": (b"a: \x7f", 1, r"'\x7f'"),
    "a byte order mark inside": ("a: 1\nb: \ufeff".encode(), 2, r"'\ufeff'"),
    "a tab for indentation": (b"a:\n\tb: 1\n", 2, "a tab as indentation; use spaces"),
    "two values in a line": (b"a: b: c", 1, "a second `: ` in one line"),
    "an at sign": (b"a: @b", 1, "text that begins with @ needs quotes"),
    "a quote that stays open": (b"a: 'b\nc: 1\n", 1, "the quote in column 4 is never closed"),
    "a bracket that stays open": (b"a: [1,\nb: 2\n", 1, "the '[' in column 4 is never closed"),
    "a bracket below others": (
        b"a: [1]\nb:\n  - c: {d: [1, 2}\n",
        3,
        "the '[' in column 12 is nev",
    ),
    "a brace that stays open": (b"a:\n  b: {c: 1\n  d: [2]\n", 2, "the '{' in column 6 is never"),
    "a bracket at the end": (b"a: b\nc: [", 2, "the '[' in column 4 is never closed"),
    "a comma that is missing": (b"a: b\nc: ['d' 'e']\n", 2, "expected ',' or ']'"),
    "a closing brace too many": (b"a: {b: 1}}\n", 1, "a closing '}' too many"),
    "a closing bracket too many": (b"a:\n  b: [1]]\nc: 1\n", 2, "a closing ']' too many"),
    "an indentation that fits nothing": (
        b"a:\n   b: 1\n  c: 2\n",
        3,
        "the indentation of the line fits none above it",
    ),
    "a line without a colon": (b"a:\n  b: 1\n  c\n  d: 2\n", 3, "no `: ` after its key"),
    "a colon without a space": (
        b"a:\n  b:1  # one: two\n\n  # c\n  d: 2\n",
        2,
        "no `: ` after its key",
    ),
    "a key without its colon at the end": (b"a:\n  b: 1\nc\nd: 2\n", 3, "no `: ` after its key"),
    "a key deeper than its neighbour": (b"a:\n  b: 1\n   c: 2\n", 3, "indented deeper than"),
    "a long key": (b"a: 1\n" + b"k" * 1025 + b": 1\n", 2, "a key is longer than 1024 characters"),
    "a long line": (b"k" * 1025 + b"\nb: 1\n", 1, "a key is longer than 1024 characters"),
    "a list item in a mapping": (b"a:\n  b: 1\n  - c\n", 3, "a list item (`- `) where a key"),
    "a key in a list": (b"a:\n  - b\n  c: 1\n", 3, "a key where a list item (`- `) belongs"),
    "text after a quote": (b"a:\n  b: 'c' d\n", 2, "something follows a complete value"),
    "a quote within quotes": (b"a: 'it's'\n", 1, "a quote may be missing"),
    "a percent sign": (b"a:\n  %b: 1\n", 2, "text that begins with % needs quotes"),
    "a backslash": (b'a: "\\d"\n', 1, "a backslash in double quotes begins an escape"),
    "a directive alone": (b"%YAML 1.2\na: 1\n", 2, "the document ends before this line"),
    "text after a flow mapping": (b"{a: 1}\nb: 2\n", 2, "the document ends before this line"),
    "lines that end as a Mac's did": (b"a:\r  b\r  c: 1\r", 2, "no `: ` after its key"),
    "a character no escape has": (b'a: "\\U99999999"', None, "not valid YAML"),
    "a second document": (b"a: 1\n---\nb: 2\n", 2, "a second document begins here"),
    "an unknown tag": (b"a: !secret x", 1, "the tag '!secret' does not belong here"),
    "a Python object": (b"a: !!python/name:os.system x", 1, "does not belong here"),
    "a tag that does not fit": (b"a: !!int x", 1, "does not belong here"),
    "a timestamp": (b"a: !!timestamp 2027-01-31", 1, "does not belong here"),
    "a set": (b"a: !!set {b}", 1, "does not belong here"),
    "a list called mapping": (b"a: !!map []", 1, "does not belong here"),
    "an alias without anchor": (b"a: 1\nb: *c\n", 2, "the alias *c has no anchor before it"),
    "an alias of what holds it": (b"a: &a\n  - b: *a\n", 2, "a value that holds it"),
    "nested lists": (b"[" * 65, 1, "nested deeper than 64 levels"),
    "nested mappings": (b"{a: " * 65, 1, "nested deeper than 64 levels"),
}


@pytest.mark.parametrize(("content", "line", "what"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(content: bytes, line: int | None, what: str) -> None:
    error = refused(content)
    assert what in error.what
    assert line in (None, error.line)


def test_a_hundred_thousand_brackets_do_no_harm() -> None:
    """By the loader's own limit or by ours: whichever is met first."""
    for text in ("[" * 100_000, "- " * 100_000):
        error = refused(text)
        assert error.line == 1
        assert len(error.what) < 200


def test_sixty_four_levels_are_read() -> None:
    assert read_yaml(b"[" * 64 + b"]" * 64) is not None


def bomb(levels: int, width: int) -> str:
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines)


def test_aliases_that_explode_are_refused() -> None:
    assert "aliases stand for more than 250000 values" in refused(bomb(12, 9)).what


def test_aliases_do_not_nest_deeper_than_text_may() -> None:
    assert "levels through aliases" in refused(bomb(70, 1)).what


def test_a_modest_use_of_aliases_is_read() -> None:
    assert read_yaml(bomb(4, 9).encode()) is not None


def test_a_huge_file_is_refused_before_it_is_parsed() -> None:
    assert "larger than 16 MiB" in refused(b"#" * (LARGEST_FILE + 1)).what
