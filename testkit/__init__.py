"""Servers for tests and demos: DNS by every transport, Cloudflare's API, Jellyfin, Kubernetes."""
