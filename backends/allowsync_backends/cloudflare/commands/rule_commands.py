"""`allowsync cloudflare rule`: the rule that blocks clients outside a list, or in a denylist's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from allowsync.model.outcome import ExitCode
from allowsync_backends.cloudflare.commands.session import Work, on_account

if TYPE_CHECKING:
    from collections.abc import Callable

    from allowsync_backends.cloudflare.client import CloudflareClient
    from allowsync_backends.cloudflare.commands.rule_plan import Step
    from allowsync_backends.cloudflare.values import Ruleset, Zone


@click.command()
@click.option("--zone", metavar="DOMAIN", help="The domain. Default: the one --host is in.")
@click.option(
    "--list", "list_name", metavar="LIST", help="Who is let in; of a denylist, who is blocked."
)
@click.option("--host", "hosts", multiple=True, metavar="NAME",
              help="Guard this host name. May be repeated.")  # fmt: skip
@click.option("--path", "paths", multiple=True, metavar="PATH",
              help="Guard only paths that begin so. May be repeated.")  # fmt: skip
@click.option("--remove", "away", is_flag=True, help="Remove the rule for the list.")
@click.option(
    "--force", is_flag=True, help="Even if the list is empty: the rule then blocks everyone."
)
@click.option("-n", "--dry-run", is_flag=True, help="Only show what would be done.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@on_account("allowsync.cloudflare.rule/1")
def rule(
    work: Work,
    zone: str | None,
    list_name: str | None,
    hosts: tuple[str, ...],
    paths: tuple[str, ...],
    away: bool,
    force: bool,
    dry_run: bool,
    yes: bool,
) -> int:
    """Show, make or remove the rule that uses a list.

    It blocks everyone who is not in the list. With --zone alone: show the custom rules of a domain.
    With --list and --host or --path: make the rule, behind those that are there, or change it. For
    the list of a denylist it blocks those in it. With --list and --remove: remove it. There is one
    rule of ours for a list in a domain, known by its description `allowsync:LIST`; other rules are
    never touched. The token needs the permissions Zone > Zone: Read and Zone > Zone WAF: Edit.
    """
    from allowsync_backends.cloudflare.commands.rule_plan import KeepRule, ours

    guards = bool(hosts or paths)
    _sensible(work, zone, list_name, hosts, guards=guards, away=away)
    named = _compared(work, hosts, paths)
    with work.asking() as client:
        found = _zone(work, client, zone, named[0])
        ruleset = _rules(client, found)
        if list_name is None:
            return _show(work, found, ruleset)
        if not away:
            _fit(work, client, list_name, force=force)
    plan = _planner(work, list_name, *named, away=away)
    step = plan(ruleset)
    if away and (hosts or paths) and ours(ruleset, list_name) and isinstance(step, KeepRule):
        what = "our rule guards something else: --remove without --host and --path removes it"
        work.stop(ExitCode.FAILED, found.name, what)
    return _done(work, found, list_name, step, plan, dry_run=dry_run, yes=yes)


def _sensible(
    work: Work,
    zone: str | None,
    list_name: str | None,
    hosts: tuple[str, ...],
    *,
    guards: bool,
    away: bool,
) -> None:
    """End the command where its options contradict each other."""
    wrong = ""
    if zone is None and not hosts:
        wrong = "say --zone, or --host"
    elif (away or guards) and list_name is None:
        wrong = "say --list, too"
    elif list_name is not None and not (away or guards):
        wrong = "say what to guard (--host, --path), or --remove"
    if wrong:
        work.stop(ExitCode.USAGE, "command line", wrong)


def _compared(
    work: Work, hosts: tuple[str, ...], paths: tuple[str, ...]
) -> tuple[list[str], list[str]]:
    """Return hosts and paths in the form compared. All faults are reported at once."""
    from allowsync.text import quote
    from allowsync_backends.cloudflare.commands import expression

    wrong: list[str] = []

    def each(given: tuple[str, ...], form: Callable[[str], str]) -> list[str]:
        found = []
        for one in given:
            try:
                found.append(form(one))
            except expression.NoExpressionError as error:
                wrong.append(f"{quote(one)} {error}")
        return found

    compared = each(hosts, expression.host), each(paths, expression.path)
    if wrong:
        work.stop(ExitCode.USAGE, "command line", *wrong)
    return compared


def _zone(work: Work, client: CloudflareClient, given: str | None, hosts: list[str]) -> Zone:
    from allowsync_backends.cloudflare.commands.expression import within, zones_of
    from allowsync_backends.cloudflare.zones import Zones

    zones = Zones(client.transport)
    names = zones_of(hosts[0]) if given is None else (given.lower().removesuffix("."),)
    found = next(filter(None, map(zones.find, names)), None)
    if found is None:
        what = f"the token sees no domain {' or '.join(names)}: is it allowed to (Zone: Read)?"
        work.stop(ExitCode.USAGE, "command line", what)
    if found.account != client.account:
        what = f"{found.name} is in another account ({found.account})"
        work.stop(ExitCode.USAGE, "command line", what)
    strange = [one for one in hosts if not within(one, found.name)]
    if strange:
        what = f"{', '.join(strange)} is not in {found.name}, whose rules never see it"
        work.stop(ExitCode.USAGE, "command line", what)
    return found


def _rules(client: CloudflareClient, zone: Zone) -> Ruleset | None:
    from allowsync_backends.cloudflare.zones import Zones

    return Zones(client.transport).rules(zone.id)


def _fit(work: Work, client: CloudflareClient, list_name: str, *, force: bool) -> None:
    """End the command where the list is empty."""
    one = work.found(client, list_name)
    if not one.num_items and not force and not work.access.owners(list_name).deny:
        what = "the list is empty, so the rule would shut out everyone; --force does it anyway"
        work.stop(ExitCode.FAILED, list_name, what)


def _planner(
    work: Work, list_name: str, hosts: list[str], paths: list[str], *, away: bool
) -> Callable[[Ruleset | None], Step]:
    """Return a function that computes the needed step from the present rules."""
    from allowsync_backends.cloudflare.commands import expression
    from allowsync_backends.cloudflare.commands.rule_plan import guarding, unguarding

    try:
        listed = work.access.owners(list_name).deny
        made = expression.blocking(list_name, hosts, paths, listed=listed)
    except expression.NoExpressionError as error:
        work.stop(ExitCode.USAGE, "command line", str(error))
    if away:
        only = made if hosts or paths else None
        return lambda ruleset: unguarding(ruleset, list_name, only)
    return lambda ruleset: guarding(ruleset, list_name, made)


def _show(work: Work, zone: Zone, ruleset: Ruleset | None) -> int:
    from allowsync_backends.cloudflare.commands.rule_report import rule_lines, rules_document

    document = {"zone": zone.name, **rules_document(ruleset)}
    return work.tell(rule_lines(zone.name, ruleset), document)


def _done(
    work: Work,
    zone: Zone,
    list_name: str,
    step: Step,
    plan: Callable[[Ruleset | None], Step],
    *,
    dry_run: bool,
    yes: bool,
) -> int:
    """Carry out a step, and report it."""
    from allowsync_backends.cloudflare.commands.rule_plan import KeepRule
    from allowsync_backends.cloudflare.commands.rule_report import step_document, step_lines

    ruleset = None
    if not dry_run and not isinstance(step, KeepRule):
        lines = list(step_lines(zone.name, list_name, step, done=False))
        work.confirm(f"Change the rules of {zone.name} so?", lines, yes=yes)
        ruleset = _carried_out(work, zone, step, plan)
    document: dict[str, Any] = {
        "zone": zone.name,
        "list": list_name,
        "dry_run": dry_run,
        **step_document(step, ruleset, list_name, dry_run=dry_run),
    }
    return work.tell(step_lines(zone.name, list_name, step, done=not dry_run), document)


def _carried_out(
    work: Work, zone: Zone, step: Step, plan: Callable[[Ruleset | None], Step]
) -> Ruleset | None:
    """Change the rules, and verify them. Returns the rules afterwards."""
    from allowsync_backends.cloudflare.commands.rule_plan import KeepRule, carry_out
    from allowsync_backends.cloudflare.zones import Zones

    with work.changing(f"the rules of {zone.name}") as client:
        zones = Zones(client.transport)
        if plan(zones.rules(zone.id)) != step:
            what = "the rules changed meanwhile: nothing was done, look again"
            work.stop(ExitCode.FAILED, zone.name, what)
        carry_out(zones, zone.id, step)
        ruleset = zones.rules(zone.id)
    if not isinstance(plan(ruleset), KeepRule):
        what = "the rules were changed, but do not show it: look again"
        work.stop(ExitCode.FAILED, zone.name, what)
    return ruleset
