"""What an upstream's answer means for its account and its request: the same whether it is relayed or translated.

The verdict comes from what the upstream itself said: its status, its fields, its error object. Only what the client
gets is in the client's protocol.
"""

import json

import pytest
import trio
from trio.testing import MockClock

from router.wire import translate_errors

from . import attempts
from .attempts import JSON, PROTOCOLS, Answer, tried

STATUSES = (400, 401, 402, 403, 404, 408, 409, 413, 422, 425, 429, 451, 498, 500, 502, 503, 504, 520, 524, 529)
HTML = (b"content-type", b"text/html")
LONG, SHORT = (b"retry-after", b"30"), (b"retry-after", b"2")
#: How long an account is left alone: by default, without quota, by LONG, by SHORT, by the limits it tells of.
MINUTE, QUOTA, HALF, BURST, TOLD = 60, 600, 30, 2, 90


def error(spoken, kind, *, code=None, said="It did not work."):
    """An error as a protocol has it; Messages knows no code beside the type."""
    if spoken == "messages":
        return {"type": "error", "error": {"type": code or kind, "message": said}}
    return {"error": {"message": said, "type": kind, "param": None, "code": code}}


def told(spoken):
    """Fields that tell of a limit that is used up for TOLD seconds."""
    if spoken != "messages":
        names = (b"x-ratelimit-limit-tokens", b"x-ratelimit-remaining-tokens", b"x-ratelimit-reset-tokens")
        return tuple(zip(names, (b"100", b"0", b"%ds" % TOLD), strict=True))
    date = (b"date", b"Sat, 01 Aug 2026 12:00:00 GMT")
    names = tuple(b"anthropic-ratelimit-tokens-" + name for name in (b"limit", b"remaining", b"reset"))
    return (date, *zip(names, (b"100", b"0", b"2026-08-01T12:01:30Z"), strict=True))


# Name -> (what a 429 of this form closes its account for, fields and body by protocol).
FORMS = {
    "nothing": (MINUTE, lambda _: ((), b"")),
    "a page": (MINUTE, lambda _: ((HTML,), b"<html><title>Sorry</title></html>")),
    "text": (MINUTE, lambda _: (((b"content-type", b"text/plain"),), b"upstream connect error")),
    "half": (MINUTE, lambda spoken: ((JSON,), json.dumps(error(spoken, "server_error")).encode()[:-3])),
    "a broken coding": (MINUTE, lambda _: ((JSON, (b"content-encoding", b"gzip")), b'{"error":"no"}')),
    "a coding unheard of": (MINUTE, lambda _: ((JSON, (b"content-encoding", b"x-own")), b'{"error":"no"}')),
    "message alone": (MINUTE, lambda _: ((JSON,), b'{"message":"no"}')),
    "detail": (MINUTE, lambda _: ((JSON,), b'{"detail":"no"}')),
    "error text": (MINUTE, lambda _: ((JSON,), b'{"error":"no"}')),
    "no more quota": (QUOTA, lambda spoken: _form(spoken, "insufficient_quota", code="insufficient_quota")),
    "quota in words": (
        QUOTA,
        lambda spoken: _form(spoken, "rate_limit_error", said="You exceeded your current quota, check your plan."),
    ),
    "no more credit": (
        QUOTA,
        lambda spoken: _form(spoken, "invalid_request_error", said="Your credit balance is too low."),
    ),
    "quota, then a wait": (
        QUOTA,
        lambda spoken: _form(spoken, "insufficient_quota", LONG, code="insufficient_quota"),
    ),
    "a rate": (MINUTE, lambda spoken: _form(spoken, "rate_limit_error", code="rate_limit_exceeded")),
    "a rate for long": (HALF, lambda spoken: _form(spoken, "rate_limit_error", LONG)),
    "a rate for a moment": (BURST, lambda spoken: _form(spoken, "rate_limit_error", SHORT)),
    "a limit": (TOLD, lambda spoken: _form(spoken, "rate_limit_error", *told(spoken))),
    "too long": (MINUTE, lambda spoken: _form(spoken, "invalid_request_error", code="context_length_exceeded")),
    "a bad key": (MINUTE, lambda spoken: _form(spoken, "authentication_error", code="invalid_api_key")),
    "no such model": (MINUTE, lambda spoken: _form(spoken, "not_found_error", code="model_not_found")),
    "overloaded": (MINUTE, lambda spoken: _form(spoken, "overloaded_error")),
    "a bill": (MINUTE, lambda spoken: _form(spoken, "billing_error")),
    "its own fault": (MINUTE, lambda spoken: _form(spoken, "api_error")),
    "a type of its own": (MINUTE, lambda spoken: _form(spoken, "strange_error", code="E17")),
}


def _form(spoken, kind, *fields, **more):
    return (JSON, *fields), json.dumps(error(spoken, kind, **more)).encode()


#: Forms that say in any status that money is used up.
NO_MONEY = ("no more quota", "no more credit", "quota, then a wait")


def expected(status, form):
    """What becomes of the attempt, and of its account: done, state, seconds closed to the model."""
    if status == 402 or form in NO_MONEY:
        return "parked", "parked", QUOTA
    if status == 429:
        return "parked", "parked", FORMS[form][0]
    if status == 401:
        return "cooled", "cooling", MINUTE
    if status == 403:
        return "cooled", "ready", MINUTE
    if form == "too long":
        return "", "ready", 0
    return ("moved" if status >= 500 else ""), "ready", 0


# Name -> the status that an error inside a 200 stands for, and its object; of OpenAI's protocols, and of Messages.
INSIDE = {
    "rate": (429, {"type": "rate_limit_error", "code": "rate_limit_exceeded"}),
    "quota": (429, {"type": "insufficient_quota", "code": "insufficient_quota"}),
    "number": (429, {"code": 429}),
    "too long": (400, {"type": "invalid_request_error", "code": "context_length_exceeded"}),
    "prompt": (400, {"code": "invalid_prompt"}),
    "model": (404, {"code": "model_not_found"}),
    "server": (500, {"type": "server_error", "code": "server_error"}),
    "unsaid": (502, {}),
    **{f"number {status}": (status, {"code": status}) for status in STATUSES},
}
INSIDE_MESSAGES = {
    "rate": (429, {"type": "rate_limit_error"}),
    "quota": (429, {"type": "insufficient_quota"}),
    "prompt": (400, {"type": "invalid_request_error"}),
    "key": (401, {"type": "authentication_error"}),
    "bill": (402, {"type": "billing_error"}),
    "permission": (403, {"type": "permission_error"}),
    "model": (404, {"type": "not_found_error"}),
    "size": (413, {"type": "request_too_large"}),
    "server": (500, {"type": "api_error"}),
    "time": (504, {"type": "timeout_error"}),
    "overloaded": (529, {"type": "overloaded_error"}),
    "strange": (502, {"type": "strange_error"}),
}


def inside(spoken):
    return INSIDE_MESSAGES if spoken == "messages" else INSIDE


def in_body(spoken, found):
    """A plain 200 that holds the error."""
    said = {"error": {"message": "no", **found}}
    return Answer(200, (JSON,), json.dumps({"type": "error", **said} if spoken == "messages" else said).encode())


def in_stream(spoken, found):
    """A stream whose first event that says anything is the error."""
    found = {"message": "no", **found}
    if spoken == "messages":
        start = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": {}}
        events = [{"type": "message_start", "message": start}, {"type": "error", "error": found}]
    elif spoken == "chat":
        delta = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
        events = [{"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [delta]}, {"error": found}]
    else:
        begun = {"id": "r", "object": "response", "status": "in_progress", "model": "m", "output": [], "error": None}
        failed = {**begun, "status": "failed", "error": found}
        events = [{"type": "response.created", "response": begun}, {"type": "response.failed", "response": failed}]
    named = "" if spoken == "chat" else "event: {type}\n"
    body = "".join(f"{named.format(type=one.get('type'))}data: {json.dumps(one)}\n\n" for one in events)
    return Answer(200, ((b"content-type", b"text/event-stream"),), body.encode())


@pytest.fixture
def outcomes(made):
    """Has each answer given to callers of some protocols, by the first account or by both; the outcomes by caller."""
    runtime = made(*attempts.two_accounts())

    def run(spoken, answers, *callers, stream, both=False):
        async def main():
            return {
                caller: [
                    await tried(runtime, caller, spoken, answer, stream=stream, second=answer if both else None)
                    for answer in answers
                ]
                for caller in callers
            }

        return trio.run(main, clock=MockClock(autojump_threshold=0))

    return run


def others(spoken):
    return [one for one in PROTOCOLS if one != spoken]


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("spoken", PROTOCOLS)
def test_an_error_is_judged_by_what_the_upstream_said(outcomes, spoken, stream):
    """Each status in each form: the same attempts, account states and records for callers of all protocols, and those
    of the table."""
    cases = [(status, form) for status in STATUSES for form in FORMS]
    answers = [Answer(status, *FORMS[form][1](spoken)) for status, form in cases]
    found = outcomes(spoken, answers, spoken, *others(spoken), stream=stream)
    for case, relayed in zip(cases, found[spoken], strict=True):
        done, state, closed = expected(*case)
        assert (relayed.tries[0][3], relayed.state, relayed.closed) == (done, state, closed), case
        # Also one that another account then serves.
        kind = "context_overflow" if case[1] == "too long" else "upstream_error"
        assert relayed.tries[0][1:3] == (case[0], kind), case
        assert [one[0] for one in relayed.tries] == (["a0", "a1"] if done else ["a0"]), case
        assert (relayed.shown[0] == 200) is bool(done), case
    for caller in others(spoken):
        differing = {
            case: (one.verdict, other.verdict)
            for case, one, other in zip(cases, found[spoken], found[caller], strict=True)
            if one.verdict != other.verdict
        }
        assert differing == {}, f"{caller} on {spoken}: {len(differing)} of {len(cases)}"


@pytest.mark.parametrize("form", [in_body, in_stream])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("spoken", PROTOCOLS)
def test_an_error_inside_a_200_is_judged_by_what_the_upstream_said(outcomes, spoken, stream, form):
    """A body or a first event that is an error counts as the status it stands for at its upstream."""
    cases = inside(spoken)
    answers = [form(spoken, one) for _, one in cases.values()]
    found = outcomes(spoken, answers, spoken, *others(spoken), stream=stream)
    for (name, (status, _)), relayed in zip(cases.items(), found[spoken], strict=True):
        done, state, _ = expected(status, "nothing")
        closed = QUOTA if name == "quota" else expected(status, "nothing")[2]
        assert (relayed.tries[0][1], relayed.tries[0][3], relayed.state, relayed.closed) == (
            status,
            done,
            state,
            closed,
        ), name
    for caller in others(spoken):
        differing = {
            name: (one.verdict, other.verdict)
            for name, one, other in zip(cases, found[spoken], found[caller], strict=True)
            if one.verdict != other.verdict
        }
        assert differing == {}, f"{caller} on {spoken}"


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("spoken", PROTOCOLS)
def test_an_error_that_stays_is_given_in_the_callers_protocol(outcomes, spoken, stream):
    """Once no account is left, the client gets the error as its protocol has it, whatever it was judged by."""
    forms = ("no more quota", "too long", "a bad key", "a type of its own", "error text")
    cases = [(status, form) for status in (400, 401, 402, 403, 404, 408, 422, 451, 498) for form in forms]
    cases.append((429, "no more quota"))
    answers = [Answer(status, *FORMS[form][1](spoken)) for status, form in cases]
    found = outcomes(spoken, answers, *others(spoken), stream=stream, both=True)
    for caller in others(spoken):
        for (status, form), answer, one in zip(cases, answers, found[caller], strict=True):
            assert one.shown == translate_errors.failure(answer.body, status, spoken, caller), (status, form)
            assert len(one.tries) == (2 if expected(status, form)[0] else 1), (status, form)
            assert one.error == ("context_overflow" if form == "too long" else "upstream_error"), (status, form)
