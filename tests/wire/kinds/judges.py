"""The official SDKs as readers of answers: what a program sees in an answer through each of them."""

import base64
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import anthropic
import httpx
import httpx2
import openai

from ..translations import events

MODULES = os.environ.get("FAIRLEAD_NODE_MODULES", "")
NODE = shutil.which("node")
ORACLE = Path(__file__).parents[1] / "oracle.mjs"


class Seen(NamedTuple):
    """What a program sees in an answer."""

    text: str = ""
    reasoning: str = ""
    #: (name, arguments) of each call.
    calls: tuple = ()
    ids: tuple = ()
    stop: str = ""
    refusal: str = ""
    #: The cited URLs.
    citations: tuple = ()


# Python


def by_python(protocol, data, *, streamed):
    """The answer as Python's SDK has it; raises what the SDK raises."""
    kind = {"content-type": "text/event-stream" if streamed else "application/json"}
    library = httpx2 if protocol == "messages" else httpx
    transport = library.MockTransport(lambda _: library.Response(200, headers=kind, content=data))
    options = {"api_key": "x", "base_url": "http://localhost", "max_retries": 0}
    with library.Client(transport=transport) as http:
        if protocol == "messages":
            client = anthropic.Anthropic(http_client=http, **options)
            return _messages(client, streamed=streamed).to_dict()
        client = openai.OpenAI(http_client=http, **options)
        if protocol == "responses":
            return _responses(client, streamed=streamed).to_dict()
        try:
            return _chat(client, streamed=streamed).to_dict()
        except (openai.LengthFinishReasonError, openai.ContentFilterFinishReasonError):
            # The helper has exceptions for these ends; a program that reads the chunks sees the answer.
            return _from_chunks(chunk.to_dict() for chunk in client.chat.completions.create(**_ASKED, stream=True))


_ASKED = {"model": "m", "messages": []}


def _messages(client, *, streamed):
    if not streamed:
        return client.messages.create(**_ASKED, max_tokens=1)
    with client.messages.stream(**_ASKED, max_tokens=1) as stream:
        return stream.get_final_message()


def _chat(client, *, streamed):
    if not streamed:
        return client.chat.completions.create(**_ASKED)
    with client.chat.completions.stream(**_ASKED) as stream:
        return stream.get_final_completion()


def _responses(client, *, streamed):
    if not streamed:
        return client.responses.create(model="m", input="")
    with client.responses.stream(model="m", input="") as stream:
        for one in stream:
            if one.type == "response.incomplete":
                # The helper knows no incomplete response.
                return one.response
        return stream.get_final_response()


def _from_chunks(chunks):
    """A Chat answer out of its chunks, as far as its end was cut."""
    message, finish = {"tool_calls": {}}, None
    for chunk in chunks:
        for choice in chunk["choices"]:
            finish = choice.get("finish_reason") or finish
            for name, value in choice["delta"].items():
                if name == "tool_calls":
                    for part in value:
                        held = message[name].setdefault(part["index"], {"function": {"name": "", "arguments": ""}})
                        held["id"] = part.get("id") or held.get("id")
                        held["function"]["name"] += part["function"].get("name") or ""
                        held["function"]["arguments"] += part["function"].get("arguments") or ""
                elif isinstance(value, str | list):
                    message[name] = message.get(name, type(value)()) + value
    message["tool_calls"] = [*message["tool_calls"].values()]
    return {"choices": [{"message": message, "finish_reason": finish}]}


# Node


def by_node(asked):
    """What Node's SDKs and the AI SDK read; asked: (judge, protocol, data, streamed, names of tools) for each."""
    sent = [
        {
            "judge": judge,
            "protocol": protocol,
            "data": base64.b64encode(data).decode(),
            "streamed": streamed,
            "tools": names,
        }
        for judge, protocol, data, streamed, names in asked
    ]
    run = subprocess.run([NODE, ORACLE], input=json.dumps(sent).encode(), capture_output=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr.decode()
    return json.loads(run.stdout)


# Readers


def seen(protocol, answer):
    """What a program sees in an answer that an official SDK has read."""
    return {"messages": _seen_messages, "chat": _seen_chat, "responses": _seen_responses}[protocol](answer)


def _seen_messages(answer):
    blocks = answer["content"]
    calls = [block for block in blocks if block["type"] == "tool_use"]
    cited = [one for block in blocks for one in block.get("citations") or ()]
    return Seen(
        text="".join(block["text"] for block in blocks if block["type"] == "text"),
        reasoning="".join(block["thinking"] for block in blocks if block["type"] == "thinking"),
        calls=tuple((call["name"], call["input"]) for call in calls),
        ids=tuple(call["id"] for call in calls),
        stop=answer["stop_reason"],
        refusal=(answer.get("stop_details") or {}).get("explanation") or "",
        citations=tuple(one.get("url") for one in cited),
    )


def _seen_chat(answer):
    [choice] = answer["choices"]
    message = choice["message"]
    calls = message.get("tool_calls") or ()
    return Seen(
        text=message.get("content") or "",
        reasoning=message.get("reasoning_content") or "",
        calls=tuple((call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls),
        ids=tuple(call["id"] for call in calls),
        stop=choice["finish_reason"],
        refusal=message.get("refusal") or "",
        citations=tuple(one["url_citation"]["url"] for one in message.get("annotations") or ()),
    )


def _seen_responses(answer):
    items = answer["output"]
    parts = [part for item in items if item["type"] == "message" for part in item["content"]]
    thoughts = [item for item in items if item["type"] == "reasoning"]
    calls = [item for item in items if item["type"] == "function_call"]
    return Seen(
        text="".join(part["text"] for part in parts if part["type"] == "output_text"),
        reasoning="".join(part["text"] for item in thoughts for part in item.get("summary") or ()),
        calls=tuple((call["name"], json.loads(call["arguments"])) for call in calls),
        ids=tuple(call["call_id"] for call in calls),
        stop=answer["status"],
        refusal="".join(part["refusal"] for part in parts if part["type"] == "refusal"),
        citations=tuple(one.get("url") for part in parts for one in part.get("annotations") or ()),
    )


def seen_by_ai(found):
    """What a program sees in what the AI SDK has read, which shows refusals as text."""
    return Seen(
        text=found["text"],
        reasoning=found["reasoning"],
        calls=tuple((name, given) for _, name, given, _ in found["calls"]),
        ids=tuple(call_id for call_id, *_ in found["calls"]),
        stop=found["finish"],
        citations=tuple(found["sources"]),
    )


def named_losses(data):
    """The paths that the comments of a stream name as lost."""
    said = re.findall(rb"^: fairlead-loss (.*)$", data, re.MULTILINE)
    return [one.rpartition("=")[0] for line in said for one in line.decode().split(", ")]


def ended(data):
    """True for a stream that has no error in it."""
    return not any(one.get("error") or one.get("type") == "error" for one in events(data))
