"""Reports a request that is being answered, for /status; the report reads what the request itself keeps."""

from router.exchange.attempt import Attempt
from router.exchange.client_response.relay import Relay
from router.exchange.context import Arrival
from router.operator_api.status import RunningRequest
from router.policy.routing.clients import identify_client
from router.telemetry.accesslog import BUDGET, EQUAL, KEY, KEY_LIMIT, QUEUE, RETRY, SEARCHING


def report_running(arrival: Arrival, attempt: Attempt | None, relay: Relay | None) -> RunningRequest:
    """The request as operators see it. attempt: the one under way. relay: of its stream, None while there is none."""
    record = arrival.record
    return RunningRequest(
        id=record.id,
        age_s=round(arrival.elapsed(), 1),
        model=record.model or "",
        client=identify_client(arrival.request.fields),
        tag=record.tag,
        backend=record.backend,
        account=record.account,
        attempts=record.attempts,
        tokens=None if relay is None else relay.tap.pieces,
        waits=_explain_waiting(arrival, attempt),
    )


def _explain_waiting(arrival: Arrival, attempt: Attempt | None) -> str:
    record = arrival.record
    if record.waits == EQUAL:
        return "the answer to an equal request"
    kind, _, name = record.waits.partition(" ")
    if kind == QUEUE:
        service = arrival.snapshot.services[name]
        return service.describe_limit(service.queue.held)
    if kind == KEY_LIMIT:
        return f"the limits of the key {name}"
    if kind == KEY:
        return f"the key of {record.backend}"
    if kind == RETRY:
        return "the next attempt"
    if kind == BUDGET:
        return "room in a budget"
    if record.waits == SEARCHING:
        return "a web search"
    if record.first_byte is not None:
        return ""
    if attempt is None:
        return f"an account of {record.backend}" if record.backend else "the rest of the request"
    return "the answer" if attempt.sent else f"a connection to {record.backend}"
