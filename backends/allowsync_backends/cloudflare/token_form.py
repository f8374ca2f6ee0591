"""The form of an API token: an obviously wrong one is rejected before it is sent. Pure."""

from __future__ import annotations

import re
from typing import Final

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_GLOBAL_KEY: Final = re.compile(r"[0-9a-f]{37}|cfk_.*", re.ASCII)
_IDENTIFIER: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_ORIGIN_KEY: Final = re.compile(r"v1\.0-.*", re.ASCII)
_HEADER: Final = re.compile(r"(?:authorization\s*:|bearer\s)", re.ASCII | re.IGNORECASE)
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\s*[=:]", re.ASCII)
_QUOTES: Final = frozenset("\"'`“”\u2018\u2019„«»")

_CREATE: Final = "create an API token under My Profile > API Tokens"


def flaw(token: str) -> str:
    """Return why a text cannot be an API token, without quoting it; empty where it may be one.

    Its length proves nothing: the vendor has changed that, and an unknown form may be a new one.
    """
    if not token or _TOKEN.fullmatch(token):
        return _other_credential(token)
    bare = token.strip()
    if _HEADER.match(bare):
        return "it begins as a header does ('Bearer'): write the token alone"
    if bare and (bare[0] in _QUOTES or bare[-1] in _QUOTES):
        return "there are quotes around it: write the token alone"
    if bare != token:
        return "there are blanks around it: write the token alone"
    if _ORIGIN_KEY.fullmatch(token):
        return f"it is an Origin CA key, not an API token: {_CREATE}"
    if _ASSIGNMENT.match(token):
        return "it begins with a name (NAME=…): write the token alone"
    return "it holds characters that no API token has: a token has letters, digits, - and _ alone"


def _other_credential(token: str) -> str:
    if _GLOBAL_KEY.fullmatch(token):
        return f"it is a Global API Key, not an API token: {_CREATE}"
    if _IDENTIFIER.fullmatch(token):
        return f"it is the id of an account, a zone or a token, not an API token: {_CREATE}"
    return ""
