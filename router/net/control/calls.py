"""The control plane: catalogs, tiny test requests, and commands talking to a running proxy. The only user of httpx,
by way of `operation`.
"""

import hmac
import secrets
from collections.abc import Iterable, Iterator, Mapping
from typing import cast
from urllib.parse import quote, urlsplit

import msgspec

from router.backends import Backend
from router.backends.known import api_of, known, refuses_max_tokens
from router.net.client.outbound import DIRECT, Outbound
from router.net.control.request import SHOWN, Answer, ControlError, clean, exchange
from router.settings import Secret

PAGES = 20
MODELS = 20_000


class BackendStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A backend as a running proxy reports it. models: how many it lists. problem: why it cannot serve, or None."""

    name: str
    protocols: tuple[str, ...] = ()
    enabled: bool = True
    models: int = 0
    problem: str | None = None


class ModelStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A model a running proxy reaches."""

    id: str
    backend: str
    protocols: tuple[str, ...] = ()


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What GET /status says. uptime_s: seconds."""

    schema: int
    version: str
    pid: int
    url: str
    uptime_s: float = 0.0
    backends: tuple[BackendStatus, ...] = ()
    models: tuple[ModelStatus, ...] = ()


class _Entry(msgspec.Struct):
    id: str


class _Page(msgspec.Struct):
    data: list[_Entry] | None
    has_more: bool | None = None
    last_id: str | None = None


async def fetch_models(
    backend: Backend, key: Secret | None, *, way: Outbound = DIRECT, timeout: float = 10.0
) -> list[str]:
    """The model names of a backend's catalog, each once, in its order. Raises ControlError."""
    found: dict[str, None] = {}
    # OpenAI's form has no pages and does not know `limit`.
    query = "?limit=1000" if api_of(backend).paged else ""
    for _ in range(PAGES):
        url = f"{backend.root}/models{query}"
        answer = await exchange("GET", url, _headers(backend, key, way), None, timeout, way)
        page = _page(answer, url, key)
        found.update((model, None) for model in _names(backend, page.data or []))
        if not page.has_more or not page.last_id or len(found) >= MODELS:
            break
        query = f"?limit=1000&after_id={quote(page.last_id, safe='')}"
    return list(found)[:MODELS]


async def serves_strangers(backend: Backend, *, way: Outbound = DIRECT, timeout: float = 10.0) -> bool | None:
    """True when the catalog is shown without a key too, so that reading it proves nothing; None when unclear."""
    try:
        await fetch_models(backend, None, way=way, timeout=timeout)
    except ControlError as error:
        refused = error.status is not None and 400 <= error.status < 500 and error.status not in (404, 408, 429)
        return False if refused else None
    return True


async def probe(
    backend: Backend, key: Secret | None, model: str, protocol: str, *, way: Outbound = DIRECT, timeout: float = 60.0
) -> str:
    """Send the smallest real request of a protocol; the text that came, may be ''. Raises ControlError."""
    from router.wire.protocols import BY_NAME  # with all codecs, which other commands need not load

    entry = BY_NAME[protocol]
    url = backend.root + entry.path_for(model, stream=False).removeprefix("/v1")
    headers = {**dict(entry.api.headers), **_headers(backend, key, way), "content-type": "application/json"}
    body = msgspec.json.encode(entry.tiny_request(model, entry.cap_for(newest=refuses_max_tokens(backend.vendor))))
    answer = await exchange("POST", url, headers, body, timeout, way)
    data = _json(answer, url, key)
    if not isinstance(data, dict) or entry.answer_field not in data:
        raise ControlError("the answer does not have this protocol's form", status=answer.status)
    return clean(_first_text(cast("object", data)), 60)


async def stream(url: str, headers: Mapping[str, str], body: bytes, *, timeout: float = 30.0) -> Answer:
    """POST a JSON request and read its answer to the end. Raises ControlError when none comes."""
    return await exchange("POST", url, {**headers, "content-type": "application/json"}, body, timeout)


class Running:
    """A proxy of this home that proved it knows the operator token; each call raises ControlError."""

    def __init__(self, url: str, token: Secret):
        self.url = url
        self._token = token

    async def status(self) -> Status:
        """Its version, backends and models."""
        answer = await self._call("GET", "/status")
        try:
            return msgspec.json.decode(answer.body, type=Status)
        except (msgspec.DecodeError, RecursionError) as error:
            raise ControlError(f"{self.url}/status has another form than expected: {clean(str(error))}") from None

    async def reload(self) -> None:
        """Have it read the home's files anew."""
        await self._call("POST", "/admin/reload")

    async def explain(self, question: bytes) -> bytes:
        """Ask what would happen to a request; question and answer are JSON (proxy/explaining.py)."""
        return (await self._call("POST", "/admin/explain", question)).body

    async def resume(self) -> bytes:
        """Have it end the halts of its home; JSON, as POST /admin/resume answers."""
        return (await self._call("POST", "/admin/resume")).body

    async def accounts(self) -> bytes:
        """How its accounts are; JSON, as GET /accounts answers."""
        return (await self._call("GET", "/accounts")).body

    async def latest_request(self) -> bytes:
        """The request that ended last, once it stands in the history; JSON, as GET /admin/history/ID answers."""
        return (await self._call("GET", "/admin/history/-")).body

    async def stop(self) -> None:
        """Ask it to end: it stops accepting and drains first."""
        await self._call("POST", "/admin/stop")

    async def _call(self, method: str, path: str, sent: bytes = b"{}") -> Answer:
        headers = {"authorization": f"Bearer {self._token.reveal()}", "content-type": "application/json"}
        body = sent if method == "POST" else None
        answer = await exchange(method, self.url + path, headers, body, 15.0)
        if not 200 <= answer.status < 300:
            raise _refusal(answer, self.url, self._token)
        return answer


async def prove(url: str, token: Secret, *, timeout: float = 3.0) -> bool | None:
    """True when the listener knows the token, which is not sent; False when it does not; None when nothing answers."""
    nonce = secrets.token_hex(16)
    try:
        answer = await exchange("GET", f"{url}/livez", {"x-fairlead-nonce": nonce}, None, timeout)
    except ControlError as error:
        return False if error.code == "not_http" else None
    expected = hmac.new(token.reveal().encode(), nonce.encode(), "sha256").hexdigest()
    return hmac.compare_digest(answer.headers.get("x-fairlead-proof", ""), expected)


def _headers(backend: Backend, key: Secret | None, way: Outbound) -> dict[str, str]:
    """The configured headers and that of the key, by lower-case name."""
    headers = dict(way.headers)
    api = api_of(backend)
    for name, value in api.headers:
        headers.setdefault(name, value)
    return {**headers, api.key_header.lower(): api.key_prefix + key.reveal()} if key else headers


def _json(answer: Answer, url: str, key: Secret | None) -> object:
    """The decoded body of a success. Raises ControlError for everything else."""
    if not 200 <= answer.status < 300:
        raise _refusal(answer, url, key)
    _refuse_html(answer, url)
    try:
        data = cast("object", msgspec.json.decode(answer.body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ControlError(f"{urlsplit(url).netloc} answered, but not in JSON", status=answer.status) from None
    if isinstance(data, dict) and cast("dict[str, object]", data).get("error"):
        raise _refusal(answer, url, key)
    return cast("object", data)


def _page(answer: Answer, url: str, key: Secret | None) -> _Page:
    data = _json(answer, url, key)
    # Together answers with the bare list.
    shape: object = {"data": cast("object", data)} if isinstance(data, list) else data
    try:
        return msgspec.convert(shape, type=_Page)
    except msgspec.ValidationError:
        raise ControlError(f"{urlsplit(url).netloc} sent no list of models", status=answer.status) from None


def _names(backend: Backend, entries: Iterable[_Entry]) -> Iterator[str]:
    vendor = known(backend.vendor)
    for entry in entries:
        name = entry.id.removeprefix(vendor.model_prefix) if vendor is not None else entry.id
        if name and len(name.encode("utf-8", "replace")) <= 256 and name == clean(name, 256):
            yield name


def _refuse_html(answer: Answer, url: str) -> None:
    if "html" in answer.headers.get("content-type", "") or answer.body[:64].lstrip().startswith(b"<"):
        raise ControlError(
            f"{urlsplit(url).netloc} sent a web page, not an API's answer (a login portal, or another base URL)",
            status=answer.status,
        )


def _refusal(answer: Answer, url: str, key: Secret | None) -> ControlError:
    """The error for an answer that is none of success, in the provider's words, cut and without the key."""
    host = urlsplit(url).netloc
    if 300 <= answer.status < 400:
        target = clean(urlsplit(answer.headers.get("location", "")).netloc) or "another path"
        return ControlError(f"{host} redirects to {target} ({answer.status})", status=answer.status, code="redirect")
    try:
        _refuse_html(answer, url)
        message, code = _error_text(msgspec.json.decode(answer.body))
    except ControlError as error:
        message, code = str(error), ""
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        message, code = answer.body[: SHOWN * 4].decode("utf-8", "replace"), ""
    if key is not None:
        message = message.replace(key.reveal(), "(key)")
        code = code.replace(key.reveal(), "(key)")
    return ControlError(clean(message) or f"{host} gave no reason", status=answer.status, code=clean(code, 60))


def _error_text(data: object) -> tuple[str, str]:
    """Message and code from the forms providers use: {"error": {…}}, {"error": "…"}, {"message": "…"}."""
    entry = cast("dict[str, object]", data) if isinstance(data, dict) else {}
    inner = entry.get("error", entry)
    if isinstance(inner, str):
        return inner, ""
    fields = cast("dict[str, object]", inner) if isinstance(inner, dict) else entry
    message = fields.get("message") or fields.get("detail")
    code = next((value for name in ("code", "type") if isinstance(value := fields.get(name), str) and value), "")
    return (message if isinstance(message, str) else ""), code


def _first_text(value: object) -> str:
    """The first text inside an answer of any protocol."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return next((text for item in cast("list[object]", value) if (text := _first_text(item))), "")
    if isinstance(value, dict):
        entry = cast("dict[str, object]", value)
        names = ("choices", "output", "message", "content", "text")
        return next((text for name in names if (text := _first_text(entry.get(name)))), "")
    return ""
