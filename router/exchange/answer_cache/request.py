"""One request on its way through the cache of answers: it is answered from there, waits for an equal one, or leads.

A halt of the guard stops answers from the cache as it stops all others, so that a user who is told that traffic has
stopped sees none.
"""

from functools import partial

import msgspec
import trio

from router.backends.known import price_root
from router.exchange.answer_cache.flights import Ending, Flight, Flights
from router.exchange.answer_cache.question import FILLED, Part, Question, ask, find_kind, find_part
from router.exchange.answer_cache.recorder import AnswerRecorder
from router.exchange.attempt import Attempt
from router.exchange.client_response.head import own_headers, send_response
from router.exchange.context import RequestContext
from router.exchange.request.send import COMMIT_SECONDS
from router.exchange.upstream_response.large_work import run_json
from router.net.headers import Headers, encode_value
from router.net.server.cancel_reason import CancelReason
from router.policy.answer_cache.completeness import is_complete
from router.policy.answer_cache.eligibility import Kind
from router.policy.answer_cache.identity import is_neutral
from router.policy.answer_cache.repeated import repeat_fields
from router.policy.budget.guard import list_scopes
from router.store.answer_cache.answers import About, Answer, Answers
from router.telemetry.accesslog import EQUAL, HIT, MISS, RequestRecord
from router.telemetry.recorder import make_entry
from router.upstream.runtime import Runtime

# Clients give up on a silent stream after some minutes: half of the time until one is sent a head is for the other.
_PATIENCE = COMMIT_SECONDS / 2
_SENT = 1 << 20
_EVENTS = "text/event-stream"


class AnswerCache:
    """The cache of one proxy."""

    def __init__(self, runtime: Runtime):
        self.answers = Answers(runtime.home, runtime.log.add)
        self.flights = Flights()
        # SQLite waits for the disk; one connection takes one caller at a time.
        self.limiter = trio.CapacityLimiter(4)

    @property
    def problem(self) -> str | None:
        """Why no answer is kept or given again, None while that works."""
        return self.answers.problem

    def close(self) -> None:
        """Close the file."""
        self.answers.close()


def cache_of(runtime: Runtime) -> AnswerCache:
    """The cache of a proxy, made when it is first asked for."""
    found = runtime.answer_cache
    if not isinstance(found, AnswerCache):
        found = runtime.answer_cache = AnswerCache(runtime)
    return found


class CachedRequest:
    """A request that may be answered from the cache. It is made by `begin`, and needs `end`."""

    def __init__(self, context: RequestContext, part: Part, question: Question, key: bytes):
        self._context = context
        self._part, self._question, self._key = part, question, key
        self._cache = cache_of(context.runtime)
        self._leads = False
        self._ending: Ending = "failed"
        self._before = context.connection.observer
        self._recorder: AnswerRecorder | None = None

    @classmethod
    async def begin(cls, context: RequestContext) -> "CachedRequest | None":
        """The request; None for one whose answer is not kept. The record says why, where the configuration would have
        it kept."""
        body, route, record = context.body, context.route, context.record
        kind = find_kind(context.call, context.request.method)
        part = find_part(route, context.snapshot.settings)
        if kind is None or part is None or body.top is None:
            return None
        guard = context.runtime.guard
        if guard.halts and guard.held(*list_scopes(record.backend, record.account, record.tag, record.key)) is not None:
            return None
        if _is_told(context, b"no-store"):
            record.note("answer not kept: it says cache-control: no-store")
            return None
        if context.filled_fields is not None:
            record.note(f"answer not kept: {FILLED}")
            return None
        question = await run_json(len(body.data), _ask, context, kind, part)
        if isinstance(question, str):
            record.note(f"answer not kept: {question}")
            return None
        cache = cache_of(context.runtime)
        key = await trio.to_thread.run_sync(cache.answers.sign, question.request, limiter=cache.limiter)
        return cls(context, part, question, key) if key else None

    async def answer(self) -> bool:
        """Answer the request from the cache, waiting for an equal one that is being answered; False where the backend
        is to be asked, and what it answers is recorded."""
        context = self._context
        found = None if _is_told(context, b"no-cache") else await self._look()
        if found is None:
            context.record.answer_cache = MISS
            self._recorder = context.connection.observer = AnswerRecorder(context.runtime.memory, self._before)
            return False
        self._end_flight("kept")
        record = context.record
        record.answer_cache, record.answer_age, record.saved_cost = HIT, int(found.age), found.cost
        record.backend, record.account = found.about.backend, found.about.account
        await self._send(found)
        return True

    async def _look(self) -> Answer | None:
        """The answer, of the cache or of an equal request that is being answered; None where this one is to ask."""
        flights = self._cache.flights
        while (flight := flights.join(self._key)) is not None:
            if not await self._wait(flight) or flight.ending == "alone":
                return None
            if flight.ending == "kept" and (found := await self._find()) is not None:
                return found
        self._leads = True
        return await self._find()

    async def _wait(self, flight: Flight) -> bool:
        """Wait for a request that leads; False when that takes too long."""
        context = self._context
        record, left = context.record, context.snapshot.settings.timeouts_total - context.elapsed()
        context.connection.set_deadline(left, CancelReason.TOTAL)
        record.waits, since = EQUAL, trio.current_time()
        try:
            with trio.move_on_at(min(context.request.arrived + _PATIENCE, since + left / 2)) as waiting:
                await flight.ended.wait()
        finally:
            record.waits = ""
            record.queued += trio.current_time() - since
        return not waiting.cancelled_caught

    async def keep(self, attempt: Attempt | None) -> None:
        """Keep the answer that the client got. attempt: the one that gave it."""
        record, recorder = self._context.record, self._recorder
        if attempt is None or recorder is None or record.error or record.status != 200:
            return
        self._ending = "alone"
        problem = await self._find_problem(attempt, recorder)
        if problem:
            record.note(f"answer not kept: {problem}")
            return
        title = attempt.plan.title if attempt.plan is not None else ""
        about = About(recorder.content_type, record.backend, record.account, title)
        priced = msgspec.structs.replace(record, root=price_root(attempt.target.backend), request_body=b"")
        write, body = self._write, recorder.body or b""
        if await trio.to_thread.run_sync(write, about, body, priced, limiter=self._cache.limiter):
            self._ending = "kept"

    async def _find_problem(self, attempt: Attempt, recorder: AnswerRecorder) -> str:
        """Why an answer is not to be kept, in words; '' when it is."""
        asked, served, body = self._context.route, attempt.route, recorder.body
        if (asked.backend.name, asked.model) != (served.backend.name, served.model):
            return "another backend or model served in its place"
        losses = [*attempt.losses, *(() if attempt.plan is None else attempt.plan.ctx.losses)]
        if not all(is_neutral(loss.path) for loss in losses):
            return "something was lost in translation"
        if self._context.record.estimated:
            return "it is an estimate"
        if body is None:
            return "it is too large, or compressed"
        stream = recorder.content_type.startswith(_EVENTS)
        judge = partial(is_complete, self._question.kind, body, stream=stream)
        return "" if await run_json(len(body), judge) else "it did not come to its own end"

    def end(self) -> None:
        """End what the request holds; those that wait for it go on."""
        self._end_flight(self._ending)
        if self._recorder is not None:
            self._context.connection.observer = self._before
            self._recorder.release()

    def _end_flight(self, ending: Ending) -> None:
        if self._leads:
            self._leads = False
            self._cache.flights.end(self._key, ending)

    async def _find(self) -> Answer | None:
        cache = self._cache
        return await trio.to_thread.run_sync(cache.answers.find, self._key, self._part.ttl, limiter=cache.limiter)

    def _write(self, about: About, body: bytes, record: RequestRecord) -> bool:
        """Keep the answer, with what it cost; for a thread."""
        cost = None
        if not self._context.call.counts:
            cost = self._context.runtime.recorder.price(make_entry(record))[0]
        part = self._part
        return self._cache.answers.keep(self._key, part.name, about, body, cost, ttl=part.ttl, most=part.most)

    async def _send(self, found: Answer) -> None:
        context = self._context
        record, connection, about = context.record, context.connection, found.about
        lines = [*own_headers(context, None), _make_line(b"content-type", about.content_type.encode("latin-1"))]
        if context.route.rule:
            lines.append(_make_line(b"x-fairlead-rule", encode_value(context.route.rule)))
        if about.translation:
            lines.append(_make_line(b"x-fairlead-translation", encode_value(about.translation)))
        left = context.snapshot.settings.timeouts_total - context.elapsed()
        connection.set_deadline(left, CancelReason.TOTAL)
        stream = about.content_type.startswith(_EVENTS)
        body = found.body
        repeated = self._question.repeated
        if repeated is not None:
            body = await run_json(len(body), partial(repeat_fields, body, repeated, stream=stream))
        context.body.release()
        if not stream:
            record.stream = False
            await send_response(context, 200, lines, body)
            return
        record.status, record.stream = 200, True
        now = context.runtime.health.answered = trio.current_time()
        record.first_byte = now - context.request.arrived
        if context.capture_limit:
            record.answer_body = body[: context.capture_limit]
        parts = connection.frame_head(200, Headers(lines), b"OK")
        for at in range(0, len(body), _SENT):
            await connection.write([*parts, *connection.frame_data(body[at : at + _SENT])])
            parts = []
        await connection.write([*parts, *connection.frame_end()])


def _make_line(name: bytes, value: bytes) -> tuple[bytes, bytes, bytes]:
    return name, name, value


def _ask(context: RequestContext, kind: Kind, part: Part) -> Question | str:
    return ask(
        kind,
        bytes(context.body.data),
        context.route,
        context.snapshot.targets[context.route.backend.name],
        context.facts,
        context.snapshot.settings,
        owner=context.key_owner,
        tools=part.tools,
        headers=[(name, value) for _, name, value in context.request.lines],
        call=context.call,
        query=context.request.query,
    )


def _is_told(context: RequestContext, directive: bytes) -> bool:
    """True where the client says so of kept answers (RFC 9111, 5.2.1): no-cache, it wants a new one; no-store, its own
    is not to be kept either."""
    said = context.request.fields.get(b"cache-control", b"").lower()
    return directive in [part.strip() for part in said.split(b",")]
