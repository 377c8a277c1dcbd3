"""Request bodies: read, decoded, and looked into."""

import zlib
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import trio

from router.errors import BadRequest, TooLarge, UnsupportedMedia
from router.ir import Facts
from router.net.http11 import Cut
from router.proxy.gate import check_json
from router.proxy.ticket import Ticket
from router.wire.dialects import Call
from router.wire.peek import Top, model_name, peek, wants_stream

LIMIT = 64 << 20
# Over this, work on a body would hold up every stream: it goes to a thread, one at a time.
THREAD_BYTES = 1 << 20
THREAD = trio.CapacityLimiter(1)

_Arguments = TypeVarTuple("_Arguments")
_Result = TypeVar("_Result")

_CODINGS = {b"gzip": 47, b"x-gzip": 47, b"deflate": 47}


async def read(ticket: Ticket) -> tuple[bytes, Top | None]:
    """The body without content coding, and its top level when it is JSON. Raises RouterError for what is not."""
    request = ticket.request
    if request.method in ("GET", "HEAD"):
        return await ticket.connection.body(LIMIT, ticket.hold), None
    is_json = request.method == "DELETE" or check_json(request, others=not ticket.call.generates)
    body = await plain(ticket)
    if not is_json or (not body and not ticket.call.generates):
        return body, None
    if not body:
        raise BadRequest("The request has no body.")
    if len(body) > THREAD_BYTES:
        return body, await in_thread(ticket, peek, body)
    return body, peek(body)


async def plain(ticket: Ticket) -> bytes:
    """The whole body without content coding. Raises RouterError."""
    body = await ticket.connection.body(LIMIT, ticket.hold)
    if coded(ticket):
        body = await in_thread(ticket, inflated, body, _coding(ticket), LIMIT)
        ticket.hold(len(body))
    return body


def coded(ticket: Ticket) -> bool:
    """True for a body with a content coding."""
    return _coding(ticket) not in (b"", b"identity")


def _coding(ticket: Ticket) -> bytes:
    return ticket.request.fields.get(b"content-encoding", b"").strip().lower()


async def in_thread(ticket: Ticket, work: Callable[[*_Arguments], _Result], *arguments: *_Arguments) -> _Result:
    """Work in the one thread for large bodies; the wait for it is no fault of the client's."""
    ticket.connection.deadline(ticket.snapshot.settings.timeouts_total, Cut.TOTAL)
    return await trio.to_thread.run_sync(work, *arguments, limiter=THREAD)


def inflated(body: bytes, coding: bytes, limit: int) -> bytes:
    """A body without its content coding. Raises TooLarge over `limit`, BadRequest and UnsupportedMedia."""
    if coding not in _CODINGS:
        raise UnsupportedMedia("Request bodies are read plain or with content-encoding gzip or deflate.")
    decoder = zlib.decompressobj(wbits=_CODINGS[coding])
    try:
        plain = decoder.decompress(body, limit + 1)
    except zlib.error as error:
        raise BadRequest(f"The request body is not valid {coding.decode('ascii')}: {error}.") from None
    if len(plain) > limit:
        raise TooLarge(f"The request body is over {limit >> 20} MiB when decoded.")
    if not decoder.eof:
        raise BadRequest(f"The request body's {coding.decode('ascii')} coding ends early.")
    return plain


def facts_of(call: Call, top: Top | None) -> Facts:
    """What routing needs. Raises BadRequest when a call that needs a model names none."""
    if top is None:
        return Facts(call.protocol, None, stream=False)
    model = model_name(top)
    if model is None and (call.generates or call.path == "/v1/messages/count_tokens"):
        raise BadRequest('The request names no model: add "model". `fairlead models` lists those at hand.')
    writes = call.generates and call.path != "/v1/embeddings"
    return Facts(call.protocol, model, stream=call.generates and wants_stream(top), generates=writes)
