"""Random answers of the three protocols, in the shapes that real servers send, each as a stream and as a whole."""

import json
import re
from typing import NamedTuple

UNION = {"anyOf": [{"type": "object", "properties": {"path": {"type": "string"}}}, {"type": "object"}]}
DONE = b"data: [DONE]\n\n"


class Answer(NamedTuple):
    """An answer. stream: its events. whole: the same as one JSON value."""

    stream: bytes
    whole: dict
    #: The stop reason that a Messages caller must see, '' where it may be any.
    stop: str = ""


def frame(events, *, names, book, done=b""):
    """Events as bytes: with or without names, and in the forms of lines and of JSON that servers use."""
    found = []
    raw = book.likes(0.05, "raw control characters")
    for event in events:
        payload = json.dumps(event, ensure_ascii=book.likes(0.5))
        payload = re.sub(r"(?<!\\)\\t", "\t", payload) if raw else payload
        name = f"event: {event['type']}\n" if names and "type" in event else ""
        found.append(f"{name}data: {payload}\n\n")
    made = "".join(found).encode("utf-8", "surrogatepass") + done
    if book.likes(0.1, "CRLF"):
        made = made.replace(b"\n", b"\r\n")
    if book.likes(0.05, "no last blank line"):
        made = made.rstrip(b"\r\n") + b"\n"
    return made


def arguments(book, *, kinds=("object",)):
    """The mark and the JSON text of a call's arguments."""
    mark = book.mark()
    given = {"path": f"{mark}{book.pick('', ' é', chr(10), '  ', chr(0x1F600), chr(34))}"}
    if book.likes(0.3):
        given["n"] = book.pick(1, 1.0, -0.0, 1e300, [], {}, None, True, 12345678901234567890)
    return mark, json.dumps(given, ensure_ascii=book.likes(0.5), separators=book.pick((",", ":"), (", ", ": ")))


def draw_calls(book, names):
    """Some calls: (mark, id, name, JSON text of arguments), by one of the ways in which servers give ids."""
    count = book.pick(1, 1, 2, 3, 4)
    ids = book.pick("own", "own", "same", "counted", "named", "none", "pairs", "odd")
    book.shapes.append(f"ids {ids} x{count}")
    found = []
    for at in range(count):
        mark, said = arguments(book)
        name = book.pick(*names)
        call_id = {
            "own": f"call_{book.seed}_{at}",
            "same": "call_00_same",
            "counted": f"call_{at}",
            "named": f"functions.{name}:0",
            "none": "",
            "pairs": f"call_{at // 2}",
            "odd": f"a|b.c {at}" + "x" * 70,
        }[ids]
        found.append((mark, call_id, *_told(book, mark, name, said)))
    return found


def _told(book, mark, name, said):
    """The name, and the arguments as the upstream gives them; what the caller must see is put into the book."""
    if name == "patch":
        text = f"*** {mark}\n"
        book.puts.append(_call_put(mark, name, {"input": text}))
        return name, json.dumps({"input": text})
    book.puts.append(_call_put(mark, name, said))
    if name == "union" and book.wrapper:
        return name, json.dumps({book.wrapper: json.loads(said)})
    return name, said


def names_of(book, target):
    """The tools that a caller has declared, the usual ones more often."""
    return ("look", "look", "edit", "edit", "union", *(("patch",) if target == "responses" and book.custom else ()))


# Chat


def chat(book, target):
    """An answer of a Chat server."""
    draft = _ChatDraft(book)
    if book.likes(0.5):
        draft.reason()
    refuses = book.likes(0.08, "refusal")
    if refuses:
        draft.refuse()
    elif book.likes(0.75):
        draft.say()
    calls = [] if refuses else draw_calls(book, names_of(book, target)) if book.likes(0.5) else []
    second = bool(calls) and book.likes(0.15, "calls in choice 1")
    if calls:
        draft.call(calls, second=second)
    elif book.likes(0.08, "second choice"):
        draft.second.append({"content": book.text("choice", names="choice")})
    draft.extras()
    return draft.finish(calls, refuses=refuses)


class _ChatDraft:
    """The deltas of a Chat answer, and its whole message."""

    def __init__(self, book):
        self.book = book
        self.deltas = []
        self.second = []
        self.message = {"role": "assistant", "content": None}
        self.second_message = {}
        self.beside = {}
        self.choice = {}

    def reason(self):
        book = self.book
        form = book.pick("reasoning_content", "reasoning", "details", "details", "both", "parts")
        book.shapes.append(f"reasoning {form}")
        text = book.text("reasoning", names="reasoning|thinking")
        pieces = book.pieces(text)
        if form == "parts":
            self.deltas += [
                {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": one}]}]} for one in pieces
            ]
            self.message["content"] = [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]
            return
        if form in ("reasoning_content", "reasoning"):
            self.deltas += [{form: one} for one in pieces]
            self.message[form] = text
            return
        self._details(text, pieces, beside=form == "both")

    def _details(self, text, pieces, *, beside):
        book = self.book
        vendor = book.pick("google-gemini-v1", "anthropic-claude-v1", "openai-responses-v1", "xai-responses-v1")
        kind = book.pick("reasoning.text", "reasoning.summary") if "claude" not in vendor else "reasoning.text"
        field = "text" if kind == "reasoning.text" else "summary"
        entries = [{"type": kind, field: one, "format": vendor, "index": 0} for one in pieces]
        self.deltas += [
            {"reasoning_details": [entry], **({"reasoning": entry[field]} if beside else {})} for entry in entries
        ]
        whole = [{"type": kind, field: text, "format": vendor, "index": 0}]
        proof = book.pick("none", "same", "own")
        book.shapes.append(f"details {vendor} {kind} {proof}")
        if proof == "same" and kind == "reasoning.text":
            sign = book.put("proof", names="reasoning|signature")
            self.deltas.append({"reasoning_details": [{**whole[0], "text": None, "signature": sign}]})
            whole[0]["signature"] = sign
        elif proof == "own":
            sign = book.put("proof", names="reasoning|signature")
            entry = {"type": "reasoning.encrypted", "data": sign, "format": vendor, "index": 1, "id": "rs_1"}
            self.deltas.append({"reasoning_details": [entry]})
            whole.append(entry)
        self.message["reasoning_details"] = whole
        if beside:
            self.message["reasoning"] = text

    def say(self):
        book = self.book
        text = book.text()
        pieces = book.pieces(text)
        if isinstance(self.message["content"], list):
            self.message["content"].append({"type": "text", "text": text})
            self.deltas += [{"content": [{"type": "text", "text": one}]} for one in pieces]
            return
        self.message["content"] = text
        self.deltas += [{"content": one} for one in pieces]
        if book.likes(0.06, "emoji in two chunks"):
            # Cut by UTF-16 units, as some servers do.
            self.deltas += [{"content": " \ud83d"}, {"content": "\ude00 "}]
        elif book.likes(0.04, "lone surrogate"):
            self.deltas.append({"content": "\ud83d"})

    def refuse(self):
        text = self.book.text("refusal")
        self.message["refusal"] = text
        self.deltas += [{"refusal": one} for one in self.book.pieces(text)]

    def call(self, calls, *, second):
        book = self.book
        deltas = self.second if second else self.deltas
        message = self.second_message if second else self.message
        indexed = book.pick("right", "right", "right", "whole", "none", "zero")
        ids = [call_id for _, call_id, _, _ in calls]
        if len(set(ids)) < len(ids) or not all(ids):
            # Only their indices, or whole entries, tell such calls apart.
            indexed = book.pick("right", "whole")
        book.shapes.append(f"index {indexed}")
        entries, parts = [], []
        for at, (_, call_id, name, said) in enumerate(calls):
            whole = {"id": call_id, "type": "function", "function": {"name": name, "arguments": said}}
            if not call_id:
                del whole["id"]
            entries.append(whole)
            index = {"right": {"index": at}, "whole": {"index": at}, "none": {}, "zero": {"index": 0}}[indexed]
            if indexed == "right":
                first, *rest = book.pieces(said)
                begun = {**whole, **index, "function": {"name": name, "arguments": first}}
                parts.append([begun, *({**index, "function": {"arguments": one}} for one in rest)])
            else:
                parts.append([{**whole, **index}])
        queues = list(parts)
        if indexed == "right" and book.likes(0.3, "interleaved"):
            order = [queue.pop(0) for queue in queues]
            while any(queues):
                order.append(book.pick(*[queue for queue in queues if queue]).pop(0))
        else:
            order = [one for queue in queues for one in queue]
        deltas += [{"tool_calls": [one]} for one in order]
        message["tool_calls"] = entries

    def extras(self):
        book, message = self.book, self.message
        if book.likes(0.12, "annotations"):
            url = f"https://{book.put('citation', names='annotation|citation')}.example/a".lower()
            url = url.replace(book.puts[-1].mark.lower(), book.puts[-1].mark)
            entry = {
                "type": "url_citation",
                "url_citation": {"url": url, "title": "t", "start_index": 0, "end_index": 1},
            }
            message["annotations"] = [entry]
            self.deltas.append({"annotations": [entry]})
        if book.likes(0.05, "search results"):
            url = f"https://x.example/{book.put('citation', names='citation|search_results|annotation')}"
            self.beside["citations"] = [url]
        for field, value in (
            ("images", lambda mark: [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{mark}"}}]),
            ("audio", lambda mark: {"id": "audio_1", "data": mark, "transcript": "", "expires_at": 1}),
            ("executed_tools", lambda mark: [{"type": "search", "output": mark}]),
            ("hologram", lambda mark: {"text": mark}),
        ):
            if book.likes(0.05, field):
                given = value(book.put("field", names=field.rstrip("s")))
                message[field] = given
                self.deltas.append({field: given})
        if book.likes(0.05, "logprobs"):
            entry = {"token": book.put("field", names="logprobs"), "logprob": -1.0, "bytes": None, "top_logprobs": []}
            if book.likes(0.3, "logprob -Infinity"):
                entry["logprob"] = float("-inf")
            self.choice["logprobs"] = {"content": [entry], "refusal": None}
        if book.likes(0.05, "moderation"):
            self.beside["moderation"] = {"category": book.put("field", names="moderation")}

    def finish(self, calls, *, refuses):
        book = self.book
        finish = "tool_calls" if calls else "stop"
        if not calls and not refuses and book.likes(0.1):
            finish = "length"
        head = {"id": f"chatcmpl-{book.seed}", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        usage = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
        events = [{**head, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}]
        for at, delta in enumerate(self.deltas):
            extra = {**self.choice} if at == len(self.deltas) - 1 else {}
            events.append({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None, **extra}]})
        events += [{**head, "choices": [{"index": 1, "delta": one, "finish_reason": None}]} for one in self.second]
        if not self.deltas and self.choice:
            events.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": None, **self.choice}]})
        finishes = not book.likes(0.1, "no finish_reason before [DONE]")
        if finishes:
            events += [
                {**head, "choices": [{"index": at, "delta": {}, "finish_reason": finish}]}
                for at in range(1 + bool(self.second))
            ]
        events.append({**head, "choices": [], "usage": usage, **self.beside})
        message = {**self.message}
        if not calls and message["content"] is None:
            message["content"] = ""
        choices = [{"index": 0, "message": message, "finish_reason": finish, **self.choice}]
        if self.second:
            other = {"role": "assistant", "content": None, **self.second_message}
            other["content"] = "".join(one.get("content", "") for one in self.second) or None
            choices.append({"index": 1, "message": other, "finish_reason": finish})
        whole = {**head, "object": "chat.completion", "choices": choices, "usage": usage, **self.beside}
        stop = "refusal" if refuses else "tool_use" if calls else {"length": "max_tokens"}.get(finish, "end_turn")
        if stop == "max_tokens" and not finishes:
            stop = ""
        return Answer(frame(events, names=False, book=book, done=DONE), whole, stop)


def _call_put(mark, name, said):
    from .marks import Put
    from .readers import canonical

    return Put("call", mark, names="tool call", about=(name, canonical(said)))


# Messages


def messages(book, target):
    """An answer of a Messages server."""
    blocks = []
    if book.likes(0.5):
        blocks += _thoughts(book)
    if book.likes(0.2, "server tool"):
        mark = book.put("field", names="server_tool_use|web_search_call")
        blocks.append({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": mark}})
        page = {"type": "web_search_result", "url": "https://a.example", "title": book.put("field", names="web_search")}
        blocks.append({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [page]})
    refuses = book.likes(0.08, "refusal")
    if book.likes(0.75):
        blocks += [_said(book) for _ in range(book.pick(1, 1, 2))]
    if book.likes(0.05, "unknown block"):
        blocks.append({"type": "hologram", "text": book.put("field", names="hologram")})
    calls = [] if refuses else draw_calls(book, names_of(book, target)) if book.likes(0.5) else []
    for _, call_id, name, said in calls:
        blocks.append({"type": "tool_use", "id": call_id, "name": name, "input": json.loads(said), "": said})
        if not call_id:
            del blocks[-1]["id"]
    stop = "refusal" if refuses else "tool_use" if calls else book.pick("end_turn", "end_turn", "max_tokens")
    delta = {"stop_reason": stop, "stop_sequence": None}
    if refuses and book.likes(0.6):
        delta["stop_details"] = {"type": "refusal", "category": "x", "explanation": book.text("refusal")}
    if book.likes(0.05, "container"):
        delta["container"] = {"id": book.put("field", names="container"), "expires_at": "2030-01-01T00:00:00Z"}
    beside = {}
    if book.likes(0.05, "context_management"):
        edit = {"type": "clear_tool_uses_20250919", "note": book.put("field", names="context_management")}
        beside["context_management"] = {"applied_edits": [edit]}
    return _messages_answer(book, blocks, delta, beside)


def _thoughts(book):
    found = []
    for _ in range(book.pick(1, 1, 2)):
        if book.likes(0.2, "redacted"):
            found.append({"type": "redacted_thinking", "data": book.put("proof", names="reasoning|redacted|thinking")})
            continue
        block = {"type": "thinking", "thinking": book.text("reasoning", names="reasoning|thinking"), "signature": ""}
        if not book.likes(0.3, "unsigned"):
            block["signature"] = book.put("proof", names="reasoning|thinking|signature")
        found.append(block)
    return found


def _said(book):
    block = {"type": "text", "text": book.text()}
    if book.likes(0.2, "citations"):
        url = f"https://x.example/{book.put('citation', names='citation|annotation')}"
        cited = {
            "type": "web_search_result_location",
            "url": url,
            "title": "t",
            "cited_text": "c",
            "encrypted_index": "e",
        }
        block["citations"] = [cited]
    return block


def _messages_answer(book, blocks, delta, beside):
    head = {"id": f"msg_{book.seed}", "type": "message", "role": "assistant", "model": "m"}
    usage = {"input_tokens": 9, "output_tokens": 4}
    empty = {**head, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    events = [{"type": "message_start", "message": empty}]
    for at, block in enumerate(blocks):
        events += _block_events(book, at, block)
        block.pop("", None)
    events += [{"type": "message_delta", "delta": delta, "usage": usage, **beside}, {"type": "message_stop"}]
    whole = {**head, "content": blocks, "usage": usage, **delta, **beside}
    named = not book.likes(0.1, "no event lines")
    return Answer(frame(events, names=named, book=book), whole, delta["stop_reason"])


def _block_events(book, at, block):
    kind = block["type"]
    deltas, start = [], {key: value for key, value in block.items() if key}
    if kind == "text":
        start["text"] = ""
        start.pop("citations", None)
        deltas = [{"type": "text_delta", "text": one} for one in book.pieces(block["text"])]
        deltas += [{"type": "citations_delta", "citation": one} for one in block.get("citations", ())]
    elif kind == "thinking":
        start |= {"thinking": "", "signature": ""}
        deltas = [{"type": "thinking_delta", "thinking": one} for one in book.pieces(block["thinking"])]
        deltas += [{"type": "signature_delta", "signature": block["signature"]}] if block["signature"] else []
    elif kind in ("tool_use", "server_tool_use") and not book.likes(0.1, "input at the start"):
        start["input"] = {}
        said = block.get("") or json.dumps(block["input"])
        deltas = [{"type": "input_json_delta", "partial_json": one} for one in book.pieces(said)]
    return [
        {"type": "content_block_start", "index": at, "content_block": start},
        *({"type": "content_block_delta", "index": at, "delta": one} for one in deltas),
        {"type": "content_block_stop", "index": at},
    ]
