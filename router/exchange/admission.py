"""Asks the guard before each attempt, and reports to it what the answer was billed to."""

from router.backends.known import price_root
from router.budget.guard import Demand
from router.errors import Halted
from router.exchange.attempt import Attempt
from router.net.server.cancel_reason import CancelReason
from router.wire.headers.rate_limits import billing_and_usage


async def admit(attempt: Attempt) -> None:
    """Admit an attempt, or raise Halted with the status on which clients of the caller's protocol do not retry."""
    context = attempt.context
    guard = context.runtime.guard
    rules = guard.rules
    if rules is None:
        return
    record, call = context.record, context.call
    demand = Demand(
        record.id,
        record.backend,
        record.account,
        record.tag,
        price_root(attempt.target.backend),
        record.sent_model or record.model or "",
        context.request.method,
        call.path,
        call.counted,
        record.request_bytes,
        attempt.target.profile.charge != "",
    )
    try:
        await guard.admit(demand, rules, lambda seconds: context.connection.set_deadline(seconds, CancelReason.TOTAL))
    except Halted as refusal:
        refusal.status = call.entry.halt_status
        raise


def check_billing(attempt: Attempt) -> None:
    """Check the billing class of an answer as soon as its head came, since its stream may run for long. Errors are not
    checked: they are not billed, and name the class that is at its limit."""
    guard = attempt.context.runtime.guard
    if guard.rules is not None and guard.rules.billing and attempt.upstream.status < 400:
        record = attempt.context.record
        billing = billing_and_usage(attempt.upstream.fields).billing
        guard.billed(guard.rules, billing, record.backend, record.account, record.id)
