"""How each command is used: lines that can be typed, each with what it is for."""

from __future__ import annotations

from typing import Final

EXAMPLES: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "adopt": (("allowsync adopt --dry-run", "Show the rules made by hand that fit."),),
    "apply": (
        ("allowsync apply --dry-run", "Show what would be done, and write nothing."),
        ("allowsync apply", "One run."),
        ("allowsync apply --offline", "Restore what was known last, as at boot."),
        ("allowsync apply --only jellyfin --force", "Apply what a limit refused."),
    ),
    "approve": (("allowsync approve alice", "Alice said that the name is still hers."),),
    "backends": (
        ("allowsync backends", "What can be used on this machine."),
        ("allowsync backends nginx", "The options of a backend."),
    ),
    "check": (("allowsync check", "Before the first run, and whenever in doubt."),),
    "clear": (
        ("allowsync clear", "Take everything back, after a question."),
        ("allowsync clear --only jellyfin --yes", "One allowlist, without a question."),
        (
            "allowsync clear --yes --stop-schedule",
            "Everything, for good: at a console, locked out.",
        ),
    ),
    "cloudflare": (
        ("allowsync cloudflare lists", "The lists of the account, and how full they are."),
        ("allowsync cloudflare show jellyfin", "What a list holds, and whose each item is."),
    ),
    "completion": (
        (
            "allowsync completion bash > /etc/bash_completion.d/allowsync",
            "Complete commands, options and names in every new shell.",
        ),
    ),
    "config": (
        ("allowsync config edit", "What is not valid does not take effect."),
        ("allowsync config show", "The configuration as it is understood."),
        ("allowsync config schema > allowsync.schema.json", "A schema for the editor."),
    ),
    "explain": (
        ("allowsync explain 203.0.113.7", "Who comes from there, and where to."),
        ("allowsync explain alice --at 2h", "Whether Alice was allowed two hours ago."),
    ),
    "fleet": (
        (
            "allowsync fleet split /root/home --name home --store /srv/allowsync",
            "Two configurations for a fleet, out of this machine's.",
        ),
        ("allowsync fleet keygen /etc/allowsync/signing.key", "A pair of keys for a fleet."),
        ("allowsync fleet status", "Who leads, and what is held here."),
    ),
    "follow": (
        (
            "allowsync follow | while read -r lists; do allowsync apply; done",
            "Apply decisions of a fleet when they arrive.",
        ),
    ),
    "grant": (
        ("allowsync grant 203.0.113.9 --for 4h --as carol", "A guest for an evening."),
        ("allowsync grant me", "Where this SSH session comes from, for four hours."),
    ),
    "history": (("allowsync history alice --since 7d", "What happened to Alice's access."),),
    "host": (
        ("allowsync host add carol carol.ddns.example", "A friend more, and no editor."),
        ("allowsync host add dave 203.0.113.7 --on ssh --until 2027-01-31", "For a while."),
        ("allowsync host remove carol --apply", "Take the friend out, at once."),
    ),
    "help": (("allowsync help host add", "How a sub-command is used."),),
    "init": (("allowsync init", "Answer some questions, and get a configuration."),),
    "resolve": (
        ("allowsync resolve alice", "What each name server says about her names."),
        ("allowsync resolve carol.ddns.example", "A name that is in no configuration."),
    ),
    "revoke": (
        ("allowsync revoke bob", "Bob is out now, whatever his name says."),
        ("allowsync revoke 198.51.100.0/24", "Who is allowed from there is out."),
    ),
    "schedule": (
        ("allowsync schedule install --dry-run", "Show the units or the cron entry."),
        ("allowsync schedule install", "Run every five minutes from now on, and at boot."),
    ),
    "status": (
        ("allowsync status", "Who is allowed where."),
        ("allowsync status --output json", "The same for programs."),
    ),
}
