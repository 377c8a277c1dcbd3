"""The control plane: catalogs of backends, and small test requests."""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast
from urllib.parse import quote, urlsplit

import msgspec

from router.backends import Backend
from router.backends.endpoints import find_endpoint, find_key_header, find_root, list_set_headers
from router.backends.known import api_of, host_of, known, refuses_max_tokens
from router.errors import BadRequest
from router.net.client.outbound import DIRECT, Outbound
from router.net.control.model_pages import Page, decode_page, iter_names
from router.net.control.refusals import check_not_html, read_refusal
from router.net.control.request import Answer, ControlError, clean, send
from router.settings import Secret
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

if TYPE_CHECKING:
    from router.wire.protocol import WireProtocol

#: The code of the error for a provider that is known to have no list of models: nothing was asked of it.
NO_LIST = "no_list"
PAGES = 20
MODELS = 20_000
#: Bytes of all names of a catalog. What an upstream lists is kept, compared and listed again.
NAMES_BYTES = 1 << 20
# An answer of more bytes is read in a thread.
_THREAD_BYTES = 65536
# What is asked to see a stream: long enough that its parts come one after the other.
_STREAM_TEXT, _STREAM_TOKENS = "Count from one to thirty, in words.", 96


_Read = TypeVar("_Read")


class Listing(NamedTuple):
    """A catalog: its names, each once, in its order, and its entries by name as `read_entry` read them."""

    names: list[str]
    entries: dict[str, Any]


class StreamTimes(NamedTuple):
    """How a stream came."""

    events: int
    #: Seconds from the request to its first byte, and from that to its last.
    first: float
    spread: float


async def fetch_models(
    backend: Backend, key: Secret | None, *, outbound: Outbound = DIRECT, timeout: float = 10.0
) -> list[str]:
    """The model names of a backend's catalog, each once, in its order. Raises ControlError."""
    return (await fetch_catalog(backend, key, outbound=outbound, timeout=timeout)).names


async def fetch_catalog(
    backend: Backend,
    key: Secret | None,
    *,
    read_entry: Callable[[Mapping[str, object]], object] | None = None,
    outbound: Outbound = DIRECT,
    timeout: float = 10.0,
) -> Listing:
    """A backend's catalog. read_entry: called with each of its entries, in a thread where there are many. Raises
    ControlError."""
    found: dict[str, object] = {}
    size = 0
    api = api_of(backend)
    # OpenAI's form has no pages and does not know `limit`.
    first = f"?{api.page_size}=1000"
    query = first if api.paged else ""
    entry = known(backend.vendor)
    path = "/models" if entry is None else entry.models_path
    if not path:
        raise ControlError(f"{host_of(backend.root)} has no list of models", status=404, code=NO_LIST)
    for _ in range(PAGES):
        url = f"{backend.root}{path}{query}"
        answer = await _ask("GET", url, _make_headers(backend, key, outbound), None, timeout, outbound)
        if len(answer.body) > _THREAD_BYTES:
            import trio

            page, entries = await trio.to_thread.run_sync(_read_page, backend, answer, url, key, read_entry)
        else:
            page, entries = _read_page(backend, answer, url, key, read_entry)
        for name, entry in entries:
            size += len(name) if name not in found else 0
            if size > NAMES_BYTES or len(found) >= MODELS:
                return Listing(list(found), found)
            found.setdefault(name, entry)
        if not page.has_more or not page.last_id:
            break
        query = f"{first}&{api.page_after}={quote(page.last_id, safe='')}"
    return Listing(list(found), found)


async def fetch_document(
    backend: Backend,
    key: Secret | None,
    path: str,
    read: Callable[[object], _Read],
    *,
    body: bytes | None = None,
    key_header: str = "",
    outbound: Outbound = DIRECT,
    timeout: float = 5.0,
) -> _Read:
    """Ask a backend's host for another document, and read it in a thread where it is large. path: from the root of the
    host. body: for a POST. key_header: the header that takes the key alone, in place of the usual one. Raises
    ControlError."""
    parts = urlsplit(backend.root)
    url = f"{parts.scheme}://{parts.netloc}{path}"
    headers = _make_headers(backend, None if key_header else key, outbound)
    if key_header and key is not None:
        headers[key_header] = key.reveal()
    if body is not None:
        headers["content-type"] = "application/json"
    answer = await _ask("GET" if body is None else "POST", url, headers, body, timeout, outbound)

    def read_answer() -> _Read:
        return read(_decode_json(answer, url, key))

    if len(answer.body) <= _THREAD_BYTES:
        return read_answer()
    import trio

    return await trio.to_thread.run_sync(read_answer)


async def is_catalog_public(backend: Backend, *, outbound: Outbound = DIRECT, timeout: float = 10.0) -> bool | None:
    """True when the catalog can be read without a key too, so that reading it does not prove a key; None when
    unclear."""
    try:
        await fetch_models(backend, None, outbound=outbound, timeout=timeout)
    except ControlError as error:
        refused = error.status is not None and 400 <= error.status < 500 and error.status not in (404, 408, 429)
        return False if refused else None
    return True


async def probe(
    backend: Backend,
    key: Secret | None,
    model: str,
    protocol: str,
    *,
    outbound: Outbound = DIRECT,
    timeout: float = 60.0,
) -> str:
    """Send the smallest real request of a protocol; returns the answer's text, which may be ''. Raises ControlError."""
    from router.wire.protocols import BY_NAME  # with all codecs, which other commands need not load

    entry = BY_NAME[protocol]
    cap = entry.cap_for(newest=refuses_max_tokens(backend.vendor))
    url, body = _fit(backend, entry, model, entry.tiny_request(model, cap), stream=False)
    answer = await _post(backend, key, protocol, url, body, timeout, outbound)
    data = _decode_json(answer, url, key)
    if not isinstance(data, dict) or entry.answer_field not in data:
        raise ControlError("the answer does not have the form of this protocol", status=answer.status)
    return clean(_find_text(cast("object", data)), 60)


async def probe_stream(
    backend: Backend,
    key: Secret | None,
    model: str,
    protocol: str,
    *,
    outbound: Outbound = DIRECT,
    timeout: float = 60.0,
) -> StreamTimes:
    """Send a small request for a stream; returns how it came. Raises ControlError, for an answer that is no stream with
    the code `no_stream`."""
    from router.wire.framings import Framed
    from router.wire.protocols import BY_NAME

    entry = BY_NAME[protocol]
    cap = entry.cap_for(newest=refuses_max_tokens(backend.vendor))
    body = entry.tiny_request(model, cap, _STREAM_TEXT, _STREAM_TOKENS)
    # Where a stream has a path of its own, the body does not ask for it.
    body |= {} if entry.stream_path else {"stream": True}
    url, body = _fit(backend, entry, model, body, stream=True)
    answer = await _post(backend, key, protocol, url, body, timeout, outbound)
    if not 200 <= answer.status < 300:
        raise read_refusal(answer, url, key)
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    framed = Framed(find_endpoint(backend, protocol).framing, entry.dialect).unframe(
        kind.encode("latin-1"), answer.body
    )
    if framed is not None:
        answer, kind = answer._replace(body=framed[0]), "text/event-stream"
    if kind != "text/event-stream":
        check_not_html(answer, url)
        said = f"{urlsplit(url).netloc} was asked for a stream and sent {clean(kind, 60) or 'an answer without a type'}"
        raise ControlError(said, status=answer.status, code="no_stream")
    events = [line.removeprefix(b"data:") for line in answer.body.splitlines() if line.startswith(b"data:")]
    for event in events:
        found = _find_stream_error(event)
        if found is not None:
            raise read_refusal(answer._replace(body=msgspec.json.encode({"error": found})), url, key)
    return StreamTimes(len(events), answer.first_byte, answer.last_byte - answer.first_byte)


def _find_stream_error(event: bytes) -> object:
    """The error in the data of an event that ends a stream with one; None in all others."""
    try:
        data = msgspec.json.decode(event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    fields = cast("dict[str, object]", data) if isinstance(data, dict) else {}
    inner = fields.get("response")
    return fields.get("error") or (cast("dict[str, object]", inner).get("error") if isinstance(inner, dict) else None)


def _fit(backend: Backend, entry: "WireProtocol", model: str, body: Json, *, stream: bool) -> tuple[str, Json]:
    """The URL and the body of a request for text, as the backend's provider has them. Raises ControlError."""
    from router.wire.paths.upstream import build_url, fit_object

    endpoint, path = find_endpoint(backend, entry.name), entry.path_for(model, stream=stream)
    try:
        url = build_url(find_root(backend, entry.name), endpoint, entry, path, model, stream=stream)
    except BadRequest as problem:
        raise ControlError(problem.message) from None
    return url, fit_object(body, endpoint, entry, path)


async def _post(
    backend: Backend,
    key: Secret | None,
    protocol: str,
    url: str,
    body: Json,
    timeout: float,
    outbound: Outbound,
) -> Answer:
    from router.wire.protocols import BY_NAME

    headers = {**dict(BY_NAME[protocol].api.headers), **_make_headers(backend, key, outbound, protocol)}
    for name in find_endpoint(backend, protocol).drop_headers:
        headers.pop(name, None)
    headers["content-type"] = "application/json"
    return await _ask("POST", url, headers, msgspec.json.encode(body), timeout, outbound)


async def _ask(
    method: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout: float, outbound: Outbound
) -> Answer:
    """As `send`; after a failure the server is asked whether the URL's scheme is wrong."""
    try:
        return await send(method, url, headers, body, timeout, outbound)
    except ControlError as error:
        if outbound.find_proxy_to(url) is None:
            from router.net.control.scheme import find_cause

            error.cause = await find_cause(error.cause, url)
        raise


async def post_json(url: str, headers: Mapping[str, str], body: bytes, *, timeout: float = 30.0) -> Answer:
    """POST a JSON request and read its answer, which may be a stream, to the end. Raises ControlError."""
    return await send("POST", url, {**headers, "content-type": "application/json"}, body, timeout)


def _make_headers(
    backend: Backend, key: Secret | None, outbound: Outbound, protocol: str | None = None
) -> dict[str, str]:
    """The configured headers, those that the provider needs, and that of the key, by lower-case name."""
    headers = {**list_set_headers(backend), **outbound.headers}
    api = api_of(backend)
    for name, value in api.headers:
        headers.setdefault(name, value)
    if key is None:
        return headers
    name, prefix = find_key_header(backend, protocol)
    return {**headers, name.lower(): prefix + key.reveal()}


def _decode_json(answer: Answer, url: str, key: Secret | None) -> object:
    """The decoded body of a success. Raises ControlError for everything else."""
    if not 200 <= answer.status < 300:
        raise read_refusal(answer, url, key)
    check_not_html(answer, url)
    try:
        data = cast("object", msgspec.json.decode(answer.body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # One absurd number in an entry, such as NaN or 1e999, must not cost the whole list.
        data = json_values.look_again(answer.body)
    if data is None:
        raise ControlError(f"{urlsplit(url).netloc} answered, but not in JSON", status=answer.status)
    if isinstance(data, dict) and cast("dict[str, object]", data).get("error"):
        raise read_refusal(answer, url, key)
    return cast("object", data)


def _decode_page(
    backend: Backend, answer: Answer, url: str, key: Secret | None
) -> tuple[Page, list[Mapping[str, object]]]:
    """A page, and its entries with all that they hold."""
    data = _decode_json(answer, url, key)
    try:
        return decode_page(data, api_of(backend))
    except msgspec.ValidationError:
        raise ControlError(f"{urlsplit(url).netloc} did not send a list of models", status=answer.status) from None


def _read_page(
    backend: Backend,
    answer: Answer,
    url: str,
    key: Secret | None,
    read_entry: Callable[[Mapping[str, object]], object] | None,
) -> tuple[Page, list[tuple[str, object]]]:
    """A page, and the names in it with their entries as they were read."""
    page, whole = _decode_page(backend, answer, url, key)
    named = iter_names(backend, zip(page.data or [], whole, strict=True))
    return page, [(name, None if read_entry is None else read_entry(entry)) for name, entry in islice(named, MODELS)]


def _find_text(value: object) -> str:
    """The first text in an answer of any protocol, '' when it has none."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return next((text for item in cast("list[object]", value) if (text := _find_text(item))), "")
    if isinstance(value, dict):
        entry = cast("dict[str, object]", value)
        names = ("choices", "output", "candidates", "message", "content", "parts", "text")
        return next((text for name in names if (text := _find_text(entry.get(name)))), "")
    return ""
