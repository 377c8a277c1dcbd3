"""The guard, asked for one attempt with values."""

from router.budget.guard import Demand
from router.errors import Halted
from router.exchange.context import Ticket
from router.net.client.exchange import Exchange as Upstream
from router.net.server.connection import Cut
from router.wire.headers.rate_limits import reading


async def admit(ticket: Ticket) -> None:
    """Let a request go to its target, or raise Halted; before each attempt."""
    guard = ticket.runtime.guard
    rules = guard.rules
    if rules is None:
        return
    record, target, call = ticket.record, ticket.target, ticket.call
    assert target is not None
    demand = Demand(
        record.id,
        record.backend,
        record.account,
        record.tag,
        target.backend.root,
        record.sent_model or record.model or "",
        ticket.request.method,
        call.path,
        call.generates,
        record.request_bytes,
    )
    try:
        await guard.admit(demand, rules, lambda seconds: ticket.connection.deadline(seconds, Cut.TOTAL))
    except Halted as refusal:
        if call.dialect.name == "responses":
            # The one form Codex takes as final.
            refusal.status = 429
        raise


def check_billing(ticket: Ticket, upstream: Upstream) -> None:
    """Look at what an answer is billed to as soon as its head is there: its stream may run for long. An error is
    billed to nothing; it names the class that is at its limit."""
    guard = ticket.runtime.guard
    if guard.rules is not None and guard.rules.billing and upstream.status < 400:
        record = ticket.record
        guard.billed(guard.rules, reading(upstream.fields).billing, record.backend, record.account, record.id)
