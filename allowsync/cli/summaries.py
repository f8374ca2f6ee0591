"""The commands of the program with their summaries, which help lists without imports."""

from typing import Final

COMMANDS: Final = {
    "adopt": "Take over entries that were added by hand.",
    "apply": "Sync every target with the DNS once.",
    "approve": "Trust a name again after a long absence.",
    "backends": "List the backends and whether each can be used here, or one's options.",
    "check": "Check configuration, names, nameservers, backends, and their effect.",
    "clear": "Remove everything allowsync owns, after a question.",
    "completion": "Print the completion for bash, zsh or fish.",
    "config": "Edit or show the configuration, or its JSON Schema.",
    "explain": "Show whether an address or a host is allowed, where and why, now or in the past.",
    "fleet": "Set up and show machines that share decisions.",
    "follow": "Wait for decisions of a fleet, to wake a run.",
    "grant": "Allow a network for a while.",
    "help": "Show how a command is used.",
    "history": "Show what changed, when, and why.",
    "host": "List, add and remove hosts: the configuration is edited in place.",
    "init": "Write a first configuration, after a few questions.",
    "resolve": "Show what each nameserver answers now, and the resulting decision.",
    "revoke": "End access now, whatever the DNS says.",
    "schedule": "Manage the schedule: a systemd timer or a cron entry.",
    "status": "Show which hosts are allowed where, since when, until when, how fresh.",
}
