"""Sends requests and returns results or errors; retries where that is safe."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from allowsync.system.http_client import (
    HttpClient,
    HttpRequest,
    NoResponse,
    NotSent,
    TooLarge,
    authorities,
)
from allowsync_backends.cloudflare.errors import (
    ApiCall,
    NoReply,
    ServerTrouble,
    TooMany,
    UnreadableReply,
    Unsent,
)
from allowsync_backends.cloudflare.replies import ApiReply, understood
from allowsync_backends.cloudflare.time_budget import PAUSES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from tenacity import RetryCallState

    from allowsync.config.secrets import Secret
    from allowsync.system.http_client import Response
    from allowsync_backends.cloudflare.time_budget import Budget

# A page of 500 items with the longest comments is less than half a megabyte.
LARGEST_BODY: Final = 8 << 20  # bytes
REPLY_TIMEOUT: Final = 20.0  # seconds, from the request to the last byte of its reply
READ_ATTEMPTS: Final = 4
LONGEST_SILENCE: Final = 15.0  # seconds without any reply, after which there is no retry
_FIRST_PAUSE: Final = 0.5  # seconds; doubled with each attempt


class ApiTransport:
    """Sends requests, one after the other, over a kept-alive connection; a context manager.

    Args:
        url: The URL of the API, without a slash at the end.
        token: The API token; None for requests that need none.
        budget: The time limit of all requests together.
    """

    def __init__(self, url: str, token: Secret | None, budget: Budget) -> None:
        self.budget = budget
        self._url = url
        self._token = token
        trust = authorities() if url.startswith("https:") else None
        self._client = HttpClient(trust, LARGEST_BODY, budget.clock.now)
        self._heard = budget.clock.now()

    def __enter__(self) -> ApiTransport:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def read(self, path: str, params: Mapping[str, str] | None = None) -> ApiReply:
        """Send a read request, several times if need be: it changes nothing.

        Raises:
            CloudflareError: There is no result, or not in time.
        """
        return self._patiently(ApiCall("GET", path), params, None, _may_ask_again)

    def write(self, method: str, path: str, body: Any = None) -> ApiReply:
        """Change something. Sent again only when it is known that nothing was changed yet.

        Raises:
            CloudflareError: It was not done; or, for the classes in `AMBIGUOUS`, it may have been.
        """
        return self._patiently(ApiCall(method, path), None, body, _may_send_again)

    def _patiently(
        self, call: ApiCall, params: Mapping[str, str] | None, body: Any, again: _Again
    ) -> ApiReply:
        from tenacity import Retrying, retry_if_exception

        patiently = Retrying(
            retry=retry_if_exception(again),
            wait=_pause,
            stop=self._enough,
            sleep=self.budget.clock.sleep,
            reraise=True,
        )
        return patiently(lambda: understood(call, self._exchange(call, params, body)))

    def _enough(self, state: RetryCallState) -> bool:
        """Whether another attempt is useless: out of time, or broken rather than refused."""
        failure = state.outcome.exception() if state.outcome is not None else None
        tried = not isinstance(failure, TooMany) and state.attempt_number >= READ_ATTEMPTS
        return tried or self._silent or self.budget.would_pass(state)

    @property
    def _silent(self) -> bool:
        return self.budget.clock.now() - self._heard >= LONGEST_SILENCE

    def _exchange(self, call: ApiCall, params: Mapping[str, str] | None, body: Any) -> Response:
        content = _encoded(call, body)
        request = HttpRequest(
            call.method, self._url + call.path, self._headers(call, content), content, params
        )
        try:
            reply = self._client.ask(request, min(REPLY_TIMEOUT, max(self.budget.left, 1.0)))
        except NotSent as error:
            raise Unsent(call, str(error)) from None
        except NoResponse as error:
            raise NoReply(call, str(error)) from None
        except TooLarge as error:
            raise UnreadableReply(call, error.status, "a body that is too large") from None
        self._heard = self.budget.clock.now()
        return reply

    def _headers(self, call: ApiCall, content: bytes) -> dict[str, str]:
        headers = {"Accept": "application/json"}
        if content:
            headers["Content-Type"] = "application/json"
        if self._token is None:
            return headers
        token = self._token.value
        # The HTTP library's error would quote an invalid header.
        if not (token and token.isascii() and token.isprintable() and " " not in token):
            raise Unsent(call, "the API token holds characters that no token has")
        return {**headers, "Authorization": f"Bearer {token}"}


def _encoded(call: ApiCall, body: Any) -> bytes:
    try:
        return b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
    except ValueError:
        raise Unsent(call, "what is to be sent there is no text") from None


if TYPE_CHECKING:
    from collections.abc import Callable

    _Again = Callable[[BaseException], bool]


def _may_send_again(error: BaseException) -> bool:
    return isinstance(error, Unsent | TooMany)


def _may_ask_again(error: BaseException) -> bool:
    if isinstance(error, UnreadableReply):
        return error.status >= 500 or error.status == 200
    return isinstance(error, Unsent | TooMany | NoReply | ServerTrouble)


def _pause(state: RetryCallState) -> float:
    """Return the pause before the next attempt, in seconds."""
    failure = state.outcome.exception() if state.outcome is not None else None
    number = state.attempt_number
    if isinstance(failure, TooMany):
        said = failure.retry_after
        return PAUSES[min(number, len(PAUSES)) - 1] if said is None else max(said, _FIRST_PAUSE)
    return float(_FIRST_PAUSE * 2 ** (number - 1))
