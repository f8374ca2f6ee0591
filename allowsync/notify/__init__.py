"""Notifications once per event and not once per run, the heartbeat, and metrics.

    events          what is wrong in a run                          (pure)
    deduplicate     what of that is new, and what is over           (pure)
    outbox          pending notifications and their retries         (pure)
    dispatch        one run's notifications, from events to sent
    apprise_client  sends them, in a process of its own
    heartbeat, http_ping, prometheus   for monitors and scrapers

What was sent and what is pending is remembered in the state.
"""
