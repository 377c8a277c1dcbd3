"""The exchange of one request: its attempts, its answer, and what happens when either connection is cut.

The client's connection has one cancel scope. What cancels it (a deadline, a client that left, the stop of the proxy) is
handled in `cut`, outside the scope; a broken upstream connection raises UpstreamDisconnected inside it.
"""

import sys

import trio

from router.errors import BadGateway, Halted, RouterError, Unauthenticated, UpstreamTimeout
from router.exchange import admission
from router.exchange.attempt import Attempt
from router.exchange.body.frames import close_broken
from router.exchange.client_response.early_stream import EarlyStream
from router.exchange.client_response.head import note_error, refuse
from router.exchange.client_response.relay import Relay
from router.exchange.client_response.respond import relay_for, respond
from router.exchange.client_response.search_answer import answer_search
from router.exchange.client_response.translation import translate_response
from router.exchange.conclusion import count_lost
from router.exchange.context import Arrival, RequestContext
from router.exchange.cut_errors import error_for
from router.exchange.deadline import AttemptDeadline, ExchangeDeadline
from router.exchange.error_text import describe_body
from router.exchange.failover.failover import Failover
from router.exchange.failover.failure import AttemptFailure
from router.exchange.grants.limits import KeyPlaces
from router.exchange.judgement import classify_error, find_failure, find_fault, judge_error, read_failure
from router.exchange.redaction import redact_body, redact_error, redactor_of
from router.exchange.request.overflow import reword_error
from router.exchange.request.route import read_request
from router.exchange.request.send import send
from router.exchange.request.token_estimate import estimate_input
from router.exchange.running import report_running
from router.exchange.upstream_errors import is_lost, make_disconnect_error, name_backend, say_connection_lost
from router.exchange.upstream_response.content_coding import decode_readable
from router.exchange.upstream_response.translated import TranslatedStream
from router.exchange.usage import find_stream_usage
from router.net.client.exchange import UpstreamDisconnected
from router.net.server.cancel_reason import CancelReason
from router.operator_api.status import RunningRequest
from router.policy.accounts.retry import Fault
from router.policy.budget.guard import is_everywhere
from router.wire.costs.cost_traits import read_limit
from router.wire.dialect import anthropic_kind
from router.wire.errors.history_text import read_code, read_error_text
from router.wire.protocols import RESPONSES

DRAIN_SECONDS = 2.0
#: Seconds to send the last event of an answer that is cut to a client whose window is full; then when the proxy stops.
LAST_WORDS_SECONDS = (5.0, 0.7)
CLIENT_GONE = 499


class Exchange:
    """One call of an LLM's API."""

    __slots__ = ("_arrival", "_early", "_relay", "attempt")

    def __init__(self, arrival: Arrival):
        self._arrival = arrival
        self._relay: Relay | None = None
        #: What a client that asked for a stream gets before its upstream sends a head; None for other requests.
        self._early: EarlyStream | None = None
        #: The attempt under way; at the end the one whose answer the client got. None before the first.
        self.attempt: Attempt | None = None

    async def run(self) -> None:
        """Answer the request. Raises RouterError while nothing was sent to the client."""
        running = self._arrival.runtime.running
        running.add(self)
        places: KeyPlaces | None = None
        try:
            context = await read_request(self._arrival)
            if context.grant is not None:
                places = KeyPlaces(context, lambda: estimate_input(context, b"").estimate)
                await places.acquire()
            if context.snapshot.settings.context_fill:
                from router.exchange.client_response.tool_context import find_filled_fields

                await find_filled_fields(context)
            if context.snapshot.settings.search_provider is not None and await answer_search(context):
                return
            await (self._answer_cached(context) if context.snapshot.caches else self._answer(context))
        finally:
            if places is not None:
                places.release()
            running.discard(self)
            self._arrival.memory.release()

    async def _answer_cached(self, context: RequestContext) -> None:
        """Answer a request that an equal one may have been answered before; what its backend answers may be kept."""
        from router.exchange.answer_cache.request import CachedRequest

        cached = await CachedRequest.begin(context)
        if cached is None:
            await self._answer(context)
            return
        try:
            if not await cached.answer():
                await self._answer(context)
                # The client has its answer, and most hang up then: that is no reason to throw the answer away.
                with trio.CancelScope(shield=True):
                    await cached.keep(self.attempt)
        finally:
            cached.end()

    async def _answer(self, context: RequestContext) -> None:
        """Answer a request by its backend, or another account or backend that can serve it. Raises RouterError."""
        failover = Failover(context)
        try:
            if failover.suspect:
                await failover.keep_fitting()
            while (attempt := await failover.next_attempt()) is not None:
                self.attempt, self._relay = attempt, None
                self._early = EarlyStream(attempt) if context.facts.stream else None
                failure = await self._try(attempt, failover)
                if failure is None:
                    return
                attempt.upstream.release()
                attempt.memory.release()
                if not await failover.continue_after(failure):
                    break
                count_lost(attempt)
            failover.give_up()
            if failover.best is not None:
                if attempt is not None and attempt is not failover.best.attempt:
                    count_lost(attempt)  # the client is told of another one
                await self._give(failover.best, failover)
        finally:
            self._end()
            failover.release()

    @property
    def arrived(self) -> float:
        """When the request came, on trio's clock."""
        return self._arrival.request.arrived

    def report(self) -> RunningRequest:
        """The request as operators see it while it is being answered."""
        return report_running(self._arrival, self.attempt, self._relay)

    def _end(self) -> None:
        """Release what the exchange holds; the answer stays where `cut` follows and reads the rest of a good stream."""
        attempt = self.attempt
        if attempt is None:
            return
        if attempt.context.body.replayable:
            attempt.context.body.release()
        attempt.memory.release()
        # `cut` follows a cancellation only.
        if not (isinstance(sys.exception(), trio.Cancelled) and self._worth_draining):
            attempt.response.release()

    async def _try(self, attempt: Attempt, failover: Failover) -> AttemptFailure | None:
        """Ask one account; None when its answer, or an error that ends it, was sent to the client."""
        connection = attempt.context.connection
        try:
            return await self._ask(attempt, failover)
        except UpstreamDisconnected as broken:
            error = make_disconnect_error(broken, attempt)
            if connection.started and not self._is_early:
                await self._end_broken(attempt, error, lost=is_lost(broken))
                return None
            return AttemptFailure(
                attempt=attempt, fault=Fault.NO_RESPONSE, status=error.status, outcome=error, broke=True
            )
        except Halted as error:
            if is_everywhere(error.scope):
                raise
            return AttemptFailure(attempt=attempt, fault=Fault.HALTED, status=error.status, outcome=error)
        except (BadGateway, UpstreamTimeout, Unauthenticated) as error:
            if connection.started and not self._is_early:
                note_error(self._arrival, error, attempt)
                raise
            if isinstance(error, BadGateway):
                name_backend(error, attempt)
            fault = classify_error(error, sent=attempt.sent)
            return AttemptFailure(attempt=attempt, fault=fault, status=error.status, outcome=error)

    async def _ask(self, attempt: Attempt, failover: Failover) -> AttemptFailure | None:
        # Only what has to wait costs a coroutine: most requests have neither a guard nor a key to fetch.
        context = attempt.context
        if context.call.generates and not context.facts.stream:
            context.record.expected = read_limit(context.call, context.body.top)
        if context.runtime.guard.rules is not None:
            await admission.admit(attempt)
        attempt.target.check()
        if attempt.target.reference is not None:
            await failover.fetch_key(attempt)
        if attempt.movable:
            hide_usage = await _send_within(attempt, self._early)
        else:
            hide_usage = await send(attempt, ExchangeDeadline(attempt.context.connection, self._early))
        if attempt.upstream.status >= 400:
            ends, failed = await self._judge_answer(attempt, failover)
            if ends:
                return failed
        failover.note_answer(attempt)
        if attempt.plan is not None and not await translate_response(attempt, attempt.plan, self._early):
            ends, failed = await self._judge_answer(attempt, failover)
            if ends:
                return failed
            await translate_response(attempt, attempt.plan)
        early = self._is_early
        relay = self._relay = relay_for(attempt, hide_usage=hide_usage, committed=early)
        if relay is None and early:
            failure = await find_failure(attempt)
        elif relay is None:
            failure = await respond(attempt, attempt.response)
        else:
            try:
                failure = await relay.run()
            finally:
                if relay.early_failure is not None:
                    failover.note_failure(judge_error(attempt, relay.early_failure))
            _note_stream(attempt, relay)
        if failure is not None:
            return judge_error(attempt, failure)
        if relay is None or relay.early_failure is None:
            failover.note_success(attempt)
        return None

    async def _judge_answer(self, attempt: Attempt, failover: Failover) -> tuple[bool, AttemptFailure | None]:
        """Whether an error answer ends the attempt, and the failure that it is, None where the client has got it; one
        that does not end it is the client's as any answer is."""
        upstream = attempt.upstream
        fault = await find_fault(upstream, sealed=failover.sealed)
        if fault is not None or self._is_early or failover.outranks(upstream.status):
            return True, await read_failure(attempt, fault)
        return False, None

    async def _give(self, best: AttemptFailure, failover: Failover) -> None:
        """Send the client the failure with the best rank; an error of fairlead's own is raised. What may succeed
        later says when, however often fairlead tried: the client's patience is longer."""
        attempt = self.attempt = best.attempt
        attempt.name_server()
        if attempt.context.connection.started:
            await self._end_failed(best)
            return
        error, repeat = best.outcome, failover.find_repeat(best)
        if isinstance(error, RouterError):
            error.retryable = error.retryable or failover.may_pass
            if error.retry_after is None and error.retryable:
                error.retry_after = repeat
            if best.broke:
                attempt.context.record.error = "upstream_broke_off"
            raise error
        best.mark(error, repeat, moved=failover.moved, may_pass=failover.may_pass)
        await respond(attempt, error)

    async def _end_failed(self, best: AttemptFailure) -> None:
        """End a stream that was committed before its upstream sent a head, and then failed, with an error event."""
        attempt, error = best.attempt, best.outcome
        record = attempt.context.record
        if not isinstance(error, RouterError):
            body = await redact_body(attempt, await decode_readable(error, b"".join(await error.read()))) or b""
            status = error.status
            status, body = reword_error(attempt, status, body) or (status, body)
            error = BadGateway(read_error_text(body) or f"Backend {record.backend} answered {status}.")
            error.status, error.kind = status, anthropic_kind(status)
            error.code = read_code(body)
            record.error = "upstream_error"
        record.error = record.error or ("upstream_broke_off" if best.broke else error.word or error.kind)
        note_error(self._arrival, error, attempt)
        await self._end_with(error)

    async def cut(self, why: CancelReason) -> None:
        """End the exchange after its scope was cancelled."""
        arrival, attempt = self._arrival, self.attempt
        record = arrival.record
        if why is CancelReason.CLIENT_GONE:
            if self._worth_draining:
                await self._drain()
            else:
                record.error = "client_gone"
                record.estimated = True
                record.status = record.status or CLIENT_GONE
        else:
            with trio.move_on_after(LAST_WORDS_SECONDS[why in (CancelReason.STOPPING, CancelReason.STALLED)]):
                if self._relay is not None and self._ended:
                    await arrival.connection.write(self._relay.frame_end())
                else:
                    record.error = why.name.lower()
                    error = error_for(why, arrival, attempt)
                    note_error(arrival, error, attempt)
                    if why is CancelReason.STOPPING and arrival.connection.started:
                        say_connection_lost(error)
                    await self._end_with(error)
        if attempt is not None:
            if self._relay is not None:
                _note_stream(attempt, self._relay)
            attempt.response.release()
            attempt.memory.release()
        arrival.memory.release()

    @property
    def _is_early(self) -> bool:
        """True when the client was sent the head of a stream before its upstream sent one, and nothing came yet."""
        return self._early is not None and self._early.committed and self._relay is None

    @property
    def _ended(self) -> bool:
        """True when the stream's last event, good or bad, was sent to the client: nothing may follow it."""
        return self._relay is not None and self._relay.committed and self._relay.tap.ended is not None

    @property
    def _worth_draining(self) -> bool:
        """True while a stream that reached its good end has not been read to its last byte."""
        relay, attempt = self._relay, self.attempt
        return relay is not None and relay.tap.ended is True and attempt is not None and not attempt.response.ended

    async def _drain(self) -> None:
        """Read the rest of a stream after the client left at its last event, as Codex always does: for the usage, and
        to be able to use the connection again."""
        relay, attempt = self._relay, self.attempt
        if relay is None or attempt is None:
            return
        with trio.move_on_after(DRAIN_SECONDS):
            try:
                while pieces := await attempt.response.read():
                    relay.note(pieces)
            except UpstreamDisconnected:
                return

    async def _end_broken(self, attempt: Attempt, error: RouterError, *, lost: bool) -> None:
        """End an answer in which the upstream broke off: as it is after the last event, else with the protocol's
        error. lost: it broke by chance, so that the request may be sent again."""
        record, connection, relay = attempt.context.record, attempt.context.connection, self._relay
        if relay is not None and self._ended:
            await connection.write(relay.frame_end())
            _note_stream(attempt, relay)
            return
        record.error = "upstream_broke_off"
        note_error(attempt.context, error, attempt)
        attempt.response.drop()
        if relay is not None:
            _note_stream(attempt, relay)
        if lost:
            say_connection_lost(error)
        await self._end_with(error)

    async def _end_with(self, error: RouterError) -> None:
        """Send the client an error in the form that its answer still allows. After a committed head the answer never
        ends as if it were whole."""
        arrival = self._arrival
        connection = arrival.connection
        redact_error(error, self.attempt)
        tap = self._relay.tap if self._relay is not None and self._relay.committed else None
        if self._early is not None and self._is_early:
            tap = self._early.make_tap()
        if not connection.started:
            await refuse(arrival, error, self.attempt)
        elif tap is not None:
            if self.attempt is not None and isinstance(self.attempt.translated, TranslatedStream):
                tap.so_far = self.attempt.translated.collect_response()
            events = arrival.call.dialect.error_events(error, arrival.record.id, tap)
            frames = arrival.frames
            await connection.write([*frames.frame_data(tap.complete(events)), *close_broken(connection, frames)])
        else:
            connection.abort()


async def _send_within(attempt: Attempt, early: EarlyStream | None) -> bool:
    """Send an attempt that another may follow: its deadlines end this attempt alone."""
    connection = attempt.context.connection
    connection.set_deadline(attempt.left(), CancelReason.TOTAL)
    scope = trio.CancelScope()
    deadline = AttemptDeadline(scope, early)
    with scope:
        return await send(attempt, deadline)
    attempt.upstream.drop()
    raise error_for(deadline.reason, attempt.context, attempt)


def _note_stream(attempt: Attempt, relay: Relay) -> None:
    record, translated = attempt.context.record, attempt.translated
    usage = translated.usage if translated is not None else None
    record.usage = relay.tap.usage() if usage is None else usage
    if not attempt.context.call.generates or attempt.context.call.entry is RESPONSES:
        record.usage = find_stream_usage(attempt, relay.tap, record.usage)
    record.guess = relay.tap.guess
    record.note(*relay.tap.list_notes())
    record.answer_body = bytes(relay.captured) or record.answer_body
    if relay.tap.ended is False and not record.error:
        record.error = "upstream_error_event"
        record.text = describe_body(attempt.context, relay.tap.failed_with, redactor_of(attempt))
