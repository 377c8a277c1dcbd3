"""How each protocol writes what probes send beside plain text: tools, their calls and results, images and files."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from router.conform.bench import MOST_OUTPUT, Bench, read_calls
from router.conform.client import Reply
from router.conform.record import Unknown
from router.ir import ToolCall
from router.wire.raw.json.json_values import Json

#: A list of parts of a content.
Parts = Sequence[Json]


class Function(NamedTuple):
    """A tool that is offered."""

    name: str
    schema: Json
    strict: bool = False


def make_schema(field: str, **rules: object) -> Json:
    """The schema of an object with one text."""
    inner = {"type": "string", **rules}
    return {"type": "object", "properties": {field: inner}, "required": [field], "additionalProperties": False}


def encode_tools(protocol: str, tools: Sequence[Function]) -> list[Json]:
    """The member `tools` of a request."""
    found: list[Json] = []
    for tool in tools:
        about = f"Use it for {tool.name.replace('_', ' ')}."
        # Responses takes a tool for strict that does not say so.
        strict = {"strict": tool.strict} if tool.strict or protocol == "responses" else {}
        if protocol == "messages":
            found.append({"name": tool.name, "description": about, "input_schema": tool.schema, **strict})
        else:
            detail: Json = {"name": tool.name, "description": about, "parameters": tool.schema, **strict}
            found.append({"type": "function", **({"function": detail} if protocol == "chat" else detail)})
    return found


def force_tool(protocol: str, name: str = "") -> object:
    """The member `tool_choice` that demands a tool. name: '' for any."""
    if protocol == "messages":
        return {"type": "tool", "name": name} if name else {"type": "any"}
    if not name:
        return "required"
    return {"type": "function", **({"function": {"name": name}} if protocol == "chat" else {"name": name})}


def forbid_tools(protocol: str) -> object:
    """The member `tool_choice` that forbids all."""
    return {"type": "none"} if protocol == "messages" else "none"


def encode_user(protocol: str, content: str | Parts) -> Json:
    """A user turn."""
    return {"role": "user", "content": content}


def encode_text(protocol: str, text: str) -> Json:
    """A part of text."""
    return {"type": "input_text" if protocol == "responses" else "text", "text": text}


def encode_image(protocol: str, data: str, *, url: bool = False) -> Json:
    """An image part. data: of a PNG as base64; its address where `url` says so."""
    if protocol == "messages":
        source = {"type": "url", "url": data} if url else {"type": "base64", "media_type": "image/png", "data": data}
        return {"type": "image", "source": source}
    address = data if url else f"data:image/png;base64,{data}"
    if protocol == "responses":
        return {"type": "input_image", "image_url": address, "detail": "auto"}
    return {"type": "image_url", "image_url": {"url": address}}


def encode_pdf(protocol: str, data: str) -> Json:
    """A part with a PDF. data: base64."""
    if protocol == "messages":
        return {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": data}}
    file: Json = {"filename": "document.pdf", "file_data": f"data:application/pdf;base64,{data}"}
    return {"type": "input_file", **file} if protocol == "responses" else {"type": "file", "file": file}


def encode_round(protocol: str, call: ToolCall, result: str | Parts, *, more: Sequence[Json] = ()) -> list[Json]:
    """A call and its result, as items of the conversation. more: what stands before the call: blocks of its message in
    Messages, items in Responses; in Chat, objects whose members the message has as well."""
    if protocol == "messages":
        given = json.loads(call.arguments or "{}")
        block = {"type": "tool_use", "id": call.id, "name": call.name, "input": given}
        content = [{"type": "tool_result", "tool_use_id": call.id, "content": result}]
        return [{"role": "assistant", "content": [*more, block]}, {"role": "user", "content": content}]
    if protocol == "responses":
        made: Json = {"call_id": call.id, "name": call.name, "arguments": call.arguments}
        output: Json = {"type": "function_call_output", "call_id": call.id, "output": result}
        return [*more, {"type": "function_call", **made}, output]
    function = {"name": call.name, "arguments": call.arguments}
    message: Json = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": call.id, "type": "function", "function": function}],
    }
    for members in more:
        message |= members
    return [message, {"role": "tool", "tool_call_id": call.id, "content": result}]


def make_conversation(bench: Bench, protocol: str, turns: Sequence[Json], **fields: object) -> Json:
    """A request with these items."""
    place = "input" if protocol == "responses" else "messages"
    return {**bench.make_request(protocol, output=MOST_OUTPUT), **fields, place: [*turns]}


async def call_tool(
    bench: Bench, protocol: str, tools: Sequence[Function], turns: Sequence[Json], **fields: object
) -> list[ToolCall]:
    """Have the first tool called: by its name, else by demanding any, else by offering it, since backends differ in
    what of this they take. Returns the calls, [] where all of it was refused. Raises Unknown where the request was
    taken, and no call came."""
    offered = encode_tools(protocol, tools)
    reply = Reply()
    for choice in (force_tool(protocol, tools[0].name), force_tool(protocol), None):
        chosen = {} if choice is None else {"tool_choice": choice}
        reply = await bench.ask(protocol, make_conversation(bench, protocol, turns, tools=offered, **chosen, **fields))
        calls = read_calls(reply, protocol)
        if calls:
            return calls
    if not reply.refused:
        raise Unknown("it called no tool, so that this cannot be tried")
    return []
