"""The idle run: when everything is as the last run left it, there is nothing to work out.

What a run does follows from what it sees: the configuration, the answers of the DNS, what the
targets hold, and what is remembered. A run that had nothing to do therefore writes down *sights*:
which files it read, what the listing of each target was, and every answer byte for byte. As long as
the next run sees all of that again, it had nothing to do either. It only needs to remember that
everything was confirmed once more.

A glance decides nothing and understands nothing. Where anything differs, is late, fails, or is not
known, the whole run is made as if there had been no glance. It imports as little as possible: it
runs 288 times a day.
"""
