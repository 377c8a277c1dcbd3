"""Requests with a given number of turns, calls, tools, parts and so on, in each protocol."""

import functools
import json

from .growing_answers import page, searched
from .responses_samples import LOOK, called, gpt5, output, say
from .translations import TOOL, assistant, claude, gpt, result, tool, use, user

FUNCTION = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


def schema_of(count):
    names = [f"a{at}" for at in range(count)]
    inner = {"type": "object", "properties": {name: {"type": "integer", "minimum": 1} for name in names}}
    return {**inner, "required": names, "additionalProperties": False}


def referring(count):
    defs = {f"d{at}": {"type": "object", "properties": {"b": {"$ref": f"#/$defs/d{at + 1}"}}} for at in range(count)}
    return {**schema_of(count), "$defs": {**defs, f"d{count}": {"type": "string"}}}


def from_chat(count):
    go, mark = user("go"), {"cache_control": {"type": "ephemeral"}}
    calls = [
        {"id": f"c{at}", "type": "function", "function": {"name": "look", "arguments": "{}"}} for at in range(count)
    ]
    same = [{**one, "id": "c"} for one in calls]
    results = [tool(one["id"]) for one in calls]
    part = {"type": "text", "text": "a"}
    tools = [{"type": "function", "function": {**FUNCTION["function"], "name": f"f{at}"}} for at in range(count)]
    thought = {"type": "reasoning.text", "text": "a", "format": "f", "signature": "s"}
    tall = {"type": "function", "function": {"name": "f", "parameters": schema_of(count), "strict": True}}
    shape = {"type": "json_schema", "json_schema": {"name": "o", "schema": referring(count), "strict": True}}
    union = {"type": "function", "function": {"name": "f", "parameters": {"anyOf": [schema_of(1)] * count}}}
    yield "turns", gpt(go, *[assistant("a"), user("b")] * count)
    yield "messages of one role", gpt(*[go] * count)
    yield "system messages", gpt(*[{"role": "system", "content": "a"}] * count, go)
    yield "late system messages", gpt(go, *[{"role": "system", "content": "a"}, go] * count)
    yield "parts", gpt(user([part] * count))
    yield "marks", gpt(user([{**part, **mark}] * count))
    yield "marks of messages", gpt(*[user([{**part, **mark}]), assistant("a")] * count, go)
    yield "calls", gpt(go, assistant(None, tool_calls=calls), *results)
    yield "calls of one id", gpt(go, assistant(None, tool_calls=same), *[tool("c")] * count)
    yield "calls of one id in turns", gpt(go, *[assistant(None, tool_calls=same[:1]), tool("c")] * count)
    yield "calls without results", gpt(go, assistant(None, tool_calls=calls), go)
    yield "results without calls", gpt(go, assistant("a"), *results, go)
    yield "results of one call", gpt(go, assistant(None, tool_calls=same[:1]), *[tool("c")] * count)
    yield "tools", gpt(go, tools=tools)
    yield "properties", gpt(go, tools=[tall])
    yield "definitions", gpt(go, response_format=shape)
    yield "unions", gpt(go, tools=[union])
    yield "reasoning", gpt(go, *[assistant("a", reasoning_content="a", reasoning_details=[thought]), go] * count)
    yield "entries of reasoning", gpt(go, assistant("a", reasoning_details=[thought] * count), go)
    yield "unknown fields", gpt({**go, **{f"x{at}": 1 for at in range(count)}}, **{f"x{at}": 1 for at in range(count)})


def from_messages(count):
    go, mark = user("go"), {"cache_control": {"type": "ephemeral"}}
    text = {"type": "text", "text": "a"}
    calls, results = [use(f"t{at}") for at in range(count)], [result("ok", f"t{at}") for at in range(count)]
    tools = [{**TOOL, "name": f"f{at}"} for at in range(count)]
    thought = {"type": "thinking", "thinking": "a", "signature": "s"}
    shape = {"format": {"type": "json_schema", "schema": referring(count)}}
    yield "turns", claude(go, *[assistant("a"), user("b")] * count)
    yield "parts", claude(user([text] * count))
    yield "marks", claude(user([{**text, **mark}] * count))
    yield "system texts", claude(go, system=[text] * count)
    yield "system messages", claude(go, *[{"role": "system", "content": "a"}, go] * count)
    yield "calls", claude(go, assistant(calls), user(results))
    yield "calls of one id", claude(go, assistant([use("t")] * count), user([result("ok", "t")] * count))
    yield "calls in turns", claude(go, *[assistant([use("t")]), user([result("ok", "t")])] * count)
    yield "calls without results", claude(go, assistant(calls), go)
    yield "results without calls", claude(go, assistant("a"), user(results))
    yield "parts of a result", claude(go, assistant([use("t")]), user([result([text] * count, "t")]))
    yield "tools", claude(go, tools=tools)
    yield "calls of tools", claude(go, assistant(calls), user(results), tools=tools)
    yield "definitions", claude(go, output_config=shape)
    yield "properties", claude(go, tools=[{**TOOL, "strict": True, "input_schema": schema_of(count)}])
    yield "reasoning", claude(go, *[assistant([thought, text]), go] * count)
    yield "reasoning of a turn", claude(go, assistant([*[thought] * count, text]), go)
    told = [searched(at, page(at)) for at in range(count)]
    yield "searches", claude(go, *[one for blocks in told for one in (assistant([*blocks, text]), go)])
    yield "searches of a turn", claude(go, assistant([*[one for blocks in told for one in blocks], text]), go)
    yield "pages of a search", claude(go, assistant([*searched(0, *map(page, range(count))), text]), go)
    yield "text between calls", claude(go, assistant([one for call in calls for one in (text, call)]), user(results))


def from_responses(count):
    go, part = say("user", "go"), {"type": "input_text", "text": "a"}
    calls, results = [called(f"c{at}") for at in range(count)], [output(f"c{at}") for at in range(count)]
    pairs = [one for pair in zip(calls, results, strict=True) for one in pair]
    thought = {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "a"}]}
    summary = [{"type": "summary_text", "text": "a"}] * count
    tools = [{**LOOK, "name": f"f{at}"} for at in range(count)]
    found = {"type": "tool_search_output", "call_id": None, "execution": "server", "tools": tools}
    shape = {"type": "json_schema", "name": "o", "schema": referring(count), "strict": True}
    yield "turns", gpt5(go, *[say("assistant", "a"), go] * count)
    yield "messages of one role", gpt5(*[go] * count)
    yield "answers of one turn", gpt5(go, *[say("assistant", "a")] * count, go)
    yield "system messages", gpt5(go, *[say("system", "a"), go] * count)
    yield "parts", gpt5(say("user", [part] * count))
    yield "calls", gpt5(go, *calls, *results)
    yield "calls of one id", gpt5(go, *[called()] * count, *[output()] * count)
    yield "calls with their results", gpt5(go, *pairs)
    yield "calls of one id in turns", gpt5(go, *[called(), output()] * count)
    yield "calls without results", gpt5(go, *calls, go)
    yield "results without calls", gpt5(go, *results)
    yield "results without ids", gpt5(go, *[output(None)] * count)
    yield "reasoning", gpt5(go, *[thought, say("assistant", "a"), go] * count)
    yield "parts of a summary", gpt5(go, {**thought, "summary": summary}, say("assistant", "a"), go)
    yield "tools", gpt5(go, tools=tools)
    yield "namespaces", gpt5(go, tools=[{"type": "namespace", "name": one["name"], "tools": [LOOK]} for one in tools])
    yield "tools that were found", gpt5(go, {**found, "type": "tool_search_call", "arguments": {}}, found, go)
    yield "searches", gpt5(go, *[{"type": "web_search_call", "action": {"type": "search", "query": "a"}}] * count, go)
    sources = [{"type": "url", "url": page(at)} for at in range(count)]
    action = {"type": "search", "query": "a", "sources": sources}
    yield "pages of a search", gpt5(go, {"type": "web_search_call", "action": action}, go)
    yield "unknown items", gpt5(go, *[{"type": "agent_message", "content": [part]}] * count, go)
    yield "definitions", gpt5(go, text={"format": shape})


def from_gemini(count):
    """Contents of Google's API."""
    go, part = content("user", {"text": "go"}), {"text": "a"}
    calls = [{"functionCall": {"id": f"c{at}", "name": "look", "args": {"at": at}}} for at in range(count)]
    bare = [{"functionCall": {"name": "look"}}] * count
    results = [
        {"functionResponse": {"id": f"c{at}", "name": "look", "response": {"output": "ok"}}} for at in range(count)
    ]
    loose = [{"functionResponse": {"name": "look", "response": {"output": "ok"}}}] * count
    image = {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}
    signed = [{**one, "thoughtSignature": "cnRyMS4A"} for one in calls]
    tools = [{"name": f"f{at}", "parametersJsonSchema": {"type": "object"}} for at in range(count)]
    named = {"mode": "ANY", "allowedFunctionNames": [one["name"] for one in tools]}
    tall = {"type": "OBJECT", "properties": {f"a{at}": {"type": "STRING", "nullable": True} for at in range(count)}}
    ordered = {**tall, "propertyOrdering": list(tall["properties"])}
    yield "turns", gemini(go, *[content("model", part), go] * count)
    yield "contents of one role", gemini(*[go] * count)
    yield "contents of one answer", gemini(go, *[content("model", part)] * count, go)
    yield "parts", gemini(content("user", *[part] * count))
    yield "images", gemini(content("user", *[image] * count))
    yield "thoughts", gemini(go, content("model", *[{"text": "a", "thought": True}, part] * count), go)
    yield "signatures", gemini(go, content("model", *[{"text": "a", "thoughtSignature": "cnRyMS4A"}] * count), go)
    yield "calls", gemini(go, content("model", *calls), content("user", *results))
    yield "calls with signatures", gemini(go, content("model", *signed), content("user", *results))
    yield "calls without ids", gemini(go, content("model", *bare), content("user", *loose))
    yield "calls without results", gemini(go, content("model", *calls), go)
    yield "responses without calls", gemini(go, content("user", *loose))
    yield "calls in turns", gemini(go, *[content("model", bare[0]), content("user", loose[0])] * count)
    yield "images behind responses", gemini(go, content("model", *calls), content("user", *results, *[image] * count))
    yield "tools", gemini(go, tools=[{"functionDeclarations": tools}])
    yield "entries of tools", gemini(go, tools=[{"functionDeclarations": [one]} for one in tools])
    yield "names", gemini(go, tools=[{"functionDeclarations": tools}], toolConfig={"functionCallingConfig": named})
    yield "properties", gemini(go, tools=[{"functionDeclarations": [{"name": "f", "parameters": ordered}]}])
    yield "system texts", gemini(go, systemInstruction={"parts": [part] * count})
    yield "unknown fields", gemini(go, **{f"x{at}": 1 for at in range(count)})


def content(role, *parts):
    """A content."""
    return {"role": role, "parts": list(parts)}


def gemini(*contents, **fields):
    """A request of Google's API."""
    return {"contents": list(contents), **fields}


REQUESTS = {"chat": from_chat, "messages": from_messages, "responses": from_responses, "gemini": from_gemini}


@functools.cache
def requests(source, count):
    return {name: json.dumps(body).encode() for name, body in REQUESTS[source](count)}
