"""What became of an attempt, as the answer of its upstream says: its fault, and what the client may get of it."""

from router.errors import BadGateway, RouterError, Unauthenticated, UpstreamTimeout
from router.exchange.attempt import Attempt
from router.exchange.client_response.errors import describe_refusal
from router.exchange.client_response.respond import error_of_200, read_error, respond
from router.exchange.client_response.translation import translate_error, translate_response
from router.exchange.failover.failure import AttemptFailure
from router.exchange.request.overflow import note_overflow
from router.exchange.upstream_response.content_coding import decode_readable
from router.exchange.upstream_response.error_peek import SEALED_REFUSED, peek_body
from router.exchange.upstream_response.response import UpstreamResponse
from router.exchange.upstream_response.translated import TranslatedResponse
from router.exchange.usage import note_error_usage
from router.policy.accounts.retry import Fault
from router.policy.accounts.session_key import find_family
from router.policy.accounts.verdict import classify_answer, read_cooldown, says_expired
from router.wire.dialect import Failure
from router.wire.tap import failure_of


async def find_fault(upstream: UpstreamResponse, *, sealed: bool) -> Fault | None:
    """The fault that an error stands for by its status, or by what it says; None for one that is final. sealed: the
    request holds data that not every account can read."""
    fault = classify_answer(upstream.status)
    if fault is None:
        body = await peek_body(upstream)
        if sealed and upstream.status == 400 and SEALED_REFUSED.search(body):
            return Fault.UNREADABLE_STATE
        fault = classify_answer(upstream.status, await decode_readable(upstream, body))
    return fault


async def read_failure(attempt: Attempt, fault: Fault | None) -> AttemptFailure | None:
    """Read an error answer whole, since another attempt may follow. One that is too large is sent to the client."""
    found = await read_error(attempt)
    if found is None:
        if attempt.context.connection.started:
            raise BadGateway(f"Backend {attempt.route.backend.name} answered {attempt.upstream.status} at length.")
        if attempt.plan is not None:
            await translate_response(attempt, attempt.plan)
        await respond(attempt, attempt.response)
        return None
    response, readable = found
    note_error_usage(attempt, readable)
    outcome = translate_error(attempt, response, readable)
    if readable and fault is not Fault.UNREADABLE_STATE:
        fault = classify_answer(attempt.upstream.status, readable)
    return _judge(attempt, fault, Failure(attempt.upstream.status, readable), outcome)


async def find_failure(attempt: Attempt) -> Failure:
    """The error in an answer that is no stream, for a client that was sent the head of one. Raises BadGateway for any
    other answer."""
    response, translated = attempt.response, attempt.translated
    if isinstance(translated, TranslatedResponse):
        failure = None if translated.failure is None else Failure(response.status, b"".join(await response.read()))
    else:
        found = await read_error(attempt)
        failure = None if found is None else failure_of(attempt.context.call.dialect, found[1])
    if failure is None:
        raise BadGateway(f"Backend {attempt.route.backend.name} answered {response.status} without a stream.")
    return failure


def judge_error(attempt: Attempt, failure: Failure) -> AttemptFailure:
    """The failure of an attempt that was answered with an error inside a 200, which is judged by the status that it
    should have had. failure: in the caller's protocol."""
    translated = attempt.translated
    own = (translated.failure if translated is not None else None) or failure
    return _judge(attempt, classify_answer(own.status, own.body), own, error_of_200(attempt, failure))


def _judge(attempt: Attempt, fault: Fault | None, failure: Failure, outcome: UpstreamResponse) -> AttemptFailure:
    """The failure of an attempt, as the upstream's own status, fields and body say. outcome: what the client gets if
    no other attempt does better."""
    fields = attempt.upstream.fields
    hold = None
    if fault is Fault.LIMITED:
        model = attempt.route.model or ""
        hold = read_cooldown(fields, failure.body, find_family(model), model, status=failure.status)
    text = describe_refusal(attempt, failure.body)
    note_overflow(attempt, failure.status, failure.body)
    found = AttemptFailure(
        attempt=attempt,
        fault=fault,
        status=failure.status,
        outcome=outcome,
        fields=fields,
        hold=hold,
        key_expired=says_expired(failure.status, failure.body),
        text=text,
    )
    if fault is Fault.AUTH_REJECTED and attempt.target.reference is not None and found.skew:
        attempt.context.record.note(f"this machine's clock is {found.skew}, by that of {attempt.route.backend.name}")
    return found


def classify_error(error: RouterError, *, sent: bool) -> Fault:
    """The fault of an attempt that ended with an error of fairlead's own. sent: the request went out."""
    if isinstance(error, Unauthenticated):
        return Fault.AUTH_REJECTED  # the account has no usable key
    if not sent:
        return Fault.NOT_CONNECTED
    return Fault.NO_RESPONSE if isinstance(error, UpstreamTimeout) else Fault.FAILED
