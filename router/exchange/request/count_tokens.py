"""Count the tokens of a request at a backend that may not count, or is asked in another protocol.

The backend counts where it can; else the count is estimated by the size of the body, and the answer is flagged. A
missing endpoint is never an error: Claude Code asks for dozens of counts.
"""

from router.exchange.attempt import Attempt
from router.exchange.body.body import is_much
from router.exchange.request.edits import Edited, edit
from router.exchange.request.token_estimate import estimate_any
from router.exchange.request.translation import JSON, needs_translation, plan_translation, rewrite
from router.exchange.upstream_response.content_coding import decode_readable
from router.exchange.upstream_response.error_peek import peek_body
from router.exchange.upstream_response.response import BufferedResponse, UpstreamResponse
from router.wire import count_tokens
from router.wire.neutral.losses import Loss
from router.wire.protocols import BY_NAME
from router.wire.raw.json import json_values
from router.wire.raw.json.top_level import Top
from router.wire.translate import Plan

_NO_SUCH_PATH = (404, 405, 501)


async def ask_count(attempt: Attempt, body: bytes, top: Top) -> Edited | None:
    """The request for the backend's count: in the backend's protocol where that can count, else in the caller's where
    the backend serves its counts too; None when the backend does not count. Raises RouterError."""
    context, record = attempt.context, attempt.context.record
    plan = _make_plan(attempt)
    counting = BY_NAME[plan.spoken].count
    if counting is not None and attempt.target.endpoint_for(plan.spoken).counts:
        plan.path = BY_NAME[plan.spoken].fill_path(counting.path, plan.ctx.model)
        arguments = (body, plan, context.call, attempt.route, attempt.target)
        large = is_much(body, top)
        edited, _, notes = await context.run_in_thread(rewrite, *arguments) if large else rewrite(*arguments)
        attempt.plan = plan
        record.note(*notes)
        return edited
    if plan.ctx.profile.counts != plan.caller:
        return None
    notes: list[str] = []
    edited = edit(body, top, call=context.call, route=attempt.route, target=attempt.target, probe=False, notes=notes)
    record.note(*notes)
    return edited


async def read_count(attempt: Attempt, response: UpstreamResponse) -> UpstreamResponse | None:
    """The backend's count in the caller's protocol, unchanged where it came so; None when the backend gave none."""
    found = json_values.decode_object(await peek_body(response)) if response.status == 200 else None
    spoken = attempt.context.call.protocol if attempt.plan is None else attempt.plan.spoken
    tokens = count_tokens.count_in(found, spoken) if found is not None and spoken is not None else None
    if tokens is not None and attempt.plan is None:
        return response
    response.release()
    return None if tokens is None or attempt.plan is None else _make_answer(attempt.plan.caller, tokens)


async def lacks_count(attempt: Attempt) -> bool:
    """True when the answer to a request for a count, which was passed on, shows that the backend does not count: it has
    no such path, or answers 200 without a count, as LM Studio does on every path."""
    upstream, protocol = attempt.upstream, attempt.context.call.protocol
    if upstream.status != 200 or protocol is None:
        return upstream.status in _NO_SUCH_PATH
    found = json_values.decode_object(await decode_readable(upstream, await peek_body(upstream)))
    return found is None or count_tokens.count_in(found, protocol) is None


async def estimate_count(attempt: Attempt, body: bytes) -> UpstreamResponse:
    """An estimate in place of a count that the upstream does not offer; it is flagged as one."""
    record, call = attempt.context.record, attempt.context.call
    loss = Loss("input_tokens", "weakened")
    if needs_translation(call, attempt.route):
        plan = attempt.plan = _make_plan(attempt)
        plan.ctx.losses.append(loss)
        plan.asked = len(plan.ctx.losses)
    else:
        attempt.losses = (loss,)
    record.estimated = True
    record.note("tokens estimated")
    return _make_answer(call.entry.name, (await estimate_any(attempt.context, body)).estimate)


def _make_plan(attempt: Attempt) -> Plan:
    context = attempt.context
    return plan_translation(
        context.call, attempt.route, context.snapshot, shown=context.facts.model or "", stream=False
    )


def _make_answer(caller: str, tokens: int) -> BufferedResponse:
    return BufferedResponse(200, b"OK", [JSON], count_tokens.answer(tokens, caller))
