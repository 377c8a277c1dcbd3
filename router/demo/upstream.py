"""The demo's HTTP server: its paths, and the models that are slow, fail or break off.

Every event of a stream is written separately, as one HTTP chunk, so that a peer sees them arrive one by one.
"""

import hashlib
import logging
import math
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote

import msgspec
import trio

from router.backends.key_forms import WRONG_KEY
from router.demo import messages, responses
from router.demo.body import Object, parse
from router.demo.catalog import model_info, model_list
from router.demo.chat import Chat
from router.demo.completions import Completions
from router.demo.embeddings import Embeddings
from router.demo.full.packing import PACKED, Packer, takes_gzip
from router.demo.gemini import lists as google
from router.demo.gemini.dialect import Gemini
from router.demo.gemini.paths import GooglePath, read_key, read_path, wants_events
from router.demo.listening import serve_on_loopback
from router.demo.messages import Messages
from router.demo.refusals import anthropic_shape, google_shape, no_such_path, openai_shape, refused
from router.demo.reply import Reply
from router.demo.responses import Responses
from router.demo.script import FULL, Dialect, decide
from router.errors import BadRequest, RouterError, Unauthenticated, UnsupportedMedia, WrongVerb
from router.net.headers import RawHeaders
from router.net.server.cancel_reason import CancelReason
from router.net.server.connection import Connection, Request

if TYPE_CHECKING:
    from router.demo.full.model import Model

_BODY_LIMIT = 64 << 20
# Seconds. Some systems discard unread data when a reset arrives; the wait lets the peer read the events before it.
_BEFORE_CUT = 0.02
# Seconds before each word of demo-full, so that words arrive one by one.
_FULL_DELAY = 0.005
_PING = b": ping\n\n"
_OF_GOOGLE = (b"x-goog-api-key", b"x-goog-api-client")

_GENERATE: dict[str, Callable[[Object, str, str], Dialect]] = {
    "/v1/messages": Messages,
    "/v1/chat/completions": Chat,
    "/v1/responses": Responses,
    "/v1/completions": Completions,
    "/v1/embeddings": Embeddings,
}
_COUNT: dict[str, Callable[[Object], object]] = {
    "/v1/messages/count_tokens": messages.count,
    "/v1/responses/input_tokens": responses.count,
}
# What is asked of a model by Google's API, beside text.
_ASKED: dict[str, Callable[[Object], object]] = {
    "countTokens": google.count,
    "embedContent": google.embed,
    "batchEmbedContents": google.embed_several,
}

_log = logging.getLogger(__name__)


class Demo:
    """The demo upstream, an application for connections of `router.net.server`. Only demo-full has a memory. It needs
    no key and takes any but WRONG_KEY.

    word_delay: seconds that demo-slow waits before each word.
    """

    def __init__(self, *, word_delay: float = 0.5):
        self._word_delay = word_delay
        # Made by the first request for it, since it is rarely asked for and the demo is always served.
        self._full: Model | None = None

    async def serve(self, *, task_status: trio.TaskStatus[str]) -> None:
        """As `serve_on_loopback`."""
        await serve_on_loopback(self, task_status=task_status)

    async def __call__(self, connection: Connection, request: Request) -> None:
        """Answer one request."""
        try:
            _check_key(request)
            if request.path in _GENERATE or request.path in _COUNT or _is_asked_of_model(request):
                await self._serve_post(connection, request)
            else:
                await _serve_get(connection, request)
        except RouterError as error:
            await _refuse(connection, request, error)
        except RecursionError:
            await _refuse(connection, request, BadRequest("The request body is nested too deeply."))

    def format_refusal(self, error: RouterError) -> tuple[RawHeaders, bytes]:
        """The answer to a request that could not be read, whose protocol is therefore unknown."""
        return _make_headers("", error), openai_shape(error)[1]

    def report_crash(self, error: Exception) -> None:
        """Log a defect of the demo."""
        _log.error("The demo backend failed.", exc_info=error)

    async def _serve_post(self, connection: Connection, request: Request) -> None:
        _check_verb(request, "POST")
        if request.fields.get(b"content-encoding", b"identity") != b"identity":
            raise UnsupportedMedia("The demo backend does not accept compressed bodies.")
        raw = await connection.read_body(_BODY_LIMIT, _hold_nothing)
        connection.set_deadline(math.inf, CancelReason.TOTAL)
        body = parse(raw)
        asked = read_path(request.path) or GooglePath("", "")
        answer = _COUNT.get(request.path) or _ASKED.get(asked.verb)
        if answer is not None:
            await _respond(connection, "", answer(body))
            return
        key = hashlib.sha256(request.path.encode() + raw).hexdigest()[:24]
        if asked.verb:
            streamed, as_events = asked.verb.startswith("stream"), wants_events(request.query)
            dialect = Gemini(body, asked.model, key, stream=streamed, as_events=as_events)
        else:
            dialect = _GENERATE[request.path](body, _read_model(body), key)
        if dialect.ask.model == FULL:
            await self._answer_fully(connection, request, body, dialect, key)
        else:
            await self._generate(connection, dialect, key)

    async def _answer_fully(
        self, connection: Connection, request: Request, body: Object, dialect: Dialect, key: str
    ) -> None:
        packer = Packer() if takes_gzip(request.fields) else None
        if self._full is None:
            from router.demo.full.model import Model

            self._full = Model()
        reply = self._full.answer(body, dialect)
        if not dialect.ask.stream:
            await _respond(connection, key, dialect.whole(reply), packer)
            return
        # Messages has an event for this, and Google's streams have nothing but answers.
        ping = b"" if request.path.startswith("/v1/messages") or isinstance(dialect, Gemini) else _PING
        await self._stream(connection, dialect, reply, key, packer, ping)

    async def _generate(self, connection: Connection, dialect: Dialect, key: str) -> None:
        ask = dialect.ask
        error = refused(ask.model)
        if error is not None:
            raise error
        if ask.model == "demo-hang":
            await _hang(connection)
        elif ask.stream:
            await self._stream(connection, dialect, decide(ask), key)
        else:
            await self._respond_whole(connection, dialect, decide(ask), key)

    async def _respond_whole(self, connection: Connection, dialect: Dialect, reply: Reply, key: str) -> None:
        await trio.sleep(self._get_pause(dialect) * len(reply.pieces()))
        answer = dialect.whole(reply)
        if dialect.ask.model != "demo-cut":
            await _respond(connection, key, answer)
            return
        body = msgspec.json.encode(answer)
        head = connection.frame_head(200, [*_make_headers(key), (b"content-length", b"%d" % len(body))])
        await connection.write([*head, *connection.frame_data(body[: len(body) // 2])])
        await _cut(connection)

    async def _stream(
        self,
        connection: Connection,
        dialect: Dialect,
        reply: Reply,
        key: str,
        packer: Packer | None = None,
        ping: bytes = b"",
    ) -> None:
        """Send the events. packer: packs them, each so that it can be read at once. ping: what comes first."""
        left = max(1, len(reply.pieces()) // 2) if dialect.ask.model == "demo-cut" else math.inf
        pause = self._get_pause(dialect)
        kind = dialect.content_type if isinstance(dialect, Gemini) else b"text/event-stream; charset=utf-8"
        headers = [(b"content-type", kind), (b"cache-control", b"no-cache")]
        headers += PACKED if packer else []
        await connection.write(connection.frame_head(200, [*headers, *_make_id_headers(key)]))
        pack = packer.pack if packer else bytes
        if ping:
            await connection.write(connection.frame_data(pack(ping)))
        for event in dialect.events(reply):
            # Yields to other connections also without a pause, since an echo can be long.
            await trio.sleep(pause if event.piece else 0)
            await connection.write(connection.frame_data(pack(event.data)))
            left -= event.piece
            if left <= 0:
                await _cut(connection)
                return
        if packer:
            await connection.write(connection.frame_data(packer.end()))
        await connection.write(connection.frame_end())

    def _get_pause(self, dialect: Dialect) -> float:
        if dialect.ask.model == FULL:
            return _FULL_DELAY
        return self._word_delay if dialect.ask.model == "demo-slow" else 0.0


async def _serve_get(connection: Connection, request: Request) -> None:
    prefix = "/v1/models/"
    anthropic, listed = _speaks_anthropic(request), read_path(request.path)
    if listed is None and _speaks_google(request):
        listed = read_path(request.path.replace("/v1/", "/v1beta/", 1))
    if listed is not None:
        _check_verb(request, "GET", "HEAD")
        await _respond(connection, "", google.describe_model(listed.model) if listed.model else google.list_models())
    elif request.path == "/v1/models":
        _check_verb(request, "GET", "HEAD")
        await _respond(connection, "", model_list(anthropic=anthropic))
    elif request.path.startswith(prefix) and len(request.path) > len(prefix):
        _check_verb(request, "GET", "HEAD")
        await _respond(connection, "", model_info(unquote(request.path[len(prefix) :]), anthropic=anthropic))
    else:
        raise no_such_path(request.method, request.path)


async def _hang(connection: Connection) -> None:
    # A client that left before this request began does not cancel it, so the connection is checked here.
    if connection.client_gone:
        connection.abort()
        return
    await trio.sleep_forever()


async def _cut(connection: Connection) -> None:
    await trio.sleep(_BEFORE_CUT)
    connection.abort()


async def _respond(connection: Connection, key: str, answer: object, packer: Packer | None = None) -> None:
    body, headers = msgspec.json.encode(answer), _make_headers(key)
    if packer:
        body, headers = packer.pack(body) + packer.end(), [*headers, *PACKED]
    await connection.respond(200, headers, body)


async def _refuse(connection: Connection, request: Request, error: RouterError) -> None:
    key = hashlib.sha256(f"{request.path} {error.message}".encode()).hexdigest()[:24]
    if _speaks_google(request):
        status, body = google_shape(error)
    elif _speaks_anthropic(request):
        status, body = anthropic_shape(error, f"req_{key}")
    else:
        status, body = openai_shape(error)
    await connection.respond(status, _make_headers(key, error), body)


def _make_headers(key: str, error: RouterError | None = None) -> RawHeaders:
    headers = [(b"content-type", b"application/json"), *_make_id_headers(key)]
    if error is not None:
        headers += [(name.encode(), value.encode()) for name, value in error.headers]
        if error.retry_after is not None:
            headers.append((b"retry-after", b"%d" % error.retry_after))
    return headers


def _make_id_headers(key: str) -> RawHeaders:
    """The request's id under the header names of both vendors; none without a key."""
    value = f"req_{key}".encode()
    return [(b"request-id", value), (b"x-request-id", value)] if key else []


def _speaks_anthropic(request: Request) -> bool:
    """True for a path of Anthropic's API, and for its headers on a path that both vendors have."""
    if request.path in _GENERATE or request.path in _COUNT:
        return request.path.startswith("/v1/messages")
    return b"anthropic-version" in request.fields


def _is_asked_of_model(request: Request) -> bool:
    """True for a path of Google's API that asks something of a model."""
    found = read_path(request.path)
    return found is not None and bool(found.verb)


def _speaks_google(request: Request) -> bool:
    """True for a path of Google's API alone, and for its headers on a path that other vendors have too."""
    if request.path in _GENERATE or request.path in _COUNT:
        return False
    return read_path(request.path) is not None or any(name in request.fields for name in _OF_GOOGLE)


def _check_key(request: Request) -> None:
    fields = request.fields
    sent = [fields.get(b"x-api-key", b""), fields.get(b"x-goog-api-key", b""), read_key(request.query).encode()]
    given = next(filter(None, sent), fields.get(b"authorization", b"").removeprefix(b"Bearer "))
    if given == WRONG_KEY.encode():
        raise Unauthenticated("The key is wrong. The demo backend takes any other, and needs none.")


def _check_verb(request: Request, *verbs: str) -> None:
    if request.method not in verbs:
        raise WrongVerb(f"{request.path[:200]} takes {' or '.join(verbs)}.", allow=", ".join(verbs))


def _read_model(body: Object) -> str:
    model = body.get("model", "demo")
    if not isinstance(model, str) or not model:
        raise BadRequest("model: must be a string.")
    return model


def _hold_nothing(_: int) -> None:
    """Reserve nothing: the demo has no memory bound."""
