"""A request that is too long for its model, in every provider's words; and what only sounds like it."""

import json
import os
from pathlib import Path

import pytest

from router.ir.overflow import Overflow
from router.wire import translate, translate_errors
from router.wire.errors.overflow import is_overflow, read_overflow
from router.wire.errors.overflow_texts import say_to_anthropic, say_to_openai
from router.wire.protocols import BY_NAME

from ...overflows import OTHERS, WORDINGS
from ..translations import DONE, chunk, context, events, streamed

FIXTURES = Path(os.environ.get("FAIRLEAD_FIXTURES") or Path(__file__).parents[4] / "shared" / "fixtures")
ANTHROPIC = "prompt is too long: 213462 tokens > 200000 maximum"


def recorded():
    folder = FIXTURES / "faults" / "03-context-length"
    return sorted(folder.glob("*.upstream.json")) if folder.is_dir() else []


def check_messages(status, body):
    error = json.loads(body)["error"]
    assert (status, error["type"]) == (400, "invalid_request_error")
    assert error["message"].startswith(("prompt is too long", "input length and `max_tokens` exceed context limit: "))


def check_openai(status, body):
    error = json.loads(body)["error"]
    assert (status, error["type"], error["code"]) == (400, "invalid_request_error", "context_length_exceeded")


def error_of(body):
    """The error object of a body in any form."""
    body = body[0] if isinstance(body, list) else body
    error = body.get("error", body)
    return {"message": error} if isinstance(error, str) else error


@pytest.mark.parametrize("provider", WORDINGS)
def test_callers_read_it_in_their_own_words(provider):
    """The phrase that clients of Messages look for, the code that those of OpenAI's protocols look for; always 400."""
    status, found, numbers = WORDINGS[provider]
    body = json.dumps(found).encode()
    for spoken in ("chat", "messages", "responses"):
        assert translate_errors.read_fault(body, status, spoken).overflow == numbers
    check_openai(*translate_errors.failure(body, status, "chat", "responses"))
    check_openai(*translate_errors.failure(body, status, "responses", "chat"))
    made = translate_errors.failure(body, status, "chat", "messages")
    if provider == "anthropic, output":
        assert json.loads(made[1])["error"] == {"type": "invalid_request_error", "message": error_of(found)["message"]}
    else:
        check_messages(*made)
    if "metadata" not in error_of(found) and "detail" not in found:
        assert error_of(found)["message"] in json.loads(made[1])["error"]["message"]


# The numbers that are known -> the message's beginning for Messages, and for Chat and Responses.
TEXTS = {
    "all": (
        {"input": 9001, "max_input": 8192},
        "prompt is too long: 9001 tokens > 8192 maximum (no)",
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens. Please "
        "reduce the length of the messages. (no)",
    ),
    "a sum": (
        {"total": 9001, "window": 8192},
        "prompt is too long: 9001 tokens > 8192 maximum (no)",
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens. Please "
        "reduce the length of the messages. (no)",
    ),
    "only the limit": (
        {"window": 8192},
        "prompt is too long: 8193 tokens > 8192 maximum (no)",
        "This model's maximum context length is 8192 tokens. However, your messages resulted in more. Please reduce "
        "the length of the messages. (no)",
    ),
    "only the request": (
        {"input": 9001},
        "prompt is too long: 9001 tokens (no)",
        "The request's 9001 tokens exceed the model's maximum context length. Please reduce the length of the "
        "messages. (no)",
    ),
    "numbers that contradict each other": (
        {"input": 100, "window": 8192},
        "prompt is too long: 8193 tokens > 8192 maximum (no)",
        "This model's maximum context length is 8192 tokens. However, your messages resulted in more. Please reduce "
        "the length of the messages. (no)",
    ),
    "an output that does not fit": (
        {"input": 20000, "output": 32000, "window": 32768},
        "input length and `max_tokens` exceed context limit: 20000 + 32000 > 32768, decrease input length or "
        "`max_tokens` and try again (no)",
        "This model's maximum context length is 32768 tokens. However, you requested 52000 tokens (20000 in the "
        "messages, 32000 in the completion). Please reduce the length of the messages or completion. (no)",
    ),
    "too little room for any output": (
        {"input": 32000, "output": 32000, "window": 32768},
        "prompt is too long: 64000 tokens > 32768 maximum (no)",
        "This model's maximum context length is 32768 tokens. However, you requested 64000 tokens (32000 in the "
        "messages, 32000 in the completion). Please reduce the length of the messages or completion. (no)",
    ),
    "nothing": (
        {},
        "prompt is too long: no",
        "The request exceeds the model's maximum context length. Please reduce the length of the messages. (no)",
    ),
}


@pytest.mark.parametrize("known", TEXTS)
def test_the_texts_hold_what_is_known(known):
    """No number is made up but the least that the protocol's words allow, one token over the limit."""
    numbers, anthropic, openai = TEXTS[known]
    assert say_to_anthropic(Overflow(**numbers), "no") == anthropic
    assert say_to_openai(Overflow(**numbers), "no") == openai


@pytest.mark.parametrize(
    "message",
    [
        "prompt is too long: 9223372036854775807 tokens > 9223372036854775808 maximum",
        "This model's maximum context length is 0 tokens. However, your messages resulted in 0 tokens.",
        "request (99999999999999999999999999999999 tokens) exceeds the available context size (1 tokens)",
        "The input token count (1,,,,,,,,,,,,,,,,,,,,,,,) exceeds the maximum number of tokens allowed (,).",
    ],
)
def test_absurd_numbers_are_ignored(message):
    """The error is recognised, and says nothing of tokens."""
    found = read_overflow({"n_ctx": 1 << 63, "n_prompt_tokens": -1}, message)
    assert found is not None
    assert (found.limit, found.window, found.max_input, found.total) == (None,) * 4
    assert found.input in (None, 1)


@pytest.mark.parametrize("path", recorded(), ids=lambda path: path.stem)
def test_recorded_answers(path):
    """As providers sent them."""
    check_messages(*translate_errors.failure(path.read_bytes(), 400, "chat", "messages"))
    check_openai(*translate_errors.failure(path.read_bytes(), 400, "chat", "responses"))


@pytest.mark.parametrize(
    "body", [{"error": {"message": ANTHROPIC}}, {"message": ANTHROPIC, "code": "x"}, {"detail": ANTHROPIC}]
)
def test_answers_outside_the_form(body):
    """A flat object, one of another framework, and Gemini's list."""
    for encoded in (json.dumps(body), json.dumps([body]), f" {json.dumps([body], indent=1)}\n"):
        check_openai(*translate_errors.failure(encoded.encode(), 400, "chat", "responses"))
        check_messages(*translate_errors.failure(encoded.encode(), 400, "chat", "messages"))


@pytest.mark.parametrize("caller", ["chat", "responses"])
@pytest.mark.parametrize(
    "said", [ANTHROPIC, "the input length exceeds the context length", "Prompt exceeds max length"]
)
@pytest.mark.parametrize("status", [400, 413, 500])
def test_messages_upstreams(caller, said, status):
    """Anthropic's own words, and those of local servers that speak its protocol."""
    body = json.dumps({"type": "error", "error": {"type": "invalid_request_error", "message": said}}).encode()
    check_openai(*translate_errors.failure(body, status, "messages", caller))


@pytest.mark.parametrize("provider", WORDINGS)
def test_errors_inside_a_stream(provider):
    """As the first event, and behind text; the status of the first is the upstream's own protocol's too."""
    error = error_of(WORDINGS[provider].body)
    if "detail" in error:
        pytest.skip("no event has that form")
    event = b"data: " + json.dumps({"error": error}).encode() + b"\n\n"
    for begun in (b"", chunk({"content": "a"})):
        [*_, last] = events(streamed([begun + event], "chat", target="messages"))
        assert last["error"]["message"].startswith(("prompt is too long", "input length and `max_tokens` exceed"))
        *_, flat, failed = events(streamed([begun + event], "chat", target="responses"))
        assert flat["code"] == flat["error"]["code"] == "context_length_exceeded"
        assert failed["response"]["error"]["code"] == "context_length_exceeded"
    assert translate_errors.failure_in(event, "chat").status == 400


@pytest.mark.parametrize("provider", WORDINGS)
@pytest.mark.parametrize("target", ["messages", "responses"])
def test_errors_inside_a_200(provider, target):
    """A whole answer that holds an error has the status that it should have had."""
    error = error_of(WORDINGS[provider].body)
    if "detail" in error:
        pytest.skip("no answer has that form")
    body = json.dumps({"error": error}).encode()
    made = translate.answer(body, "chat", target, context(), stream=False)
    {"messages": check_messages, "responses": check_openai}[target](made.status, made.body)
    assert BY_NAME["chat"].dialect.failure(json.loads(body)).status == 400


@pytest.mark.parametrize("kind", OTHERS)
def test_what_only_sounds_like_it(kind):
    """Limits of a rate, of the output and of other things stay what they are: a shorter conversation does not help."""
    status, message = OTHERS[kind]
    assert not is_overflow(message, status=status)
    made = translate_errors.failure(json.dumps({"error": {"message": message}}).encode(), status, "chat", "messages")
    assert not json.loads(made[1])["error"]["message"].startswith("prompt is too long:")


def test_a_good_stream_that_says_the_words():
    """Text is no error."""
    made = streamed([chunk({"content": ANTHROPIC}) + chunk({}, "stop") + DONE], "chat")
    assert b"event: error" not in made


def test_the_search_is_bounded():
    """Only the beginning of a text is searched: what stands far behind is not seen, however often it begins to fit."""
    assert is_overflow("x" * 1000 + ANTHROPIC)
    assert not is_overflow("input token count " * 100_000 + ANTHROPIC)
