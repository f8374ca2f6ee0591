"""What is plainly no API token is named as what it is, and never quoted."""

from __future__ import annotations

import pytest
from allowsync_backends.cloudflare.token_form import flaw

TOKEN = "abcdefghijklmnopqrstuvwxyz0123456789_-AB"


@pytest.mark.parametrize("token", [TOKEN, "cfut_" + TOKEN, "cfat_" + TOKEN, "x", ""])
def test_what_may_be_a_token_has_no_flaw(token: str) -> None:
    assert flaw(token) == ""


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (f"Bearer {TOKEN}", "as a header does"),
        (f"bearer\t{TOKEN}", "as a header does"),
        (f" Authorization: Bearer {TOKEN}", "as a header does"),
        (f'"{TOKEN}"', "quotes around it"),
        (f"'{TOKEN}'", "quotes around it"),
        (f"“{TOKEN}”", "quotes around it"),
        (f"{TOKEN} ", "blanks around it"),
        (f"\u00a0{TOKEN}", "blanks around it"),
        (f"CLOUDFLARE_API_TOKEN={TOKEN}", "begins with a name"),
        (f"api_token: {TOKEN}", "begins with a name"),
        (f"{TOKEN[:20]} {TOKEN[20:]}", "characters that no API token has"),
        (f"{TOKEN}é", "characters that no API token has"),
        ("0123456789abcdef0123456789abcdef01234", "a Global API Key"),
        (f"cfk_{TOKEN}", "a Global API Key"),
        ("0123456789abcdef0123456789abcdef", "the id of an account"),
        (f"v1.0-{TOKEN}", "an Origin CA key"),
    ],
)
def test_what_is_none_is_named_and_not_quoted(written: str, said: str) -> None:
    told = flaw(written)
    assert said in told
    assert written.strip() not in told
    assert TOKEN not in told
