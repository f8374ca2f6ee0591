"""A file made from a template, over whole runs: it follows a host, and outlives lost knowledge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testkit.fake_dns.behaviours import SERVFAIL

if TYPE_CHECKING:
    from tests.support.days import Days
    from tests.support.program import Installation

HOME, MOVED, BOB = "81.2.69.1", "81.2.69.7", "81.2.69.2"

# What `alice` is at, in the order a template sees it.
TEMPLATE = """\
{% if 'alice' in hosts %}
alice {{ hosts.alice.addresses | join(' ') }}
{% else %}
alice nowhere
{% endif %}
all {{ networks | join(' ') }}
"""


def templated(here: Installation, text: str = TEMPLATE) -> None:
    """Let the installation's target be made from a template."""
    template = here.folder / "alice.j2"
    template.write_text(text)
    here.targets = [{"file": {"path": str(here.file), "template": str(template)}}]


@pytest.fixture
def days(over_days: Days) -> Days:
    templated(over_days.here)
    return over_days


def test_the_newest_address_comes_first_and_a_run_later_there_is_nothing_to_do(
    days: Days, zones: dict[str, object]
) -> None:
    assert days("apply").code == 0
    assert days.here.allowed == [f"alice {HOME}", f"all {HOME}/32 {BOB}/32"]
    zones["alice.example.org"] = [MOVED]
    assert days.at(60)("apply").code == 0
    assert days.here.allowed == [f"alice {MOVED} {HOME}", f"all {HOME}/32 {BOB}/32 {MOVED}/32"]
    assert days.at(65)("apply").out == ""
    days.at(70)("apply")
    assert days.at(85)("apply").code == 0
    assert days.here.allowed == [f"alice {MOVED}", f"all {BOB}/32 {MOVED}/32"]


def test_an_address_that_comes_back_within_its_time_is_first_again(
    days: Days, zones: dict[str, object]
) -> None:
    days("apply")
    zones["alice.example.org"] = [MOVED]
    days.at(5)("apply")
    zones["alice.example.org"] = [HOME]
    done = days.at(10)("apply")
    assert done.code == 0
    assert "host labels of" in days("history").out
    assert days.here.allowed[0] == f"alice {HOME} {MOVED}"


def test_a_friend_at_anothers_home_is_written_there_at_once(
    days: Days, zones: dict[str, object]
) -> None:
    """No network comes or goes, so a target that does not show names has nothing to do."""
    for hours in (0, 12, 25):  # as long as it takes for Bob to vouch for his home
        days.at(60 * hours)("apply")
    zones["alice.example.org"] = [BOB]
    assert days.at(60 * 25 + 5)("apply").code == 0
    assert days.here.allowed == [f"alice {BOB} {HOME}", f"all {HOME}/32 {BOB}/32"]


def test_without_state_and_dns_the_file_stays_as_it_is(
    days: Days, zones: dict[str, object]
) -> None:
    days("apply")
    before = days.here.file.read_bytes()
    days.here.state.unlink()
    zones.update({"alice.example.org": SERVFAIL, "bob.example.org": SERVFAIL})
    assert days.at(5)("apply").code == 3
    assert days.here.file.read_bytes() == before


def test_without_state_and_half_of_the_dns_an_entry_stays_its_hosts(
    days: Days, zones: dict[str, object]
) -> None:
    days("apply")
    days.here.state.unlink()
    zones.update({"alice.example.org": SERVFAIL, "bob.example.org": [MOVED]})
    assert days.at(5)("apply").code == 3
    assert days.here.allowed == [f"alice {HOME}", f"all {HOME}/32 {BOB}/32 {MOVED}/32"]


def test_when_access_ends_the_template_says_what_holds(days: Days) -> None:
    days("apply")
    del days.here.hosts["alice"]
    assert days.at(5)("apply").code == 0
    assert days.here.allowed == ["alice nowhere", f"all {BOB}/32"]


def test_a_template_that_fails_is_a_failed_target_and_the_old_file_stays(days: Days) -> None:
    days("apply")
    before = days.here.file.read_bytes()
    templated(days.here, "\n{{ alcie }}\n")
    dry = days.at(5)("apply --dry-run")
    assert "was made before" in dry.out
    done = days.at(5)("apply --output json")
    assert done.code == 1
    (target,) = done.document["targets"]
    assert target["outcome"] == "failed"
    assert target["reason"] == (
        f"{days.here.file} was not changed: {days.here.folder}/alice.j2:2: there is no 'alcie'"
    )
    assert days.here.file.read_bytes() == before
    status = days("status --output json").document
    assert {one["network"] for one in status["targets"][0]["entries"]} == {
        f"{HOME}/32",
        f"{BOB}/32",
    }


def test_check_finds_a_mistake_before_anything_is_applied(here: Installation) -> None:
    templated(here, "{{ hosts.alice.nmae }}\n")
    done = here("check")
    assert done.code == 1
    assert f"error: web/file: {here.folder}/alice.j2:1: there is no 'nmae'" in done.out
    assert not here.file.exists()
    templated(here)
    found = here("check")
    assert "info: web/file: without entries the template makes: alice nowhere all" in found.out


def test_what_a_template_makes_and_gets_wrong_reaches_no_terminal_unseen(
    here: Installation,
) -> None:
    templated(here, "\x1b[31m {{ networks | join }}\n")
    assert "\\x1b[31m" in here("check").out
    templated(here, "{{ '\x1b[31m\n\x07' | address }}\n")
    checked, applied = here("check"), here("apply")
    assert "does not appear to be" in checked.out
    assert "does not appear to be" in applied.out + applied.err
    for said in (checked, applied):
        assert said.code == 1
        assert not {"\x1b", "\x07"} & {*said.out, *said.err}


def test_a_change_of_the_template_alone_is_noticed(here: Installation) -> None:
    templated(here)
    here.write()
    here.freeze = True
    here("apply")
    assert here("apply").out == ""
    assert here("apply").out == ""
    (here.folder / "alice.j2").write_text("{{ networks | length }}\n")
    assert here("apply").code == 0
    assert here.allowed == ["4"]


def test_a_line_of_a_configuration_that_makes_no_sense_is_told_with_its_place(
    here: Installation,
) -> None:
    here.targets = [{"file": {"path": str(here.file), "comment": "// "}}]
    done = here("apply")
    assert done.code == 2
    assert "comment belongs to a template" in done.err


@pytest.mark.parametrize("comment", ["# ", None], ids=["mark at the top", "mark beside it"])
def test_a_denylist_is_made_from_a_template_and_is_no_allowlists(
    here: Installation, comment: str | None
) -> None:
    path, template = here.folder / "blocked.conf", here.folder / "blocked.j2"
    template.write_text("{% for one in networks %}\ndeny {{ one }};\n{% endfor %}\nallow all;\n")
    target = {"file": {"path": str(path), "template": str(template), "comment": comment}}
    listed = {"networks": ["81.2.70.0/24"], "targets": [target]}
    here.more = {"denylists": {"scanners": listed}}
    assert here("apply").code == 0
    assert path.read_text().endswith("deny 81.2.70.0/24;\nallow all;\n")
    assert "for allowlist" not in "".join(one.read_text() for one in path.parent.glob("*blocked*"))
    assert here("apply").out == ""
    if comment is not None:
        path.write_text(path.read_text().replace("deny 81", "allow 81"))
        assert f"{path} was edited" in here("apply").out
    here.more, here.targets = {}, [target]
    refused = here("apply")
    assert refused.code == 1
    said = "was not written by allowsync" if comment is None else 'is that of denylist "scanners"'
    assert said in refused.err + refused.out
    assert "deny 81.2.70.0/24;" in path.read_text()
