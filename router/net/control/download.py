"""Downloads: a file is passed on as it comes, and redirects are followed to trusted places only.

Rules of this file: as those of `request`; a redirect is followed by a new client, so that nothing of one host goes to
another; no content coding is asked for or accepted, since what is written is what is hashed.
"""

from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

from router import __version__
from router.net.client.outbound import DIRECT, Outbound
from router.net.control.request import ControlError, clean, load_context, make_client, make_error

REDIRECTS = 5
CONNECT_SECONDS, READ_SECONDS = 10.0, 30.0
_REDIRECTING = {301, 302, 303, 307, 308}


async def download(
    url: str,
    write: Callable[[bytes], None],
    *,
    limit: int,
    trusted: Callable[[str], bool],
    outbound: Outbound = DIRECT,
    timeout: float = 1800.0,
) -> int:
    """Pass the body of a file to `write`; returns its bytes. limit: of them. trusted: whether a URL may be asked.
    Raises ControlError for every failure of the network, and what `write` raises."""
    import trio

    from router.net.client.dial import resolve_in_threads

    resolve_in_threads()
    with trio.move_on_after(timeout):
        for _ in range(REDIRECTS + 1):
            if not trusted(url):
                raise ControlError(f"{_show(url)} is not a place of releases", code="redirect")
            found = await _download(url, write, limit, outbound)
            if isinstance(found, int):
                return found
            url = _resolve(url, found)
        raise ControlError(f"{_show(url)} redirects more than {REDIRECTS} times", code="redirect")
    raise ControlError(f"{_show(url)} took longer than {timeout / 60:g} minutes")


async def _download(url: str, write: Callable[[bytes], None], limit: int, outbound: Outbound) -> int | str:
    """The bytes of a body, or where a redirect leads."""
    import httpx
    import trio

    parts = urlsplit(url)
    host, proxy = parts.netloc, outbound.find_proxy_to(url)
    sent = {"user-agent": f"fairlead/{__version__}", "accept-encoding": "identity"}
    context = await load_context(url, proxy, outbound.roots)
    body = _Body(write, limit, host)
    try:
        with trio.CancelScope() as scope:
            async with (
                make_client(proxy, context, CONNECT_SECONDS, read=READ_SECONDS) as client,
                client.stream("GET", url, headers=sent) as response,
            ):
                if response.status_code in _REDIRECTING:
                    return response.headers.get("location", "")
                if response.status_code != 200:
                    said = f"{host} answered {response.status_code} for {clean(parts.path)}"
                    raise ControlError(said, status=response.status_code)
                if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
                    raise ControlError(f"{host} sent {clean(parts.path)} in a content coding, which was not asked for")
                async for part in response.aiter_raw():
                    body.add(part)
                    if body.failure is not None:
                        # Instead of breaking out: leaving the loop does not close the generators httpx nests.
                        scope.cancel()
                if body.failure is None:
                    return body.size
        assert body.failure is not None
        raise body.failure
    except httpx.ReadTimeout:
        raise ControlError(f"{host} sent nothing for {READ_SECONDS:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise make_error(error, host, proxy) from None


class _Body:
    """What came of a body. failure: why no more of it is wanted."""

    def __init__(self, write: Callable[[bytes], None], limit: int, host: str):
        self._write, self._limit, self._host = write, limit, host
        self.size = 0
        self.failure: Exception | None = None

    def add(self, part: bytes) -> None:
        """Pass a part on, unless something failed before."""
        self.size += len(part)
        if self.failure is None and self.size > self._limit:
            self.failure = ControlError(f"{self._host} sends more than the {self._limit:,} bytes that it may")
        if self.failure is None:
            try:
                self._write(part)
            except OSError as error:
                self.failure = error


def _resolve(url: str, place: str) -> str:
    """Where a redirect leads. Raises ControlError for what is no address."""
    try:
        found = urljoin(url, place)
        _ = urlsplit(found).port  # a number that is none is refused here
    except ValueError:
        raise ControlError(f"{_show(url)} redirects to what is no address", code="redirect") from None
    return found


def _show(url: str) -> str:
    parts = urlsplit(url)
    return clean(f"{parts.scheme}://{parts.netloc}")
