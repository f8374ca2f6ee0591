"""Servers for tests and demonstrations: DNS over UDP, TCP, TLS and HTTPS, and Cloudflare's API."""
