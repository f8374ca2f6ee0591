"""Secrets are kept outside of the configuration, and never shown."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from allowsync.config.kinds import INVALID, Kind, Reading
from allowsync.config.schema.nodes import from_plain
from allowsync.config.secret_kinds import SecretCredential, SecretEnv, SecretFile, SecretUrl
from allowsync.config.secrets import KeptSecret, Secret
from allowsync.config.secure_file import ROOT
from tests.support.configuring import SOMEBODY

if TYPE_CHECKING:
    from collections.abc import Mapping


def parsed(
    kind: Kind[Any],
    plain: Any,
    folder: Path,
    environ: Mapping[str, str] | None = None,
    uid: int = SOMEBODY,
) -> Any:
    reading = Reading(folder / "config.yaml", environ=environ, uid=uid)
    value = kind.parse(from_plain(plain), "token", reading)
    return "\n".join(one.what for one in reading.problems) if value is INVALID else value


def test_a_secret_masks_itself() -> None:
    kept = KeptSecret("/etc/token", Secret("hunter2"))
    for text in (repr(kept), str(kept), f"{kept.secret}", repr([kept.secret])):
        assert "hunter2" not in text
        assert "****" in text


@pytest.mark.parametrize("content", ["hunter2", "hunter2\n", "hunter2\r\n"])
def test_a_file_holds_a_secret_without_its_last_newline(tmp_path: Path, content: str) -> None:
    (tmp_path / "token.txt").write_bytes(content.encode())
    kept = parsed(SecretFile(), "./token.txt", tmp_path)
    assert kept == KeptSecret(str(tmp_path / "token.txt"), Secret("hunter2"))


NO_SECRETS = {
    "empty": (b"", "it is empty"),
    "only a newline": (b"\n", "it is empty"),
    "only spaces": (b"   \n", "it is empty"),
    "two lines": (b"hunter2\nhunter3\n", "more than one line"),
    "a control character": (b"hunter2\x1b", "a control character"),
    "not text": (b"\xff\xfe", "not UTF-8 text"),
    "too large": (b"x" * 65537, "larger than 64 KiB"),
}


@pytest.mark.parametrize(("content", "what"), NO_SECRETS.values(), ids=NO_SECRETS)
def test_a_file_that_holds_no_secret(tmp_path: Path, content: bytes, what: str) -> None:
    (tmp_path / "token.txt").write_bytes(content)
    said = parsed(SecretFile(), "token.txt", tmp_path)
    assert what in said
    assert "hunter" not in said


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert parsed(SecretFile(), "/no/token", tmp_path) == (
        "'/no/token': file not found; write the secret into it, with mode 600"
    )


@pytest.mark.root
def test_root_refuses_a_secret_that_others_may_read(tmp_path: Path, as_root: None) -> None:
    path = tmp_path / "token.txt"
    path.write_text("hunter2")
    path.chmod(0o644)
    assert "others may read it (mode 0644)" in parsed(SecretFile(), str(path), tmp_path, uid=ROOT)
    path.chmod(0o600)
    assert parsed(SecretFile(), str(path), tmp_path, uid=ROOT).secret.value == "hunter2"


@pytest.mark.root
def test_root_refuses_a_secret_of_somebody_else(tmp_path: Path, as_root: None) -> None:
    path = tmp_path / "token.txt"
    path.write_text("hunter2")
    path.chmod(0o600)
    os.chown(path, SOMEBODY, -1)
    assert "belongs to user" in parsed(SecretFile(), str(path), tmp_path, uid=ROOT)


def test_an_environment_variable_holds_a_secret(tmp_path: Path) -> None:
    environ = {"TOKEN": "hunter2", "EMPTY": ""}
    kept = parsed(SecretEnv(), "TOKEN", tmp_path, environ)
    assert kept == KeptSecret("TOKEN", Secret("hunter2"))
    assert parsed(SecretEnv(), "EMPTY", tmp_path, environ) == "'EMPTY': it is empty"
    assert parsed(SecretEnv(), "GONE", tmp_path, environ) == (
        "'GONE': this environment variable is not set"
    )


def test_systemd_passes_a_secret_as_a_credential(tmp_path: Path) -> None:
    (tmp_path / "cloud").write_text("hunter2\n")
    (tmp_path / "cloud").chmod(0o440)
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    for uid in (ROOT, SOMEBODY):
        kept = parsed(SecretCredential(), "cloud", Path("/"), environ, uid)
        assert kept == KeptSecret("cloud", Secret("hunter2"))
    assert "file not found" in parsed(SecretCredential(), "gone", Path("/"), environ)
    assert "passes no credentials" in parsed(SecretCredential(), "cloud", Path("/"), {})


@pytest.mark.parametrize("kind", [SecretFile(), SecretEnv(), SecretCredential()])
@pytest.mark.parametrize("plain", ["S3cretT0kenItself", ["hunter2"], 12345, None, {"a": "b"}])
def test_a_secret_written_where_its_place_belongs_is_not_shown(
    kind: Kind[Any], plain: Any, tmp_path: Path
) -> None:
    said = parsed(kind, plain, tmp_path)
    assert said.startswith("expected the ")
    assert not any(leak in said for leak in ("S3cret", "hunter2", "12345"))


def test_a_credential_cannot_be_outside_of_its_folder(tmp_path: Path) -> None:
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert parsed(SecretCredential(), "../../etc/shadow", tmp_path, environ).startswith("expected")


def test_where_a_secret_is_kept_is_what_is_shown() -> None:
    kept = KeptSecret("/etc/token", Secret("hunter2"))
    assert SecretFile().show(kept) == "/etc/token"
    assert SecretUrl("a URL").show(Secret("ntfy://hunter2@x/y")) == "****"
