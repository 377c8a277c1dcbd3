"""The official SDKs read translated streams as they read the same answers when these come whole (translation.md 14).

Python's SDKs are in the test extra. Node's are used where `node` is and FAIRLEAD_NODE_MODULES names a folder in which
`npm install @anthropic-ai/sdk openai` was run.
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

from router.wire import translate

from .test_translate_streams import SAMPLES, recorded, whole
from .translations import DONE, OTHER, chunk, context, event, events, streamed

FAILED = {
    "chat": chunk({"content": "a"}) + b'data: {"error": {"code": 503, "message": "too busy"}}\n\n',
    "messages": event("message_start", message={"id": "m", "usage": {}})
    + event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    + event("content_block_delta", index=0, delta={"type": "text_delta", "text": "a"})
    + event("error", error={"type": "overloaded_error", "message": "too busy"}),
}


def cases():
    """Protocol of the upstream and its stream: made up, and recorded where recordings are at hand."""
    found = [pytest.param(source, data, id=f"sample-{source}") for source, data in SAMPLES.items()]
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
    return found


def expected(source, data):
    """The same answer when it is translated whole."""
    target = OTHER[source]
    return json.loads(translate.encoded(whole(data, source), target, context(), stream=False))


def by_python(protocol, data, *, status=200):
    """What Python's SDK makes of a stream, or of an error."""
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
        with client.chat.completions.stream(model="m", messages=[]) as stream:
            return stream.get_final_completion().to_dict()


def essence(protocol, answer):
    """What a program reads of an answer; of Chat what its types have, since accumulators overwrite other fields."""
    if protocol == "messages":
        usage = {name: count for name, count in answer["usage"].items() if isinstance(count, int)}
        return answer["stop_reason"], answer["stop_sequence"], usage, [bare(block) for block in answer["content"]]
    [choice] = answer["choices"]
    message = choice["message"]
    calls = [(one["id"], *map(one["function"].get, ("name", "arguments"))) for one in message.get("tool_calls") or ()]
    said = [message.get(name) or "" for name in ("content", "refusal")]
    return choice["finish_reason"], answer["usage"]["total_tokens"], said, calls


def bare(block):
    """A block without what an SDK adds to it."""
    return {name: value for name, value in block.items() if value is not None and name in _KEPT}


_KEPT = ("type", "text", "thinking", "signature", "data", "id", "name", "input")


@pytest.mark.parametrize(("source", "data"), cases())
def test_pythons_sdks(source, data):
    """Streamed and whole, the SDK sees one and the same answer."""
    target = OTHER[source]
    wanted = essence(target, expected(source, data))
    if wanted[0] == "content_filter":
        # OpenAI's accumulator has an exception for it.
        with pytest.raises(openai.ContentFilterFinishReasonError):
            by_python(target, streamed([data], source))
    else:
        assert essence(target, by_python(target, streamed([data], source))) == wanted


@pytest.mark.parametrize(("source", "error"), [("chat", anthropic.APIStatusError), ("messages", openai.APIError)])
def test_pythons_sdks_raise(source, error):
    """An error in mid-stream is the SDK's exception, with the upstream's words."""
    with pytest.raises(error, match="too busy"):
        by_python(OTHER[source], streamed([FAILED[source]], source))


MODULES = os.environ.get("FAIRLEAD_NODE_MODULES", "")
NODE = shutil.which("node")


@pytest.mark.skipif(
    not (NODE and MODULES),
    reason="needs node, and FAIRLEAD_NODE_MODULES: a folder where `npm install @anthropic-ai/sdk openai` was run",
)
def test_nodes_sdks():
    """As Python's: each stream reads as its answer does when it comes whole, and errors are raised."""
    params = [param.values for param in cases()]
    asked = [{"protocol": OTHER[source], "data": streamed([data], source)} for source, data in params]
    asked += [{"protocol": OTHER[source], "data": streamed([data], source)} for source, data in FAILED.items()]
    sent = [{**one, "data": base64.b64encode(one["data"]).decode()} for one in asked]
    script = Path(__file__).with_name("oracle.mjs")
    run = subprocess.run([NODE, script], input=json.dumps(sent).encode(), capture_output=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr.decode()
    answers = json.loads(run.stdout)
    for (source, data), found in zip(params, answers[: len(params)], strict=True):
        target = OTHER[source]
        assert "error" not in found, found
        assert essence(target, found) == essence(target, expected(source, data))
    assert all("too busy" in found["message"] for found in answers[len(params) :])


#: Status of the upstream -> Python's exceptions in a Messages client and in a Chat client.
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
@pytest.mark.parametrize("source", OTHER)
def test_errors_are_the_callers_exceptions(source, status):
    """Each error of an upstream is what a client of the other protocol would raise for its own vendor's."""
    error = {"message": "out of order", "type": "some_error"}
    body = json.dumps({"type": "error", "error": error} if source == "messages" else {"error": error}).encode()
    told, made = translate.failure(body, status, source, OTHER[source])
    library, named = (anthropic, ERRORS[status][0]) if source == "chat" else (openai, ERRORS[status][1])
    kind = getattr(library, named, None) or getattr(library._exceptions, named)
    with pytest.raises(kind, match="out of order") as caught:
        by_python(OTHER[source], made, status=told)
    assert type(caught.value) is kind
