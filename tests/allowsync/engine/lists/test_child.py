"""What the process that fetches a list makes of a server, over real connections."""

from __future__ import annotations

import gzip
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from allowsync.dns.transport.tls_context import trust
from allowsync.engine.lists import child
from allowsync.engine.lists.child import Refusal, fetched
from allowsync.policy.list_formats import LARGEST, ListError
from testkit.fake_dns.tls import Authority
from testkit.fake_lists import (
    ListServer,
    by_etag,
    chunked,
    cut,
    dripping,
    endless,
    head,
    packed,
    redirect,
    status,
    unbounded,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = b"192.0.2.0/24\n198.51.100.7 # a printer\n"
NETWORKS = ["192.0.2.0/24", "198.51.100.7/32"]


@pytest.fixture
def server() -> Iterator[ListServer]:
    with ListServer() as serving:
        yield serving


def task(server: ListServer, **others: Any) -> dict[str, Any]:
    asked = {
        "url": f"{server.url}/list",
        "port": server.port,
        "addresses": [server.host],
        "literal": True,
        "headers": {},
        "format": "text",
        "field": None,
        "sha256": None,
        "seconds": 5.0,
    }
    return {**asked, **others}


GOOD = {
    "as it should be": whole(CONTENT),
    "in pieces": chunked(CONTENT),
    "packed": packed(CONTENT),
    "packed by an older name": packed(CONTENT, encoding="x-gzip"),
    "packed in two members": whole(
        gzip.compress(CONTENT[:20]) + gzip.compress(CONTENT[20:]), Content_Encoding="gzip"
    ),
    "with a mark of its encoding": whole(b"\xef\xbb\xbf" + CONTENT),
    "with more than it says": whole(CONTENT) + b"203.0.113.0/24\n",
}


@pytest.mark.parametrize("answer", GOOD.values(), ids=GOOD)
def test_a_list_is_fetched(server: ListServer, answer: bytes) -> None:
    server.answers["/list"] = answer
    heading, networks = fetched(task(server), None)
    assert networks == NETWORKS
    assert heading["unread"] == 0
    (request,) = server.requests
    assert request.headers["accept-encoding"] == "gzip"
    assert request.headers["host"] == f"{server.host}:{server.port}"
    assert "cookie" not in request.headers


BOMB = gzip.compress(bytes(LARGEST * 8))

FAULTS = {
    "cut short": (cut(CONTENT, 5), Refusal, "connection broke"),
    "nothing at all": (b"", Refusal, "connection broke"),
    "no HTTP": (b"220 mail.example.org ESMTP\r\n", Refusal, "connection broke"),
    "pieces without an end": (chunked(CONTENT, end=b""), Refusal, "connection broke"),
    "a piece of no size": (chunked(CONTENT, end=b"x\r\n"), Refusal, "connection broke"),
    "no length": (unbounded(CONTENT), Refusal, "neither a length nor an end"),
    "two lengths": (
        head(200, Content_Length="9").replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\n"),
        Refusal,
        "connection broke",
    ),
    "a bomb": (whole(BOMB, Content_Encoding="gzip"), ListError, "larger than 8 MiB"),
    "packed and cut short": (packed(CONTENT, missing=9), Refusal, "compressed, and truncated"),
    "the second member cut short": (
        whole(gzip.compress(CONTENT) + gzip.compress(CONTENT)[:-9], Content_Encoding="gzip"),
        Refusal,
        "compressed, and truncated",
    ),
    "more behind what is packed": (
        whole(gzip.compress(CONTENT) + b"192.0.2.0", Content_Encoding="gzip"),
        Refusal,
        "decompressed",
    ),
    "packed by name only": (whole(CONTENT, Content_Encoding="gzip"), Refusal, "decompressed"),
    "packed otherwise": (packed(CONTENT, encoding="br"), Refusal, "not requested"),
    "packed twice": (packed(CONTENT, encoding="gzip, gzip"), Refusal, "not requested"),
    "a web page": (whole(b"<!doctype html>"), ListError, "HTML"),
    "empty": (whole(b""), ListError, "empty"),
    "another encoding": (whole(CONTENT.decode().encode("utf-16")), ListError, "UTF-8"),
    "without end": (endless, ListError, "larger than 8 MiB"),
    "slow": (dripping(CONTENT, 0.1), Refusal, "too slowly|in time"),
    "not changed, though nothing was fetched": (head(304), Refusal, "it was never fetched"),
    "gone": (status(404), Refusal, "HTTP status 404"),
    "not now": (status(503), Refusal, "HTTP status 503"),
    "a part": (head(206, Content_Length="3") + b"::1", Refusal, "HTTP status 206"),
    "no content": (head(204), Refusal, "HTTP status 204"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_no_fault_is_taken_for_a_list(server: ListServer, fault: tuple[Any, Any, str]) -> None:
    answer, kind, why = fault
    server.answers["/list"] = answer
    seconds = 0.5 if answer is FAULTS["slow"][0] else 5.0
    with pytest.raises(kind, match=why):
        fetched(task(server, seconds=seconds), None)


def test_a_redirect_is_told_and_not_followed(server: ListServer) -> None:
    server.answers["/list"] = redirect("/elsewhere")
    assert fetched(task(server), None) == ({"redirect": "/elsewhere"}, [])
    assert len(server.requests) == 1


def test_what_has_not_changed_is_not_sent(server: ListServer) -> None:
    server.answers["/list"] = by_etag(CONTENT, '"1"')
    heading, _ = fetched(task(server), None)
    assert heading["etag"] == '"1"'
    said = fetched(task(server, headers={"If-None-Match": '"1"'}), None)
    assert said == ({"unchanged": True}, [])


def test_headers_that_could_not_be_sent_back_are_left_out(server: ListServer) -> None:
    server.answers["/list"] = whole(CONTENT, ETag="é", Last_Modified="x" * 999)
    heading, _ = fetched(task(server), None)
    assert (heading["etag"], heading["modified"]) == ("", "")


def test_the_content_must_have_its_digest(server: ListServer) -> None:
    server.answers["/list"] = whole(CONTENT)
    assert fetched(task(server, sha256=sha256(CONTENT).hexdigest()), None)[1] == NETWORKS
    with pytest.raises(ListError, match="another sha256"):
        fetched(task(server, sha256="0" * 64), None)


def test_the_next_address_is_asked_where_one_is_silent(server: ListServer) -> None:
    server.answers["/list"] = whole(CONTENT)
    assert fetched(task(server, addresses=["127.0.0.9", server.host]), None)[1] == NETWORKS
    with pytest.raises(Refusal, match="no connection: "):
        fetched(task(server, addresses=["127.0.0.9"]), None)
    with pytest.raises(Refusal, match="no connection: "):
        fetched(task(server, addresses=[]), None)


def test_a_server_proves_its_name_and_not_its_address(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    name = "lists.example.net"
    with authority.trusted(), ListServer(authority.serves(name)) as server:
        server.answers["/list"] = whole(CONTENT)
        named = task(server, url=f"https://{name}:{server.port}/list", literal=False)
        assert fetched(named, trust())[1] == NETWORKS
        assert server.requests[0].headers["host"] == f"{name}:{server.port}"
        for other in (
            task(server),
            task(server, url=f"https://other.example.net:{server.port}/list", literal=False),
        ):
            with pytest.raises(Refusal, match=r"(?i)certificate"):
                fetched(other, trust())
    with ListServer(authority.serves(name)) as stranger:
        named = task(stranger, url=f"https://{name}:{stranger.port}/list", literal=False)
        with pytest.raises(Refusal, match=r"(?i)certificate"):
            fetched(named, trust())


def test_a_bomb_is_unpacked_in_small_parts(
    server: ListServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "LARGEST", 1000)
    server.answers["/list"] = whole(BOMB, Content_Encoding="gzip")
    with pytest.raises(ListError, match="larger than"):
        fetched(task(server), None)
