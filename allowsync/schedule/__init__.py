"""Running by itself: the units of systemd or the entry of cron, made to fit a configuration.

`interval` says how often. `requirements` finds out what the service must be allowed, `dropin`
and `units` write that down (pure), `disk` compares with what is installed, and `work` carries out.
"""
