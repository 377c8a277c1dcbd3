"""One request of the control plane and its whole answer.

Rules of this file: a fresh client per request, so that a cancelled one cannot spoil a pool (encode/httpcore 1093);
one deadline per request; proxy and roots are those of the settings, netrc is not read and redirects are not followed;
an answer is read up to a bound; each failure is raised as ControlError and says what was seen, without keys and without
characters that could control a terminal.
"""

import socket
import ssl
import time
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import urlsplit

from router import __version__
from router.errors import CommandError
from router.net.client.outbound import DIRECT, Outbound
from router.net.client.tls import describe_tls_failure, find_tls_cause, make_client_context
from router.settings import ProxyAddress
from router.wire.raw.content_coding import Decoder, Malformed, OverLimit, UnknownCoding

if TYPE_CHECKING:
    import httpx
    import trio

BODY_LIMIT = 8 << 20
#: How many characters of a text are shown in a terminal.
SHOWN = 200


class ControlError(Exception):
    """A request that failed."""

    def __init__(self, message: str, *, status: int | None = None, code: str = "", cause: str = ""):
        super().__init__(message)
        #: A word of `backends.advice`, '' when it is not known.
        self.cause = cause
        #: The HTTP status, None when no answer came.
        self.status = status
        #: The provider's error code, '' without one.
        self.code = code


class Answer(NamedTuple):
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    #: Seconds from the request to the first byte of the body, and to the last.
    first_byte: float
    last_byte: float
    #: The same for each read of the body.
    moments: Sequence[float] = ()


def clean(text: str, limit: int = SHOWN) -> str:
    """Text from the network as a terminal may show it: one line, without control and bidi characters, cut."""
    line = " ".join("".join(_replace_unsafe(char) for char in text[: limit * 4]).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _replace_unsafe(char: str) -> str:
    category = unicodedata.category(char)
    return " " if category == "Cc" else "" if category in ("Cf", "Cs", "Co") else char


async def send(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | None,
    timeout: float,
    outbound: Outbound = DIRECT,
    *,
    limit: int = BODY_LIMIT,
) -> Answer:
    """Send a request and read its whole answer, whatever its status. limit: bytes of the largest answer. Raises
    ControlError for every failure."""
    import httpx
    import trio

    from router.net.client.dial import allows_link_local, resolve_in_threads

    resolve_in_threads()
    host = urlsplit(url).netloc
    proxy = outbound.find_proxy_to(url)
    sent = {"user-agent": f"fairlead/{__version__}", "accept-encoding": "identity", **headers}
    context = await load_context(url, proxy, outbound.roots)
    # Less than the whole: httpcore leaves the socket open when its handshake is cancelled from outside.
    connect = 0.9 * min(timeout, 10.0)
    started = time.perf_counter()
    token = allows_link_local.set(outbound.link_local or proxy is not None)
    try:
        with trio.move_on_after(timeout) as scope:
            async with (
                make_client(proxy, context, connect) as client,
                client.stream(method, url, headers=sent, content=body) as response,
            ):
                data, moments = await _read(response, scope, limit)
                if not scope.cancel_called:
                    data = _decode(data, response.headers.get("content-encoding", ""), host, limit)
                    times = [moment - started for moment in moments]
                    first, last = (times[0], times[-1]) if times else (time.perf_counter() - started,) * 2
                    return Answer(response.status_code, response.headers, data, first, last, times)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise make_error(error, host, proxy) from None
    finally:
        allows_link_local.reset(token)
    if trio.current_time() < scope.deadline:
        raise ControlError(f"{host} sent more than {limit >> 20} MiB")
    raise ControlError(f"{host} did not answer within {timeout:g} s")


async def _read(response: "httpx.Response", scope: "trio.CancelScope", limit: int) -> tuple[bytes, list[float]]:
    """The body as it was sent, and when each part of it came."""
    moments: list[float] = []
    data = bytearray()
    async for part in response.aiter_raw():
        moments.append(time.perf_counter())
        data += part
        if len(data) > limit:
            # Cancelled instead of breaking out: leaving the loop does not close the generators httpx nests.
            scope.cancel()
    return bytes(data), moments


def _decode(data: bytes, coding: str, host: str, limit: int) -> bytes:
    """The body without a content coding, which was not asked for. httpx would inflate all of it, be it gigabytes."""
    try:
        return Decoder(coding.encode()).decode(data, limit)
    except OverLimit:
        raise ControlError(f"{host} sent more than {limit >> 20} MiB") from None
    except (UnknownCoding, Malformed) as error:
        raise ControlError(f"{host} sent a body in a content coding that cannot be read: {clean(str(error))}") from None


async def load_context(url: str, proxy: ProxyAddress | None, roots: str) -> ssl.SSLContext:
    """The TLS context of a request. Raises ControlError."""
    import trio

    if not url.startswith("https:") and (proxy is None or proxy.scheme != "https"):
        # Not used without TLS; building one with the system's roots costs 20 ms.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        return await trio.to_thread.run_sync(make_client_context, roots)
    except CommandError as error:
        raise ControlError(f"{error} {error.hint}") from None


def make_client(
    proxy: ProxyAddress | None, context: ssl.SSLContext, connect: float, *, read: float | None = None
) -> "httpx.AsyncClient":
    """A client for one request, which follows no redirects. connect, read: seconds, of reading None for any."""
    import httpx

    tunnel = None
    if proxy is not None:
        host = f"[{proxy.host}]" if ":" in proxy.host else proxy.host
        tunnel = httpx.Proxy(
            f"{proxy.scheme}://{host}:{proxy.port}",
            auth=(proxy.user, proxy.password.reveal()) if proxy.password is not None else None,
            ssl_context=context if proxy.scheme == "https" else None,
        )
    timeout = httpx.Timeout(None, connect=connect, read=read)
    return httpx.AsyncClient(trust_env=False, verify=context, proxy=tunnel, timeout=timeout)


def make_error(error: Exception, host: str, proxy: ProxyAddress | None) -> ControlError:
    """What is told of an error of httpx."""
    import httpx

    if isinstance(error, httpx.ProxyError):
        said = f"the proxy {proxy} does not allow the connection to {host} ({clean(str(error))})"
        return ControlError(said, cause="proxy")
    # Behind a proxy, TCP connects to the proxy alone; TLS and what follows are the server's.
    first = f"the proxy {proxy}" if proxy is not None else host
    for cause in _iter_causes(error):
        if isinstance(cause, socket.gaierror):
            name = f"{proxy.host} of {first}" if proxy is not None else urlsplit(f"//{host}").hostname
            said = f"the name {name} could not be resolved (DNS: {clean(cause.strerror or str(cause))})"
            return ControlError(said, cause="proxy" if proxy else "name")
        if isinstance(cause, ssl.SSLCertVerificationError):
            said = clean(describe_tls_failure(cause, host), 300).removeprefix("its certificate was not accepted ")
            return ControlError(f"the certificate of {host} was not accepted {said}")
        if isinstance(cause, ssl.SSLError):
            said = f"TLS with {host} failed: {clean(describe_tls_failure(cause, host))}"
            return ControlError(said, cause=find_tls_cause(cause))
        if isinstance(cause, ConnectionRefusedError):
            return ControlError(f"{first} refused the connection", cause="proxy" if proxy else "refused")
    if isinstance(error, httpx.TimeoutException):
        return ControlError(f"{first} did not accept the connection in time", cause="proxy" if proxy else "silent")
    # h11's words: httpx has one class for what is not HTTP and for an answer that was cut.
    cut = isinstance(error, httpx.RemoteProtocolError) and "without sending complete message body" in str(error)
    if isinstance(error, httpx.RemoteProtocolError) and not cut:
        return ControlError(f"{host} did not answer in HTTP", code="not_http", cause="closed")
    if isinstance(error, httpx.ConnectError):
        said = f"{first} could not be reached ({_format_system_error(error)})"
        return ControlError(said, cause="proxy" if proxy else "")
    if cut or isinstance(error, httpx.NetworkError):
        return ControlError(f"{host} closed the connection before its answer was complete", cause="closed")
    return ControlError(f"the request to {host} could not be made ({clean(str(error))})")


def _format_system_error(error: BaseException) -> str:
    texts = [cause.strerror for cause in _iter_causes(error) if isinstance(cause, OSError) and cause.strerror]
    return clean(texts[-1] if texts else str(error))


def _iter_causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all its causes; trio puts the errors of several addresses into a group."""
    pending, seen = [error], set[int]()
    while pending:
        current = pending.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        if isinstance(current, BaseExceptionGroup):
            pending.extend(cast("BaseExceptionGroup[BaseException]", current).exceptions)
        pending.extend(cause for cause in (current.__cause__, current.__context__) if cause is not None)
