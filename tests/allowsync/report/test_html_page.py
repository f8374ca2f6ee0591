"""The page: valid, closed to the outside, and nothing in it but what is meant to be."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element

import html5lib
import pytest

from allowsync.backend.api import Marked
from allowsync.engine.orphan_targets import OrphanTarget
from allowsync.inspect.block_status import BlockStatus
from allowsync.inspect.status import ScheduleFacts
from allowsync.model.access_order import Revocation
from allowsync.model.outcome import ExitCode, Notice
from allowsync.model.target import Place
from allowsync.model.types import Basis
from allowsync.model.value import replace as replace_value
from allowsync.policy.denylist import SPECIAL_PURPOSE, NeverBlocked
from allowsync.report.html_page import page
from allowsync.report.html_style import CSS
from allowsync.state.history import Past
from allowsync.state.records import RecordedRun
from allowsync.testing.memory import MemoryBackend, MemoryStore
from tests.support.page import DAY, HOSTILE, LONG6, NOW, past, standing, well
from tests.support.values import HOME, Life, host, net

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCKED = (
    BlockStatus(
        "scanners/nftables",
        "scanners",
        in_step=True,
        held=(net("198.51.100.0/24"),),
        spared=(NeverBlocked(net(HOME), f"granted to {HOSTILE}"), SPECIAL_PURPOSE[0]),
    ),
    BlockStatus("scanners/nginx", "scanners", in_step=False, reason="1 to block"),
    BlockStatus("bad/ipset", "bad", in_step=False, reason=HOSTILE, readable=False),
)
DROPPING = Marked("web", Place("ufw", ("web",)), MemoryBackend(MemoryStore()), drops=True)
TROUBLED = standing(reason=HOSTILE, notices=(Notice(HOSTILE, HOSTILE),))
PAGES = {
    "well": page(well(), past()),
    "without a past": page(well(), Past()),
    "wrong": page(standing(), past()),
    "denying": page(replace_value(well(), blocked=BLOCKED), past()),
    "hostile": page(TROUBLED, past(HOSTILE)),
}
USED = {
    *(
        "html",
        "head",
        "body",
        "meta",
        "title",
        "link",
        "style",
        "main",
        "section",
        "h1",
        "h2",
        "h3",
    ),
    *("p", "ul", "li", "strong", "table", "caption", "thead", "tbody", "tr", "th", "td", "div"),
    *("span", "time", "svg", "rect"),
}


def elements(text: str) -> Iterator[Element]:
    """Every element of a page, read by a parser that lets nothing pass that is not HTML5."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    found = parser.parse(text)
    assert isinstance(found, Element)
    return found.iter()


def name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def words(text: str) -> str:
    return " ".join(" ".join(one for each in elements(text) for one in each.itertext()).split())


def only(text: str, wanted: str) -> list[Element]:
    return [one for one in elements(text) if name(one) == wanted]


@pytest.mark.parametrize("text", PAGES.values(), ids=PAGES)
def test_a_page_is_valid_and_made_of_harmless_elements(text: str) -> None:
    assert {name(one) for one in elements(text)} <= USED


@pytest.mark.parametrize("text", PAGES.values(), ids=PAGES)
def test_a_page_asks_for_nothing_and_runs_nothing(text: str) -> None:
    keys = [(key, value) for one in elements(text) for key, value in one.attrib.items()]
    assert [key for key, _ in keys if str(key).startswith("on") or key in ("style", "src")] == []
    assert [value for key, value in keys if str(key).endswith("href")] == ["data:,"]
    assert "url(" not in CSS
    assert "@import" not in CSS


@pytest.mark.parametrize("text", PAGES.values(), ids=PAGES)
def test_the_policy_of_a_page_allows_its_own_style_and_no_script(text: str) -> None:
    (style,) = only(text, "style")
    digest = base64.b64encode(hashlib.sha256((style.text or "").encode()).digest()).decode()
    (policy,) = [
        one.attrib["content"]
        for one in only(text, "meta")
        if one.attrib.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]


def test_hostile_text_is_shown_as_it_is_and_without_control_characters() -> None:
    shown = words(PAGES["hostile"])
    assert HOSTILE.replace("\x1b", "\\x1b") in shown
    assert "\x1b" not in PAGES["hostile"]


def test_what_is_wrong_comes_before_everything_else() -> None:
    headings = ["".join(one.itertext()) for one in only(PAGES["wrong"], "h2")]
    assert headings == ["What is wrong", "Hosts", "Targets", "The last 28 days", "What changed"]
    assert "ssh/ufw: out of sync: 2 to add" in words(PAGES["wrong"])


def test_a_page_without_faults_says_so_and_lists_none() -> None:
    headings = ["".join(one.itertext()) for one in only(PAGES["without a past"], "h2")]
    assert headings == ["Hosts", "Targets"]
    assert "Everything is in sync." in words(PAGES["well"])
    assert "Everything is in sync." not in words(PAGES["wrong"])


def test_every_host_is_there_with_its_networks_and_how_fresh_they_are() -> None:
    rows = ["".join(one.itertext()) for one in only(PAGES["wrong"], "tr")]
    assert f"alicealice.example.org{HOME}freshsince 2026-11-11 15:10 UTC" in rows
    assert "2a01:4f8:1:2::/64freshsince 2026-11-11 15:10 UTC" in rows
    assert any(LONG6 in row and "stale (SERVFAIL)" in row for row in rows)
    assert "carolcarol.example.orgnoneno access: no address is known" in rows
    assert "officefixed networks203.0.113.0/24fixedsince 2026-11-20 15:00 UTC" in rows
    verified = "verified 2026-11-20 15:10 UTC"
    assert f"jellyfin/nftablesin sync (2 entries){verified}{HOME} alice{LONG6} bob" in rows


def test_denylists_have_a_table_of_their_own() -> None:
    assert "Denylists" in ["".join(one.itertext()) for one in only(PAGES["denying"], "h2")]
    rows = ["".join(one.itertext()) for one in only(PAGES["denying"], "tr")]
    verified = "verified 2026-11-20 15:10 UTC"
    spared = f"never blocked: {HOME} (granted to <script>"
    assert any(
        one.startswith(f"scanners/nftablesin sync (1 network blocked){verified}{spared}")
        and one.endswith("never blocked: 1 special-purpose network")
        for one in rows
    )
    assert f"scanners/nginxout of sync (0 networks blocked): 1 to block{verified}" in rows
    assert any(one.startswith("bad/ipsetfailed: <script>") for one in rows)


def test_what_a_source_publishes_is_one_row() -> None:
    networks = (net("173.245.48.0/20"), net("103.21.244.0/22"))
    life = Life(host("edge", hostnames=(), published=(("cloudflare", networks),)))
    life.run()
    text = page(replace(well(), decisions={"edge": life.decision}), Past())
    rows = ["".join(one.itertext()) for one in only(text, "tr")]
    assert "edgecloudflare2 networks published by cloudflarefixed" in rows
    assert "173.245.48.0" not in text


def test_times_are_absolute_and_say_their_zone() -> None:
    times = only(PAGES["wrong"], "time")
    assert {"".join(one.itertext())[-4:] for one in times} == {" UTC"}
    assert all(one.attrib["datetime"].endswith("+00:00") for one in times)
    assert " ago" not in words(PAGES["wrong"])


def test_whoever_hears_the_page_hears_tables_and_what_the_bars_say() -> None:
    text = PAGES["wrong"]
    (root,) = only(text, "html")
    assert root.attrib["lang"] == "en"
    roles = {(name(one), one.attrib["role"]) for one in elements(text) if "role" in one.attrib}
    assert {("td", "cell"), ("tr", "row"), ("table", "table"), ("svg", "img")} <= roles
    assert {one.attrib.get("scope") for one in only(text, "th")} == {"row", "col"}
    assert all(one.attrib["aria-label"] for one in only(text, "svg"))


def luminance(colour: str) -> float:
    """The relative luminance of `#rrggbb` (WCAG 2.1)."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def palettes() -> dict[str, dict[str, str]]:
    light, dark = CSS.partition("prefers-color-scheme: dark")[::2]
    return {
        scheme: dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", part))
        for scheme, part in (("light", light), ("dark", dark))
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("ink", ["ink", "soft", "good", "warn", "bad"])
@pytest.mark.parametrize("ground", ["paper", "card"])
def test_text_can_be_read_in_either_scheme(scheme: str, ink: str, ground: str) -> None:
    colours = palettes()[scheme]
    assert contrast(colours[ink], colours[ground]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_bar_stands_out_in_either_scheme(scheme: str) -> None:
    colours = palettes()[scheme]
    for bar in ("bar", "soft"):
        assert contrast(colours[bar], colours["card"]) >= 3.0  # WCAG 2.1, 1.4.11


@pytest.mark.parametrize("basis", Basis)
def test_whatever_a_grant_rests_on_has_words(basis: Basis) -> None:
    decision = Life(host(hostnames=(), networks=(net(HOME),))).run()
    (grant,) = decision.grants
    decision = replace(decision, grants=(replace(grant, basis=basis),))
    shown = page(replace(well(), decisions={"alice": decision}), Past())
    assert "Networks with access" in shown


def shown(*hosts: str, **changed: object) -> str:
    """A page of some of the hosts, nothing being broken unless it is said."""
    known = standing()
    decisions = {name: known.decisions[name] for name in hosts}
    return page(replace_value(well(), decisions=decisions, **changed), Past())


def verdict(text: str) -> tuple[str, str]:
    (found,) = [one for one in only(text, "p") if "verdict" in one.attrib.get("class", "")]
    return found.attrib["class"].removeprefix("verdict "), "".join(found.itertext())


BOB = "bob-with-a-label-of-all-forty-characters"


def test_last_known_addresses_are_amber_and_a_host_that_is_locked_out_is_red() -> None:
    amber = shown("alice", BOB)
    assert verdict(amber) == ("warn", "In sync, using last known addresses.")
    assert "What to know" in words(amber)
    assert not [one for one in elements(amber) if one.attrib.get("class") in ("bad", "wrong")]
    assert verdict(shown("alice", BOB, "carol")) == ("bad", "Something is wrong.")
    assert verdict(shown("alice")) == ("good", "Everything is in sync.")
    assert verdict(shown("alice", notices=(Notice("old/z", "is left"),)))[0] == "warn"


def test_a_target_that_cannot_be_read_says_since_when() -> None:
    (target,) = well().targets
    broken = replace_value(
        target, in_step=False, readable=False, reason="no answer", failing=NOW - DAY
    )
    text = words(page(replace_value(well(), targets=(broken,)), Past()))
    assert "failed: no answer failing since 2026-11-19 15:10 UTC" in text
    assert "verified" not in text


@pytest.mark.parametrize(
    ("marked", "said", "style"),
    [
        (DROPPING, "drops all other packets", "bad"),
        (replace_value(DROPPING, drops=False, opens=True), "admits the hosts it held", "bad"),
        (replace_value(DROPPING, drops=False), "still enforced", "warn"),
    ],
)
def test_what_is_left_of_a_target_is_as_bad_on_the_page_as_its_exit_code(
    marked: Marked, said: str, style: str
) -> None:
    left = OrphanTarget("web/ufw", "web", marked=marked)
    assert f'class="{style}">{said}</td>' in shown("alice", leftovers=(left,))
    assert (left.effect.code is ExitCode.FAILED) == (style == "bad")


def test_the_schedule_what_was_revoked_and_what_is_left_are_told() -> None:
    leftover = OrphanTarget("old/nftables", "old")
    text = words(
        shown(
            "alice",
            schedule=ScheduleFacts("cron", NOW),
            latest=RecordedRun(NOW, 3),
            leftovers=(leftover,),
            revocations=(Revocation("81.2.69.9/32", NOW - DAY),),
        )
    )
    assert "Next run 2026-11-20 15:10 UTC , by cron." in text
    assert ": in sync, DNS unconfirmed" in text
    assert "old/nftables still enforced" in text
    assert "81.2.69.9/32 2026-11-19 15:10 UTC" in text
    none = words(shown("alice", schedule=ScheduleFacts(trouble="no schedule is installed")))
    assert "No schedule is installed." in none
