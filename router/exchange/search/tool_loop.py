"""The rounds of an answer whose model calls fairlead's own web search.

A round makes the searches and sends the next request, in a task of its own: the relay cancels a read whenever a ping is
due. It ends with the request that it belongs to. Each round is admitted by the guard, with all rounds so far and the
searches that are left reserved again, and each search is a request of its own in the history. What was searched for
before in the same answer is not searched for again.
"""

from collections.abc import Awaitable, Callable

import msgspec
import trio

from router.errors import BadGateway, CommandError, Halted, RouterError
from router.exchange import admission
from router.exchange.attempt import Attempt
from router.exchange.deadline import Waiting
from router.exchange.request.edits import Edited, edit
from router.exchange.request.send import send_with_retry
from router.exchange.search.one_search import admit_search, make_record, search_once
from router.exchange.upstream_errors import make_disconnect_error
from router.exchange.upstream_response.content_coding import ERROR_LIMIT, decode_readable, decode_whole
from router.exchange.upstream_response.large_work import run_json
from router.exchange.upstream_response.response import UpstreamResponse
from router.exchange.upstream_response.translated import (
    ANSWER_LIMIT,
    Round,
    is_event_stream,
    make_too_large,
    translation_decoder_of,
)
from router.ir import Answer, Fault, Request, Searched
from router.net.client.exchange import UpstreamDisconnected
from router.net.server.cancel_reason import CancelReason
from router.upstream.search import Engine
from router.wire import calls, translate, translate_errors
from router.wire.costs.extras import add_extras
from router.wire.dialect import anthropic_kind
from router.wire.errors.history_text import read_error_text
from router.wire.neutral.context import OwnSearch
from router.wire.neutral.tool_forms.own_search import NAME, ROUNDS, DueSearches, continue_request
from router.wire.protocols import BY_NAME
from router.wire.raw.json.depth import too_deep
from router.wire.raw.json.top_level import peek
from router.wire.search_engines.results import QUERY_LIMIT, format_results, tidy
from router.wire.searching import SearchingStream, encode_round
from router.wire.translate import Plan

_NO_QUERY = "The search was not made: say what to search for in the argument query."
_MADE_BEFORE = "This search was made before, and its results are above. Answer with them, or search for something else."
_HALTED = "The search was not made: no budget allows it. Answer with what is known."
_USED_UP = "The search was not made: no more searches are left for this answer. Answer with what is known."


class _Refused(Exception):
    """The upstream answered a round with an error."""

    def __init__(self, fault: Fault):
        super().__init__(fault.message)
        self.fault = fault


class SearchRounds:
    """The rounds of one answer."""

    def __init__(self, attempt: Attempt, plan: Plan, own: OwnSearch, engine: Engine):
        self._attempt = attempt
        self._plan = plan
        self._own = own
        self._engine = engine
        self._searches = 0
        # What was searched for in this answer, in lower case.
        self._made: set[str] = set()
        # The request stays in memory to its end, since the next one begins with it.
        attempt.memory.hold(attempt.context.record.request_bytes)

    @property
    def spoken(self) -> str:
        """The protocol of the upstream."""
        return self._plan.spoken

    def read_answer(self, body: bytes) -> Answer | Fault | None:
        """The whole answer of a round, with all that it cost, or its error; None where it is neither."""
        plan = self._plan
        found = None if too_deep(body) else translate.read_answer(body, plan.spoken, plan.ctx)
        if not isinstance(found, Answer):
            return found
        usage = add_extras(found.usage, body, BY_NAME[plan.spoken].dialect.needles.tools)
        return msgspec.structs.replace(found, usage=usage)

    async def run(self, due: DueSearches) -> tuple[list[Searched], UpstreamResponse | None]:
        """Make the searches, and send the next request where the answer goes on; its answer may be an error. Raises
        RouterError, UpstreamDisconnected."""
        found: list[Searched] = []
        texts: dict[str, str] = {}
        if self._own.rounds > ROUNDS and not due.others:
            # The model would not read what is found.
            self._own.left = 0
        for name, query in due.queries.items():
            searched, texts[name] = await self._search(tidy(query, QUERY_LIMIT))
            found += [searched] if searched is not None else []
        if due.others:
            memory = self._plan.ctx.search_memory
            if memory is not None:
                memory.put(NAME, due.others, due.queries, texts)
            return found, None
        if self._own.rounds > ROUNDS or not due.queries:
            return found, None
        self._own.request = continue_request(self._own.request, due, texts, self._plan.ctx)
        return found, await self._send(self._own.request)

    async def _search(self, query: str) -> tuple[Searched | None, str]:
        """One search: what the client is told of it, and what the model is."""
        if not query:
            return None, _NO_QUERY
        if query.casefold() in self._made:
            return None, _MADE_BEFORE
        if self._own.left <= 0:
            return Searched((query,), error="max_uses_exceeded"), _USED_UP
        self._own.left -= 1
        self._searches += 1
        context = self._attempt.context
        record = make_record(context, self._engine, self._searches)
        began = trio.current_time()
        try:
            await admit_search(context, record, self._engine, within=context.record.id)
            searched, results = await search_once(context, record, self._engine, query, self._own.limits)
            record.status = 502 if searched.error else 200
        except Halted as refusal:
            # The answer goes on without it: what the model has found so far was paid for.
            record.status, record.error, record.text = refusal.status, "halted", refusal.message
            return Searched((query,), error="unavailable"), _HALTED
        finally:
            record.total = trio.current_time() - began
            context.runtime.recorder.add_finished(record)
        if searched.error:
            return searched, f"The search failed ({searched.error})."
        self._made.add(query.casefold())
        return searched, format_results(query, results)

    async def _send(self, request: Request) -> UpstreamResponse:
        attempt, own = self._attempt, self._own
        context = attempt.context
        edited = await run_json(context.record.request_bytes, self._encode, request)
        own.rounds += 1
        if context.runtime.guard.rules is not None:
            await admission.admit(attempt, rounds=own.rounds, searches=own.left)
        size = sum(map(len, edited.parts))
        attempt.memory.hold(size)
        before = context.record.tries[-1]
        before.status, before.done = attempt.upstream.status, "searched"
        try:
            await send_with_retry(attempt, _NoDeadline(), edited)
        except BaseException:
            attempt.upstream.drop()
            raise
        finally:
            attempt.memory.hold(-size)
        return attempt.upstream

    def _encode(self, request: Request) -> Edited:
        """The request of a round as it is sent, with the configured edits."""
        plan, attempt = self._plan, self._attempt
        sent = encode_round(request, plan.spoken, plan.ctx)
        # The model's new name is in the request already.
        route = msgspec.structs.replace(attempt.route, renamed=False)
        other = calls.call(plan.path)
        notes: list[str] = []
        return edit(
            sent.body, peek(sent.body), call=other, route=route, target=attempt.target, probe=False, notes=notes
        )


class SearchLoop:
    """The rounds of one stream."""

    def __init__(self, attempt: Attempt, rounds: SearchRounds, stream: SearchingStream):
        self._attempt = attempt
        self._rounds = rounds
        self._stream = stream
        # The answer of the round under way, where it came whole.
        self._whole: Answer | None = None

    def next_round(self) -> Round | None:
        """Begin the next round; None where the answer waits for none."""
        due = self._stream.due
        if due is None or self._stream.failed:
            return None
        return _SearchRound(self, due)

    async def run(self, due: DueSearches) -> tuple[list[Searched], UpstreamResponse | None]:
        """Make the searches, and send the next request where the answer goes on. Raises RouterError,
        UpstreamDisconnected."""
        found, upstream = await self._rounds.run(due)
        if upstream is None:
            return found, None
        if upstream.status == 200 and is_event_stream(upstream):
            return found, upstream
        try:
            if upstream.status != 200:
                body = await _read_body(upstream, ERROR_LIMIT)
                raise _Refused(self._read_refusal(upstream.status, body or b""))
            self._whole = await self._read_whole(upstream)
        except BaseException:
            upstream.drop()  # the stream does not know it
            raise
        return found, None

    async def _read_whole(self, upstream: UpstreamResponse) -> Answer:
        """The answer of a round that is no stream, though one was asked for. Raises BadGateway, _Refused,
        UpstreamDisconnected."""
        translation_decoder_of(upstream)  # one that is not known is said before its body is read
        body = await _read_body(upstream, ANSWER_LIMIT, self._attempt.memory.hold)
        if body is None:
            raise make_too_large()
        read = await run_json(len(body), self._rounds.read_answer, body)
        if isinstance(read, Fault):
            raise _Refused(read)
        if read is None:
            name, title = self._attempt.route.backend.name, BY_NAME[self._rounds.spoken].title
            raise BadGateway(f"Backend {name} answered a round with what is not a valid {title} answer.")
        return read

    def _read_refusal(self, status: int, body: bytes) -> Fault:
        """The error that a round was answered with. body: of it, b"" where that was too large."""
        status = max(status, 400)
        fault = None if too_deep(body) else translate_errors.read_fault(body, status, self._rounds.spoken)
        if fault is None:
            text = read_error_text(body) or f"Backend {self._attempt.route.backend.name} answered {status}."
            return Fault(status, anthropic_kind(status), text)
        return fault

    def end(self, found: list[Searched], *, goes_on: bool) -> bytes:
        """The client's events for a round that is done."""
        whole, self._whole = self._whole, None
        out = self._stream.resume(found, goes_on=goes_on or whole is not None)
        return out if whole is None else out + self._stream.add(whole)

    def fail(self, error: Exception) -> bytes:
        """The client's events for a round that failed."""
        if isinstance(error, _Refused):
            record = self._attempt.context.record
            record.error = record.error or "upstream_error"
            return self._stream.fail(error.fault)
        if isinstance(error, UpstreamDisconnected):
            error = make_disconnect_error(error, self._attempt)
        if isinstance(error, RouterError):
            record = self._attempt.context.record
            record.error = record.error or error.word or error.kind
            return self._stream.fail(Fault(error.status, error.kind, error.message))
        if isinstance(error, CommandError):
            return self._stream.fail(Fault(502, "api_error", str(error)))
        return self._stream.fail(Fault(500, "api_error", "The web search of this answer failed."))


async def _read_body(
    upstream: UpstreamResponse, limit: int, hold: Callable[[int], None] = lambda size: None
) -> bytes | None:
    """The body of an answer without content coding; None for one over the limit, whose connection is closed. hold:
    counts its bytes against the bound of all buffers. Raises UpstreamDisconnected, and what `hold` does."""
    pieces: list[bytes] = []
    size = 0
    while got := await upstream.read():
        pieces += got
        arrived = sum(map(len, got))
        size += arrived
        if size > limit:
            upstream.drop()
            return None
        hold(arrived)
    upstream.release()
    body = b"".join(pieces)
    return await (decode_readable(upstream, body) if upstream.status >= 400 else decode_whole(upstream, body, limit))


class _NoDeadline:
    """The deadlines of a round are those of the stream that it belongs to."""

    waiting: Waiting | None = None

    def move(self, seconds: float, reason: CancelReason) -> None:
        """Nothing."""

    def await_whole(self, seconds: float, now: float) -> None:
        """Nothing."""

    def reach_head(self) -> None:
        """Nothing."""


class SearchTask:
    """One round under way, in a task of its own. run: makes the round."""

    def __init__(
        self,
        run: Callable[[DueSearches], Awaitable[tuple[list[Searched], UpstreamResponse | None]]],
        due: DueSearches,
    ):
        self._run_round = run
        self._due = due
        self._done = trio.Event()
        self._scope = trio.CancelScope()
        self._found: list[Searched] = []
        self._upstream: UpstreamResponse | None = None
        self._error: Exception | None = None
        trio.lowlevel.spawn_system_task(self._run)

    async def _run(self) -> None:
        try:
            with self._scope:
                self._found, self._upstream = await self._run_round(self._due)
        except Exception as error:  # a system task that raises would end the proxy
            self._error = error
        finally:
            self._done.set()
            if self._scope.cancel_called and self._upstream is not None:
                self._upstream.drop()

    async def wait(self) -> None:
        """Wait until it is done."""
        await self._done.wait()

    def result(self) -> tuple[list[Searched], UpstreamResponse | None]:
        """What was found, and the upstream's next answer, None where the answer is whole. Raises what the round
        raised. Once it was taken, the answer is the caller's to end."""
        if self._error is not None:
            raise self._error
        upstream, self._upstream = self._upstream, None
        return self._found, upstream

    def cancel(self) -> None:
        """End it."""
        self._scope.cancel()
        if self._done.is_set() and self._upstream is not None:
            self._upstream.drop()


class _SearchRound(SearchTask):
    """One round of a stream under way."""

    def __init__(self, loop: SearchLoop, due: DueSearches):
        super().__init__(loop.run, due)
        self._loop = loop

    def take(self) -> tuple[bytes, UpstreamResponse | None]:
        """The translated bytes that it adds, and the upstream's next answer."""
        try:
            found, upstream = self.result()
        except Exception as error:
            return self._loop.fail(error), None
        return self._loop.end(found, goes_on=upstream is not None), upstream
