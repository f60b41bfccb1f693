"""Send one request; return one reply or raise one exception.

A call fails in two ways: `Rejected` (the system rejected the request) and `Unavailable` (it gave no
usable answer). `bigcommerce.api` and `sequra.client` subclass both to name the system; callers
catch those classes.

Redirects are not followed and nothing is repeated: only the caller knows what may be repeated.
Replies are read up to a limit and until a deadline, however slowly they arrive. TLS is verified.

A request goes from `requests`' preparation straight to the session's adapter. So neither the
environment's proxies and .netrc nor cookies are looked at, which is more than half of what
`Session.request` costs (ADR 23).
"""

import http.client
import math
import platform
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, NoReturn
from urllib.parse import quote, urlsplit

import requests
import urllib3.exceptions
from prometheus_client import Counter, Histogram
from requests.adapters import HTTPAdapter

from transport import __version__
from transport.reading import clean_text, messages_of, read_json, write_json
from transport.stopping import before_a_call
from transport.tracing import span


class Rejected(Exception):
    """The system rejected the request. A repetition will not help; `message` is for the merchant.

    `status` is the HTTP status, `messages` the messages in the body (may be empty), `request_id`
    the id that the system's support asks for, `call` the request in short, such as "PUT
    /stores/abc/v2/orders/250", `body` the beginning of the body.
    """

    system: ClassVar[str] = "The other system"

    def __init__(
        self,
        status: int,
        messages: list[str] | None = None,
        request_id: str = "",
        call: str = "",
        body: str = "",
    ) -> None:
        super().__init__(status, messages, request_id, call, body)
        self.status = status
        self.messages = messages or []
        self.request_id = request_id
        self.call = call
        self.body = body

    @property
    def message(self) -> str:
        """Return the system's message in one line; the name of the status when it sent none."""
        if not self.messages:
            return http.client.responses.get(self.status, f"HTTP {self.status}")
        *first, last = self.messages
        return ". ".join([*(message.rstrip(".") for message in first), last])

    @property
    def is_unauthorised(self) -> bool:
        """Return whether the credentials are not (or no longer) valid for this call."""
        return self.status in (401, 403)

    def __str__(self) -> str:
        return f"{self.system} refused {self.call or 'the request'} ({self.status}): {self.message}"


class Unavailable(Exception):
    """The system gave no usable answer. Retry later.

    `retry_after` is in seconds, if the system sent a time. `maybe_done` is true when the request
    may have had its effect (it was sent, or answered with a 5xx): check before repeating anything
    that must not happen twice. A request that only reads never has an effect.
    """

    def __init__(
        self, reason: str, retry_after: float | None = None, maybe_done: bool = False
    ) -> None:
        super().__init__(reason, retry_after, maybe_done)
        self.reason = reason
        self.retry_after = retry_after
        self.maybe_done = maybe_done

    def __str__(self) -> str:
        return self.reason


Timeout = tuple[float, float]  # seconds: to connect; to wait for the reply and again to read it
Params = Mapping[str, str | int]


def longest(timeout: Timeout) -> float:
    """Return the seconds that one call may take at most.

    To connect, until the reply begins, until the reading deadline, and for the last piece.
    """
    connect, read = timeout
    return connect + 3 * read


_USER_AGENT = f"SeQura-BigCommerce/{__version__} python/{platform.python_version()}"
_ENCODINGS = "gzip, deflate"  # whatever else is installed here: fewer decoders of foreign bytes
_HEADERS = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "Connection": "keep-alive"}
_REPLY_LIMIT = 5_000_000  # bytes
_ERROR_LIMIT = 65_536  # bytes of an error page that are read
_CHUNK = 65_536
_READS_ONLY = {"GET", "HEAD"}
_NOT_NOW = {408, 423, 425, 429, 499}  # the 4xx that are temporary
_NO_EFFECT = {423, 425, 429}  # rejected before anything happened
# A later `Retry-After` is cut to this, because after an outage minutes count.
_MOST_PATIENCE = 180.0  # seconds
_LOST = (requests.RequestException, urllib3.exceptions.HTTPError, OSError, UnicodeError)
_NEVER_SENT = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.LocationValueError,
    ssl.SSLCertVerificationError,
    requests.exceptions.ConnectTimeout,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidHeader,
    UnicodeError,
)


_CALLS = Counter("sequra_bc_calls", "Calls to other systems", ["system", "method", "outcome"])
_CALL_SECONDS = Histogram("sequra_bc_call_seconds", "Time until a call was over", ["system"])


class LeanAdapter(HTTPAdapter):
    """An adapter whose responses hold what this module reads of them: no cookies, no encoding."""

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        response = requests.Response()
        response.status_code, response.headers, response.raw = resp.status, resp.headers, resp
        response.request = req
        return response


def new_session(idle: int = 10) -> requests.Session:
    """Return a session that keeps up to `idle` connections to each host open."""
    session = requests.Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, LeanAdapter(pool_maxsize=idle))
    return session


def segment(value: object) -> str:
    """Return `value` as exactly one path segment, with slashes escaped.

    Raise ValueError for dots alone, which would be resolved into another path.
    """
    text = str(value)
    if text.strip(".") == "":
        raise ValueError(f"{text!r} cannot stand in a path")
    return quote(text, safe="")


@dataclass(frozen=True)
class Reply:
    """A 2xx reply, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def content_type(self) -> str:
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()


@dataclass
class Transport:
    """The connection to one system: its exceptions, time limits and HTTP session.

    A session is safe to share between stores: only its open connections are used, and they carry no
    credentials.
    """

    rejected: type[Rejected]
    unavailable: type[Unavailable]
    timeout: Timeout
    session: requests.Session
    on_headers: Callable[[Mapping[str, str]], object] | None = None

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        params: Params | None = None,
        body: Any = None,
        timeout: Timeout | None = None,
        limit: int = _REPLY_LIMIT,
    ) -> Reply:
        """Return the reply to one request. Raise Rejected or Unavailable when it is not a 2xx."""
        before_a_call()
        sent = {"User-Agent": _USER_AGENT, "Accept-Encoding": _ENCODINGS, **headers}
        data = None if body is None else write_json(body)
        if data is not None:
            sent["Content-Type"] = "application/json"
        exchange = _Exchange(self, method, url, timeout or self.timeout, limit)
        with _counted(self.rejected.system, method):
            return exchange.run(sent, params, data)

    def json(self, method: str, url: str, **rest: Any) -> Any:
        """Return the document in the reply, None when there is none (204)."""
        return self.document(method, url, self.send(method, url, **rest))

    def document(self, method: str, url: str, reply: Reply) -> Any:
        """Return the document in this reply, None when there is none."""
        if not reply.body.strip():
            return None
        try:
            return read_json(reply.body)
        except (ValueError, RecursionError) as error:
            raise self.unreadable(method, url, "is not JSON") from error

    def unreadable(self, method: str, url: str, why: str) -> Unavailable:
        """Return the exception for a 2xx with unreadable content. It may have had its effect."""
        reason = f"{self.rejected.system}'s answer to {call_of(method, url)} {why}"
        return self.unavailable(reason, None, method not in _READS_ONLY)


@contextmanager
def _counted(system: str, method: str) -> Iterator[None]:
    """Count a call and its outcome in the metrics, and make it a span."""
    began, outcome = time.monotonic(), "unavailable"
    try:
        with span(f"{method} {system}", "client"):
            yield
        outcome = "accepted"
    except Rejected:
        outcome = "rejected"
        raise
    finally:
        _CALLS.labels(system, method, outcome).inc()
        _CALL_SECONDS.labels(system).observe(time.monotonic() - began)


def call_of(method: str, url: str) -> str:
    """Return the request in short, without the query, which may hold personal data."""
    return f"{method} {urlsplit(url).path}"


@dataclass
class _Exchange:
    """One request and its reply."""

    transport: Transport
    method: str
    url: str
    timeout: Timeout
    limit: int

    def run(self, headers: Mapping[str, str], params: Params | None, data: bytes | None) -> Reply:
        try:
            with closing(self._request(headers, params, data)) as response:
                if self.transport.on_headers:
                    self.transport.on_headers(response.headers)
                if not 200 <= response.status_code < 300:
                    self._refuse(response)
                content = b"".join(self._chunks(response))
                return Reply(response.status_code, response.headers, content)
        except _LOST as error:
            raise self._lost(error) from error

    def _request(
        self, headers: Mapping[str, str], params: Params | None, data: bytes | None
    ) -> requests.Response:
        prepared = requests.PreparedRequest()
        prepared.prepare_method(self.method)
        prepared.prepare_url(self.url, params)
        prepared.prepare_headers({**_HEADERS, **headers})
        prepared.prepare_body(data, None)
        adapter = self.transport.session.get_adapter(self.url)
        return adapter.send(prepared, stream=True, timeout=self.timeout)

    def _chunks(self, response: requests.Response) -> Iterator[bytes]:
        """Yield the body as it arrives.

        Raise Unavailable beyond the limit or after the deadline.
        """
        deadline, size = time.monotonic() + self.timeout[1], 0
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            size += len(chunk)
            if size > self.limit:
                raise self._unavailable(f"sent more than {self.limit} bytes")
            if time.monotonic() > deadline:
                raise self._unavailable(f"took longer than {self.timeout[1]:g} s to answer")
            yield chunk

    def _refuse(self, response: requests.Response) -> NoReturn:
        """Raise Rejected for a final refusal and Unavailable for a temporary one."""
        status = response.status_code
        if 300 <= status < 400:
            raise self._unavailable(f"sent us elsewhere ({status}), where we do not go")
        if status >= 500 or status in _NOT_NOW:
            raise self._unavailable(
                f"answered {status}", _retry_after(response), status not in _NO_EFFECT
            )
        body = self._beginning(response)
        request_id = response.headers.get("X-Request-Id", "")
        text = clean_text(body.decode("utf-8", "replace"))
        raise self.transport.rejected(status, messages_of(body), request_id, self._call, text)

    def _beginning(self, response: requests.Response) -> bytes:
        """Return as much of an error page as arrives and is worth reading."""
        body, self.limit = b"", _ERROR_LIMIT
        try:
            for chunk in self._chunks(response):
                body += chunk
        except (Unavailable, *_LOST):
            return body
        return body

    def _lost(self, error: Exception) -> Unavailable:
        """Return the exception for a missing or partial reply: may the request have arrived?"""
        if any(isinstance(cause, _NEVER_SENT) for cause in _causes(error)):
            return self._unavailable("cannot be reached", maybe_done=False)
        if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
            return self._unavailable(f"did not answer within {self.timeout[1]:g} s")
        return self._unavailable("broke the connection")

    def _unavailable(
        self, what: str, retry_after: float | None = None, maybe_done: bool = True
    ) -> Unavailable:
        effect = maybe_done and self.method not in _READS_ONLY
        reason = f"{self.transport.rejected.system} {what}: {self._call}"
        return self.transport.unavailable(reason, retry_after, effect)

    @property
    def _call(self) -> str:
        return call_of(self.method, self.url)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and its causes: requests and urllib3 wrap each other's exceptions."""
    while error is not None:
        yield error
        inner = [getattr(error, "reason", None), *error.args, error.__cause__]
        error = next((cause for cause in inner if isinstance(cause, BaseException)), None)


def _retry_after(response: requests.Response) -> float | None:
    """Return the seconds that the other system asks to wait, at most `_MOST_PATIENCE`; else None.

    BigCommerce sends its rate-limit headers with every reply; they only count on a 429.
    https://docs.bigcommerce.com/developer/docs/overview/api-fundamentals/rate-limits
    """
    headers = response.headers
    if response.status_code == 429 and (
        reset := _seconds(headers.get("X-Rate-Limit-Time-Reset-Ms"))
    ):
        return min(reset / 1000, _MOST_PATIENCE)
    for name in ("X-Retry-After", "Retry-After"):
        if (wait := _seconds(headers.get(name))) is not None:
            return min(wait, _MOST_PATIENCE)
    return None


def _seconds(value: str | None) -> float | None:
    """Return a header's number, or the time until its HTTP date; None for anything else."""
    try:
        number = float(value or "")
    except ValueError:
        return _until(value or "")
    return number if math.isfinite(number) and number >= 0 else None


def _until(date: str) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
