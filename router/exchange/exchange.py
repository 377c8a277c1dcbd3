"""The story of one request: asked, answered, and what happens when either half is cut.

The client's connection has one cancel scope. Whatever cuts it (a deadline, a client that left, the proxy's stop)
arrives in `cut`, outside the scope; whatever breaks upstream arrives as Broken inside it.
"""

import sys

import trio

from router.errors import BadGateway, BadRequest, Halted, RouterError, Unauthenticated, Unavailable, UpstreamTimeout
from router.exchange import admission
from router.exchange.client_response import respond
from router.exchange.client_response.relay import Relay
from router.exchange.context import Ticket
from router.exchange.failover.failover import Course
from router.exchange.failover.failure import Refusal
from router.exchange.request import translation
from router.exchange.request.send import read, send
from router.exchange.upstream_response.error_peek import SEALED, complains
from router.net.client.exchange import Broken
from router.net.client.exchange import Exchange as Upstream
from router.net.headers import spelled
from router.net.server.connection import Cut
from router.policy.accounts.retry import Fault, fault_of, hold_of
from router.policy.accounts.session_key import family_of
from router.policy.budget.guard import is_everywhere
from router.wire.dialect import Failure

DRAIN_SECONDS = 2.0
LAST_WORDS_SECONDS = 0.7
CLIENT_GONE = 499


class Exchange:
    """One call of an LLM's API."""

    __slots__ = ("_course", "_relay", "_ticket")

    def __init__(self, ticket: Ticket):
        self._ticket = ticket
        self._relay: Relay | None = None
        self._course: Course | None = None

    async def run(self) -> None:
        """Answer the request. Raises RouterError while nothing was sent to the client."""
        ticket = self._ticket
        try:
            await read(ticket)
            course = self._course = Course(ticket)
            while await course.take():
                refusal = await self._attempt(course)
                if refusal is None:
                    return
                if not await course.goes_on(refusal):
                    break
            await self._give(course)
        finally:
            ticket.release()
            # `cut` follows a cancellation and may read the rest of a good stream first; nothing follows anything else.
            cut_follows = isinstance(sys.exception(), trio.Cancelled) and self._worth_draining
            if ticket.upstream is not None and not cut_follows:
                ticket.upstream.release()
            if self._course is not None:
                self._course.leave()

    async def _attempt(self, course: Course) -> Refusal | None:
        """Ask one account; None when its answer, or its last words, went to the client."""
        ticket = self._ticket
        ticket.upstream = self._relay = None
        ticket.record.limits = {}
        held = ticket.held
        refusal = None
        try:
            refusal = await self._tried(course)
        except Broken as broken:
            if ticket.connection.started:
                await self._broke_off(broken)
            else:
                error = BadGateway(f"The backend {ticket.record.backend} broke off: {broken}.")
                refusal = Refusal(fault=Fault.SILENT, status=error.status, error=error, broke=True)
        except Halted as error:
            if is_everywhere(error.scope):
                raise
            refusal = Refusal(fault=Fault.HALTED, status=error.status, error=error)
        except (BadGateway, UpstreamTimeout, Unauthenticated) as error:
            if ticket.connection.started:
                raise
            refusal = Refusal(fault=_fault(error, sent=ticket.upstream is not None), status=error.status, error=error)
        if refusal is not None:
            if ticket.upstream is not None:
                ticket.upstream.release()
            if ticket.asked is not None:
                ticket.runtime.buffers.give(ticket.held - held)
                ticket.held = held
        return refusal

    async def _tried(self, course: Course) -> Refusal | None:
        ticket = self._ticket
        await admission.admit(ticket)
        await course.keyed()
        upstream, hide_usage = await self._sent(course)
        fault = fault_of(upstream.status)
        if upstream.status == 400 and course.sealed and await complains(upstream, SEALED):
            fault = Fault.FOREIGN
        if fault is not None:
            return await self._refused(course, upstream, fault)
        course.answered(upstream)
        translated = await translation.answered(ticket, upstream)
        answer = translated or upstream
        if not course.movable:
            ticket.release()
        relay = self._relay = respond.stream_of(ticket, answer, hide_usage=hide_usage)
        if relay is None:
            failure = await respond.plain(ticket, answer)
        else:
            relay.impatient = course.movable
            failure = await relay.run()
            self._note_stream(relay)
        if failure is not None:
            kept = respond.failed(ticket, failure, answer)
            # An error inside a 200 counts as the answer it should have been.
            own = (translated.failure if translated is not None else None) or failure
            return self._judged(fault_of(own.status), own, upstream, kept)
        course.served(upstream)
        return None

    async def _sent(self, course: Course) -> tuple[Upstream, bool]:
        """Send the request; where another attempt may follow, the deadlines of this one end nothing else."""
        ticket = self._ticket
        if not course.movable:
            return await send(ticket)
        ticket.connection.deadline(ticket.left(), Cut.TOTAL)
        with trio.CancelScope() as ticket.scope:
            try:
                return await send(ticket)
            finally:
                ticket.scope = None
        if ticket.upstream is not None:
            ticket.upstream.drop()
        raise _error(ticket.meaning, ticket)

    async def _refused(self, course: Course, upstream: Upstream, fault: Fault) -> Refusal | None:
        """An answer that may not be the last: read, and kept. One that is too large is the last."""
        ticket = self._ticket
        found = await respond.read_error(ticket, upstream, within=course.movable)
        if found is None:
            await respond.plain(ticket, await translation.answered(ticket, upstream) or upstream)
            return None
        kept, said = found
        return self._judged(fault, Failure(upstream.status, said), upstream, translation.refused(ticket, kept, said))

    def _judged(self, fault: Fault | None, failure: Failure, upstream: Upstream, kept: Upstream) -> Refusal:
        """What an error means for its account: that hangs on the upstream's own words alone. kept: what the client may
        get of it."""
        family = family_of(self._ticket.record.sent_model)
        hold = hold_of(upstream.fields, failure.body, family) if fault is Fault.LIMITED else None
        return Refusal(fault=fault, status=failure.status, fields=upstream.fields, kept=kept, hold=hold)

    async def _give(self, course: Course) -> None:
        """Give the client the most telling error there was. Raises it where it is ours."""
        ticket, best = self._ticket, course.best
        assert best is not None
        best.show(ticket, moved=course.moved)
        if best.error is not None:
            if best.broke:
                ticket.record.error = "upstream_broke_off"
            raise best.error
        assert best.kept is not None
        await respond.plain(ticket, best.kept)

    async def cut(self, why: Cut) -> None:
        """End the exchange after its scope was cut."""
        ticket = self._ticket
        record = ticket.record
        if why is Cut.GONE:
            if self._worth_draining:
                await self._drain()
            else:
                record.error = "client_gone"
                record.estimated = True
                record.status = record.status or CLIENT_GONE
        else:
            with trio.move_on_after(LAST_WORDS_SECONDS):
                if self._ended:
                    await ticket.connection.write(ticket.connection.end())
                else:
                    record.error = why.name.lower()
                    await self._end_with(_error(why, ticket))
        if self._relay is not None:
            self._note_stream(self._relay)
        ticket.release()
        if ticket.upstream is not None:
            ticket.upstream.release()

    @property
    def _ended(self) -> bool:
        """True when the client was sent the stream's last event, good or bad: there is nothing to add to it."""
        return self._relay is not None and self._relay.committed and self._relay.tap.ended is not None

    @property
    def _worth_draining(self) -> bool:
        """True while a stream that reached its good end has not been read to its last byte."""
        relay, upstream = self._relay, self._ticket.upstream
        return relay is not None and relay.tap.ended is True and upstream is not None and not upstream.ended

    async def _drain(self) -> None:
        """The client left with all it came for (Codex does so every time): read the rest for usage and reuse."""
        upstream = self._ticket.upstream
        assert self._relay is not None
        assert upstream is not None
        with trio.move_on_after(DRAIN_SECONDS):
            try:
                while pieces := await upstream.read():
                    self._relay.note(pieces)
            except Broken:
                return

    async def _broke_off(self, broken: Broken) -> None:
        """The upstream broke off in its answer: nothing after a good end, else the last words of the protocol."""
        ticket = self._ticket
        relay = self._relay
        if relay is not None and self._ended:
            await ticket.connection.write(ticket.connection.end())
            self._note_stream(relay)
            return
        ticket.record.error = "upstream_broke_off"
        if ticket.upstream is not None:
            ticket.upstream.drop()
        if relay is not None:
            self._note_stream(relay)
        await self._end_with(BadGateway(f"The backend {ticket.record.backend} broke off: {broken}."))

    async def _end_with(self, error: RouterError) -> None:
        """Tell the client, in whatever form its answer has taken so far. Never a clean end after a committed head."""
        ticket = self._ticket
        connection = ticket.connection
        if not connection.started:
            await refuse(ticket, error)
        elif self._relay is not None and self._relay.committed:
            events = ticket.call.dialect.error_events(error, ticket.record.id, self._relay.tap)
            await connection.write(connection.data(events))
            connection.close()
        else:
            connection.abort()

    def _note_stream(self, relay: Relay) -> None:
        record = self._ticket.record
        record.usage = relay.usage()
        record.guess = relay.tap.pieces
        record.answer_body = bytes(relay.shown) or record.answer_body
        if relay.tap.ended is False and not record.error:
            record.error = "upstream_error_event"


async def refuse(ticket: Ticket, error: RouterError) -> None:
    """Answer with an error of ours, in the caller's protocol."""
    dialect = ticket.call.dialect
    # Both vendors' names for the same thing: support desks and SDK exceptions ask for it.
    pairs = [(b"request-id" if dialect.name == "messages" else b"x-request-id", ticket.record.id.encode())]
    if error.retry_after is not None:
        pairs.append((b"retry-after", b"%d" % error.retry_after))
    if not error.retryable:
        pairs.append((b"x-should-retry", b"false"))
    pairs += [(name.encode(), value.encode()) for name, value in error.headers]
    headers = [*ticket.own_headers(), respond.JSON, *spelled(pairs)]
    ticket.record.error = ticket.record.error or error.word or error.kind
    await ticket.respond(error.status, headers, dialect.error_body(error, ticket.record.id))


def _fault(error: RouterError, *, sent: bool) -> Fault:
    if isinstance(error, Unauthenticated):
        return Fault.REFUSED  # its key cannot be had
    if not sent:
        return Fault.UNSENT
    return Fault.SILENT if isinstance(error, UpstreamTimeout) else Fault.FAILED


def _error(why: Cut, ticket: Ticket) -> RouterError:
    backend = ticket.record.backend
    settings = ticket.snapshot.settings
    target = ticket.target
    connect = target.connect if target else settings.timeouts_connect
    total = target.total if target else settings.timeouts_total
    if why is Cut.STOPPING:
        return Unavailable("fairlead is stopping; send the request again in a moment.", retry_after=2)
    if why is Cut.BODY:
        error = BadRequest(f"{why.value[0].upper()}{why.value[1:]} ({ticket.connection.limits.body:g} s).")
        error.status = 408
        return error
    if why is Cut.CONNECT:
        return UpstreamTimeout(f"The backend {backend} could not be reached within {connect:g} s (timeouts.connect).")
    if why is Cut.FIRST_BYTE:
        seconds = min(respond.COMMIT_SECONDS, target.first_byte) if target else respond.COMMIT_SECONDS
        return UpstreamTimeout(f"The backend {backend} sent no answer within {seconds:g} s (timeouts.first_byte).")
    if why is Cut.SILENT:
        return UpstreamTimeout(
            f"The backend {backend} sent nothing for {target.idle if target else 0:g} s (timeouts.idle)."
        )
    return UpstreamTimeout(f"The answer of backend {backend} was not whole within {total:g} s (timeouts.total).")
