"""Telling people what happened, once per event and not once per run.

    matters   what is the matter in a run                         (pure)
    telling   what of that is news, and what is over              (pure)
    outbox    who is to be told, and when it is tried again       (pure)
    sending   telling them, in a process of its own

What was told, and what is still to be told, is remembered in the state.
"""
