"""Errors of Google's API: what they mean, and how others' errors are written."""

import json

import pytest
import yaml

from router.errors import Halted, RateLimited
from router.ir import Fault
from router.policy.accounts import retry
from router.policy.accounts.verdict import classify_answer, read_cooldown
from router.wire.errors import overflow
from router.wire.gemini import errors
from router.wire.protocols import GEMINI, MESSAGES

from .recordings import FIXTURES


def status_of(code, message, status="INVALID_ARGUMENT", *details):
    """A body in Google's form."""
    error = {"code": code, "message": message, "status": status, **({"details": list(details)} if details else {})}
    return {"error": error}


INVALID = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}
READ = [
    (status_of(400, "API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT", INVALID), 401),
    (status_of(400, "API key expired. Please renew the API key."), 401),
    (status_of(400, "User location is not supported for the API use.", "FAILED_PRECONDITION"), 403),
    (status_of(400, "Request payload size exceeds the limit: 20971520 bytes."), 413),
    (status_of(400, 'Unknown name "x": Cannot find field.'), 400),
    (status_of(401, "Request had invalid authentication credentials.", "UNAUTHENTICATED"), 401),
    (status_of(403, "Permission denied.", "PERMISSION_DENIED"), 403),
    (status_of(404, "models/x is not found for API version v1beta", "NOT_FOUND"), 404),
    (status_of(429, "Resource exhausted.", "RESOURCE_EXHAUSTED"), 429),
    (status_of(499, "The operation was cancelled.", "CANCELLED"), 500),
    (status_of(500, "An internal error has occurred.", "INTERNAL"), 500),
    (status_of(503, "The model is overloaded.", "UNAVAILABLE"), 529),
    (status_of(504, "Deadline expired.", "DEADLINE_EXCEEDED"), 504),
]


@pytest.mark.parametrize(("body", "status"), READ, ids=lambda value: str(value)[:60])
@pytest.mark.parametrize("inside", [False, True], ids=["answer", "stream"])
def test_an_error_has_one_meaning(body, status, inside):
    """The status that an error means is the same in an answer and inside a stream, where only the body tells it."""
    found = errors.decode_error(body, 0 if inside else body["error"]["code"])
    assert (found.status, found.message) == (status, body["error"]["message"])
    assert found.code == ("model_not_found" if status == 404 else None)


def test_what_is_no_error_is_none():
    """A body with candidates holds no error."""
    assert errors.decode_error({"candidates": []}, 200) is None


def test_a_request_that_is_too_long_is_told_to_every_caller():
    """Google's words are read with their numbers, and written for callers of Messages in theirs, and back."""
    said = "The input token count (1196265) exceeds the maximum number of tokens allowed (1048576)."
    found = errors.decode_error(status_of(400, said), 400)
    assert (found.code, found.overflow.input, found.overflow.limit) == (overflow.CODE, 1196265, 1048576)
    _, body = MESSAGES.codec.encode_error(found)
    assert b"prompt is too long: 1196265 tokens > 1048576 maximum" in body
    told = MESSAGES.codec.decode_error(json.loads(body), 400)
    status, written = errors.encode_error(Fault(400, told.kind, "too long", told.code, overflow=told.overflow))
    assert (status, json.loads(written)["error"]["message"]) == (400, f"{said} (too long)")


@pytest.mark.parametrize(
    ("status", "sent", "word"),
    [
        (400, 400, "INVALID_ARGUMENT"),
        (401, 401, "UNAUTHENTICATED"),
        (402, 402, "FAILED_PRECONDITION"),
        (403, 403, "PERMISSION_DENIED"),
        (404, 404, "NOT_FOUND"),
        (409, 409, "ABORTED"),
        (413, 413, "INVALID_ARGUMENT"),
        (429, 429, "RESOURCE_EXHAUSTED"),
        (500, 500, "INTERNAL"),
        (501, 501, "UNIMPLEMENTED"),
        (502, 502, "INTERNAL"),
        (503, 503, "UNAVAILABLE"),
        (504, 504, "DEADLINE_EXCEEDED"),
        (529, 503, "UNAVAILABLE"),
    ],
)
def test_a_fault_is_written_with_googles_words(status, sent, word):
    """Status, code and word agree; Google has no 529."""
    found, body = errors.encode_error(Fault(status, "api_error", "why"))
    assert (found, json.loads(body)) == (sent, {"error": {"code": sent, "message": "why", "status": word}})


def test_own_errors_tell_the_wait():
    """RetryInfo holds the seconds of retry-after; the stop of a budget is a 402, which no client of it repeats."""
    body = json.loads(GEMINI.dialect.error_body(RateLimited("slow", retry_after=12), "req"))
    assert body["error"]["details"] == [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12s"}]
    halted = json.loads(GEMINI.dialect.error_body(Halted("no money"), "req"))
    assert halted == {"error": {"code": 402, "message": "no money", "status": "FAILED_PRECONDITION"}}
    assert GEMINI.halt_status == 402


def test_a_wait_is_added_once():
    """An error that tells a wait keeps it, and what is no error stays as it is."""
    told = errors.tell_wait(b'{"error":{"code":429,"message":"m"}}', 7)
    assert json.loads(told)["error"]["details"][0]["retryDelay"] == "7s"
    assert errors.tell_wait(told, 9) is told
    for body in (b"[]", b"<html>", b'{"candidates":[]}'):
        assert errors.tell_wait(body, 7) is body


def test_a_wrong_key_is_the_accounts_failure():
    """A 400 that says that the key is not valid, or the place not served, leads to the next account."""
    for message in (
        "API key not valid. Please pass a valid API key.",
        "User location is not supported for the API use.",
    ):
        body = json.dumps(status_of(400, message)).encode()
        assert classify_answer(400, body) is retry.Fault.AUTH_REJECTED
    assert classify_answer(400, json.dumps(status_of(400, "Unknown name")).encode()) is None
    quoted = json.dumps(status_of(400, "The text 'api key not valid' was refused.")).encode()
    assert classify_answer(400, quoted) is None


def recorded(name):
    """Status and body of a recorded answer."""
    answer = yaml.safe_load((FIXTURES / f"{name}.yml").read_text())["http_interactions"][0]["response"]
    return answer["status"]["code"], answer["body"]["string"].encode()


@pytest.mark.skipif(not FIXTURES.is_dir(), reason="the recorded answers are not here")
def test_recorded_errors():
    """Google's own answers: a wrong key is refused, and a limit closes the one model for as long as it says."""
    status, body = recorded("400_api_key_invalid")
    assert status == 400
    assert classify_answer(status, body) is retry.Fault.AUTH_REJECTED
    assert errors.decode_error(json.loads(body), status).status == 401
    status, body = recorded("429_input_tokens_per_minute")
    assert classify_answer(status, body) is retry.Fault.LIMITED
    found = read_cooldown({}, body, "flash", "gemini-2.5-flash", status=status)
    assert (found.kind, found.models) == ("window", "gemini-2.5-flash")
    assert 48 <= found.seconds <= 49
