"""Codes and types of errors, where no HTTP status tells what they are: read as they are written."""

import json

import pytest

from router.ir import Fault
from router.wire import dialect, openai, translate_errors
from router.wire.errors import codes
from router.wire.protocols import BY_NAME

from ..translations import chunk, events, streamed

#: Code or type -> the type that Messages callers get, and the status with which an answer begins.
MEANT = {
    "overloaded": ("overloaded_error", 529),
    "server_is_overloaded": ("overloaded_error", 529),
    "slow_down": ("overloaded_error", 529),
    "engine_overloaded_error": ("overloaded_error", 529),
    "service_unavailable_error": ("overloaded_error", 529),
    "UNAVAILABLE": ("overloaded_error", 529),
    "overloaded_error": ("overloaded_error", 529),
    "too_many_requests": ("rate_limit_error", 429),
    "rate_limit_exceeded": ("rate_limit_error", 429),
    "RESOURCE_EXHAUSTED": ("rate_limit_error", 429),
    "rate-limit-exceeded": ("rate_limit_error", 429),
    "timeout": ("timeout_error", 504),
    "invalid_api_key": ("authentication_error", 401),
    "permission_denied": ("permission_error", 403),
    "model_not_found": ("not_found_error", 404),
    "request_too_large": ("request_too_large", 413),
    "insufficient_quota": ("billing_error", 402),
    "INVALID_ARGUMENT": ("invalid_request_error", 400),
    "server_error": ("api_error", 500),
    "a_word_of_its_own": ("api_error", 500),
}
FIELDS = ["code", "type", "status"]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("word", MEANT)
def test_a_word_in_a_stream(word, field):
    """Messages callers get the type that they repeat on, also behind text, and the status when nothing was sent."""
    if (word, field) in (("insufficient_quota", "type"), ("insufficient_quota", "status")):
        pytest.skip("only a code tells an empty account from a limit")
    kind, status = MEANT[word]
    event = b"data: " + json.dumps({"error": {"message": "busy", field: word}}).encode() + b"\n\n"
    [*_, last] = events(streamed([chunk({"content": "a"}) + event], "chat", target="messages"))
    assert (last["type"], last["error"]["type"]) == ("error", kind)
    failure = BY_NAME["messages"].dialect.failure(last)
    assert failure.status == status


@pytest.mark.parametrize("kind", [one for one in openai._FOR_OPENAI if one not in ("conflict_error", "api_error")])
def test_what_is_written_is_read(kind):
    """An error of Messages that became one of OpenAI's protocols means the same when it is read again."""
    status, body = openai.encode_error(Fault(400, kind, "the model said no"))
    again = openai.decode_error(json.loads(body), 0)
    assert again.kind == kind
    assert openai.encode_error(again)[0] == status


@pytest.mark.parametrize("word", [None, 7, [], {}, "", "x" * 100_000, "OK"])
def test_what_is_no_code(word):
    """Other values mean nothing."""
    assert codes.find_status(word) is None
    assert dialect.error_status({"message": "m", "code": word}) == 502


def test_a_number_wins():
    """A code that is a status is taken before any word."""
    assert dialect.error_status({"code": 429, "type": "server_error"}) == 429
    assert dialect.error_status({"code": "503", "type": "invalid_request_error"}) == 503


@pytest.mark.parametrize("word", ["overloaded", "server_is_overloaded", "slow_down"])
def test_codex_tries_an_overload_again(word):
    """In a failed response an overload is `server_error`: at `server_is_overloaded` Codex gives up for good."""
    event = b"data: " + json.dumps({"error": {"message": "busy", "code": word}}).encode() + b"\n\n"
    *_, failed = events(streamed([chunk({"content": "a"}) + event], "chat", target="responses"))
    assert failed["response"]["error"] == {"code": "server_error", "message": f"busy ({word})"}


@pytest.mark.parametrize("source", ["chat", "messages"])
def test_an_empty_account_in_a_failed_response(source):
    """Codex ends the turn at `insufficient_quota`, and tries `server_error` again."""
    body = {
        "chat": {"error": {"message": "no money", "code": "insufficient_quota"}},
        "messages": {"type": "error", "error": {"type": "billing_error", "message": "no money"}},
    }[source]
    event = f"event: error\ndata: {json.dumps(body)}\n\n".encode()
    *_, failed = events(streamed([event], source, target="responses"))
    assert failed["response"]["error"]["code"] == "insufficient_quota"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("model: claude-9", "model_not_found"),
        ("claude-9 does not exist or you have no access to it", "model_not_found"),
        ("mock not_found_error", "model_not_found"),
        ("The requested resource could not be found", None),
        ("Not Found", None),
        ("File file_1 does not exist", None),
        ("No such path: /v1/messages", None),
    ],
)
@pytest.mark.parametrize("caller", ["chat", "responses"])
def test_a_404_of_messages(message, code, caller):
    """It is about the model unless it names something else: Codex repeats a 404 without that code six times."""
    body = {"type": "error", "error": {"type": "not_found_error", "message": message}}
    status, made = translate_errors.failure(json.dumps(body).encode(), 404, "messages", caller)
    assert (status, json.loads(made)["error"]["code"]) == (404, code)


@pytest.mark.parametrize("body", [{"detail": "Not Found"}, {"error": {"message": "gone"}}])
def test_a_404_that_is_not_of_messages(body):
    """A server's own 404, for a path, is no missing model."""
    made = translate_errors.failure(json.dumps(body).encode(), 404, "messages", "responses")
    assert json.loads(made[1])["error"]["code"] is None
