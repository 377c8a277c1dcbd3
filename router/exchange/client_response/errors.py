"""The errors of upstreams as clients get them: without secrets, in a form and in words that their protocol has."""

from router.backends.advice import advise_error
from router.errors import BadGateway
from router.exchange.attempt import Attempt
from router.exchange.client_response.head import JSON, relayed_headers, send_response
from router.exchange.error_text import describe_body, describe_error
from router.exchange.redaction import redact_body, redact_error, redactor_of
from router.exchange.request import resource_affinity
from router.exchange.request.overflow import reword_error
from router.exchange.upstream_errors import add_advice
from router.exchange.upstream_response.response import UpstreamResponse
from router.exchange.usage import note_error_usage
from router.net.headers import Lines
from router.wire import dialect
from router.wire.errors import texts
from router.wire.errors.history_text import find_title, is_markup
from router.wire.raw import scan
from router.wire.raw.json import json_values

#: Bytes of the largest error that is passed on.
ERROR_LIMIT = 1 << 20
# Of the seconds until a request may be repeated.
_DIGITS = 9
#: Said of an error that cannot be searched for keys.
TOO_LARGE = "an error that is too long, or coded too often, to be passed on"


async def respond_with_error(attempt: Attempt, response: UpstreamResponse, body: bytes, readable: bytes) -> None:
    """Send an error that was read whole. readable: its body without content coding."""
    context, record = attempt.context, attempt.context.record
    status, lines = response.status, response.lines
    record.error = "upstream_error"
    redacted = await redact_body(attempt, readable)
    if redacted is None or len(body) > ERROR_LIMIT:
        await respond_without_json(attempt, response, b"", TOO_LARGE)
        return
    if attempt.plan is None:
        note_error_usage(attempt, readable)
    record.text = describe_refusal(attempt, redacted)
    sent = body
    if redacted != readable or (body is not readable and await redact_body(attempt, body) != body):
        sent = readable = redacted
    coding = find_coding(response, sent, readable)
    reworded = None if coding else reword_error(attempt, status, readable)
    if reworded is not None:
        status, sent = reworded
        readable = sent
        record.text = record.text or describe_refusal(attempt, sent)
        lines = [*(line for line in lines if line[1] != b"content-type"), JSON]
    elif json_values.look_at_object(bytes(readable)) is None:
        if texts.decode_body(readable) is None:
            await respond_without_json(attempt, response, readable, coding)
            return
        sent = readable = bytes(readable).strip()[1:-1]  # Gemini's list of one error, which no SDK reads
    told = _tell_wait(attempt, lines, readable)
    if told is not readable:
        sent = readable = told
    if sent is not body:
        lines = [line for line in lines if line[1] != b"content-encoding"]
    resource_affinity.remember_answer(attempt, response, readable)
    headers = relayed_headers(attempt, response, lines=lines)
    await send_response(context, status, headers, sent, response.reason, readable=readable)


def _tell_wait(attempt: Attempt, lines: Lines, body: bytes) -> bytes:
    """The error's body, with the seconds of `retry-after` in it where the caller's protocol has them there."""
    tell = attempt.context.call.entry.tell_wait
    wait = next((line[2] for line in lines if line[1] == b"retry-after"), b"")
    return tell(body, int(wait)) if tell is not None and wait.isdigit() and len(wait) < _DIGITS else body


async def respond_without_json(
    attempt: Attempt, response: UpstreamResponse, body: bytes | bytearray, coding: str = ""
) -> None:
    """Answer in the caller's form, with the same status, for an error that is no JSON: a gateway's page, or nothing.
    coding: what is said of a body whose content coding cannot be read."""
    context = attempt.context
    cause = "path" if response.status in (404, 405) else ""
    error = BadGateway(
        f"Backend {attempt.route.backend.name} answered {response.status} with {coding or quote(response, body)}.",
        cause=cause,
    )
    add_advice(error, attempt)
    redact_error(error, attempt)
    context.record.text = context.record.text or describe_error(context, error, redactor_of(attempt))
    error.status = response.status
    error.kind = dialect.anthropic_kind(response.status)
    headers = relayed_headers(attempt, response, drop=(b"content-type", b"content-encoding"))
    headers.append(JSON)
    await send_response(context, response.status, headers, context.call.dialect.error_body(error, context.record.id))


def find_coding(response: UpstreamResponse, body: bytes | bytearray, readable: bytes | bytearray) -> str:
    """What is wrong with a body whose content coding cannot be read, "" for others. readable: the body without it."""
    if readable or not body:
        return ""
    coding = response.fields.get(b"content-encoding", b"").decode("latin-1")
    return f"a body in the content coding {_clean(coding[:40])}, which cannot be read" if coding else ""


def quote(response: UpstreamResponse, body: bytes | bytearray) -> str:
    """A short text for a body that is no JSON, without control characters."""
    if scan.is_blank(body):
        return "an empty body"
    if b"html" in response.fields.get(b"content-type", b"").lower() or is_markup(body):
        text = (find_title(body) or "").strip()
        return "an HTML page" + (f" ({_clean(text)})" if text else "")
    return f"the text: {_clean(bytes(body[: dialect.QUOTE_LIMIT]).decode('utf-8', 'replace'))}"


def _clean(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text[: dialect.QUOTE_LIMIT]).strip()


def describe_refusal(attempt: Attempt, body: bytes | bytearray) -> str:
    """The text of an upstream's error for the history. What is known to help against it is noted in the record."""
    text = describe_body(attempt.context, body, redactor_of(attempt))
    # AWS has the kind of an error in a header alone: `ThrottlingException:http://...`.
    kind = attempt.upstream.fields.get(b"x-amzn-errortype", b"")[:80].decode("latin-1").partition(":")[0]
    if kind.isalnum() and kind not in text:
        text = f"{kind}: {text}" if text else kind
    hint = advise_error(attempt.target.backend, text)
    if hint:
        attempt.context.record.note(hint)
    return text
