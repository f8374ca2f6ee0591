"""Templates that are wrong, greedy or hostile: a clear error, in bounded time, and nothing else."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from allowsync_backends.file import template
from allowsync_backends.file.template import (
    TemplateError,
    TemplateSource,
    View,
    render,
    render_each,
)

from tests.support.templates import entries

# A template is rendered in a process of its own.
pytestmark = [pytest.mark.io, pytest.mark.usefixtures("warm_templates")]
COLD = sys.executable

HERE = Path("/etc/allowsync/friends.j2")
FRIENDS = entries(
    alice="81.2.69.1 81.2.69.2 2a02::/64", bob="81.2.69.2", replaced="alice 81.2.69.1"
)


def made(text: str) -> str:
    return render(TemplateSource(HERE, text), View("jellyfin", FRIENDS))


def refused(text: str) -> str:
    """Why a template makes nothing, without its path."""
    with pytest.raises(TemplateError) as raised:
        made(text)
    why = str(raised.value)
    assert why.startswith(str(HERE))
    return why.removeprefix(str(HERE))


def test_everything_that_is_documented_is_there() -> None:
    text = made(
        "{{ allowlist }}|{{ header }}|{{ networks | join(' ') }}|{{ ipv4 | join(' ') }}|"
        "{{ ipv6 | join(' ') }}|{{ addresses | join(' ') }}|{{ hosts | join(' ') }}|"
        "{{ hosts.alice.name }}|{{ hosts['alice'].networks | join(' ') }}|"
        "{{ hosts.alice.replaced | join(' ') }}|{{ hosts.alice.ipv4 | first | bracketed }}|"
        "{{ ipv6 | first | base }}|{{ ipv6 | first | prefixlen }}|{{ ipv4 | first | netmask }}|"
        "{{ ipv4 | first | hostmask }}|{{ hosts.bob.addresses | ipv4 | first }}|"
        "{{ addresses | ipv6 | length }}|{{ 'carol' in hosts }}"
    ).split("|")
    assert text == [
        "jellyfin",
        'Written by allowsync for allowlist "jellyfin". Do not edit: changes are overwritten.',
        "81.2.69.1/32 81.2.69.2/32 2a02::/64",
        "81.2.69.1/32 81.2.69.2/32",
        "2a02::/64",
        "81.2.69.1 81.2.69.2",
        "alice bob",
        "alice",
        "81.2.69.2/32 2a02::/64 81.2.69.1/32",
        "81.2.69.1/32",
        "81.2.69.2",
        "2a02::",
        "64",
        "255.255.255.255",
        "0.0.0.0",
        "81.2.69.2",
        "0",
        "False",
    ]


def test_lines_that_hold_only_a_statement_leave_nothing_behind() -> None:
    assert made("a\n  {% if networks %}\nb <&>\n  {% endif %}\nc\n") == "a\nb <&>\nc\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("\n\n{{ nobody }}", ":3: there is no 'nobody'"),
        ("\n{{ hosts.carol }}", ":2: no host 'carol' has access (ask: if '…' in hosts)"),
        ("\n{{ hosts.carol.ipv4 }}", ":2: no host 'carol' has access (ask: if '…' in hosts)"),
        (
            "{% if hosts.carol %}{% endif %}",
            ":1: no host 'carol' has access (ask: if '…' in hosts)",
        ),
        ("a\n{% if %}", ":2: Expected an expression, got 'end of statement block'"),
        ("{% for x in networks %}", ":1: "),
        ("a\n{{ 'x' | nonsense }}", ":2: No filter named 'nonsense'."),
        ("\n{{ networks }}", ":2: this is a list: loop over it, or use | join or | first"),
        ("\n{{ hosts }}", ":2: this is a list: loop over it, or use | join or | first"),
        ("\n{{ none }}", ":2: this is no text: NoneType"),
        ("\n{{ {'a': 1} }}", ":2: this is no text: dict"),
        ("\n{{ ipv6 | first | address }}", ":2: 2a02::/64 is no single address"),
        ("{{ [] | first }}", ":1: No first item, sequence was empty."),
        ("{{ 'x' | address }}", ":1: 'x' does not appear to be an IPv4 or IPv6 network"),
        ("{{ networks | random }}", ":1: No filter named 'random'."),
        ("{{ lipsum() }}", ":1: there is no 'lipsum'"),
        ("{{ '\\ud800' }}", ": 'utf-8' codec can't encode"),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, why: str) -> None:
    assert refused(text).startswith(why)


@pytest.mark.parametrize(
    "what", ["include 'x'", "import 'x' as y", "from 'x' import y", "extends 'x'"]
)
def test_a_template_is_one_file(what: str, tmp_path: Path) -> None:
    assert refused(f"\n\n{{% {what} %}}") == (
        ":3: include, import and extends have nothing to take from: a template is one file"
    )


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ ''['__class__'] }}",
        "{{ '' | attr('__class__') }}",
        "{{ hosts.alice.__class__.__init__.__globals__ }}",
        "{{ hosts._by_name }}",
        "{{ hosts.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ namespace.__init__ }}",
        "{{ self.__init__ }}",
        "{{ range.__subclasses__ }}",
        "{{ '{0.__class__}'.format('') }}",
        "{{ '{a.__init__.__globals__}'.format(a=hosts) }}",
        "{{ '%s'.format.__self__ }}",
        "{% set reached = '{0.__class__}'.format %}{{ reached('') }}",
        "{{ ('{0.__class__}' | attr('format'))('') }}",
        "{{ ['{0.__class__}'.format] | map('string') | first }}{{ ''.__class__ }}",
        "{{ '{a.__class__}'.format_map({'a': 1}) }}",
        "{{ networks | map(attribute='__class__') | list | join }}",
        "{{ (networks | groupby('__class__') | first).grouper }}",
        "{% set x = [] %}{{ x.append(1) }}",
        "{% set hosts.alice.name = 'mallory' %}",
        "{% do 1 %}",
        "{{ open('/etc/passwd') }}",
        "{{ config }}",
        "{{ __builtins__ }}",
    ],
)
def test_nothing_but_what_it_sees_is_within_its_reach(text: str) -> None:
    why = refused(text)
    assert "unsafe" in why or "there is no" in why or ":1: " in why
    assert "root:" not in why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{{ range(10 ** 12) | list }}", ":1: Range too big."),
        ("{{ 'x' * 10 ** 10 }}", ": takes too much memory"),
        ("{{ '%9999999999d' % 1 }}", ":"),
        ("{{ 'a' | center(99999999999) }}", ": takes too much memory"),
        (
            "{% for i in range(99999) %}{{ 'x' * 100 }}{% endfor %}",
            ": makes more than 4 MiB of text",
        ),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", ":1: maximum recursion depth"),
        ("{{" + "(" * 5000, ": maximum recursion depth"),
    ],
    ids=range(7),
)
def test_what_would_take_all_memory_is_stopped(text: str, why: str) -> None:
    assert refused(text).startswith(why)


ENDLESS = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
POWERS = "{{ (7 ** (7 ** 9)) % 10 }}"  # one step, which nothing in Python could interrupt


@pytest.mark.parametrize("text", [ENDLESS, POWERS], ids=("loop", "power"))
def test_what_would_take_for_ever_is_ended(text: str) -> None:
    with pytest.raises(TemplateError, match="takes more than 1 s of processor time"):
        render_each(TemplateSource(HERE, text), [View("x")], seconds=1)


def test_one_view_that_fails_keeps_no_other_from_being_made() -> None:
    source = TemplateSource(HERE, "{{ hosts.alice.networks | length }}")
    nobody, everybody, friends = render_each(
        source, [View("x"), View("x", everybody=True), View("x", FRIENDS)]
    )
    assert isinstance(nobody, TemplateError)
    assert (everybody, friends) == ("2", "3")


def test_without_jinja_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(TemplateError) as raised:
        made("x")
    assert str(raised.value) == (
        "a template needs the package Jinja2; docs/install.md says how to add it"
    )


def test_a_process_that_cannot_work_is_told_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "jinja2.py").touch()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setattr(sys, "executable", COLD)
    assert refused("x").startswith(": could not be rendered: ModuleNotFoundError")
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    assert "could not be rendered: /nonexistent/python" in refused("x")


def test_no_part_of_jinja_is_imported_by_who_asks_for_a_text() -> None:
    code = (
        "import json, sys\nfrom pathlib import Path\n"
        "from allowsync_backends.file.template import TemplateSource, View, render\n"
        "text = render(TemplateSource(Path('/x'), '{{ allowlist }}'), View('x'))\n"
        "print(json.dumps([text, sorted({'jinja2', 'markupsafe'} & sys.modules.keys())]))"
    )
    from allowsync.system.process import Command, run

    done = run(Command((COLD, "-c", code)))
    assert json.loads(done.stdout) == ["x", []], done.stderr


def test_a_template_is_another_when_what_it_is_made_with_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = TemplateSource(HERE, "x")
    before = source.digest
    assert before == TemplateSource(Path("/elsewhere"), "x").digest
    assert before != TemplateSource(HERE, "y").digest
    monkeypatch.setattr(template, "_GENERATION", b"next")
    assert source.digest != before
