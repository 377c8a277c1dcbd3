"""A request that is too long for its model, in every provider's words; and what only sounds like it."""

import json
import os
from pathlib import Path

import pytest

from router.wire import translate
from router.wire.errors.overflow import is_overflow
from router.wire.protocols import BY_NAME

from ..translations import DONE, chunk, context, events, streamed

FIXTURES = Path(os.environ.get("FAIRLEAD_FIXTURES") or Path(__file__).parents[4] / "shared" / "fixtures")
#: Provider -> the error object it sends, and the status.
PROVIDERS = {
    "openai": (
        400,
        {
            "message": "Your input exceeds the context window of this model. Please adjust your input and try again.",
            "type": "invalid_request_error",
            "code": "context_length_exceeded",
        },
    ),
    "openai, no code": (
        400,
        {"message": "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001."},
    ),
    "deepseek": (
        400,
        {
            "message": "This model's maximum context length is 1048565 tokens. However, you requested 1250025 tokens.",
            "type": "invalid_request_error",
            "code": "invalid_request_error",
        },
    ),
    "openrouter": (
        400,
        {
            "message": "This endpoint's maximum context length is 200000 tokens. However, you requested about 2500021.",
            "code": 400,
        },
    ),
    "openrouter, of a provider": (
        400,
        {
            "message": "Provider returned error",
            "code": 400,
            "metadata": {
                "raw": '{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 '
                'tokens > 8 maximum"}}',
                "provider_name": "Anthropic",
            },
        },
    ),
    "ollama, cloud": (
        400,
        {"message": "prompt too long; exceeded max context length by 1119046 tokens (ref: 9)", "code": None},
    ),
    "ollama": (400, {"message": "the input length exceeds the context length", "type": "invalid_request_error"}),
    "lm studio": (
        400,
        {
            "message": "The number of tokens to keep from the initial prompt is greater than the context length. Try "
            "to load the model with a larger context length, or provide a shorter input"
        },
    ),
    "perplexity": (
        400,
        {
            "message": "The total length of all messages is too long.",
            "type": "too_many_prompt_tokens",
            "code": 400,
        },
    ),
    "vllm": (
        400,
        {
            "message": "This model's maximum context length is 32768 tokens. However, you requested 40000 tokens "
            "(36000 in the messages, 4000 in the completion). Please reduce the length of the messages or completion.",
            "type": "BadRequestError",
            "code": 400,
        },
    ),
    "sglang": (400, {"message": "The input (40000 tokens) is longer than the model's context length (32768 tokens)."}),
    "llama.cpp": (
        400,
        {
            "message": "the request exceeds the available context size, try increasing it",
            "type": "exceed_context_size_error",
            "n_prompt_tokens": 9000,
            "n_ctx": 4096,
        },
    ),
    "llama.cpp, older": (500, {"message": "the request exceeds the available context size.", "type": "server_error"}),
    "mistral": (
        400,
        {
            "message": "Prompt contains 65673 tokens and 0 draft tokens, too large for model with 32768 maximum "
            "context length",
            "type": "invalid_request_prompt",
            "code": "3051",
        },
    ),
    "groq": (
        400,
        {"message": "Please reduce the length of the messages or completion.", "type": "invalid_request_error"},
    ),
    "gemini": (
        400,
        {
            "message": "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).",
            "code": 400,
            "status": "INVALID_ARGUMENT",
        },
    ),
    "xai": (
        400,
        {"message": "This model's maximum prompt length is 131072 but the request contains 537812 tokens."},
    ),
    "bedrock": (400, {"message": "Input is too long for requested model."}),
    "fireworks": (400, {"message": "The prompt is too long: 140000, model maximum context length: 131071"}),
    "moonshot": (400, {"message": "Invalid request: Your request exceeded model token limit: 8192"}),
    "z.ai": (400, {"message": "Prompt exceeds max length", "code": "1261"}),
    "alibaba": (400, {"message": "<400> InternalError: Range of input length should be [1, 258048]"}),
    "minimax": (400, {"message": "invalid params, context window exceeds limit (2013)"}),
    "copilot": (
        400,
        {
            "message": "prompt token count of 135000 exceeds the limit of 128000",
            "code": "model_max_prompt_tokens_exceeded",
        },
    ),
    "a server of its own words": (422, {"message": "The conversation exceeds the maximum context length."}),
}
ANTHROPIC = "prompt is too long: 213462 tokens > 200000 maximum"
#: Texts about something else.
OTHERS = {
    "the rate of a minute": (
        413,
        "Request too large for model `m` on tokens per minute (TPM): Limit 6000, Requested 9000, please reduce your "
        "message size. Please reduce the length of the messages.",
    ),
    "a throttle": (400, "Too many tokens, please wait before trying again."),
    "a throttle that names the context": (400, "ThrottlingException: exceeds the context window quota, rate limited"),
    "an output limit": (
        400,
        "max_tokens is too large: 99999. This model supports at most 16384 completion tokens; its maximum context "
        "length is 128000.",
    ),
    "both output limits": (
        400,
        "'max_tokens' or 'max_completion_tokens' is too large: 40000. This model's maximum context length is 32768 "
        "tokens and your request has 500 input tokens.",
    ),
    "a 429": (429, "This request would exceed your limit: prompt is too long for your tier"),
    "a string": (400, "Invalid 'messages[0].content': string too long. Expected a string with maximum length 1048576."),
    "a wrong field": (400, "context_length must be a number"),
    "no text": (400, ""),
}


def recorded():
    folder = FIXTURES / "faults" / "03-context-length"
    return sorted(folder.glob("*.upstream.json")) if folder.is_dir() else []


def check_messages(status, body):
    error = json.loads(body)["error"]
    assert (status, error["type"]) == (400, "invalid_request_error")
    assert error["message"].startswith("prompt is too long")


def check_openai(status, body):
    error = json.loads(body)["error"]
    assert (status, error["type"], error["code"]) == (400, "invalid_request_error", "context_length_exceeded")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_callers_read_it_in_their_own_words(provider):
    """The phrase that clients of Messages look for, the code that those of OpenAI's protocols look for; always 400."""
    status, error = PROVIDERS[provider]
    body = json.dumps({"error": error}).encode()
    check_messages(*translate.failure(body, status, "chat", "messages"))
    check_openai(*translate.failure(body, status, "chat", "responses"))
    check_openai(*translate.failure(body, status, "responses", "chat"))
    assert error["message"] in translate.failure(body, status, "chat", "messages")[1].decode() or "metadata" in error


@pytest.mark.parametrize("path", recorded(), ids=lambda path: path.stem)
def test_recorded_answers(path):
    """As providers sent them."""
    check_messages(*translate.failure(path.read_bytes(), 400, "chat", "messages"))
    check_openai(*translate.failure(path.read_bytes(), 400, "chat", "responses"))


@pytest.mark.parametrize(
    "body", [{"error": {"message": ANTHROPIC}}, {"message": ANTHROPIC, "code": "x"}, {"detail": ANTHROPIC}]
)
def test_answers_outside_the_form(body):
    """A flat object, one of another framework, and Gemini's list."""
    for encoded in (json.dumps(body), json.dumps([body]), f" {json.dumps([body], indent=1)}\n"):
        check_openai(*translate.failure(encoded.encode(), 400, "chat", "responses"))
        check_messages(*translate.failure(encoded.encode(), 400, "chat", "messages"))


@pytest.mark.parametrize("caller", ["chat", "responses"])
@pytest.mark.parametrize(
    "said", [ANTHROPIC, "the input length exceeds the context length", "Prompt exceeds max length"]
)
@pytest.mark.parametrize("status", [400, 413, 500])
def test_messages_upstreams(caller, said, status):
    """Anthropic's own words, and those of local servers that speak its protocol."""
    body = json.dumps({"type": "error", "error": {"type": "invalid_request_error", "message": said}}).encode()
    check_openai(*translate.failure(body, status, "messages", caller))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_errors_inside_a_stream(provider):
    """As the first event, and behind text; the status of the first is the upstream's own protocol's too."""
    _, error = PROVIDERS[provider]
    event = b"data: " + json.dumps({"error": error}).encode() + b"\n\n"
    for begun in (b"", chunk({"content": "a"})):
        [*_, last] = events(streamed([begun + event], "chat", target="messages"))
        assert last["error"]["message"].startswith("prompt is too long")
        *_, flat, failed = events(streamed([begun + event], "chat", target="responses"))
        assert flat["code"] == flat["error"]["code"] == "context_length_exceeded"
        assert failed["response"]["error"]["code"] == "context_length_exceeded"
    assert translate.failure_in(event, "chat").status == 400


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("target", ["messages", "responses"])
def test_errors_inside_a_200(provider, target):
    """A whole answer that holds an error has the status that it should have had."""
    body = json.dumps({"error": PROVIDERS[provider][1]}).encode()
    made = translate.answer(body, "chat", target, context(), stream=False)
    {"messages": check_messages, "responses": check_openai}[target](made.status, made.body)
    assert BY_NAME["chat"].dialect.failure(json.loads(body)).status == 400


@pytest.mark.parametrize("kind", OTHERS)
def test_what_only_sounds_like_it(kind):
    """Limits of a rate, of the output and of other things stay what they are: a shorter conversation does not help."""
    status, message = OTHERS[kind]
    assert not is_overflow(message, status=status)
    made = translate.failure(json.dumps({"error": {"message": message}}).encode(), status, "chat", "messages")
    assert not json.loads(made[1])["error"]["message"].startswith("prompt is too long:")


def test_a_good_stream_that_says_the_words():
    """Text is no error."""
    made = streamed([chunk({"content": ANTHROPIC}) + chunk({}, "stop") + DONE], "chat")
    assert b"event: error" not in made


def test_the_search_is_bounded():
    """Only the beginning of a text is searched: what stands far behind is not seen, however often it begins to fit."""
    assert is_overflow("x" * 1000 + ANTHROPIC)
    assert not is_overflow("input token count " * 100_000 + ANTHROPIC)
