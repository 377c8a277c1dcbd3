"""The turn after a random answer: what the caller sends back, and what of it the upstream gets again."""

import json

from router.errors import RouterError
from router.wire import translate

from ...wire.translations import context, streamed
from .judge import ANSWERS, LEGAL_REQUESTS
from .marks import Book, Put, missing
from .readers import REQUESTS, STREAMS

TOOLS = ("look", "edit")
SCHEMA = {"type": "object"}


def first_request(protocol):
    """The caller's first request."""
    if protocol == "messages":
        tools = [{"name": name, "input_schema": SCHEMA} for name in TOOLS]
        return {"model": "x", "max_tokens": 9000, "messages": [{"role": "user", "content": "x"}], "tools": tools}
    if protocol == "chat":
        tools = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in TOOLS]
        return {"model": "x", "max_tokens": 9000, "messages": [{"role": "user", "content": "x"}], "tools": tools}
    tools = [{"type": "function", "name": name, "parameters": SCHEMA, "strict": False} for name in TOOLS]
    return {"model": "x", "input": [{"type": "message", "role": "user", "content": "x"}], "tools": tools}


def second_request(protocol, answer, puts):
    """The caller's next request, with the answer and the results of its calls; and the puts with their paths."""
    body = first_request(protocol)
    if protocol == "messages":
        uses = [block for block in answer["content"] if block["type"] == "tool_use"]
        results = [
            {"type": "tool_result", "tool_use_id": one["id"], "content": f"R{at}"} for at, one in enumerate(uses)
        ]
        body["messages"].append({"role": "assistant", "content": answer["content"]})
        body["messages"].append({"role": "user", "content": [*results, {"type": "text", "text": "go"}]})
        body["thinking"] = {"type": "enabled", "budget_tokens": 2000}
        return body, [put._replace(path="messages[1]") for put in puts]
    if protocol == "chat":
        [choice] = answer["choices"]
        body["messages"].append(choice["message"])
        for at, call in enumerate(choice["message"].get("tool_calls") or ()):
            body["messages"].append({"role": "tool", "tool_call_id": call["id"], "content": f"R{at}"})
        body["messages"].append({"role": "user", "content": "go"})
        body["reasoning_effort"] = "high"
        return body, [put._replace(path="messages[1]") for put in puts]
    body["input"] += answer["output"]
    calls = [item for item in answer["output"] if item["type"] == "function_call"]
    outputs = [
        {"type": "function_call_output", "call_id": one["call_id"], "output": f"R{at}"} for at, one in enumerate(calls)
    ]
    body["input"] += [*outputs, {"type": "message", "role": "user", "content": "go"}]
    body["reasoning"] = {"effort": "high"}
    return body, [_placed(put, body["input"]) for put in puts]


def _placed(put, items):
    """The put with the path of the item that holds it."""
    at = next((at for at, item in enumerate(items) if put.mark in json.dumps(item)), None)
    return put._replace(path="", names=r"^input.*") if at is None else put._replace(path=f"input[{at}]")


def turn_problems(seed, source, target, *, stream=False):
    """What is wrong with the request after a random answer of the source, which a caller of the target had."""
    book = Book(f"turn-{source}-{target}-{seed}")
    made = ANSWERS[source](book)
    vendor, model = {"messages": ("anthropic", "claude-opus-5"), "responses": ("openai", "gpt-5")}.get(
        source, ("", book.pick("m", "gemini-3-pro"))
    )
    ctx = context(vendor, model=model)
    try:
        translate.request(json.dumps(first_request(target)).encode(), target, source, ctx)
        before = len(ctx.losses)
        ctx.request_sent = True
        answer = _stream_read(made, source, target, ctx) if stream else _whole_read(made, source, target, ctx)
    except Exception as error:
        return book, made, [f"crash {error!r}"[:300]]
    # What the answer did not carry to the caller cannot come back; whether that was named, others judge.
    puts = [put for put in book.puts if put.kind in ("call", "text", "proof", "reasoning")]
    body, puts = second_request(target, answer, puts)
    again = context(vendor, model=model)
    try:
        sent = json.loads(translate.request(json.dumps(body).encode(), target, source, again).body)
    except RouterError as error:
        return book, made, [f"refused: {error.message}"]
    except Exception as error:
        return book, made, [f"crash {error!r}"]
    lost = [f"{loss.path}={loss.how}" for loss in (*ctx.losses[before:], *again.losses)]
    problems = missing([_as_sent(put, source) for put in puts], REQUESTS[source](sent), lost)
    try:
        LEGAL_REQUESTS[source](sent)
    except Exception as error:
        problems.append(f"illegal: {error!r}"[:200])
    results = REQUESTS[source](sent)
    for at, call in enumerate(results.calls):
        if [one for one in results.results if one[0] == call[0] and f"R{at}" in one[1]] == []:
            problems.append(f"call {at} has not its result: {results.calls} {results.results}"[:300])
    return book, made, problems


def stream_problems(seed, source, target):
    """The same where the caller had the answer as a stream."""
    return turn_problems(seed, source, target, stream=True)


def _whole_read(made, source, target, ctx):
    """The whole answer as the caller has it."""
    found = translate.answer(json.dumps(made.whole).encode(), source, target, ctx, stream=False)
    assert found is not None, "no answer"
    assert found.status == 200, found.body
    return json.loads(found.body)


def _stream_read(made, source, target, ctx):
    """The stream as the caller has put it together."""
    answer, _ = STREAMS[target](streamed([made.stream], source, ctx, target))
    return answer


def _as_sent(put, source):
    """Where the put must be in a request; proofs may stand anywhere."""
    if put.kind == "proof":
        return Put("field", put.mark, put.path, put.names)
    if put.kind == "reasoning" and put.about and source == "responses":
        return Put("field", put.about, put.path, put.names)
    return put
