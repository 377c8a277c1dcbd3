"""When a request is sent again, where, and after how long. Nothing here applies once a byte of an answer reached the
client.

The same account first: what fairlead changes in a request, and sends again at once. Each change makes its own condition
false, so none follows itself.

    change       condition                                      safe   maybe_executed   not_replayable
    CONNECTION   the connection had served before, and broke    yes    if nothing was   no
                 off before a byte of a response came                  written
    PROBE        400 that names stream_options, which           yes    yes              no
                 fairlead had added to learn the usage
    THINKING     400: the signature of earlier reasoning is     yes    yes              no
                 invalid, since another upstream wrote it
    SEARCHES     400 about the results of earlier web           yes    yes              no
                 searches, which another upstream made
    KEY          401, or 403 that says that it has expired, to  yes    yes              no
                 a key that was fetched (by a command, from a
                 keyring, of a login or cloud), once a request

Then, where no change applies or it did not help, the fault of the attempt decides:

    fault              what it was                                       safe   maybe_executed   not_replayable
    HALTED             the guard lets nothing go to this account         yes    yes              yes
    NOT_CONNECTED      no key, no name, no connection, no TLS            yes    yes              yes
    AUTH_REJECTED      401, 403                                          yes    yes              no
    REQUEST_REJECTED   403 about what the request holds, or where it     yes    yes              no
                       comes from; 413 with more tokens than a limit of
                       rate allows
    LIMITED            429, or a 413 that says when to try again; 402,   yes    yes              no
                       or words that say that the account's money is
                       used up
    UNREADABLE_STATE   400: it cannot read what the input holds sealed   yes    yes              no
    FAILED             5xx, also as the error inside a 200               yes    no               no
    NO_RESPONSE        no head in time, broke off, or a stream without   yes    no               no
                       content that fell silent

    safe             generation, embeddings, count_tokens; what only reads
    maybe_executed   Responses that store, run in the background, follow another or use tools of the server; every other
                     POST and DELETE: once it may have been carried out, it is not sent again
    not_replayable   a body that is not in memory

After a fault: a burst (a limit that ends in a moment) is waited for where the session's cache is, or where
there is no other account; else the next account that is ready, then the fallback chain. When none is left, a limit that
ends inside the queue's timeout is waited for; and what failed with all that were ready, or with one while the others
are closed, is tried again at the steadiest of them: where there are several accounts, a client does not notice that one
stumbled while the others rest. One account without fallback is left to the client's own retries, which are more
patient.
To one account a request is sent REPEATS times again at most, after a wait with jitter; no attempt begins later than
LATEST seconds after the request arrived.
"""

import enum
import re
from collections.abc import Callable
from typing import Literal, NamedTuple

from router.wire.gemini import foreign_signatures
from router.wire.messages import foreign_thinking

REPEATS = 2
LATEST = 240.0
_BACKOFF = 0.5

RetrySafety = Literal["safe", "maybe_executed", "not_replayable"]


# The same account again


class ResendChange(enum.Enum):
    """What is changed before a request goes to the same account again; the first table at the top of this file."""

    CONNECTION = "a new connection"
    PROBE = "without stream_options"
    THINKING = "without earlier thinking"
    SEARCHES = "with earlier searches as text"
    KEY = "a newly fetched key"


class SendResult(NamedTuple):
    """What came of sending a request once, as far as the first table asks. Make it when a send broke off or was
    answered with 400, 401 or 403: for everything else no change applies."""

    #: HTTP status of the response; 0 when the connection broke off before a head came.
    status: int = 0
    #: True once a byte of a response came.
    answered: bool = False
    #: The connection had served another request before.
    reused: bool = False
    #: Any of the request may have reached the upstream.
    written: bool = True
    #: The request held a stream_options that fairlead had added.
    probed: bool = False
    #: The request went out in the Messages protocol with all the reasoning of earlier turns.
    thinking: bool = False
    #: It did so with results of web searches that no upstream can read.
    searches: bool = False
    #: The key was fetched from where a reference points, and not yet fetched anew for this request.
    fetched_key: bool = False
    #: The answer says that the key, or what it was made of, has expired.
    key_expired: bool = False


class Resend(NamedTuple):
    """A row of the first table."""

    change: ResendChange
    #: The condition, apart from what the body of a 400 says.
    applies: Callable[[SendResult], bool]
    #: What the body of the answer must hold; None where it does not matter.
    complaint: re.Pattern[bytes] | None
    #: The class of error that the failed try gets in the record of the request's attempts.
    error: str
    #: The line for the record's notes, '' for none.
    note: str = ""


def _broke_while_idle(sent: SendResult) -> bool:
    return sent.status == 0 and sent.reused and not sent.answered


def _may_lack_usage(sent: SendResult) -> bool:
    return sent.status == 400 and sent.probed


def _may_reject_thinking(sent: SendResult) -> bool:
    return sent.status == 400 and sent.thinking


def _may_reject_searches(sent: SendResult) -> bool:
    return sent.status == 400 and sent.searches


def _has_old_key(sent: SendResult) -> bool:
    return sent.fetched_key and (sent.status == 401 or (sent.status == 403 and sent.key_expired))


_USAGE = re.compile(rb"stream_options")
_THINKING = re.compile(b"|".join(one.REFUSED.pattern for one in (foreign_thinking, foreign_signatures)))
RESENDS = (
    Resend(ResendChange.CONNECTION, _broke_while_idle, None, "stale_connection"),
    Resend(ResendChange.PROBE, _may_lack_usage, _USAGE, "upstream_error", "sent again without stream_options"),
    Resend(
        ResendChange.THINKING, _may_reject_thinking, _THINKING, "upstream_error", "sent again without earlier thinking"
    ),
    Resend(
        ResendChange.SEARCHES,
        _may_reject_searches,
        foreign_thinking.UNREADABLE,
        "upstream_error",
        "sent again with earlier searches as text",
    ),
    Resend(ResendChange.KEY, _has_old_key, None, "upstream_error"),
)


def needs_body(sent: SendResult, safety: RetrySafety) -> bool:
    """True when `choose_resend` hangs on the body of the answer, which has to be read for it."""
    return safety != "not_replayable" and any(row.complaint is not None and row.applies(sent) for row in RESENDS)


def choose_resend(sent: SendResult, safety: RetrySafety, body: bytes = b"") -> Resend | None:
    """How to send the request to the same account again, None when the fault of the attempt decides.

    body: the answer's, or its beginning; needed where `needs_body` says so.
    """
    if safety == "not_replayable" or (safety != "safe" and sent.status == 0 and sent.written):
        return None
    for row in RESENDS:
        if row.applies(sent) and (row.complaint is None or row.complaint.search(body)):
            return row
    return None


# What went wrong


class Fault(enum.Enum):
    """What went wrong with an attempt; the second table at the top of this file."""

    HALTED = "is halted"
    NOT_CONNECTED = "could not be reached"
    AUTH_REJECTED = "refused the key"
    REQUEST_REJECTED = "refused what was asked"
    LIMITED = "is at a limit"
    UNREADABLE_STATE = "cannot read what is sealed"
    FAILED = "failed"
    NO_RESPONSE = "did not answer"


_RESENT_AFTER: dict[RetrySafety, frozenset[Fault]] = {
    "safe": frozenset(Fault),
    "maybe_executed": frozenset(Fault) - {Fault.FAILED, Fault.NO_RESPONSE},
    "not_replayable": frozenset((Fault.HALTED, Fault.NOT_CONNECTED)),
}
# They may pass by themselves in a moment.
_PASSING = (Fault.NOT_CONNECTED, Fault.FAILED, Fault.NO_RESPONSE)
# They close the account, and say nothing of the others.
_OF_ACCOUNT = (Fault.LIMITED, Fault.AUTH_REJECTED)


def is_passing(fault: Fault | None) -> bool:
    """True for a fault that may pass by itself in a moment."""
    return fault in _PASSING


def may_resend(fault: Fault, safety: RetrySafety) -> bool:
    """True when a request may be sent again after this fault."""
    return fault in _RESENT_AFTER[safety]


# What follows


class RetryState(NamedTuple):
    """How far a request has come."""

    #: Another account is ready, or the chain goes on.
    others: bool
    #: Its session has a cache where it was sent.
    bound: bool
    #: How often it was sent to an account a second time.
    repeats: int
    #: There is more than one account for it, or a chain.
    several: bool
    #: Seconds since it arrived.
    elapsed: float
    #: Seconds until the first of those that are parked is ready again.
    ready: float
    #: Seconds it may still wait in the queue.
    patience: float
    #: An account failed it before in a way that may pass by itself.
    stumbled: bool = False


class RetryDecision(NamedTuple):
    """What follows a fault."""

    #: Go to another place, ask again where it was, or give the client what there is.
    action: Literal["move", "again", "stop"]
    #: Seconds to wait before it.
    delay: float = 0.0
    #: It is the end of a limit that is waited for.
    limit: bool = False


STOP = RetryDecision("stop")


def decide_next(
    fault: Fault, safety: RetrySafety, state: RetryState, *, burst: bool = False, jitter: float = 0.5
) -> RetryDecision:
    """What to do after a fault. burst: a 429 that ends soon. jitter: a number from 0 to 1."""
    if not may_resend(fault, safety) or state.elapsed >= LATEST:
        return STOP
    again = state.repeats < REPEATS
    waits = again and state.ready <= state.patience and state.elapsed + state.ready < LATEST
    if burst and waits and state.bound:
        return RetryDecision("again", _spread(state.ready, jitter), limit=True)
    if state.others:
        return RetryDecision("move")
    stumbled = state.stumbled and fault in _OF_ACCOUNT and state.ready <= 0
    if fault is Fault.LIMITED and waits and not stumbled:
        return RetryDecision("again", _spread(state.ready, jitter), limit=True)
    if (stumbled or is_passing(fault)) and again and state.several:
        return RetryDecision("again", _BACKOFF * 2**state.repeats * (1 + jitter))
    return STOP


def _spread(ready: float, jitter: float) -> float:
    """What requests that wait for one account wait beside the queue, so that they do not come back together."""
    return min(1.0, ready / 4) * jitter


# Which of several errors tells the client most: when it will work again, what to mend, what happened.
_RANKS = {429: 0, 401: 1, 402: 1, 403: 2, 529: 3, 503: 3}


#: Behind all errors that an upstream answered with.
LAST = (9, True)


def rank_error(status: int, *, own: bool) -> tuple[int, bool]:
    """The place of an error among those of one request; the lowest is the one to give. own: fairlead's words, not the
    upstream's."""
    return _RANKS.get(status, 4), own


def format_duration(seconds: float) -> str:
    """A length of time for people: 8 s, 38 min, 5 h, 3 days."""
    if seconds < 100:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s".replace(".0 s", " s")
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86_400:.0f} days"
