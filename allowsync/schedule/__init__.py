"""Scheduled runs: systemd units or a cron entry, fitted to a configuration.

`interval` is how often. `requirements` derives the permissions of the service, `dropin` and
`units` write them down (pure), `files` compares with the installed files, and `install` applies.
"""
