"""Asks the guard before each attempt, and reports to it what the answer was billed to."""

import trio

from router.backends.known import price_root
from router.budget.demand import Demand
from router.errors import BudgetBusy, Halted
from router.exchange.attempt import Attempt
from router.exchange.request.edits import edits_of
from router.exchange.request.token_estimate import estimate_roughly
from router.exchange.request.translation import has_web_search, needs_translation
from router.net.server.cancel_reason import CancelReason
from router.policy.accounts.retry import format_duration
from router.telemetry.accesslog import BUDGET, RequestRecord
from router.upstream.search import engine_of
from router.wire.costs.cost_traits import NO_COST_TRAITS, CostTraits, read_cost_traits
from router.wire.headers.rate_limits import billing_and_usage
from router.wire.neutral.tool_forms.own_search import ROUNDS

# A shorter wait explains nothing.
_NOTED_SECONDS = 0.1


async def admit(attempt: Attempt, *, rounds: int = 1, searches: int | None = None) -> None:
    """Admit an attempt, or raise Halted with the status on which clients of the caller's protocol do not retry.

    rounds: how many requests the answer takes so far, all of which are reserved again. searches: the web searches that
    fairlead may still make for it, None to read that from the request.
    """
    context = attempt.context
    guard = context.runtime.guard
    rules = guard.rules
    if rules is None:
        return
    record, call = context.record, context.call
    demand = await _make_demand(attempt, rounds, searches)

    since: float | None = None

    def wait(seconds: float) -> None:
        nonlocal since
        record.waits, since = BUDGET, trio.current_time()
        context.connection.set_deadline(seconds, CancelReason.TOTAL)

    before = record.waits
    try:
        expected = await guard.admit(demand, rules, wait)
    except BudgetBusy:
        raise
    except Halted as refusal:
        refusal.status = call.entry.halt_status
        raise
    finally:
        record.waits = before
        if since is not None:
            _note_wait(record, trio.current_time() - since)
    if expected is not None:
        record.expected = expected


async def _make_demand(attempt: Attempt, rounds: int, searches: int | None) -> Demand:
    """What the guard is asked for. rounds, searches: as of `admit`."""
    context = attempt.context
    record, call, body = context.record, context.call, context.body
    traits, fee, read = NO_COST_TRAITS, 0, 0
    if call.counted:
        caps = [edits.max_tokens or 0 for edits in edits_of(attempt.route, attempt.target)]
        caps.append(attempt.target.profile.max_output_cap)
        traits = read_cost_traits(call, body.top, body.data, tuple(caps))
        record.tier, record.uncounted = traits.tier, traits.uncounted
        if rounds > 1 and traits.output is not None:
            traits = traits._replace(output=traits.output * rounds)
        if traits.searches:
            traits, fee = _price_searches(attempt, traits, searches)
        read = (await estimate_roughly(context, body.data)).upper * rounds
    return Demand(
        record.id,
        record.backend,
        record.account,
        record.tag,
        price_root(attempt.target.backend),
        record.sent_model or record.model or "",
        context.request.method,
        call.path,
        call.counted,
        read,
        attempt.target.profile.charge != "",
        traits,
        attempt.left(),
        fee,
        key=record.key,
    )


def _price_searches(attempt: Attempt, traits: CostTraits, left: int | None) -> tuple[CostTraits, int]:
    """What a request says of its cost without the searches that its backend does not make, and what they cost where
    fairlead makes them, in billionths of a US dollar. left: how many it may still make, None for all."""
    context, route = attempt.context, attempt.route
    snapshot = context.snapshot
    if not needs_translation(context.call, route) or has_web_search(context.call, route, snapshot):
        return traits, 0
    engine = engine_of(snapshot.settings)
    most = min(traits.searches, ROUNDS) if left is None else left
    fee = most * engine.charge if engine is not None and engine.charge else 0
    return traits._replace(searches=0), fee


def _note_wait(record: RequestRecord, waited: float) -> None:
    record.queued += waited
    if waited >= _NOTED_SECONDS:
        record.note(f"waited {format_duration(waited)} for room in a budget")


def check_billing(attempt: Attempt) -> None:
    """Check the billing class of an answer as soon as its head came, since its stream may run for long. Errors are not
    checked: they are not billed, and name the class that is at its limit."""
    guard = attempt.context.runtime.guard
    if guard.rules is not None and guard.rules.billing and attempt.upstream.status < 400:
        record = attempt.context.record
        billing = billing_and_usage(attempt.upstream.fields).billing
        guard.billed(guard.rules, billing, record.backend, record.account, record.id)
