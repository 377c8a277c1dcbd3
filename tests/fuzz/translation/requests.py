"""Random requests of the three protocols, with histories in the shapes that real clients send."""

import json

from .answers import arguments
from .marks import Put
from .readers import canonical
from .schemas import draw_schema

PNG = "iVBORw0KGgo="
FORMATS = ("google-gemini-v1", "anthropic-claude-v1", "openai-responses-v1", "xai-responses-v1", None)
OBJECT = {"type": "object", "properties": {"path": {"type": "string"}}}
UNION = {"anyOf": [OBJECT, {"type": "object", "properties": {"n": {"type": "integer"}}}]}


def schema(book):
    """A tool's schema, at times with a union at its root."""
    kind = book.pick("plain", "plain", "plain", "anyOf", "oneOf", "allOf", "none")
    if kind == "plain":
        return {**OBJECT, "description": book.put("field", names="tools")}
    if kind == "none":
        return None
    book.shapes.append(f"root {kind}")
    return {kind: UNION["anyOf"], "description": book.put("field", names="tools")}


class Calls:
    """The calls of a history: their ids by one of the ways in which servers give them."""

    def __init__(self, book):
        self.book = book
        self.way = book.pick("own", "own", "own", "counted", "same", "named", "odd")
        book.shapes.append(f"ids {self.way}")
        self._count = 0

    def draw(self, path, count):
        """Calls of one turn: (mark, id, name, JSON text)."""
        found = []
        for at in range(count):
            self._count += 1
            mark, said = arguments(self.book)
            name = self.book.pick("look", "edit")
            call_id = {
                "own": f"call_{self._count}",
                "counted": f"call_{at}",
                "same": "call_same",
                "named": f"functions.{name}:0",
                "odd": f"a|b.c {self._count}" + "x" * 70,
            }[self.way]
            self.book.puts.append(Put("call", mark, path, "", (name, canonical(said))))
            found.append((mark, call_id, name, said))
        return found

    def answered(self, calls):
        """The calls in the order in which their results come."""
        ids = [call[1] for call in calls]
        if len(set(ids)) == len(ids) and self.book.likes(0.2, "results shuffled"):
            return self.book.chance.sample(calls, len(calls))
        return calls


# Chat


def chat(book):
    """A Chat request."""
    calls = Calls(book)
    messages = []

    def path():
        return f"messages[{len(messages)}]"

    if book.likes(0.6):
        role = book.pick("system", "developer")
        messages.append({"role": role, "content": book.text(path=path())})
    for _ in range(book.pick(1, 2, 3)):
        messages.append({"role": "user", "content": _chat_user(book, path())})
        for _ in range(book.pick(0, 1, 1, 2)):
            made = calls.draw(path(), book.pick(1, 1, 2, 3))
            messages.append(_chat_assistant(book, path(), made))
            for mark, call_id, _, _ in calls.answered(made):
                said = book.put("result", path(), about=mark)
                content = book.pick(said, [{"type": "text", "text": said}])
                messages.append({"role": "tool", "tool_call_id": call_id, "content": content})
        if book.likes(0.5):
            messages.append(_chat_assistant(book, path(), ()))
    messages.append({"role": "user", "content": book.text(path=path())})
    tools = [
        {"type": "function", "function": {"name": name, **({"parameters": found} if (found := schema(book)) else {})}}
        for name in ("look", "edit")
    ]
    if book.likes(0.3, "strict tool"):
        path = f"tools[{len(tools)}]"
        tools.append(
            {"type": "function", "function": {"name": "strict", "strict": True, **_strict(book, path, "parameters")}}
        )
    body = {"model": "x", "max_tokens": 9000, "messages": messages, "tools": tools, **_effort(book)}
    if book.likes(0.3, "format"):
        path = "response_format"
        about = {"description": book.put("field", path)} if book.likes(0.5) else {}
        strict = book.pick({}, {"strict": True})
        form = {"name": "out", "schema": draw_schema(book, path, strict=bool(strict)), **about, **strict}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    return body


def _strict(book, path, field):
    return {"description": book.put("field", path), field: draw_schema(book, path, strict=field == "parameters")}


def _effort(book):
    return {"reasoning_effort": book.pick("low", "high")} if book.likes(0.4, "effort") else {}


def _marked(book, part):
    if book.likes(0.15, "cache mark"):
        return {**part, "cache_control": {"type": "ephemeral", **book.pick({}, {"ttl": "1h"})}}
    return part


def _chat_user(book, path):
    if book.likes(0.5):
        return book.text(path=path)
    parts = []
    for _ in range(book.pick(1, 2, 3)):
        here = f"{path}.content[{len(parts)}]"
        kind = book.pick("text", "text", "text", "image", "data image")
        if kind == "text":
            parts.append(_marked(book, {"type": "text", "text": f"a{book.text(path=here)}"}))
        elif kind == "image":
            url = f"https://a.example/{book.put('field', here)}.png"
            parts.append({"type": "image_url", "image_url": {"url": url}})
        else:
            parts.append({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}})
    return parts


def _chat_assistant(book, path, calls):
    message = {"role": "assistant", "content": None}
    reasoning = book.pick("none", "none", "reasoning_content", "reasoning", "details", "both", "parts")
    if reasoning != "none":
        book.shapes.append(f"history {reasoning}")
    parts = []
    if reasoning in ("reasoning_content", "reasoning", "both"):
        text = book.text("reasoning", path)
        message["reasoning" if reasoning == "both" else reasoning] = text
    if reasoning == "parts":
        thought = {"type": "text", "text": book.text("reasoning", path)}
        parts.append({"type": "thinking", "thinking": [thought]})
    if reasoning in ("details", "both"):
        vendor = book.pick(*FORMATS)
        text = message.get("reasoning") or book.text("reasoning", path)
        entry = {"type": "reasoning.text", "text": text, "format": vendor, "index": 0}
        message["reasoning_details"] = [{**entry, **book.pick({}, {"signature": book.put("reasoning", path)})}]
        if book.puts[-1].mark not in json.dumps(message):
            book.puts.pop()
        if book.likes(0.4):
            data = book.put("reasoning", path)
            message["reasoning_details"].append({"type": "reasoning.encrypted", "data": data, "format": vendor})
    if not calls or book.likes(0.5):
        text = f"a{book.text(path=path)}"
        parts.append({"type": "text", "text": text})
        if len(parts) == 1 and book.likes(0.7):
            message["content"] = text
    if len(parts) > 1 or (message["content"] is None and parts):
        message["content"] = parts
    if not calls and book.likes(0.05, "refusal in history"):
        message["refusal"] = book.text(path=path)
    if calls:
        message["tool_calls"] = [
            {"id": call_id, "type": "function", "function": {"name": name, "arguments": said}}
            for _, call_id, name, said in calls
        ]
    if book.likes(0.1, "echoed fields"):
        message |= {"annotations": [], "provider_specific_fields": None, "refusal": message.get("refusal")}
    return message


# Messages


def messages(book):
    """A Messages request."""
    calls = Calls(book)
    turns = []

    def path():
        return f"messages[{len(turns)}]"

    pending = []
    for _ in range(book.pick(1, 2, 3, 4)):
        turns.append({"role": "user", "content": _claude_user(book, path(), pending)})
        if book.likes(0.1, "system in between"):
            turns.append({"role": "system", "content": book.text(path=path())})
        made = calls.draw(path(), book.pick(0, 1, 1, 2, 3))
        turns.append({"role": "assistant", "content": _claude_assistant(book, path(), made)})
        pending = calls.answered(made)
    turns.append({"role": "user", "content": _claude_user(book, path(), pending)})
    tools = []
    for name in ("look", "edit"):
        found = schema(book) or {"type": "object"}
        tools.append(_marked(book, {"name": name, "input_schema": {"type": "object", **found}}))
    if book.likes(0.3, "strict tool"):
        tools.append({"name": "strict", "strict": True, **_strict(book, f"tools[{len(tools)}]", "input_schema")})
    body = {"model": "x", "max_tokens": 9000, "messages": turns, "tools": tools}
    if book.likes(0.3, "format"):
        form = {"type": "json_schema", "schema": draw_schema(book, "output_config.format")}
        body["output_config"] = {"format": form}
    if book.likes(0.6):
        body["system"] = [
            _marked(book, {"type": "text", "text": f"a{book.text(path=f'system[{at}]')}"}) for at in range(2)
        ]
    if book.likes(0.4, "thinking on"):
        body["thinking"] = {"type": "enabled", "budget_tokens": 2000}
    return body


def _claude_user(book, path, pending):
    blocks = []
    for mark, call_id, _, _ in pending:
        here = f"{path}.content[{len(blocks)}]"
        said = book.put("result", here, about=mark)
        content = book.pick(said, [{"type": "text", "text": said}])
        if isinstance(content, list) and book.likes(0.1, "tool_reference"):
            content.append({"type": "tool_reference", "tool_name": "edit"})
        blocks.append({"type": "tool_result", "tool_use_id": call_id, "content": content})
    for _ in range(book.pick(0, 1, 2) if pending else book.pick(1, 2)):
        here = f"{path}.content[{len(blocks)}]"
        kind = book.pick("text", "text", "text", "image", "search_result")
        if kind == "text":
            blocks.append(_marked(book, {"type": "text", "text": f"a{book.text(path=here)}"}))
        elif kind == "image":
            source = {"type": "url", "url": f"https://a.example/{book.put('field', here)}.png"}
            blocks.append({"type": "image", "source": source})
        else:
            content = [{"type": "text", "text": f"a{book.text(path=here)}"}]
            blocks.append({"type": "search_result", "source": "https://b.example", "title": "t", "content": content})
    return blocks


def _claude_assistant(book, path, calls):
    blocks = []

    def here():
        return f"{path}.content[{len(blocks)}]"

    for _ in range(book.pick(0, 0, 1, 2)):
        if book.likes(0.2, "redacted"):
            blocks.append({"type": "redacted_thinking", "data": book.put("reasoning", here())})
            continue
        block = {"type": "thinking", "thinking": book.text("reasoning", here())}
        blocks.append({**block, "signature": book.pick("", "Zm9yZWlnbg==")})
    if book.likes(0.1, "server tool"):
        given = {"query": book.put("text", here())}
        blocks.append({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": given})
        page = {"type": "web_search_result", "url": f"https://a.example/{book.put('text', here())}", "title": "t"}
        blocks.append({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [page]})
    if not calls or book.likes(0.5):
        block = {"type": "text", "text": f"a{book.text(path=here())}"}
        if book.likes(0.1, "citations"):
            url = f"https://x.example/{book.put('field', here())}"
            block["citations"] = [{"type": "web_search_result_location", "url": url, "title": "t", "cited_text": "c"}]
        blocks.append(block)
    for _, call_id, name, said in calls:
        blocks.append({"type": "tool_use", "id": call_id, "name": name, "input": json.loads(said)})
    return blocks


# Responses


def responses(book):
    """A Responses request."""
    calls = Calls(book)
    items = []

    def path():
        return f"input[{len(items)}]"

    if book.likes(0.4):
        items.append({"type": "message", "role": "developer", "content": book.text(path=path())})
    for _ in range(book.pick(1, 2, 3)):
        items.append({"type": "message", "role": "user", "content": _input(book, path())})
        for _ in range(book.pick(0, 1, 1, 2)):
            if book.likes(0.5):
                items.append(_reasoning_item(book, path()))
            _extra_items(book, items)
            _call_items(book, calls, items)
        if book.likes(0.5):
            items.append(_output_message(book, path()))
    items.append({"type": "message", "role": "user", "content": book.text(path=path())})
    tools = []
    for name in ("look", "edit"):
        found = schema(book)
        tools.append({"type": "function", "name": name, "parameters": found, "strict": False})
    effort = {"reasoning": {"effort": book.pick("low", "high")}} if book.likes(0.4, "effort") else {}
    if book.likes(0.3, "strict tool"):
        path = f"tools[{len(tools)}]"
        tools.append({"type": "function", "name": "strict", "strict": True, **_strict(book, path, "parameters")})
    body = {"model": "x", "max_output_tokens": 9000, "input": items, "tools": tools, "store": False, **effort}
    if book.likes(0.3, "format"):
        path = "text.format"
        about = {"description": book.put("field", path)} if book.likes(0.5) else {}
        strict = book.pick({}, {"strict": True})
        form = {"name": "out", "schema": draw_schema(book, path, strict=bool(strict)), **about, **strict}
        body["text"] = {"format": {"type": "json_schema", **form}}
    return body


def _input(book, path):
    if book.likes(0.4):
        return book.text(path=path)
    parts = [{"type": "input_text", "text": f"a{book.text(path=f'{path}.content[0]')}"}]
    if book.likes(0.3):
        url = f"https://a.example/{book.put('field', f'{path}.content[1]')}.png"
        parts.append({"type": "input_image", "image_url": url, "detail": "auto"})
    return parts


def _reasoning_item(book, path):
    item = {"type": "reasoning", "id": f"rs_{len(book.puts)}", "summary": []}
    if book.likes(0.7):
        item["summary"] = [{"type": "summary_text", "text": book.text("reasoning", path)}]
    if book.likes(0.7) or not item["summary"]:
        item["encrypted_content"] = book.put("reasoning", path)
    return item


def _extra_items(book, items):
    """Items that are neither messages nor calls of the caller's tools."""
    path = f"input[{len(items)}]"
    if book.likes(0.08, "agent_message"):
        content = [{"type": "input_text", "text": book.text(path=path)}]
        items.append({"type": "agent_message", "author": "a", "recipient": "b", "content": content})
    elif book.likes(0.06, "unknown item"):
        items.append({"type": book.pick("hologram", "agent_reasoning"), "text": book.text(path=path)})
    elif book.likes(0.08, "tool search"):
        _search_items(book, items)
    elif book.likes(0.06, "output without a call id"):
        given = book.pick({}, {"call_id": None}, {"call_id": ""})
        items.append({"type": "function_call_output", **given, "output": book.text(path=path)})
    elif book.likes(0.06, "hosted call"):
        items.append(
            {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"query": book.text(path=path)}}
        )


def _search_items(book, items):
    given = book.pick(({}, {}), ({"call_id": None}, {"call_id": None}), ({"id": "tsc_1"}, {"id": "tso_1"}))
    path = f"input[{len(items)}]"
    asked = {"type": "tool_search_call", "execution": "server", "arguments": {"query": book.put("field", path)}}
    items.append({**asked, "status": "completed", **given[0]})
    path = f"input[{len(items)}]"
    tool = {"type": "function", "name": "found", "description": book.put("field", path), "parameters": OBJECT}
    output = {"type": "tool_search_output", "execution": "server", "status": "completed", "tools": [tool]}
    items.append({**output, **given[1]})


def _call_items(book, calls, items):
    count = book.pick(1, 1, 2, 3)
    made = []
    for call in calls.draw("", count):
        path = f"input[{len(items)}]"
        last = book.puts.pop(next(at for at, put in enumerate(book.puts) if put.mark == call[0]))
        book.puts.append(last._replace(path=path))
        mark, call_id, name, said = call
        item = {"type": "function_call", "call_id": call_id, "name": name, "arguments": said}
        if book.likes(0.05, "namespace of its own name"):
            item["namespace"] = name
        items.append({**item, "id": f"fc_{len(items)}", "status": "completed"})
        made.append(call)
    for mark, call_id, _, _ in calls.answered(made):
        path = f"input[{len(items)}]"
        said = book.put("result", path, about=mark)
        output = book.pick(said, [{"type": "input_text", "text": said}])
        items.append({"type": "function_call_output", "call_id": call_id, "output": output})


def _output_message(book, path):
    part = {"type": "output_text", "text": f"a{book.text(path=path)}", "annotations": []}
    if book.likes(0.1, "annotations"):
        url = f"https://x.example/{book.put('field', path)}"
        part["annotations"] = [{"type": "url_citation", "url": url, "title": "t", "start_index": 0, "end_index": 1}]
    item = {"type": "message", "role": "assistant", "content": [part]}
    if book.likes(0.1, "phase"):
        item["phase"] = "commentary"
        book.puts.append(Put("field", "commentary", path, "phase"))
    return item
