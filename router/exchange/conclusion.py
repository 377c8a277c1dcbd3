"""The end of a request: its record is completed, and handed to those who tell of it."""

import msgspec

from router.exchange.context import Ticket
from router.policy.routing.clients import client_of
from router.telemetry.accesslog import RequestRecord
from router.telemetry.recorder import BYTES_PER_TOKEN
from router.wire.headers.rate_limits import telling

#: Characters of a path that is kept: a head may hold one of 64 KiB, and thousands of entries may wait.
PATH_LIMIT = 200


def conclude(ticket: Ticket) -> None:
    """Complete `ticket.record` and record the request. A generation whose usage cannot be read, or that was cut, is
    counted by an estimate and marked: by the bytes sent, and by the pieces that came."""
    record, upstream = ticket.record, ticket.upstream
    record.client = client_of(ticket.request.fields)
    status = 0
    if upstream is not None:
        status = upstream.status
        # A few fields of its head, which is large; they are read where many are at a time.
        record.limits = record.limits or telling(upstream.fields)
    usage = record.usage
    if (usage.input is None or usage.output is None or record.error) and ticket.call.generates and record.attempts:
        estimate(record, writes=ticket.call.path != "/v1/embeddings")
    if record.tries:
        _end_attempt(record, status)
    if ticket.target is not None:
        record.root = ticket.target.backend.root
    if ticket.plan is not None:
        record.losses = "; ".join(f"{loss.path}={loss.how}" for loss in ticket.plan.ctx.losses)
    if ticket.kept or len(record.path) > PATH_LIMIT:
        # What waits is not bounded in bytes otherwise.
        path = record.path[:PATH_LIMIT]
        record = msgspec.structs.replace(record, path=path, request_body=b"", answer_body=b"")
    ticket.runtime.recorder.add_finished(record)


def estimate(record: RequestRecord, *, writes: bool) -> None:
    """Fill in what the upstream did not say of a generation. writes: the answer is text of a model, not embeddings."""
    if record.error == "upstream_error" or (record.status >= 400 and not record.estimated and record.guess == 0):
        return  # refused: nobody pays for it
    usage = record.usage
    if usage.input is None:
        record.estimated = True
        read = (usage.cache_read or 0) + (usage.cache_write or 0)
        usage.input = max(0, round(record.request_bytes / BYTES_PER_TOKEN) - read)
    if writes and (usage.output is None or record.error):
        # Cut short: the count that stands at a stream's beginning says nothing of its end.
        record.estimated = True
        usage.output = max(usage.output or 0, record.guess)


def _end_attempt(record: RequestRecord, status: int) -> None:
    """Fill in how the last attempt ended, where that was not said. status: of the last answer's head."""
    last = record.tries[-1]
    if not last.done:
        last.status, last.error = last.status or status, last.error or record.error
