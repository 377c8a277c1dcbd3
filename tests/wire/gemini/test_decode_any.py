"""Any request of a Gemini caller ends in a legal request of another protocol, or in an error for the caller; reasoning
goes to the upstream that wrote it, and nothing sealed to anyone."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import RouterError
from router.wire import translate
from router.wire.conversation.sealed_state import PREFIX, StateSealer, make_signer
from router.wire.gemini.carriers import DUMMIES, MARK, CarriedThought, TextBinding, bind_call, pack

from ..test_legality import MODEL, legal_chat_request, legal_messages_request
from ..test_responses_legality import legal_responses_request
from ..translations import context
from .gemini_samples import BLOB, PDF

LEGAL = {
    "messages": legal_messages_request,
    "chat": legal_chat_request,
    "responses": legal_responses_request,
}
KEYS = st.sampled_from(
    ["contents", "parts", "role", "text", "inlineData", "inline_data", "mimeType", "mime_type", "data", "fileData",
     "fileUri", "functionCall", "function_call", "functionResponse", "id", "name", "args", "response", "output",
     "thought", "thoughtSignature", "thought_signature", "executableCode", "toolCall", "functionDeclarations",
     "parameters", "parametersJsonSchema", "type", "properties", "nullable", "items", "mode", "allowedFunctionNames",
     "functionCallingConfig", "thinkingConfig", "thinkingBudget", "thinkingLevel", "threshold", "schema", "x"]
)  # fmt: skip
WORDS = st.sampled_from(
    ["user", "model", "function", "image/png", "text/plain", "application/pdf", "application/json", "a", "", "QUJD",
     "ANY", "AUTO", "STRING", "OBJECT", "HIGH", "OFF", "https://a/b.png", "5", "\ud800", MARK, "models/x"]
)  # fmt: skip
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), WORDS, st.text(max_size=5))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=12
)
TOP = st.sampled_from(
    ["systemInstruction", "system_instruction", "tools", "toolConfig", "tool_config", "generationConfig", "model",
     "safetySettings", "generation_config", "labels", "cachedContent", "store", "serviceTier", "contents"]
)  # fmt: skip
PARTS = st.lists(st.dictionaries(KEYS, VALUES, max_size=2), max_size=3)
CONTENTS = st.lists(st.fixed_dictionaries({"parts": PARTS}, optional={"role": WORDS}), min_size=1, max_size=4)
CONFIGS = st.dictionaries(
    st.sampled_from(["temperature", "topK", "top_p", "stopSequences", "maxOutputTokens", "candidateCount", "seed",
                     "responseSchema", "responseJsonSchema", "responseMimeType", "responseFormat", "thinkingConfig",
                     "responseModalities"]),
    VALUES,
    max_size=4,
)  # fmt: skip
BODIES = st.builds(
    lambda fields, config, contents: {"contents": contents, "generationConfig": config, **fields},
    st.dictionaries(TOP, VALUES, max_size=3),
    CONFIGS,
    st.one_of(CONTENTS, CONTENTS, VALUES),
)


@pytest.mark.parametrize("target", LEGAL)
@settings(max_examples=300)
@given(body=BODIES)
def test_any_body(target, body):
    """It is translated to JSON, or refused for the caller to read why."""
    with contextlib.suppress(RouterError):
        json.loads(translate.request(json.dumps(body).encode(), "gemini", target, context()).body)


GENUINE, FOREIGN = "Z2VudWluZQ==", "Zm9yZWlnbg=="
IDS = st.sampled_from([None, "c1", "c2", "functions.look:0", "x" * 80, "call|1"])
NAMES = st.sampled_from(["look", "mcp.tool:x", "x" * 90])
SEALERS = [
    StateSealer(make_signer(b"key"), "up", MODEL),
    StateSealer(make_signer(b"key"), "up", "claude-haiku-5-5"),
    StateSealer(make_signer(b"key"), "elsewhere", MODEL),
    StateSealer(make_signer(b"stolen"), "up", MODEL),
]


def carried(sealer, bound):
    """A signature: that of this upstream carries genuine reasoning, all others a foreign one."""
    proof = GENUINE if sealer is SEALERS[0] else FOREIGN
    thoughts = (CarriedThought("hm", proof, ahead=True), CarriedThought(redacted=proof, ahead=True))
    return pack(thoughts, bound, sealer)


def bind(text):
    """What binds a signature to a text."""
    said = TextBinding()
    said.add(text)
    return said.bind()


SIGNATURES = st.one_of(
    st.sampled_from([None, None, *DUMMIES, FOREIGN, MARK + "junk"]),
    st.builds(carried, st.sampled_from(SEALERS), st.sampled_from([bind_call("c1"), bind("a"), bind("")])),
)


def sign(part, signature):
    """The part with a signature, unless it is None."""
    return part if signature is None else {**part, "thoughtSignature": signature}


TEXTS = st.sampled_from(["", " ", "a", "so\u2028"])
SAID = st.builds(lambda text, signature: sign({"text": text}, signature), TEXTS, SIGNATURES)
CALLS = st.builds(
    lambda name, call_id, args, signature: sign(
        {"functionCall": {"name": name, "args": args} | ({"id": call_id} if call_id else {})}, signature
    ),
    NAMES,
    IDS,
    st.sampled_from([{}, {"x": 1.0}, {"a": [{"b": None}]}]),
    SIGNATURES,
)
RESPONSES = st.builds(
    lambda name, call_id, output, parts: {
        "functionResponse": {"name": name, "response": output, "parts": parts} | ({"id": call_id} if call_id else {})
    },
    NAMES,
    IDS,
    st.sampled_from([{}, {"output": "ok"}, {"error": "no"}, {"$ref": "#/a"}, {"output": {"type": "object"}}]),
    st.sampled_from([None, [], [{"inlineData": BLOB}]]),
)
HISTORIES = st.lists(
    st.one_of(
        st.lists(
            st.one_of(TEXTS.map(lambda text: {"text": text}), RESPONSES, st.just({"inlineData": BLOB})),
            min_size=1,
            max_size=3,
        ).map(lambda parts: {"role": "user", "parts": parts}),
        st.lists(
            st.one_of(
                SAID, CALLS, st.just({"text": "hm", "thought": True}), st.just({"executableCode": {"code": "1"}})
            ),
            max_size=4,
        ).map(lambda parts: {"role": "model", "parts": parts}),
        st.just({"parts": [{"inlineData": PDF}]}),
    ),
    min_size=1,
    max_size=7,
).map(lambda contents: [*contents, {"role": "user", "parts": [{"text": "go"}]}])


@pytest.mark.parametrize(
    ("target", "vendor", "model"),
    [
        ("messages", "anthropic", MODEL),
        ("messages", "anthropic", "claude-sonnet-4-5"),
        ("chat", "", "m"),
        ("chat", "openai", "m"),
        ("chat", "mistral", "m"),
        ("chat", "deepseek", "m"),
        ("responses", "openai", "m"),
    ],
)
@settings(max_examples=150)
@given(contents=HISTORIES, level=st.sampled_from([None, "LOW", "HIGH"]))
def test_histories_become_legal_requests(target, vendor, model, contents, level):
    """Whatever the history holds: calls without ids or results, signatures of this upstream, of another, of none."""
    config = {"maxOutputTokens": 9000} | ({"thinkingConfig": {"thinkingLevel": level}} if level else {})
    body = json.dumps({"contents": contents, "generationConfig": config}).encode()
    try:
        made = json.loads(translate.request(body, "gemini", target, context(vendor, model=model)).body)
    except RouterError:
        return
    LEGAL[target](made)
    text = json.dumps(made)
    assert PREFIX not in text
    assert MARK not in text
    assert FOREIGN not in text
    if GENUINE in text:
        assert (target, model) == ("messages", MODEL)


@settings(max_examples=150)
@given(contents=HISTORIES)
def test_a_growing_conversation_keeps_its_prefix(contents):
    """What was sent once is sent the same when the conversation goes on: it stays in the upstream's prompt cache."""
    more = [*contents, {"role": "model", "parts": [{"text": "so"}]}, {"role": "user", "parts": [{"text": "on"}]}]
    sent = []
    for one in (contents, more):
        body = json.dumps({"contents": one}).encode()
        try:
            sent.append(json.loads(translate.request(body, "gemini", "chat", context()).body)["messages"])
        except RouterError:
            return
    shorter, longer = sent
    assert longer[: len(shorter)] == shorter
