"""Notifications once per event and not once per run, the heartbeat, and metrics.

    events          the conditions of a run                         (pure)
    deduplicate     the new ones among them, and the ended ones     (pure)
    outbox          pending notifications and their retries         (pure)
    dispatch        one run's notifications, from events to sent
    apprise_client  sends them, in a process of its own
    heartbeat, http_ping, prometheus   for monitors and scrapers

The state keeps sent and pending notifications.
"""
