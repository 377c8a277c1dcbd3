"""Requests of callers: tools that they declare, and histories with calls in them."""

import json

from .answers import UNION

OBJECT = {"type": "object"}
_COMMON = {"model": "x", "max_tokens": 9000}
_USER = [{"role": "user", "content": "x"}]
#: Ids that servers number anew in each answer, or make of names.
USED = ("call_0", "call_00_same", "functions.look:0", "functions.edit:0", "call_1")


def first_request(protocol, *, history=()):
    """A request that declares the tools look, edit, union and (for Responses) patch; history: ids of earlier calls."""
    plain = [("look", OBJECT), ("edit", OBJECT), ("union", UNION)]
    if protocol == "messages":
        tools = [{"name": name, "input_schema": schema} for name, schema in plain]
        turns = []
        for one in history:
            turns.append(
                {"role": "assistant", "content": [{"type": "tool_use", "id": one, "name": "look", "input": {}}]}
            )
            turns.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": one, "content": "ok"}]})
        return {
            "model": "x",
            "max_tokens": 9000,
            "messages": [{"role": "user", "content": "x"}, *turns],
            "tools": tools,
        }
    if protocol == "chat":
        tools = [{"type": "function", "function": {"name": name, "parameters": schema}} for name, schema in plain]
        turns = []
        for one in history:
            call = {"id": one, "type": "function", "function": {"name": "look", "arguments": "{}"}}
            turns.append({"role": "assistant", "content": None, "tool_calls": [call]})
            turns.append({"role": "tool", "tool_call_id": one, "content": "ok"})
        return {
            "model": "x",
            "max_tokens": 9000,
            "messages": [{"role": "user", "content": "x"}, *turns],
            "tools": tools,
        }
    tools = [{"type": "function", "name": name, "parameters": schema, "strict": False} for name, schema in plain]
    tools.append({"type": "custom", "name": "patch", "format": {"type": "text"}})
    items = []
    for one in history:
        items.append({"type": "function_call", "call_id": one, "name": "look", "arguments": "{}"})
        items.append({"type": "function_call_output", "call_id": one, "output": "ok"})
    message = {"type": "message", "role": "user", "content": "x"}
    return {"model": "x", "input": [message, *items], "tools": tools}


def wrapper_of_union(sent):
    """The property in which a request wraps the arguments of the tool union; None when it does not."""
    for tool in sent.get("tools", ()):
        form = tool.get("function") or tool
        if form.get("name") == "union":
            schema = form.get("input_schema") or form.get("parameters") or {}
            names = [*schema.get("properties", ())]
            return names[0] if len(names) == 1 and not {"anyOf", "oneOf", "allOf"} & set(schema) else None
    return None


def second_request(protocol, answer, puts, *, history=()):
    """The caller's next request, with the answer and the results of its calls; and the puts with their paths."""
    body = first_request(protocol, history=history)
    if protocol == "messages":
        uses = [block for block in answer["content"] if block["type"] == "tool_use"]
        results = [
            {"type": "tool_result", "tool_use_id": one["id"], "content": f"R{at}"} for at, one in enumerate(uses)
        ]
        path = f"messages[{len(body['messages'])}]"
        body["messages"].append({"role": "assistant", "content": answer["content"]})
        body["messages"].append({"role": "user", "content": [*results, {"type": "text", "text": "go"}]})
        body["thinking"] = {"type": "enabled", "budget_tokens": 2000}
        return body, [put._replace(path=path) for put in puts]
    if protocol == "chat":
        [choice] = answer["choices"]
        path = f"messages[{len(body['messages'])}]"
        body["messages"].append(choice["message"])
        for at, call in enumerate(choice["message"].get("tool_calls") or ()):
            body["messages"].append({"role": "tool", "tool_call_id": call["id"], "content": f"R{at}"})
        body["messages"].append({"role": "user", "content": "go"})
        body["reasoning_effort"] = "high"
        return body, [put._replace(path=path) for put in puts]
    body["input"] += answer["output"]
    calls = [item for item in answer["output"] if item["type"] in ("function_call", "custom_tool_call")]
    outputs = [
        {"type": f"{one['type']}_output", "call_id": one["call_id"], "output": f"R{at}"} for at, one in enumerate(calls)
    ]
    body["input"] += [*outputs, {"type": "message", "role": "user", "content": "go"}]
    body["reasoning"] = {"effort": "high"}
    return body, [_placed(put, body["input"]) for put in puts]


def _placed(put, items):
    """The put with the path of the item that holds it."""
    at = next((at for at, item in enumerate(items) if put.mark in json.dumps(item)), None)
    return put._replace(path="", names=r"^input.*") if at is None else put._replace(path=f"input[{at}]")
