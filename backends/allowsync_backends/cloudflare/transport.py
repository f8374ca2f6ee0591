"""The one user of httpx: a request goes out, a result or an error comes back.

Nothing of the environment is heeded (`trust_env=False`): no credentials of a `.netrc`, no proxy, no
other certificates. Redirects are not followed, so the token goes nowhere but to the API's own URL.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import httpx

from allowsync import __version__
from allowsync_backends.cloudflare.errors import (
    ApiCall,
    NoReply,
    ServerTrouble,
    TooMany,
    UnreadableReply,
    Unsent,
    printable,
)
from allowsync_backends.cloudflare.replies import ApiReply, Response, understood
from allowsync_backends.cloudflare.time_budget import PAUSES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ssl import SSLContext
    from types import TracebackType

    from tenacity import RetryCallState

    from allowsync.config.secrets import Secret
    from allowsync_backends.cloudflare.time_budget import Budget

# A page of 500 items with the longest comments is less than half a megabyte.
LARGEST_BODY: Final = 8 << 20  # bytes
CONNECT_TIMEOUT: Final = 5.0  # seconds
REPLY_TIMEOUT: Final = 20.0  # seconds, from the request to the last byte of its reply
READ_ATTEMPTS: Final = 4
_FIRST_PAUSE: Final = 0.5  # seconds; doubled with each attempt
_IMPOSSIBLE: Final = "its URL, or what is to be sent there, cannot be one"


@cache
def _authorities() -> SSLContext:
    """Whose certificates count; read once, which takes as long as several requests."""
    return httpx.create_ssl_context(trust_env=False)


class ApiTransport:
    """Sends requests, one after the other, over a connection that is kept; a context manager.

    Args:
        url: Where the API is, without a slash at the end.
        token: The API token; None for what needs none.
        budget: How long all requests together may take.

    Raises:
        Unsent: The URL cannot be one.
    """

    def __init__(self, url: str, token: Secret | None, budget: Budget) -> None:
        self.budget = budget
        self._token = token
        headers = {"User-Agent": f"allowsync/{__version__}", "Accept": "application/json"}
        try:
            self._client = httpx.Client(
                base_url=url, verify=_authorities(), trust_env=False, headers=headers
            )
        except httpx.InvalidURL:
            raise Unsent(ApiCall("GET", "/"), _IMPOSSIBLE) from None

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
        """Ask for something, several times if need be: asking changes nothing.

        Raises:
            CloudflareError: It was not given, or not in time.
        """
        return self._patiently(ApiCall("GET", path), params, None, _may_ask_again)

    def write(self, method: str, path: str, body: Any = None) -> ApiReply:
        """Change something. Sent again only when it is known that nothing was changed yet.

        Raises:
            CloudflareError: It was not done; or, for what is in `AMBIGUOUS`, it may have been.
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
        """Whether there is no point in another attempt: out of time, or not refused but broken."""
        failure = state.outcome.exception() if state.outcome is not None else None
        tried = not isinstance(failure, TooMany) and state.attempt_number >= READ_ATTEMPTS
        return tried or self.budget.would_pass(state)

    def _exchange(self, call: ApiCall, params: Mapping[str, str] | None, body: Any) -> Response:
        began = self.budget.clock.now()
        try:
            with self._client.stream(
                call.method,
                call.path,
                params=params,
                json=body,
                headers=self._authorization(call),
                timeout=self._timeout(),
            ) as response:
                retry_after = response.headers.get("Retry-After", "")
                body = self._body(call, response, began)
                return Response(response.status_code, retry_after, body)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Unsent(call, printable(str(error) or type(error).__name__)) from None
        except httpx.RequestError as error:
            # Their texts may quote what was sent; their names say enough.
            raise NoReply(call, _said(error)) from None
        except (httpx.InvalidURL, ValueError, OverflowError):
            # Of a port, a label of a name or a character that there is not: before any connection.
            raise Unsent(call, _IMPOSSIBLE) from None

    def _authorization(self, call: ApiCall) -> dict[str, str]:
        if self._token is None:
            return {}
        token = self._token.value
        # What cannot be a header would be quoted in the error of the HTTP library.
        if not (token and token.isascii() and token.isprintable() and " " not in token):
            raise Unsent(call, "the API token holds characters that no token has")
        return {"Authorization": f"Bearer {token}"}

    def _timeout(self) -> httpx.Timeout:
        left = max(self.budget.left, 1.0)
        return httpx.Timeout(min(REPLY_TIMEOUT, left), connect=min(CONNECT_TIMEOUT, left))

    def _body(self, call: ApiCall, response: httpx.Response, began: float) -> bytes:
        parts, size = [], 0
        for part in response.iter_bytes():
            parts.append(part)
            size += len(part)
            if size > LARGEST_BODY:
                raise UnreadableReply(call, response.status_code, "a body that is too large")
            if self.budget.clock.now() - began > REPLY_TIMEOUT:
                raise NoReply(call, "it came too slowly")
        return b"".join(parts)


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
    """How long to wait before the next attempt, in seconds."""
    failure = state.outcome.exception() if state.outcome is not None else None
    number = state.attempt_number
    if isinstance(failure, TooMany):
        said = failure.retry_after
        return PAUSES[min(number, len(PAUSES)) - 1] if said is None else max(said, _FIRST_PAUSE)
    return float(_FIRST_PAUSE * 2 ** (number - 1))


def _said(error: httpx.RequestError) -> str:
    match error:
        case httpx.TimeoutException():
            return "it did not come in time"
        case httpx.RemoteProtocolError() | httpx.ReadError() | httpx.WriteError():
            return "the connection broke"
        case _:
            return type(error).__name__
