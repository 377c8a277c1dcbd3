"""What an upstream says of an error as the client may get it: without the secrets of the backend that was asked.

Hidden are the keys of all of the backend's accounts, the values of its configured headers that may be secret, and the
password of the proxy on the way to it. A credential of the caller's own, passed on with auth=client, is left: the
caller knows it. Good answers pass as they are but for the values of their header fields, and so does what a model
writes; in what is no output of a model the key that was sent is hidden too, since an error may have any form.
"""

from functools import lru_cache

from router.errors import RouterError
from router.exchange.attempt import Attempt
from router.exchange.upstream_response.large_work import run_large
from router.exchange.upstream_response.response import UpstreamResponse
from router.net.headers import Lines, index_by_name, relayed_values
from router.redaction import MARK, SEARCH_LIMIT, Redactor, remove_controls
from router.settings import Secret
from router.settings.secret_headers import SHORTEST
from router.wire.raw import scan, sse
from router.wire.raw.json import json_values

#: Searching a text of this size takes a millisecond or two, of hostile text ten times as long.
AT_ONCE = 16_384
# Events of a batch that hold the key. No model writes it in so many, and decoding each takes microseconds.
_LOOKED_AT = 64
# Members of what a model's answer, or an event of one, is made of, in any protocol: none is part of an error.
_OUTPUT = frozenset(("choices", "output", "content", "content_block", "delta", "response", "item", "part", "text"))


def redactor_of(attempt: Attempt) -> Redactor:
    """Removes the secrets of the attempt's backend."""
    service = attempt.place.service
    if not service.references:
        return service.redactor
    fetched = attempt.context.runtime.credentials.list_fetched(service.references)
    if attempt.target.secret is not None:
        fetched.append(attempt.target.secret)  # a newer one may have been fetched since
    return _extend(service.redactor, tuple(dict.fromkeys(fetched)))


@lru_cache(maxsize=64)
def _extend(redactor: Redactor, fetched: tuple[Secret, ...]) -> Redactor:
    return Redactor((*redactor.secrets, *(secret.reveal() for secret in fetched)))


def key_of(attempt: Attempt) -> bytes:
    """The key that the attempt sends, as an upstream repeats it; b"" for none, or for one that is like a word."""
    key = "" if attempt.target.secret is None else attempt.target.secret.reveal()
    return key.encode("utf-8", "surrogatepass") if len(key) >= SHORTEST else b""


def hide_key(body: bytes, key: bytes) -> bytes:
    """The body of a good answer that holds the key plainly, without it unless it is an output of a model."""
    return body if _is_output(body) else body.replace(key, MARK)


def hide_key_in_events(batch: bytes, key: bytes) -> bytes:
    """As `hide_key`, for whole events of a stream; those without the key are not looked at."""
    parts: list[bytes] = []
    at = 0
    for _ in range(_LOOKED_AT):
        hit = scan.find(batch, key, at)
        if hit < 0:
            break
        start = sse.find_last_border(batch, at, hit) or at
        end = sse.find_next_border(batch, hit)
        event = batch[start:end]
        # By its data: a comment is no output either.
        parts += (batch[at:start], event if _is_output(sse.parse_event(event).data) else event.replace(key, MARK))
        at = end
    return b"".join((*parts, batch[at:].replace(key, MARK)))


def _is_output(data: bytes) -> bool:
    found = json_values.look_at_object(data)
    return found is not None and not _OUTPUT.isdisjoint(found)


def has_suspect_head(attempt: Attempt, upstream: UpstreamResponse) -> bool:
    """A quick look: True for a head that `redact_head` must search."""
    service = attempt.place.service
    redactor = redactor_of(attempt) if service.references else service.redactor
    if not redactor.secrets or upstream.status >= 400:
        return bool(redactor.secrets)
    values = relayed_values(upstream.lines)
    values.append(upstream.reason)
    return redactor.suspects(values)


async def redact_head(attempt: Attempt, upstream: UpstreamResponse) -> None:
    """Remove secrets from the head of an upstream's answer, before anything of it is read or passed on."""
    lines, redactor = upstream.lines, redactor_of(attempt)
    if upstream.status >= 400:
        texts = [upstream.reason, *[part for line in lines for part in (line[0], line[2])]]
    else:
        # Of a good answer no more than what is suspect: searching takes much longer than the quick look.
        texts = [one for one in (upstream.reason, *relayed_values(lines)) if redactor.suspects([one])]
    whole = b"\n".join(texts)
    if await redact_body(attempt, whole) == whole:
        return
    large = len(whole) > AT_ONCE
    clean = await run_large(_redact_lines, redactor, lines) if large else _redact_lines(redactor, lines)
    upstream.reason = _redact_value(redactor, upstream.reason[:AT_ONCE])
    upstream.lines, upstream.fields = clean, index_by_name(clean)


def _redact_lines(redactor: Redactor, lines: Lines) -> Lines:
    # A name cannot hold the mark: such a field is left out.
    return [
        (spelled, name, _redact_value(redactor, value))
        for spelled, name, value in lines
        if redactor.redact(spelled) == spelled
    ]


def _redact_value(redactor: Redactor, value: bytes) -> bytes:
    found = redactor.redact(value)
    return MARK if found is None else found


async def redact_body(attempt: Attempt, body: bytes) -> bytes | None:
    """The body of an error without secrets; None for one that cannot be searched through, and must not be passed on."""
    redactor = redactor_of(attempt)
    if not AT_ONCE < len(body) <= SEARCH_LIMIT or not redactor:
        return redactor.redact(body)
    return await run_large(redactor.redact, body)


def redact_error(error: RouterError, attempt: Attempt | None) -> None:
    """Clean the message of an error of fairlead's own, which may quote an upstream: no secrets, and no characters that
    act on a terminal. attempt: the one that it ended, None when no upstream was asked."""
    message = error.message
    if attempt is not None:
        message = redactor_of(attempt).redact_text(message)
    error.message = remove_controls(message)
