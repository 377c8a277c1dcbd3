"""The official SDKs read translated streams as they read the same answers when these come whole.

Python's SDKs are in the test extra. Node's are used where `node` is and FAIRLEAD_NODE_MODULES names a folder in which
`npm install @anthropic-ai/sdk openai` was run, and the AI SDK where `npm install ai @ai-sdk/anthropic @ai-sdk/openai
@ai-sdk/openai-compatible` was run there too.
"""

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

import anthropic
import httpx
import httpx2
import openai
import pytest

from router.wire import translate, translate_errors

from .kinds.judges import by_node, seen, seen_by_ai
from .responses_samples import RESPONSES, began, frames, text_item
from .test_responses_streams import whole
from .test_translate_streams import SAMPLES, recorded
from .translations import DONE, chunk, context, event, events, streamed

FAILED = {
    "chat": chunk({"content": "a"}) + b'data: {"error": {"code": 503, "message": "too busy"}}\n\n',
    "messages": event("message_start", message={"id": "m", "usage": {}})
    + event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    + event("content_block_delta", index=0, delta={"type": "text_delta", "text": "a"})
    + event("error", error={"type": "overloaded_error", "message": "too busy"}),
    "responses": frames(*began(), *text_item(0, "a", ends=False), {"type": "error", "message": "too busy"}),
}
TARGETS = {
    "messages": ("chat", "responses"),
    "chat": ("messages", "responses"),
    "responses": ("messages", "chat"),
}


def cases():
    """Protocols of the upstream and the client, and a stream: made up, and recorded where recordings are at hand."""
    samples = {**SAMPLES, "responses": RESPONSES}
    found = [pytest.param(source, data, id=f"sample-{source}") for source, data in samples.items()]
    files = {
        "messages": recorded("anthropic", without=("duplicate", "incomplete")),
        "chat": recorded("compat") + recorded("openai-chat"),
    }
    for source, params in files.items():
        for param in params:
            [data] = param.values
            if source == "chat":
                chunks = events(data)
                if any(one.get("error") for one in chunks):
                    continue
                if not any(one.get("choices") and one["choices"][0].get("finish_reason") for one in chunks):
                    continue
                data += DONE
            found.append(pytest.param(source, data, id=param.id))
    return [
        pytest.param(*param.values[:1], target, *param.values[1:], id=f"{param.id}-{target}")
        for param in found
        for target in TARGETS[param.values[0]]
    ]


def expected(source, target, data):
    """The same answer when it is translated whole."""
    return json.loads(translate.encode_answer(whole(data, source), target, context(), stream=False))


def by_python(protocol, data, *, status=200):
    """The result of Python's SDK for a stream, or its exception."""
    kind = {"content-type": "text/event-stream" if status == 200 else "application/json"}
    library = httpx2 if protocol == "messages" else httpx
    transport = library.MockTransport(lambda _: library.Response(status, headers=kind, content=data))
    options = {"api_key": "x", "base_url": "http://localhost", "max_retries": 0}
    with library.Client(transport=transport) as http:
        if protocol == "messages":
            client = anthropic.Anthropic(http_client=http, **options)
            with client.messages.stream(model="m", max_tokens=1, messages=[]) as stream:
                return stream.get_final_message().to_dict()
        client = openai.OpenAI(http_client=http, **options)
        if protocol == "responses":
            with client.responses.stream(model="m", input="") as stream:
                for one in stream:
                    if one.type == "response.incomplete":
                        return one.response.to_dict()
                return stream.get_final_response().to_dict()
        with client.chat.completions.stream(model="m", messages=[]) as stream:
            return stream.get_final_completion().to_dict()


def essence(protocol, answer):
    """The fields of an answer that a program reads; for Chat only typed ones, since accumulators overwrite others."""
    if protocol == "messages":
        usage = {name: count for name, count in answer["usage"].items() if isinstance(count, int)}
        return answer["stop_reason"], answer["stop_sequence"], usage, [bare(block) for block in answer["content"]]
    if protocol == "responses":
        items = [{name: value for name, value in item.items() if name in _KEPT_OF_ITEMS} for item in answer["output"]]
        return answer["status"], answer["usage"]["total_tokens"], [_said(item) for item in items]
    [choice] = answer["choices"]
    message = choice["message"]
    calls = [(one["id"], *map(one["function"].get, ("name", "arguments"))) for one in message.get("tool_calls") or ()]
    said = [message.get(name) or "" for name in ("content", "refusal")]
    return choice["finish_reason"], answer["usage"]["total_tokens"], said, calls


def bare(block):
    """A block without the fields that an SDK adds to it."""
    return {name: value for name, value in block.items() if value is not None and name in _KEPT}


def _said(item):
    """An item with its parts as texts."""
    parts = [part.get("text", part.get("refusal")) for part in item.pop("content", ())]
    summary = [part["text"] for part in item.pop("summary", ())]
    return item, parts, summary


_KEPT_OF_ITEMS = ("type", "status", "content", "summary", "call_id", "name", "arguments", "input", "encrypted_content")
_KEPT = ("type", "text", "thinking", "signature", "data", "id", "name", "input")


@pytest.mark.parametrize(("source", "target", "data"), cases())
def test_pythons_sdks(source, target, data):
    """The SDK reads the same answer streamed and whole."""
    wanted = essence(target, expected(source, target, data))
    if wanted[0] == "content_filter":
        # OpenAI's accumulator has an exception for it.
        with pytest.raises(openai.ContentFilterFinishReasonError):
            by_python(target, streamed([data], source, target=target))
    else:
        assert essence(target, by_python(target, streamed([data], source, target=target))) == wanted


FAILURES = [pytest.param(source, target, id=f"{source}-{target}") for source in TARGETS for target in TARGETS[source]]


@pytest.mark.parametrize(("source", "target"), FAILURES)
def test_pythons_sdks_raise(source, target):
    """An error in mid-stream is the SDK's exception, with the upstream's words."""
    error = anthropic.APIStatusError if target == "messages" else openai.APIError
    with pytest.raises(error, match="too busy"):
        by_python(target, streamed([FAILED[source]], source, target=target))


MODULES = os.environ.get("FAIRLEAD_NODE_MODULES", "")
NODE = shutil.which("node")


@pytest.mark.skipif(
    not (NODE and MODULES),
    reason="needs node, and FAIRLEAD_NODE_MODULES: a folder where `npm install @anthropic-ai/sdk openai` was run",
)
def test_nodes_sdks():
    """Node's SDKs read each stream as the whole answer, and raise errors, like Python's."""
    params = [param.values for param in cases()]
    params += [(source, target, FAILED[source]) for source, target in (param.values for param in FAILURES)]
    made = [(target, streamed([data], source, target=target)) for source, target, data in params]
    sent = [{"protocol": target, "data": base64.b64encode(data).decode()} for target, data in made]
    script = Path(__file__).with_name("oracle.mjs")
    run = subprocess.run([NODE, script], input=json.dumps(sent).encode(), capture_output=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr.decode()
    answers = json.loads(run.stdout)
    good = len(params) - len(FAILURES)
    for (source, target, data), found in zip(params[:good], answers, strict=False):
        assert found.get("error") is None, found
        assert essence(target, found) == essence(target, expected(source, target, data))
    assert all("too busy" in found["message"] for found in answers[good:])


@pytest.mark.skipif(
    not (NODE and MODULES and (Path(MODULES) / "node_modules" / "ai").is_dir()),
    reason="needs node, and FAIRLEAD_NODE_MODULES: a folder where the AI SDK is installed beside the official ones",
)
def test_the_ai_sdk():
    """The AI SDK reads each stream as the whole answer, and raises errors, through the provider of each protocol."""
    params = [param.values for param in cases()]
    asked = []
    for source, target, data in params:
        names = sorted({name for name, _ in seen(target, expected(source, target, data)).calls})
        made = streamed([data], source, target=target)
        asked += [(judge, target, made, True, names) for judge in _judges(target)]
    keys = [(judge, *param) for param in params for judge in _judges(param[1])]
    failed = [(source, target) for source, target in (param.values for param in FAILURES)]
    asked += [("ai", target, streamed([FAILED[source]], source, target=target), True, []) for source, target in failed]
    answers = by_node(asked)
    for (judge, source, target, data), found in zip(keys, answers, strict=False):
        assert found.get("error") is None, (judge, source, target, found)
        wanted, got = seen(target, expected(source, target, data)), seen_by_ai(found)
        # It shows words of refusal as text.
        assert got.text in (wanted.text, wanted.text + wanted.refusal), (judge, source, target)
        if wanted.stop not in ("length", "max_tokens", "incomplete"):
            assert (got.calls, got.ids) == (wanted.calls, wanted.ids), (judge, source, target)
        if judge == "ai-compatible" or target == "messages":
            assert got.reasoning == wanted.reasoning, (judge, source, target)
    assert all("too busy" in found["message"] for found in answers[len(keys) :])


def _judges(target):
    return ("ai", "ai-compatible") if target == "chat" else ("ai",)


#: Status of the upstream -> Python's exceptions in a Messages client and in those of OpenAI's protocols.
ERRORS = {
    400: ("BadRequestError", "BadRequestError"),
    401: ("AuthenticationError", "AuthenticationError"),
    402: ("PaymentRequiredError", "APIStatusError"),
    403: ("PermissionDeniedError", "PermissionDeniedError"),
    404: ("NotFoundError", "NotFoundError"),
    409: ("ConflictError", "ConflictError"),
    413: ("RequestTooLargeError", "APIStatusError"),
    422: ("BadRequestError", "BadRequestError"),
    429: ("RateLimitError", "RateLimitError"),
    500: ("InternalServerError", "InternalServerError"),
    502: ("InternalServerError", "InternalServerError"),
    503: ("OverloadedError", "InternalServerError"),
    504: ("DeadlineExceededError", "InternalServerError"),
    529: ("OverloadedError", "InternalServerError"),
}


@pytest.mark.parametrize("status", ERRORS)
@pytest.mark.parametrize(("source", "target"), FAILURES)
def test_errors_are_the_callers_exceptions(source, target, status):
    """Each error of an upstream is what a client of another protocol would raise for its own vendor's."""
    error = {"message": "out of order", "type": "some_error"}
    body = json.dumps({"type": "error", "error": error} if source == "messages" else {"error": error}).encode()
    told, made = translate_errors.failure(body, status, source, target)
    library, named = (anthropic, ERRORS[status][0]) if target == "messages" else (openai, ERRORS[status][1])
    if (target, status) == ("responses", 402):
        named = "RateLimitError"  # OpenAI's own for a used-up quota, at which Codex stops
    kind = getattr(library, named, None) or getattr(library._exceptions, named)
    with pytest.raises(kind, match="out of order") as caught:
        by_python(target, made, status=told)
    assert type(caught.value) is kind
