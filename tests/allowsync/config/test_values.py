"""Single values: durations, moments, hostnames, networks, nameservers, paths, secrets' names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import Enum
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from allowsync.config.hostnames import Hostname
from allowsync.config.kinds import (
    INVALID,
    AbsolutePath,
    Boolean,
    Choice,
    Duration,
    Integer,
    Kind,
    MapOf,
    Moment,
    Name,
    Number,
    OneOrMany,
    Optional,
    Pattern,
    Reading,
    Text,
)
from allowsync.config.nameservers import NameserverKind
from allowsync.config.networks import AcceptedNetwork, FixedNetwork
from allowsync.config.schema.nodes import Scalar, ScalarType, from_plain
from allowsync.config.schema.time_kinds import duration_text
from allowsync.model.nameserver import Nameserver, Transport

if TYPE_CHECKING:
    from collections.abc import Callable


def parsed(kind: Kind[Any], plain: Any) -> Any:
    """The value, or what is said about it."""
    reading = Reading(Path("/etc/allowsync/config.yaml"), uid=1000)
    value = kind.parse(from_plain(plain, 7), "key", reading)
    if value is not INVALID:
        assert reading.problems == ()
        return value
    (problem,) = reading.problems
    assert problem.where == "/etc/allowsync/config.yaml:7: key"
    return problem.what


def scalar(text: str, type_: ScalarType) -> Any:
    reading = Reading(Path("x"), uid=1000)
    return Integer(-100, 100).parse(Scalar(text, type_), "", reading)


DURATIONS = {
    "0s": timedelta(0),
    "500ms": timedelta(milliseconds=500),
    "90s": timedelta(seconds=90),
    "15m": timedelta(minutes=15),
    "6h": timedelta(hours=6),
    "3d": timedelta(days=3),
    "2w": timedelta(weeks=2),
}


@pytest.mark.parametrize(("text", "expected"), DURATIONS.items())
def test_a_duration_has_a_unit(text: str, expected: timedelta) -> None:
    assert parsed(Duration(), text) == expected
    assert parsed(Duration(), duration_text(expected)) == expected


@pytest.mark.parametrize(
    "plain", ["3", "3 d", "-3d", "1h30m", "1.5h", "3D", "٣d", "d", "", 3, None]
)
def test_what_is_no_duration(plain: Any) -> None:
    assert parsed(Duration(), plain).startswith("expected a duration such as 90s, 15m, 6h or 3d, ")


@pytest.mark.parametrize("text", ["36501d", "142857143w", "999999999w", "999999999d"])
def test_a_duration_beyond_what_can_be_calculated_with_is_one_that_is_too_long(text: str) -> None:
    assert parsed(Duration(), text) == f"expected a duration of at most 36500d, got '{text}'"


def test_durations_are_shown_in_their_largest_unit() -> None:
    seconds = [0, 59, 60, 90, 3600, 5400, 86400, 14 * 86400]
    shown = [duration_text(timedelta(seconds=one)) for one in seconds]
    assert shown == ["0s", "59s", "1m", "90s", "1h", "90m", "1d", "14d"]
    assert duration_text(timedelta(seconds=1, milliseconds=500)) == "1500ms"


def test_a_date_means_the_end_of_that_day_here(local_zone: Callable[[str], None]) -> None:
    local_zone("Europe/Berlin")
    assert parsed(Moment(), "2027-01-31") == datetime(2027, 1, 31, 23, tzinfo=UTC)
    # The clocks change on that day: it has 23 hours.
    assert parsed(Moment(), "2027-03-28") == datetime(2027, 3, 28, 22, tzinfo=UTC)
    assert parsed(Moment(), "2027-12-31") == datetime(2027, 12, 31, 23, tzinfo=UTC)
    local_zone("Pacific/Auckland")
    assert parsed(Moment(), "2027-01-31") == datetime(2027, 1, 31, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2027-01-31T18:00+01:00",
        "2027-01-31 18:00:00 +01:00",
        "2027-01-31T17:00Z",
        "2027-01-31t17:00z",
    ],
)
def test_a_time_has_an_offset(text: str) -> None:
    assert parsed(Moment(), text) == datetime(2027, 1, 31, 17, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["9999-12-31", "0000-01-01", "2027-13-01", "2027-01-31T25:00Z", "0001-01-01T00:00+10:00"],
)
def test_a_moment_that_does_not_exist(text: str, local_zone: Callable[[str], None]) -> None:
    local_zone("UTC")
    assert "is not a date and time that exists" in parsed(Moment(), text)


@pytest.mark.parametrize("plain", ["31.01.2027", "2027-1-31", "2027-01", "soon", 20270131, None])
def test_what_is_no_moment(plain: Any) -> None:
    assert parsed(Moment(), plain).startswith("expected a date such as 2027-01-31, ")


HOSTNAMES = {
    "alice.duckdns.org": "alice.duckdns.org",
    "Alice.DuckDNS.org.": "alice.duckdns.org",
    "_home.a-b.example": "_home.a-b.example",
    "bücher.example": "xn--bcher-kva.example",
    "Straße.example": "xn--strae-oqa.example",
    "例え。テスト": "xn--r8jz45g.xn--zckzah",
    "\uff48\uff4f\uff4d\uff45.example": "home.example",
    "xn--bcher-kva.example": "xn--bcher-kva.example",
    "1.example": "1.example",
    f"{'a' * 63}.example": f"{'a' * 63}.example",
    ".".join(["a" * 49] * 5) + ".aaa": ".".join(["a" * 49] * 5) + ".aaa",
}


@pytest.mark.parametrize(("written", "expected"), HOSTNAMES.items())
def test_a_hostname_becomes_what_the_dns_is_asked(written: str, expected: str) -> None:
    assert parsed(Hostname(), written) == expected


NO_HOSTNAMES = {
    "": "expected a hostname",
    ".": "expected a hostname",
    "nas": "write the domain too, such as nas.home.arpa",
    "a..example": "nothing between two dots",
    ".a.example": "nothing between two dots, or before the first",
    "a.example..": "nothing between two dots",
    "a.example\n": r"'\n' cannot be in one",
    "a.example ": "' ' cannot be in one",
    "a/b.example": "'/' cannot be in one",
    "*.example.org": "'*' cannot be in one",
    "https://a.example": "is a URL",
    "a.example:443": "':' cannot be in one",
    "192.0.2.1": "is an address",
    "192.0.2.0/24": "is an address",
    "2001:db8::1": "is an address",
    "[2001:db8::1]": "is an address",
    "fe80::1%eth0": "is an address",
    "\uff11\uff19\uff12.0.2.1": "is an address",
    "010.0.0.1": "is no valid IPv4 address",
    "alice.1": "ends in a number",
    "-a.example": "a hyphen",
    "a-.example": "a hyphen",
    f"{'a' * 64}.example": "longer than 63 characters",
    ".".join(["a" * 49] * 5) + ".aaaa": "longer than 253 characters",
    "ü" * 2000: "longer than 253 characters",
    "a\u202e.example": "control or invisible",
    "a\u200b.example": "control or invisible",
    "☃..example": "not a valid internationalised name",
    "\u0378.example": "control or invisible",
}


@pytest.mark.parametrize(("written", "what"), NO_HOSTNAMES.items())
def test_what_is_no_hostname(written: str, what: str) -> None:
    said = parsed(Hostname(), written)
    assert what in said
    assert said.isprintable()


@pytest.mark.parametrize("plain", [1.5, 7, True, None, ["a.example"], {"a": "b"}])
def test_only_text_is_a_hostname(plain: Any) -> None:
    assert parsed(Hostname(), plain).startswith(
        "expected a hostname such as alice.example.org, got"
    )


@pytest.mark.parametrize(
    "text", ["203.0.113.0/24", "192.168.0.0/16", "2001:db8:5::/48", "2a00:1::7/128", "81.2.69.1/32"]
)
def test_a_fixed_network(text: str) -> None:
    assert parsed(FixedNetwork(), text) == ip_network(text)


def test_one_address_is_a_network_of_its_own() -> None:
    assert parsed(FixedNetwork(), "81.2.69.1") == ip_network("81.2.69.1/32")
    assert parsed(FixedNetwork(), "2A00:1::7") == ip_network("2a00:1::7/128")


@pytest.mark.parametrize("text", ["64:ff9b::cb00:7107/128", "64:ff9b::cb00:0/112"])
def test_an_address_behind_nat64_may_be_named(text: str) -> None:
    assert parsed(FixedNetwork(), text) == ip_network(text)


@pytest.mark.parametrize("text", ["64:ff9b::/96", "64:ff9b::cb00:0/111", "64:ff9b:1::/48"])
def test_all_that_is_behind_it_may_not(text: str) -> None:
    assert "behind NAT64" in parsed(FixedNetwork(), text)


@pytest.mark.parametrize("text", ["10.0.0.0/8", "100.64.0.0/10", "fc00::/7", "192.168.178.0/24"])
def test_an_accepted_network_may_be_wide(text: str) -> None:
    assert parsed(AcceptedNetwork(), text) == ip_network(text)


@pytest.mark.parametrize(
    "text", ["0.0.0.0/0", "::/0", "224.0.0.0/8", "::1", "ff00::/8", "127.9.9.9"]
)
def test_what_nothing_can_make_acceptable(text: str) -> None:
    assert "never accepted" in parsed(AcceptedNetwork(), text)


@pytest.mark.parametrize(
    "text",
    ["", "x", "1.2.3", "1.2.3.4/33", "1.2.3.4/", "/24", "1.2.3.4/24/24", "fe80::1%eth0", " 1.2.3.4",
     "1.2.3.4/0x18", "::/129", "1.2.3.4/٢٤", "1.2.3.4/0.0.0.255"],
)  # fmt: skip
def test_what_is_no_network(text: str) -> None:
    assert parsed(FixedNetwork(), text).startswith("expected a network such as ")


NAMESERVERS = {
    "192.0.2.53": Nameserver("192.0.2.53"),
    "192.0.2.53:5353": Nameserver("192.0.2.53", 5353),
    "2001:DB8::53": Nameserver("2001:db8::53"),
    "[2001:db8::53]": Nameserver("2001:db8::53"),
    "[2001:db8::53]:5353": Nameserver("2001:db8::53", 5353),
    "fe80::1%eth0": Nameserver("fe80::1%eth0"),
    "[fe80::1%eth0]:5353": Nameserver("fe80::1%eth0", 5353),
    "tls://1.1.1.1#one.one.one.one": Nameserver(
        "1.1.1.1", 853, Transport.TLS, name="one.one.one.one"
    ),
    "tls://9.9.9.9": Nameserver("9.9.9.9", 853, Transport.TLS),
    "tls://[2001:db8::53]:8853": Nameserver("2001:db8::53", 8853, Transport.TLS),
    "tls://[2001:db8::53]:8853#Dns.Example.NET": Nameserver(
        "2001:db8::53", 8853, Transport.TLS, name="dns.example.net"
    ),
    "https://dns.quad9.net/dns-query": Nameserver(
        "", 443, Transport.HTTPS, url="https://dns.quad9.net/dns-query"
    ),
    "https://192.0.2.53:8443/q": Nameserver(
        "", 8443, Transport.HTTPS, url="https://192.0.2.53:8443/q"
    ),
}


@pytest.mark.parametrize(("text", "expected"), NAMESERVERS.items())
def test_a_nameserver(text: str, expected: Nameserver) -> None:
    assert parsed(NameserverKind(), text) == expected
    assert parsed(NameserverKind(), str(expected)) == expected


NO_NAMESERVERS = {
    "dns.example.net": "would have to be resolved first",
    "": "would have to be resolved first",
    "192.0.2.53:": "would have to be resolved first",
    "192.0.2.53:0": "a port is a number from 1 to 65535",
    "192.0.2.53:99999": "a port is a number from 1 to 65535",
    "192.0.2": "no valid address",
    "192.0.2.300": "no valid address",
    "2001:db8:::1": "no valid address",
    "[192.0.2.53": "would have to be resolved first",
    "0.0.0.0": "the unspecified address",
    "::": "the unspecified address",
    "224.0.0.1": "a multicast address",
    "tls://192.0.2.53#": "lacks the name its certificate must have",
    "tls://192.0.2.530": "no valid address",
    "tls://dns.example.net": "would have to be resolved first, in clear text",
    "tls://dns.example.net:853": "write tls://ADDRESS#NAME",
    "tls://": "lacks the address of the nameserver",
    "tls://dns.example.net#dns.example.net": "write tls://ADDRESS#dns.example.net",
    "tls://192.0.2.53#a b": "' ' cannot be in one",
    "https://dns.example.net": "not the URL of a DoH server",
    "https://user:pass@dns.example.net/q": "not the URL of a DoH server",
    "https://dns.example.net/q{?dns}": "not the URL of a DoH server",
    "https://a_b-.example/q": "a hyphen",
    "https://0.0.0.0/q": "the unspecified address",
    "https://[::]/q": "the unspecified address",
    "https://dns.example.net:0/q": "a port is a number",
    "udp://192.0.2.53": "only tls:// and https:// are known",
    "192.0.2.53\n": "would have to be resolved first",
}


@pytest.mark.parametrize(("text", "what"), NO_NAMESERVERS.items())
def test_what_is_no_nameserver(text: str, what: str) -> None:
    assert what in parsed(NameserverKind(), text)


def test_a_nameserver_is_text() -> None:
    assert parsed(NameserverKind(), 53).startswith("expected a nameserver such as ")


def test_numbers_as_yaml_writes_them() -> None:
    kind = ScalarType.INTEGER
    texts = ["012", "0o17", "0x1f", "-5", "+5"]
    assert [scalar(text, kind) for text in texts] == [12, 15, 31, -5, 5]
    assert scalar("12", ScalarType.TEXT) is INVALID


def test_a_number_may_be_whole_or_not() -> None:
    assert (parsed(Number(0, 1), 1), parsed(Number(0, 1), 0.25)) == (1.0, 0.25)
    assert parsed(Number(0, 1), 1.01) == "expected a number from 0 to 1, got 1.01"
    assert parsed(Number(0, 1), "0.5") == "expected a number from 0 to 1, got '0.5'"


def test_text_that_looks_like_a_number_needs_quotes() -> None:
    said = parsed(Pattern("[0-9]+", "digits"), 755)
    assert said == "expected digits, got 755 (text that looks like this needs quotes)"
    assert parsed(Name("[0-9]+", "digits"), 755) == "755"


def test_text_is_printable_and_not_endless() -> None:
    assert "control or invisible" in parsed(Text(), "a\u0007b")
    assert parsed(Text(longest=3), "abcd") == "expected at most 3 characters, got 4"
    assert parsed(Text(), "") == "expected text, got ''"
    assert parsed(Boolean(), "true") == "expected true or false, got 'true'"


def test_a_path_starts_at_the_folder_of_the_configuration() -> None:
    assert parsed(AbsolutePath(), "lists/a.txt") == Path("/etc/allowsync/lists/a.txt")
    assert parsed(AbsolutePath(), "/srv/a.txt") == Path("/srv/a.txt")
    assert parsed(AbsolutePath("the path of a file"), "/srv/") == (
        "expected the path of a file, got '/srv/'"
    )


def test_one_or_many() -> None:
    kind = OneOrMany(Hostname())
    assert parsed(kind, "a.example") == parsed(kind, ["a.example"]) == ("a.example",)
    assert (kind.show(("a.example",)), kind.show(("a.example", "b.example"))) == (
        "a.example",
        ["a.example", "b.example"],
    )


class Size(Enum):
    SMALL = "small"
    MIDDLE = "middle"
    LARGE = "large"


def test_a_choice_names_what_there_is() -> None:
    assert parsed(Choice(Size), "large") is Size.LARGE
    assert parsed(Choice(Size), "larger") == (
        "expected one of small, middle, large, got 'larger' (did you mean 'large'?)"
    )
    assert parsed(Choice(Size), "s" * 100).endswith("..."), "no hint for a word of that length"
    assert Choice(Size).show(Size.SMALL) == "small"


def test_only_what_json_has_is_a_plain_value() -> None:
    with pytest.raises(TypeError, match="not a plain value: set"):
        from_plain({"a": [{1, 2}]})


def test_a_mapping_with_names_of_ones_own() -> None:
    kind = MapOf(Name("[a-z]+", "a word"), Integer(0, 9), least=1)
    assert parsed(kind, {"a": 1, "b": 2}) == {"a": 1, "b": 2}
    assert parsed(kind, {}) == "expected a mapping from a word to a number from 0 to 9, got none"
    reading = Reading(Path("x"), uid=1000)
    assert kind.parse(from_plain({"A": 1, "b": 10}), "", reading) is INVALID
    assert [str(one) for one in reading.problems] == [
        "x: A: expected a word as key, got 'A'",
        "x: b: expected a number from 0 to 9, got 10",
    ]


def test_nothing_is_a_value_only_where_it_may_be() -> None:
    assert parsed(Optional(Integer(0, 9)), None) is None
    assert parsed(Integer(0, 9), None) == "expected a number from 0 to 9, got nothing"
