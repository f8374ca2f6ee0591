"""The configuration kept beside the state: believed as it was written by us, or not at all."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allowsync.config import ConfigError, cache, load
from allowsync.config.cache import Source, cached
from allowsync.model.value import replace
from tests.support.configuring import MINIMAL
from tests.support.distributions import backend_module, install

if TYPE_CHECKING:
    from collections.abc import Callable

    from allowsync.config.settings import Config

EXAMPLES = Path(__file__).parents[3] / "examples"
TOLD = "told.yaml"  # the one example that holds its URLs itself
TEXT = """\
hosts:
  anna: anna.example.org   # where she lives
  office: {networks: [192.0.2.0/24]}
allowlists:
  web:
    targets:
      - file: {path: /tmp/allowed.txt}
"""


class Kept:
    """A configuration that can be loaded and kept."""

    def __init__(
        self, folder: Path, text: str = TEXT, *, user: int | None = None, **environ: str
    ) -> None:
        self.user = os.geteuid() if user is None else user
        self.config = folder / "config.yaml"
        self.state = folder / "state.db"
        roots = os.geteuid() == 0
        self.file = folder / (".config.yaml.kept" if roots else "state.db.config")
        self.environ = environ
        self.config.write_text(text)
        self.config.chmod(0o600)

    def load(self, *, keep: bool = True) -> Config:
        return load(self.config, environ=self.environ, uid=self.user, state=self.state, keep=keep)

    def cached(self, **changes: Any) -> Config | None:
        source = Source(
            self.config, self.config.read_bytes(), self.state, self.environ, os.geteuid()
        )
        return cached(replace(source, **changes))


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    one = Kept(tmp_path)
    one.load()
    return one


def test_what_is_kept_is_what_was_validated(kept: Kept) -> None:
    validated = kept.load(keep=False)
    kept.file.unlink()
    assert repr(kept.load(keep=False)) == repr(validated)


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_is_kept_as_it_was_validated(tmp_path: Path, example: Path) -> None:
    for secret in ("cloudflare.token", "jellyfin.key"):
        (tmp_path / secret).write_text("hunter2hunter2")
        (tmp_path / secret).chmod(0o600)
    one = Kept(tmp_path, example.read_text())
    validated = one.load()
    found = one.cached()
    assert (found is None) is (example.name == TOLD), "not kept"
    if found is not None:
        assert found == validated
        assert repr(found) == repr(validated)
        assert found.hosts.keys() == validated.hosts.keys()
        assert "hunter2" not in one.file.read_text()


SPANS = st.sampled_from(["90s", "15m", "6h", "3d", "250ms"])
NETWORKS = st.sampled_from(["192.0.2.0/24", "198.51.100.7", "2001:db8:5::/48"])
POLICY = st.fixed_dictionaries(
    {},
    optional={
        "keep_absent": SPANS,
        "keep_unavailable": SPANS,
        "max_moves": st.integers(1, 9),
        "canary": st.booleans(),
        "accept": st.lists(st.sampled_from(["10.0.0.0/8", "fd00::/8"]), unique=True),
    },
)
HOST = st.builds(
    lambda policy, **given: {**policy, **given},
    POLICY,
    hostname=st.lists(st.sampled_from(["a.example.org", "b.example.net"]), min_size=1, unique=True),
    networks=st.lists(NETWORKS, unique=True),
    families=st.sampled_from([["ipv4"], ["ipv6"], ["ipv6", "ipv4"]]),
    until=st.sampled_from(["2027-01-31", "2027-06-30", "2027-01-31T18:00+01:00", None]),
)
TARGETS = st.lists(
    st.sampled_from(
        [
            {"nftables": {"ports": ["443/tcp", "8000-8010/udp"], "name": "one"}},
            {"nftables": {"set": {"table": "inet filter", "ipv4": "a"}, "name": "two"}},
            {"ufw": {"ports": ["22/tcp"]}},
            {"ipset": {"iptables": "legacy"}},
            {"file": {"path": "list.txt", "mode": "0600", "check": ["/bin/true", "{path}"]}},
            {"apache": {"path": "/tmp/apache", "container": "www", "runtime": "podman"}},
            {"nginx": {"path": "/tmp/nginx", "style": "geo"}},
            {"traefik": {"path": "/tmp/t.yml", "kinds": ["tcp", "http"]}},
        ]
    ),
    min_size=1,
    unique_by=str,
)
DOCUMENTS = st.fixed_dictionaries(
    {
        "hosts": st.dictionaries(st.sampled_from(["anna", "1", "null", "x-y"]), HOST, min_size=1),
        "allowlists": st.builds(lambda targets: {"web": {"targets": targets}}, TARGETS),
    },
    optional={
        "policy": POLICY,
        "limits": st.fixed_dictionaries(
            {}, optional={"max_remove_hosts": st.floats(0, 1), "allow_empty": st.booleans()}
        ),
        "resolver": st.sampled_from(
            [
                {"nameservers": ["192.0.2.53", "[2001:db8::53]:5353"], "agreement": 2},
                {"nameservers": ["tls://192.0.2.53#dns.example.net"], "dnssec": "require"},
                {"timeout": "2s", "attempts": 5},
            ]
        ),
        "metrics": st.just("/tmp/x.prom"),
        "history": st.just("30d"),
        "heartbeat": st.just({"url_env": "PING", "kind": "plain"}),
    },
)


@given(DOCUMENTS)
def test_whatever_is_valid_is_kept_as_it_was_validated(
    tmp_path_factory: pytest.TempPathFactory, document: dict[str, Any]
) -> None:
    text = json.dumps(document)
    one = Kept(tmp_path_factory.mktemp("kept"), text, PING="https://hc.example.net/ping/0123")
    try:
        validated = one.load()
    except ConfigError:
        assert not one.file.exists()
        return
    assert repr(one.cached()) == repr(validated)
    assert one.cached() == validated
    assert "ping/0123" not in one.file.read_text()


@given(st.floats(0, 1, exclude_max=True), st.integers(0, 255))
def test_damage_is_never_believed(
    tmp_path_factory: pytest.TempPathFactory, part: float, flipped: int
) -> None:
    one = Kept(tmp_path_factory.mktemp("kept"))
    validated = one.load()
    whole = bytearray(one.file.read_bytes())
    at = int(part * len(whole))
    if flipped:
        whole[at] ^= flipped
    else:
        del whole[at:]
    one.file.write_bytes(bytes(whole))
    assert one.cached() is None
    assert one.load() == validated
    assert one.cached() == validated


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"x\n" + b"[" * 99999 + b"\n", b"x\n{}\n", b"x\n[[]]\n[]"]
)
def test_what_is_none_of_ours_is_not_believed(kept: Kept, content: bytes) -> None:
    kept.file.write_bytes(content)
    assert kept.cached() is None


def test_only_its_owner_reads_it(kept: Kept) -> None:
    assert kept.file.stat().st_mode & 0o777 == 0o600


def test_it_is_for_one_text_one_state_and_one_path(kept: Kept, tmp_path: Path) -> None:
    content = kept.config.read_bytes()
    assert kept.cached(content=content.replace(b"192.0.2.0", b"192.0.3.0")) is None
    assert kept.cached(content=content + b"\n") is None
    assert kept.cached(path=tmp_path / "other.yaml") is None
    (tmp_path / "other.db.config").write_bytes(kept.file.read_bytes())
    assert kept.cached(state=tmp_path / "other.db") is None
    assert kept.cached() is not None


@pytest.mark.parametrize(
    "written", ["{folder}/state.db", '"{folder}/state.db"  # here', "state.db"]
)
def test_it_is_found_where_the_text_says_that_the_state_is(tmp_path: Path, written: str) -> None:
    text = f"{TEXT}state: {written.format(folder=tmp_path)}\n"
    one = Kept(tmp_path, text)
    config = load(one.config, environ={}, uid=os.geteuid(), keep=True)
    assert one.cached(state=None) == config


def test_another_version_validates_again(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "__version__", "0.0.1")
    assert kept.cached() is None


def test_other_code_validates_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A third party's backend was updated: what a default is, for one, may be another now."""
    module = backend_module(
        "wall", 'path: str = option(Pattern(".*", "text"), help="", default="")'
    )
    folder = tmp_path / "site"
    install(folder, "wall", "[allowsync.backends]\nwall = the_wall:TYPE\n", {"the_wall": module})
    monkeypatch.syspath_prepend(str(folder))
    one = Kept(tmp_path, TEXT.replace("file: {path: /tmp/allowed.txt}", "wall"))
    try:
        validated = one.load()
        assert one.cached() == validated
        (folder / "the_wall.py").write_text(module + "\n")
        assert one.cached() is None
    finally:
        sys.modules.pop("the_wall", None)


READS_MORE = """
from allowsync.config.kinds import Text

class FromFile(Text):
    def read(self, scalar):
        with open(super().read(scalar)) as file:
            return file.read()
"""


def test_what_may_depend_on_more_than_its_text_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = 'token: str = option(FromFile(), help="")'
    module = backend_module("vault", options).replace("@dataclass", f"{READS_MORE}\n@dataclass")
    folder = tmp_path / "site"
    install(
        folder, "vault", "[allowsync.backends]\nvault = the_vault:TYPE\n", {"the_vault": module}
    )
    monkeypatch.syspath_prepend(str(folder))
    (tmp_path / "token").write_text("hunter2")
    text = TEXT.replace("file: {path: /tmp/allowed.txt}", f"vault: {{token: {tmp_path}/token}}")
    one = Kept(tmp_path, text)
    try:
        assert one.load().targets[0].options.token == "hunter2"
        assert not one.file.exists()
    finally:
        sys.modules.pop("the_vault", None)


CLOUD = TEXT.replace(
    "file: {path: /tmp/allowed.txt}",
    f"cloudflare: {{account_id: {'a' * 32}, list: friends, api_token_%s}}",
)


@pytest.mark.parametrize("way", ["file: ./token", "env: TOKEN", "credential: token"])
def test_a_secret_is_read_anew(tmp_path: Path, way: str) -> None:
    def put(secret: str) -> None:
        (tmp_path / "token").write_text(secret)
        (tmp_path / "token").chmod(0o600)
        one.environ = {"TOKEN": secret, "CREDENTIALS_DIRECTORY": str(tmp_path)}

    one = Kept(tmp_path, CLOUD % way)
    put("hunter2hunter2")
    one.load()
    assert "hunter2" not in one.file.read_text()
    put("hunter3hunter3")
    again = one.cached()
    assert again is not None
    assert again.targets[0].options.token.value == "hunter3hunter3"


def test_a_secret_that_is_gone_is_said(tmp_path: Path) -> None:
    one = Kept(tmp_path, CLOUD % "env: TOKEN", TOKEN="hunter2hunter2")
    one.load()
    one.environ = {}
    assert one.cached() is None
    assert "is not set" in one.load().targets[0].broken


def test_a_target_that_cannot_be_served_is_looked_at_in_every_run(tmp_path: Path) -> None:
    one = Kept(tmp_path, CLOUD % "env: TOKEN")
    assert one.load().targets[0].broken
    assert not one.file.exists()


@pytest.mark.parametrize(
    "more",
    ["heartbeat: https://hc.example.net/ping/0123\n", "notify: [ntfy://example.net/topic]\n"],
)
def test_a_secret_is_not_kept(tmp_path: Path, more: str) -> None:
    one = Kept(tmp_path, TEXT + more)
    one.load()
    assert not one.file.exists()


def test_the_end_of_a_day_follows_the_time_zone(
    tmp_path: Path, local_zone: Callable[[str], None]
) -> None:
    one = Kept(tmp_path, TEXT.replace("{networks", "{until: 2027-01-31, networks"))
    local_zone("Europe/Berlin")
    berlin = one.load()
    assert one.cached() == berlin
    local_zone("America/New_York")
    assert one.cached() is None
    assert one.load().hosts["office"].until != berlin.hosts["office"].until


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_what_others_can_write_is_not_believed(kept: Kept, mode: int) -> None:
    kept.file.chmod(mode)
    assert kept.cached() is None


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_what_others_can_replace_is_neither_believed_nor_written(tmp_path: Path, mode: int) -> None:
    user = os.geteuid() or 12345
    one, folder = Kept(tmp_path, user=user), tmp_path / "state"
    folder.mkdir()
    one.state, one.file = folder / "state.db", folder / "state.db.config"
    one.load()
    os.chown(one.file, user, -1)
    assert one.cached(uid=user) is not None
    folder.chmod(mode)
    assert one.cached(uid=user) is None
    one.file.unlink()
    one.load()
    assert not list(folder.iterdir())


@pytest.mark.root
def test_root_believes_nothing_that_is_beside_a_state(kept: Kept, as_root: None) -> None:
    """Its folder may have been another user's, planted files and all."""
    assert kept.cached() is not None
    kept.file.rename(kept.state.with_name("state.db.config"))
    assert kept.cached() is None


def test_what_belongs_to_another_is_not_believed(kept: Kept) -> None:
    assert kept.cached(uid=os.geteuid() + 1) is None


def test_a_link_is_not_followed(kept: Kept, tmp_path: Path) -> None:
    kept.file.rename(tmp_path / "elsewhere")
    kept.file.symlink_to(tmp_path / "elsewhere")
    assert kept.cached() is None


def test_what_is_no_file_is_not_waited_for(kept: Kept) -> None:
    kept.file.unlink()
    os.mkfifo(kept.file)
    assert kept.cached() is None


def test_without_its_folder_nothing_is_kept(tmp_path: Path) -> None:
    one = Kept(tmp_path)
    one.state = tmp_path / "missing" / "state.db"
    one.load()
    assert not one.state.parent.exists()


def test_a_command_that_only_reads_keeps_nothing(tmp_path: Path) -> None:
    one = Kept(tmp_path, MINIMAL)
    one.load(keep=False)
    assert not one.file.exists()


def test_hosts_with_one_policy_share_it_still(kept: Kept) -> None:
    again = kept.cached()
    assert again is not None
    assert all(host.policy is again.policy for host in again.hosts.values())
