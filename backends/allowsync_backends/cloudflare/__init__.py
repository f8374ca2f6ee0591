"""Cloudflare lists, by their API."""
