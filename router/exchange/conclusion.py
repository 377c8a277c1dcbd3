"""The end of a request: its record is completed and given to the recorder."""

import msgspec

from router.backends.known import price_root
from router.exchange.attempt import Attempt
from router.exchange.context import Arrival
from router.policy.routing.clients import identify_client
from router.policy.routing.table import Route
from router.telemetry.accesslog import RequestRecord
from router.telemetry.recorder import BYTES_PER_TOKEN
from router.wire.headers.rate_limits import limit_headers
from router.wire.neutral.context import NOTE_LIMIT, format_losses
from router.wire.translate import Plan

#: Characters of a path that is stored: a head may hold one of 64 KiB, and thousands of entries may wait.
PATH_LIMIT = 200


def conclude(arrival: Arrival, attempt: Attempt | None) -> None:
    """Complete the record of a request, and record it. attempt: the one whose answer the client got, None for none.

    A generation whose usage cannot be read, or that was cut, is counted by an estimate and marked: input by the bytes
    of the request, output by the pieces that came.
    """
    record = arrival.record
    record.client = identify_client(arrival.request.fields)
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
    if (usage.input is None or usage.output is None or record.error) and arrival.call.counted and record.attempts:
        estimate(record, writes=arrival.call.path != "/v1/embeddings")
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


def estimate(record: RequestRecord, *, writes: bool) -> None:
    """Estimate the token counts that the upstream did not give. writes: the answer is a model's text, no embeddings."""
    if record.error == "upstream_error" or (record.status >= 400 and not record.estimated and record.guess == 0):
        return  # refused: it is not billed
    usage = record.usage
    if usage.input is None:
        record.estimated = True
        read = (usage.cache_read or 0) + (usage.cache_write or 0)
        usage.input = max(0, round(record.request_bytes / BYTES_PER_TOKEN) - read)
    if writes and (usage.output is None or record.error):
        # Of an answer that was cut, the count is the one at the beginning of the stream, which is too low.
        record.estimated = True
        usage.output = max(usage.output or 0, record.guess)


def _end_try(record: RequestRecord, status: int) -> None:
    """Fill in how the last try ended, unless that was noted before. status: of the last answer's head."""
    last = record.tries[-1]
    if not last.done:
        last.status, last.error = last.status or status, last.error or record.error
        last.text = last.text or record.text
