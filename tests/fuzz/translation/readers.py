"""Slow and plain readers of answers and requests of the three protocols, which share no code with the codecs."""

import json

from .marks import View


def canonical(arguments):
    """Arguments as one spelling of JSON; texts that are no JSON stay."""
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments, strict=False) if arguments else {}
        except ValueError:
            return arguments
    return json.dumps(arguments, sort_keys=True, ensure_ascii=False)


def payloads(data):
    """The events of a stream, and the losses that its comments name."""
    found, losses = [], []
    for block in data.decode("utf-8", "surrogatepass").split("\n\n"):
        for line in block.split("\n"):
            if line.startswith(": fairlead-loss "):
                losses += line.removeprefix(": fairlead-loss ").split(", ")
            elif line.startswith("data: ") and line != "data: [DONE]":
                found.append(json.loads(line.removeprefix("data: ")))
    return found, losses


def everything(value):
    """All texts of a value, keys too, without JSON's escapes."""
    if isinstance(value, dict):
        return "\n".join(f"{key}\n{everything(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return "\n".join(map(everything, value))
    if isinstance(value, str):
        # Arguments of calls are JSON in a text.
        return value
    return json.dumps(value)


# Answers


def chat_stream(data):
    """A Chat stream as a whole answer, put together as OpenAI documents it, and the losses that it names."""
    events, losses = payloads(data)
    message, calls = {"role": "assistant", "content": ""}, {}
    choice, beside = {"message": message, "finish_reason": None}, []
    for event in events:
        assert event.get("error") is None, event
        beside.append({key: value for key, value in event.items() if key != "choices"})
        for one in event.get("choices", ()):
            assert one["index"] == 0
            choice["finish_reason"] = one.get("finish_reason") or choice["finish_reason"]
            beside.append({key: value for key, value in one.items() if key != "delta"})
            for key, value in one["delta"].items():
                if key == "tool_calls":
                    for part in value:
                        _add_to_call(calls.setdefault(part["index"], {}), part)
                elif isinstance(value, str | list) and key != "role":
                    message[key] = (message.get(key) or type(value)()) + value
                elif value is not None:
                    message[key] = value
    if calls:
        message["tool_calls"] = [*calls.values()]
    return {"choices": [choice], "beside": beside}, losses


def _add_to_call(call, part):
    form = "custom" if "custom" in part else "function"
    said = call.setdefault(form, {"name": "", "input" if form == "custom" else "arguments": ""})
    for key, value in part.get(form, {}).items():
        said[key] = said.get(key, "") + value
    call |= {"id": part.get("id") or call.get("id", ""), "type": form}


def chat_whole(data):
    """A whole Chat answer."""
    [choice] = data["choices"]
    beside = {key: value for key, value in data.items() if key != "choices"}
    return _chat_message(choice["message"], choice["finish_reason"], [beside, choice.get("logprobs")])


def _chat_call(call):
    if "custom" in call:
        return call["id"], call["custom"]["name"], canonical({"input": call["custom"]["input"]})
    return call["id"], call["function"]["name"], canonical(call["function"]["arguments"])


def _chat_message(message, finish, beside):
    details = "".join(
        str(entry.get("text") or "") + str(entry.get("summary") or "")
        for entry in message.get("reasoning_details") or ()
    )
    plain = message.get("reasoning_content") or message.get("reasoning") or ""
    return View(
        text=message.get("content") or "",
        # A reader takes one of the two forms, and each holds all or nothing.
        reasoning=plain or details,
        refusal=message.get("refusal") or "",
        calls=tuple(map(_chat_call, message.get("tool_calls") or ())),
        citations=everything(message.get("annotations") or ()) + everything(beside),
        everything=everything([message, beside]),
        stop=finish or "",
    )


def messages_stream(data):
    """A Messages stream as a whole answer, and the losses that it names."""
    events, losses = payloads(data)
    message, jsons = {}, {}
    for event in events:
        kind = event["type"]
        assert kind != "error", event
        if kind == "message_start":
            message = {**event["message"], "content": []}
        elif kind == "content_block_start":
            message["content"].append({**event["content_block"]})
            jsons[event["index"]] = ""
        elif kind == "content_block_delta":
            block, delta = message["content"][event["index"]], event["delta"]
            assert any(delta.get(key) for key in ("text", "thinking", "signature", "partial_json", "citation")), delta
            for key in ("text", "thinking", "signature"):
                if key in delta:
                    block[key] = block.get(key, "") + delta[key]
            jsons[event["index"]] += delta.get("partial_json", "")
            if "citation" in delta:
                block["citations"] = [*(block.get("citations") or ()), delta["citation"]]
        elif kind == "content_block_stop" and message["content"][event["index"]]["type"].endswith("tool_use"):
            said = jsons[event["index"]]
            if said:
                message["content"][event["index"]]["input"] = json.loads(said)
        elif kind == "message_delta":
            message |= event["delta"]
            message["usage"] = event["usage"]
    return message, losses


def messages_whole(data):
    """A whole Messages answer."""
    blocks = data["content"]
    details = data.get("stop_details") or {}
    return View(
        text="".join(block["text"] for block in blocks if block["type"] == "text"),
        reasoning="".join(block["thinking"] for block in blocks if block["type"] == "thinking"),
        refusal=details.get("explanation") or "",
        refuses_in_text=True,
        calls=tuple(
            (block["id"], block["name"], canonical(block["input"])) for block in blocks if block["type"] == "tool_use"
        ),
        citations=everything([block.get("citations") or () for block in blocks]),
        everything=everything(data),
        stop=data["stop_reason"],
    )


def responses_stream(data):
    """The final response of a Responses stream, and the losses that it names."""
    events, losses = payloads(data)
    assert events[-1]["type"] in ("response.completed", "response.incomplete"), events[-1]
    return events[-1]["response"], losses


def _responses_call(item):
    given = {"input": item["input"]} if item["type"] == "custom_tool_call" else item["arguments"]
    return item["call_id"], item["name"], canonical(given)


def responses_whole(data):
    """A whole Responses answer."""
    output = data["output"]
    parts = [part for item in output if item["type"] == "message" for part in item["content"]]
    summaries = [
        part["text"]
        for item in output
        if item["type"] == "reasoning"
        for part in [*item.get("summary", ()), *(item.get("content") or ())]
    ]
    return View(
        text="".join(part.get("text", "") for part in parts),
        reasoning="".join(summaries),
        refusal="".join(part.get("refusal", "") for part in parts),
        calls=tuple(
            _responses_call(item)
            for item in output
            if item["type"].endswith("tool_call") or item["type"] == "function_call"
        ),
        citations=everything([part.get("annotations") or () for part in parts]),
        everything=everything(data),
        stop=data["status"],
    )


STREAMS = {"chat": chat_stream, "messages": messages_stream, "responses": responses_stream}
WHOLES = {"chat": chat_whole, "messages": messages_whole, "responses": responses_whole}


# Requests


def chat_request(body):
    """What a Chat request says."""
    messages = body["messages"]
    calls = tuple(_chat_call(call) for message in messages for call in message.get("tool_calls") or ())
    results = tuple(
        (message["tool_call_id"], everything(message["content"])) for message in messages if message["role"] == "tool"
    )
    # Results' pictures follow in a message of the user.
    said = [message.get("content") or "" for message in messages if message["role"] != "tool"]
    thoughts = [
        [message.get(name) or "" for name in ("reasoning_content", "reasoning", "reasoning_details", "extra_content")]
        for message in messages
    ]
    return View(
        text=everything(said), reasoning=everything(thoughts), calls=calls, results=results, everything=everything(body)
    )


def _wrappers(body):
    """The tools that have one property, which a union at the root of their schema was wrapped in."""
    found = {}
    for tool in body.get("tools") or ():
        names = [*tool.get("input_schema", {}).get("properties", ())]
        if len(names) == 1 and names[0] not in ("path", "p0", "input"):
            found[tool["name"]] = names[0]
    return found


def messages_request(body):
    """What a Messages request says."""
    blocks = [
        block
        for message in body["messages"]
        for block in (
            message["content"]
            if isinstance(message["content"], list)
            else [{"type": "text", "text": message["content"]}]
        )
    ]
    return View(
        text=everything([block for block in blocks if block["type"] not in ("tool_use", "tool_result", "thinking")])
        + everything(body.get("system") or ""),
        reasoning=everything([block for block in blocks if "thinking" in block["type"]]),
        calls=tuple(
            (block["id"], block["name"], canonical(block["input"])) for block in blocks if block["type"] == "tool_use"
        ),
        results=tuple(
            (block["tool_use_id"], everything(block.get("content") or ""))
            for block in blocks
            if block["type"] == "tool_result"
        ),
        everything=everything(body),
        wrappers=_wrappers(body),
    )


def responses_request(body):
    """What a Responses request says."""
    items = body["input"]
    return View(
        text=everything([item for item in items if item["type"] == "message"]) + str(body.get("instructions") or ""),
        reasoning=everything([item for item in items if item["type"] == "reasoning"]),
        calls=tuple(_responses_call(item) for item in items if item["type"] in ("function_call", "custom_tool_call")),
        results=tuple((item["call_id"], everything(item["output"])) for item in items if "output" in item),
        everything=everything(body),
    )


REQUESTS = {"chat": chat_request, "messages": messages_request, "responses": responses_request}
