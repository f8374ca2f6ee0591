"""What the tests try on a stand-in, tried on a real Traefik: `make traefik TRAEFIK=/path/to/it`.

Traefik comes with no distribution that the tests can install it from, so this is no part of
`make test`. It says whether the stand-in answers as Traefik does, and counts requests of a friend
and of a stranger during many changes.
"""
