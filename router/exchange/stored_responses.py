"""Serves the answers that fairlead stores: they are shown, listed and deleted here, and no backend is asked for them.

An answer that a backend stores is asked of that backend, as is an id that nobody knows and fairlead did not make.
"""

from urllib.parse import parse_qs

import msgspec
import trio

from router.errors import BadRequest, NotFound, WrongVerb
from router.exchange.client_response.head import JSON, own_headers, send_response
from router.exchange.context import Arrival
from router.store.interfaces import StoredResponses
from router.store.shared.stored_responses import is_of_key
from router.wire import resource_ids
from router.wire import stored_responses as forms
from router.wire.raw.json.json_values import Json

_THREADS = trio.CapacityLimiter(2)
#: The header that says that earlier items of a list are missing.
_LOSS = (b"x-fairlead-loss", b"x-fairlead-loss", b"input_items=weakened")


async def serve_stored(arrival: Arrival) -> bool:
    """Answer a call about one stored answer; False for all other calls. Raises RouterError."""
    call, runtime = arrival.call, arrival.runtime
    stored = call.entry.stored
    if stored is None or call.generates or not call.path.startswith(call.entry.prefix):
        return False
    names = resource_ids.in_path(call.path)[:1]
    if not names or runtime.resource_owners.known(names) is not None:
        return False
    name = names[0]
    entry = await trio.to_thread.run_sync(runtime.stored_responses.read, name, limiter=_THREADS)
    if entry is None:
        if not stored.is_own(name):
            return False
        # It may be of another fairlead, which is a backend of this one.
        if await trio.to_thread.run_sync(runtime.resource_owners.find, names, limiter=_THREADS) is not None:
            return False
    arrival.record.protocol = call.protocol or ""
    if not entry or not is_of_key(entry, arrival.key_owner):
        raise NotFound(
            f"Response with id '{name}' not found. fairlead keeps the answers it translates for 30 days, within a "
            "bound and unless store is false."
        )
    _, _, action = call.path.removeprefix(call.entry.prefix).strip("/").partition("/")
    await _ANSWERS.get(action, _refuse_path)(arrival, name, entry)
    return True


async def _serve_answer(arrival: Arrival, name: str, entry: Json) -> None:
    """GET shows the answer, DELETE deletes it."""
    method = arrival.request.method
    if method == "DELETE":
        arrival.runtime.stored_responses.delete(name)
        await _send(arrival, msgspec.json.encode(forms.build_deletion(name)))
        return
    _check_method(arrival, "GET", "HEAD", "DELETE")
    if parse_qs(arrival.request.query).get("stream", [""])[-1].lower() in ("true", "1"):
        error = BadRequest(
            "stream: the events of an answer are not kept, since it was not created with background=true. Retrieve it "
            "without stream."
        )
        error.param = "stream"
        raise error
    await _send(arrival, msgspec.json.encode(_require_shown(name, forms.build_response(entry))))


async def _serve_inputs(arrival: Arrival, name: str, entry: Json) -> None:
    _check_method(arrival, "GET", "HEAD")
    _require_shown(name, forms.build_response(entry))
    answers, query = arrival.runtime.stored_responses, arrival.request.query
    page, whole = await trio.to_thread.run_sync(
        _make_page, answers, name, entry, query, arrival.key_owner, limiter=_THREADS
    )
    await _send(arrival, page, whole=whole)


def _make_page(answers: StoredResponses, name: str, entry: Json, query: str, key: str) -> tuple[bytes, bool]:
    """A page of input items as JSON, and False when those of some earlier answer are missing. Blocks: a conversation
    may be as large as the store."""
    page, whole = forms.list_inputs(name, {**answers.find([name], key), name: entry}, query)
    return msgspec.json.encode(page), whole


async def _cancel(arrival: Arrival, name: str, entry: Json) -> None:
    """Refuse to cancel: what is stored has ended, and none of it was begun in the background."""
    _check_method(arrival, "POST")
    raise BadRequest("Cannot cancel a synchronous response: only those created with background=true can be cancelled.")


async def _refuse_path(arrival: Arrival, name: str, entry: Json) -> None:
    raise NotFound(f"Nothing is served at {arrival.call.path[:200]}: fairlead itself keeps the response '{name}'.")


_ANSWERS = {"": _serve_answer, "input_items": _serve_inputs, "cancel": _cancel}


def _check_method(arrival: Arrival, *methods: str) -> None:
    method = arrival.request.method
    if method not in methods:
        raise WrongVerb(f"{arrival.call.path[:200]} takes no {method}.", allow=", ".join(methods))


def _require_shown(name: str, response: Json | None) -> Json:
    """The response object. Raises NotFound for an answer of a version that stored only what continues it."""
    if response is None:
        raise NotFound(
            f"Response with id '{name}' not found: it was kept by an earlier version of fairlead, which kept only what "
            "previous_response_id needs."
        )
    return response


async def _send(arrival: Arrival, answer: bytes, *, whole: bool = True) -> None:
    lines = [*own_headers(arrival, None), JSON]
    if not whole:
        lines.append(_LOSS)
    await send_response(arrival, 200, lines, answer)
