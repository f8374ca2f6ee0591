"""How an allowlist is written for Traefik, and what Traefik's documentation says to that."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
import yaml
from allowsync_backends.traefik.document import Unfit, definitions
from allowsync_backends.traefik.options import MiddlewareKind
from allowsync_backends.traefik.syntax import NO_CLIENT, TraefikSyntax
from hypothesis import example, given
from hypothesis import strategies as some

from tests.support.traefik_schema import validator

if TYPE_CHECKING:
    from allowsync.model.types import Network

VALIDATORS = {version: validator(version) for version in (2, 3)}

WHOLE = """\
# Written by allowsync for allowlist "web". Do not edit: changes are overwritten.
http:
  middlewares:
    "allowsync-web":
      ipAllowList:
        sourceRange:
          - "81.2.69.1/32"
          - "90.0.0.0/24"
          - "2a02::/64"
        ipStrategy:
          depth: 2
        rejectStatusCode: 404
tcp:
  middlewares:
    "allowsync-web":
      ipAllowList:
        sourceRange:
          - "81.2.69.1/32"
          - "90.0.0.0/24"
          - "2a02::/64"
"""
BOTH = (MiddlewareKind.HTTP, MiddlewareKind.TCP)


def nets(*texts: str) -> list[Network]:
    return [ip_network(text) for text in texts]


networks = some.sets(
    some.one_of(
        some.ip_addresses(v=4, network="0.0.0.0/0").map(ip_network),
        some.ip_addresses(v=6).map(ip_network),
        some.tuples(some.ip_addresses(), some.integers(0, 128)).map(
            lambda one: ip_network((one[0], min(one[1], one[0].max_prefixlen)), strict=False)
        ),
    ),
    max_size=12,
)


@some.composite
def syntaxes(draw: some.DrawFn) -> TraefikSyntax:
    """Every combination that the options allow."""
    version = draw(some.sampled_from((2, 3)))
    kinds = draw(some.sampled_from(((MiddlewareKind.HTTP,), (MiddlewareKind.TCP,), BOTH)))
    believed = (
        draw(some.sampled_from(("", "depth", "excluded"))) if MiddlewareKind.HTTP in kinds else ""
    )
    status = draw(some.none() | some.integers(400, 599)) if version == 3 else None
    return TraefikSyntax(
        draw(some.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}", fullmatch=True)),
        kinds,
        version,
        draw(some.integers(1, 100)) if believed == "depth" else None,
        tuple(draw(networks.filter(len))) if believed == "excluded" else (),
        status if MiddlewareKind.HTTP in kinds else None,
    )


def test_a_file_is_written_so() -> None:
    syntax = TraefikSyntax("allowsync-web", BOTH, depth=2, reject_status=404)
    assert syntax.render("web", nets("2a02::/64", "90.0.0.0/24", "81.2.69.1/32")) == WHOLE


def test_version_2_has_another_word_for_it() -> None:
    text = TraefikSyntax("friends", excluded=tuple(nets("127.0.0.1", "10.0.0.0/8")), version=2)
    assert yaml.safe_load(text.render("web", nets("81.2.69.1"))) == {
        "http": {
            "middlewares": {
                "friends": {
                    "ipWhiteList": {
                        "sourceRange": ["81.2.69.1/32"],
                        "ipStrategy": {"excludedIPs": ["10.0.0.0/8", "127.0.0.1/32"]},
                    }
                }
            }
        }
    }


@given(syntaxes(), networks)
@example(TraefikSyntax("null"), set())
@example(TraefikSyntax("12"), set(nets("0.0.0.0/0", "::/0")))
@example(TraefikSyntax("yes"), set(nets("255.255.255.255/32")))
def test_whatever_is_written_is_documented_and_read_as_it_was_meant(
    syntax: TraefikSyntax, wanted: set[Network]
) -> None:
    text = syntax.render("web", wanted)
    document = yaml.safe_load(text)
    VALIDATORS[syntax.version].validate(document)
    held = syntax.parse(text)
    assert held is not None
    assert (held.allowlist, set(held.networks)) == ("web", wanted)
    assert text == syntax.render("web", sorted(wanted, key=str, reverse=True))
    for one in definitions(text, syntax).values():
        listed = one.ranges
        assert set(map(ip_network, listed)) == (wanted or set(nets(NO_CLIENT)))
        assert (NO_CLIENT in listed) == (not wanted)


def test_a_key_that_traefik_does_not_document_is_not_let_pass() -> None:
    text = TraefikSyntax("friends").render("web", nets("81.2.69.1"))
    assert VALIDATORS[3].is_valid(yaml.safe_load(text))
    assert not VALIDATORS[2].is_valid(yaml.safe_load(text))
    for wrong, right in (("sourceRanges", "sourceRange"), ("/33", "/32"), ("htp", "http")):
        assert not VALIDATORS[3].is_valid(yaml.safe_load(text.replace(right, wrong)))


def test_an_empty_allowlist_lets_in_an_address_that_nobody_can_have() -> None:
    text = TraefikSyntax("friends", BOTH).render("web", ())
    assert text.count(f'          - "{NO_CLIENT}"\n') == 2
    assert text.count("sourceRange") == 2


@pytest.mark.parametrize(
    ("text", "held"),
    [
        (WHOLE.replace('"90.0.0.0/24"', "90.0.0.0/25"), {"81.2.69.1/32", "90.0.0.0/25"}),
        (WHOLE.replace("90.0.0.0/24", "friend.example.org"), {"81.2.69.1/32"}),
        (WHOLE.replace('"90.0.0.0/24"', "90.0.0.7"), {"81.2.69.1/32", "90.0.0.7/32"}),
        (WHOLE.replace("90.0.0.0/24", "90.0.0.1/24"), {"81.2.69.1/32"}),
    ],
    ids=range(4),
)
def test_of_an_edited_file_the_networks_are_read(text: str, held: set[str]) -> None:
    found = TraefikSyntax("allowsync-web", BOTH).parse(text)
    assert found is not None
    assert {str(one) for one in found.networks} == {*held, "2a02::/64"}


@pytest.mark.parametrize(
    "text", ["", "http: {}\n", WHOLE[1:], "\n" + WHOLE, WHOLE.replace("y al", "")]
)
def test_what_does_not_begin_as_ours_is_a_strangers(text: str) -> None:
    assert TraefikSyntax("allowsync-web").parse(text) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("http: [", "no YAML"),
        ("", "not just http and tcp"),
        ("http: {}", "not just http and tcp"),
        (WHOLE + "udp: {}\n", "not just http and tcp"),
        (WHOLE.replace("allowsync-web", "friends"), "no http middleware allowsync-web"),
        (WHOLE.replace("ipAllowList", "ipWhiteList"), "no http middleware allowsync-web"),
        (WHOLE.replace("sourceRange", "sourceRanges"), "no http middleware allowsync-web"),
        (
            "http: {middlewares: {allowsync-web: {ipAllowList: {sourceRange: []}}}}\ntcp: 7",
            "no http",
        ),
        (WHOLE.replace("2a02::/64", "2a02::/640"), "'2a02::/640' is no network"),
        (WHOLE.replace("2a02::/64", "2a02::1/64"), "'2a02::1/64' is no network"),
        (WHOLE.replace('"2a02::/64"', "{a: b}"), "is no network"),
    ],
    ids=range(11),
)
def test_what_traefik_would_not_take_is_not_let_pass(text: str, why: str) -> None:
    with pytest.raises(Unfit, match=why):
        definitions(text, TraefikSyntax("allowsync-web", BOTH))
