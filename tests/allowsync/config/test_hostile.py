"""Whatever stands in a configuration: it loads, or it is a ConfigError that is safe to print."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from allowsync.config import ConfigError, Problem, load
from allowsync.config.document import read_document
from allowsync.config.schema import yaml_loader as yaml12
from allowsync.config.schema.context import Reading
from allowsync.config.schema.nodes import from_plain
from tests.support.configuring import HOME, MINIMAL, SOMEBODY, written
from tests.support.sampling import share

if TYPE_CHECKING:
    from pathlib import Path

SHARED = settings(
    deadline=None,
    max_examples=share(100, 30),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

KEYS = st.sampled_from([
    "hosts", "allowlists", "policy", "limits", "resolver", "state", "notify", "heartbeat",
    "metrics", "alice", "bob", "web", "targets", "nftables", "file", "ports", "path", "name",
    "hostname", "networks", "families", "until", "ipv6_prefix", "keep_absent", "canary",
    "accept", "nameservers", "agreement", "dnssec", "timeout", "<<", "null", "1",
])  # fmt: skip
WORDS = st.sampled_from([
    "alice.example.org", "192.0.2.0/24", "::/0", "ipv4", "443/tcp", "3d", "2027-01-31", "64",
    "true", "no", "~", "https://x/y", "tls://1.1.1.1#a.b", "file", "nftables", "alice",
    "carol",
])  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | WORDS
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | WORDS, inner, max_size=5),
    max_leaves=25,
)


@pytest.fixture(params=["SafeLoader", "CSafeLoader"])
def either_loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml12, "LOADER", getattr(yaml, request.param, yaml.SafeLoader))


def harmless(folder: Path, content: str | bytes) -> None:
    said: tuple[Problem, ...] = ()
    path = written(folder, content)
    try:
        load(path, environ=HOME, uid=SOMEBODY)
    except ConfigError as error:
        said = error.problems or (Problem("nowhere", "\0"),)
    assert all(str(problem).isprintable() for problem in said)


@SHARED
@given(content=st.binary(max_size=200))
def test_any_bytes(tmp_path: Path, either_loader: None, content: bytes) -> None:
    harmless(tmp_path, content)


@SHARED
@given(content=st.text(max_size=200))
def test_any_text(tmp_path: Path, either_loader: None, content: str) -> None:
    harmless(tmp_path, content.encode(errors="surrogatepass"))


@SHARED
@given(content=st.text(alphabet="ab:-[]{}&*!|>'\"%@#?, \n\t\\x0u1~<=", max_size=120))
def test_any_text_of_the_characters_that_yaml_is_made_of(
    tmp_path: Path, either_loader: None, content: str
) -> None:
    harmless(tmp_path, content)


@SHARED
@given(data=st.data())
def test_a_good_configuration_with_a_few_bytes_changed(
    tmp_path: Path, either_loader: None, data: st.DataObject
) -> None:
    content = bytearray(MINIMAL.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    harmless(tmp_path, bytes(content))


@SHARED
@given(document=st.dictionaries(KEYS, DOCUMENTS, max_size=8))
def test_any_tree_of_familiar_words(tmp_path: Path, document: dict[str, Any]) -> None:
    reading = Reading(tmp_path / "config.yaml", environ=HOME, uid=SOMEBODY)
    with suppress(ConfigError):
        config = read_document(from_plain(document, 1), reading, None)
        assert config.hosts
        assert config.targets
    assert all(str(problem).isprintable() for problem in reading.problems)


CORPUS = {
    "a token of a template": "hosts: {{ hosts }}\n",
    "an include": "hosts: !include hosts.yaml\n",
    "a shell": "hosts: {alice: '$(reboot).example.org'}\n",
    "a format string": "hosts: {alice: '{0.__class__}%s%n.example.org'}\n",
    "an object of Python": "!!python/object/apply:os.system ['reboot']\n",
    "a key that is a bomb": "? &a [x, x]\n: *a\n",
    "a key that is an alias": "a: &k hosts\n*k : 1\n",
    "lone surrogates": 'hosts: {"\\ud800": a.example.org}\n',
    "a key of a kilobyte": f"hosts: {{{'k' * 1100}: a.example.org}}\n",
    "a line of a megabyte": f"hosts: {{alice: {'a' * 1_000_000}}}\n",
    "thousands of keys": "hosts:\n" + "".join(f"  h{n}: x\n" for n in range(5000)),
    "a comment without end": "#" * 100_000,
    "directives": "%YAML 1.2\n%TAG ! tag:evil,2027:\n---\nhosts: !x {}\n",
    "an unknown version": "%YAML 9.9\n---\nhosts: {}\n",
    "a document that ended": "hosts: {}\n...\n",
    "carriage returns": MINIMAL.replace("\n", "\r"),
    "paragraph separators": MINIMAL.replace("\n", "\u2029"),
    "right to left": "hosts: {alice: \u202egro.elpmaxe}\n",
    "infinity": "limits: {max_remove_hosts: .inf}\n",
    "a number of a kilobyte": f"policy: {{max_moves: {'9' * 1000}}}\n",
    "a float of a kilobyte": f"limits: {{max_remove_hosts: 0.{'9' * 1000}}}\n",
    "a duration of a kilobyte": f"policy: {{keep_absent: {'9' * 1000}d}}\n",
    "hexadecimal": "policy: {max_moves: 0xffffffffffffffffffffffffffffffffffffffffffff}\n",
    "a network of the other base": "hosts: {a: {networks: [0x7f000001]}}\n",
    "a network with a zone": "hosts: {a: {networks: ['fe80::1%eth0/64']}}\n",
}


@pytest.mark.parametrize("content", CORPUS.values(), ids=CORPUS)
def test_the_corpus(tmp_path: Path, either_loader: None, content: str) -> None:
    harmless(tmp_path, content)
