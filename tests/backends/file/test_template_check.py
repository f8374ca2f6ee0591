"""What `check` finds of a file made from a template, before anything is applied."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from allowsync.model.target import Finding, Severity
from tests.support.templates import Templated, entries

if TYPE_CHECKING:
    from pathlib import Path

# A template is rendered in a process of its own.
pytestmark = [pytest.mark.io, pytest.mark.usefixtures("warm_templates")]

LISTED = "{% for network in networks %}\nallow {{ network }};\n{% endfor %}\ndeny all;\n"
UPSTREAM = "{% if 'home' in hosts %}{{ hosts.home.ipv4 | first }}{% else %}none{% endif %}\n"
NEXT = "the next 'allowsync apply' repairs it"


@pytest.fixture
def here(tmp_path: Path) -> Templated:
    return Templated(tmp_path).says(LISTED)


def findings(here: Templated, **options: Any) -> list[tuple[Severity, str]]:
    return [(one.severity, one.what) for one in here.target(**options).check()]


def test_all_in_order_says_what_the_template_makes_for_nobody(here: Templated) -> None:
    here.put(entries(alice="81.2.69.1"))
    assert findings(here) == [(Severity.INFO, "without entries the template makes: deny all;")]


def test_a_template_is_tried_before_there_is_a_file(here: Templated) -> None:
    assert findings(here) == [
        (Severity.WARNING, f"{here.file} does not exist"),
        (Severity.INFO, "without entries the template makes: deny all;"),
    ]
    assert here.names == set()


@pytest.mark.parametrize("wanted", [(), entries(alice="81.2.69.1")], ids=("before", "after"))
def test_what_fails_for_those_who_have_access_is_an_error(
    here: Templated, wanted: tuple[object, ...]
) -> None:
    if wanted:
        here.put(wanted)  # type: ignore[arg-type]
    here.says("{% for host in hosts %}\n{{ host.nmae }}\n{% endfor %}\n")
    severity, what = findings(here)[1]
    assert (severity, what) == (Severity.ERROR, f"{here.template}:2: there is no 'nmae'")


def test_what_fails_for_nobody_is_told_with_what_to_write(here: Templated) -> None:
    here.says("{{ hosts.home.ipv4 | first }}")
    found = here.target().check()[-1]
    assert found == Finding(
        Severity.WARNING,
        "without entries the file stays as it was: "
        f"{here.template}:1: no host 'home' has access (ask: if '…' in hosts)",
        "let the template say what holds then: {% if 'alice' in hosts %} … {% else %} … "
        "{% endif %}",
    )


@pytest.mark.parametrize("text", ["", "{% if {% }", "{% include 'x' %}"])
def test_a_template_that_makes_nothing_is_one_error(here: Templated, text: str) -> None:
    here.says(text or "x")
    if not text:
        here.template.unlink()
    errors = [what for severity, what in findings(here) if severity is Severity.ERROR]
    assert len(errors) == 1
    assert errors[0].startswith(str(here.template))


def test_a_template_that_makes_the_same_of_everything_draws_a_warning(here: Templated) -> None:
    same = (Severity.WARNING, f"{here.template} makes the same text for every set of entries")
    here.says("deny all;\n")
    assert same in findings(here)
    here.put(entries(alice="81.2.69.1"))
    assert same in findings(here)


def test_a_host_whose_name_is_misspelt_draws_the_same_warning_once_somebody_is_in(
    here: Templated,
) -> None:
    same = (Severity.WARNING, f"{here.template} makes the same text for every set of entries")
    here.says(UPSTREAM.replace("home", "hmoe"))
    assert same not in findings(here)
    here.put(entries(home="81.2.69.1"))
    assert same in findings(here)
    here.says(UPSTREAM)
    assert same not in findings(here)


def test_what_made_up_hosts_do_not_change_but_real_ones_do_is_no_mistake(here: Templated) -> None:
    here.says("{{ networks | select('in', ['81.2.69.1/32']) | join }}\n")
    here.put(entries(alice="81.2.69.1"))
    assert [severity for severity, _ in findings(here)] == [Severity.INFO]


def test_without_jinja_that_is_an_error_with_what_to_install(
    here: Templated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert (
        Severity.ERROR,
        "a template needs the package Jinja2; docs/install.md says how to add it",
    ) in findings(here)


def test_a_long_text_for_nobody_is_cut_and_none_is_said(here: Templated) -> None:
    here.says("{{ 'x' * 200 }}{{ networks | join }}")
    assert findings(here)[-1] == (
        Severity.INFO,
        "without entries the template makes: " + "x" * 100 + "…",
    )
    here.says("{{ networks | join }}")
    assert findings(here)[-1] == (Severity.INFO, "without entries the template makes: nothing")


def test_a_strangers_file_and_missing_programs_are_found_beside(here: Templated) -> None:
    here.target()
    here.file.write_text("mine\n")
    found = findings(here, reload=("no-such-program",))
    assert [severity for severity, _ in found] == [Severity.ERROR, Severity.ERROR, Severity.INFO]
    assert "was not written by allowsync" in found[0][1]
    here.template.unlink()
    assert [what for _, what in findings(here, reload=("no-such-program",))] == [
        f"{here.template}: file not found",
        "no-such-program is not installed",
    ]
