"""Servers for tests and demos: DNS over UDP, TCP, TLS and HTTPS, Cloudflare's API, a Jellyfin."""
