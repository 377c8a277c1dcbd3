"""The end of a request: its record is completed and given to the recorder."""

from typing import Literal

import msgspec

from router.backends.known import price_root
from router.errors import ContextOverflow
from router.exchange.attempt import Attempt
from router.exchange.context import Arrival
from router.exchange.request.overflow import check_limit
from router.exchange.request.prompt_cache import judge_prompt
from router.exchange.request.token_estimate import estimate_input, learn_ratio
from router.exchange.usage import copy_usage
from router.ir import Extras, Usage
from router.policy.budget.reservations import TYPICAL_OUTPUT
from router.policy.routing.clients import identify_client
from router.policy.routing.table import Route
from router.telemetry.accesslog import RequestRecord
from router.telemetry.recorder import make_entry
from router.telemetry.trace_context import PARENT, PARENT_LIMIT
from router.wire.headers.agent_hints import hint_headers
from router.wire.headers.rate_limits import limit_headers
from router.wire.neutral.context import NOTE_LIMIT, format_losses
from router.wire.protocols import EMBEDDINGS
from router.wire.raw.json.json_values import MOST_TOKENS
from router.wire.translate import Plan

#: Characters of a path that is stored: a head may hold one of 64 KiB, and thousands of entries may wait.
PATH_LIMIT = 200
#: The class of error of an attempt that was lost.
LOST = "lost"
# The classes of an error that the upstream told.
_BY_UPSTREAM = ("upstream_error", "upstream_error_event")
#: How an answer ended: as it should, refused before or in place of it, cut off.
End = Literal["whole", "refused", "cut", "cut stream"]


def conclude(arrival: Arrival, attempt: Attempt | None) -> None:
    """Complete the record of a request, and record it. attempt: the one whose answer the client got, None for none.

    A generation whose usage cannot be read, or that was cut, is counted by an estimate and marked: input by the bytes
    of the request, output by what came, or by what it may have written.
    """
    record = arrival.record
    record.client = identify_client(arrival.request.fields)
    record.hints = hint_headers(arrival.request.fields)
    parent = arrival.request.fields.get(PARENT)
    if parent is not None:
        record.trace = parent[:PARENT_LIMIT].decode("latin-1")
    status = 0
    if attempt is not None:
        record.root = price_root(attempt.target.backend)
        if attempt.route.rule or attempt.route.alias:
            record.chosen = _describe_choice(attempt.route)
        if attempt.sent:
            status = attempt.upstream.status
            # Only these fields are kept of the head, which is large; the recorder parses them, many records at a time.
            record.limits = attempt.limits or limit_headers(attempt.upstream.fields)
        if attempt.plan is not None:
            _note_losses(record, attempt.plan)
        elif attempt.losses:
            record.losses = "; ".join(f"{loss.path}={loss.how}" for loss in attempt.losses)
    usage = record.usage
    told = usage.input is not None and usage.output is not None
    if (
        attempt is not None
        and not attempt.counted
        and (not told or record.error or record.tier or record.uncounted)
        and arrival.call.counted
    ):
        _complete_usage(record, attempt)
    if attempt is not None and attempt.overflowed and record.error in _BY_UPSTREAM:
        record.error = ContextOverflow.word  # as where fairlead says so itself
    if attempt is not None and told and not record.error and arrival.call.generates:
        check_limit(attempt, usage)
        learn_ratio(arrival, usage)
    if record.prompt is not None:
        record.cache_loss = None if attempt is None else judge_prompt(record, attempt)
        record.prompt = None
    if record.tries:
        _end_try(record, status)
    if arrival.capture_limit or len(record.path) > PATH_LIMIT:
        # Records that wait to be processed are bounded by count alone, so each must be small.
        path = record.path[:PATH_LIMIT]
        record = msgspec.structs.replace(record, path=path, request_body=b"", answer_body=b"")
    arrival.runtime.recorder.add_finished(record)


def _describe_choice(route: Route) -> str:
    """What of the user's chose the backend, before the step that found it: `alias fast, rule "long context"`."""
    found = [f"alias {route.alias}"] if route.alias else []
    if route.rule:
        found.append(f'rule "{route.rule}"')
    return ", ".join(found if route.why == "rule" else [*found, route.why])


def _note_losses(record: RequestRecord, plan: Plan) -> None:
    """Note what was lost in translation. The answer's own losses were not in the headers, which were sent before it."""
    losses = plan.ctx.losses
    record.losses = "; ".join(f"{loss.path}={loss.how}" for loss in losses)
    if len(losses) > plan.asked:
        record.note(f"answer lost {format_losses(losses[plan.asked :], NOTE_LIMIT)}")


def count_lost(attempt: Attempt) -> None:
    """Count what an attempt may have cost that another follows, or of which the client is not told: the record of the
    request tells of one alone. What an upstream refused before the head of an answer costs nothing."""
    context = attempt.context
    record, guard = context.record, context.runtime.guard
    if record.tries and not record.tries[-1].done:
        record.tries[-1].done = "given up"
    usage, record.usage = record.usage, Usage()
    guess, record.guess = record.guess, 0
    attempt.counted = True
    if guard.rules is None or not context.call.counted:
        return
    lost = msgspec.structs.replace(
        record, usage=usage, guess=guess, error=LOST, root=price_root(attempt.target.backend), limits={}
    )
    _complete_usage(lost, attempt)
    if lost.usage.input is not None or lost.usage.output is not None:
        guard.finished(make_entry(lost))


def _complete_usage(record: RequestRecord, attempt: Attempt) -> None:
    """Complete the usage of a generation: by an estimate where it was not told, with what the request says of the cost
    where the answer does not."""
    usage, context = record.usage, attempt.context
    missing = usage.input is None or usage.output is None
    if (missing or record.error) and attempt.sent:
        stream = record.stream or context.facts.stream
        read = estimate_input(context, b"").estimate
        end = _judge_end(record, attempt, stream=stream)
        estimate(record, end, read, writes=context.call.path != EMBEDDINGS.path)
    usage = record.usage
    if (record.tier or record.uncounted) and usage.input is not None:
        extras = usage.extras or Extras()
        tier, uncounted = extras.tier or record.tier, extras.uncounted or record.uncounted
        extras = msgspec.structs.replace(extras, tier=tier, uncounted=uncounted)
        record.usage = msgspec.structs.replace(usage, extras=extras)


def _judge_end(record: RequestRecord, attempt: Attempt, *, stream: bool) -> End:
    """How the answer of an attempt that was sent ended."""
    if not record.error:
        return "whole"
    upstream = attempt.upstream
    refused = record.error == "upstream_error" or upstream.status >= 400
    if refused or (not upstream.status and not attempt.delivered):
        return "refused"
    if stream or record.error == "client_gone":
        return "cut stream"
    return "cut"


def estimate(record: RequestRecord, end: End, tokens: int, *, writes: bool) -> None:
    """Estimate the token counts that the upstream did not give. tokens: of the input, by its size. writes: the answer
    is a model's text, no embeddings.

    What was refused is not billed, but for what its answer tells. The output of a cut stream, or of an answer that the
    client left, is estimated by what came; another answer that was cut may have been written whole.
    """
    if end == "refused":
        return
    usage = record.usage = copy_usage(record.usage)
    if usage.input is None:
        record.estimated = True
        read = (usage.cache_read or 0) + (usage.cache_write or 0)
        usage.input = min(max(0, tokens - read), MOST_TOKENS)
    if writes and (usage.output is None or end != "whole"):
        # Of an answer that was cut, the count is the one at the beginning of the stream, which is too low.
        record.estimated = True
        written = max(usage.output or 0, record.guess)
        if end == "cut":
            written = max(written, TYPICAL_OUTPUT if record.expected is None else record.expected)
        usage.output = min(written, MOST_TOKENS)


def _end_try(record: RequestRecord, status: int) -> None:
    """Fill in how the last try ended, unless that was noted before. status: of the last answer's head."""
    last = record.tries[-1]
    if not last.done:
        last.status, last.error = last.status or status, last.error or record.error
        last.text = last.text or record.text
