"""Random answers of Responses servers, in the shapes that real servers send, each as a stream and as a whole."""

import json

from .answers import Answer, draw_calls, frame, names_of

USAGE = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 4,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 13,
}


def responses(book, target):
    """An answer of a Responses server."""
    items = []
    if book.likes(0.5):
        items += [_reasoning(book) for _ in range(book.pick(1, 1, 2))]
    for share, make in ((0.15, _hosted), (0.05, _unknown)):
        if book.likes(share):
            items.append(make(book))
    refuses = book.likes(0.08, "refusal")
    if refuses or book.likes(0.75):
        items += [_message(book, refuses=refuses) for _ in range(1 if refuses else book.pick(1, 1, 2))]
    calls = [] if refuses else draw_calls(book, names_of(book, target)) if book.likes(0.5) else []
    items += [_call(book, call) for call in calls]
    if book.likes(0.2):
        book.shapes.append("shuffled")
        book.chance.shuffle(items)
    for at, item in enumerate(items):
        item["id"] = f"it_{book.seed}_{at}"
    cut = not calls and not refuses and book.likes(0.1, "incomplete")
    last = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}} if cut else {}
    whole = {**_shell(book, "completed", items), "usage": USAGE, **last}
    stop = "refusal" if refuses else "tool_use" if calls else "max_tokens" if cut else "end_turn"
    return Answer(_stream(book, items, whole), whole, stop)


def _shell(book, status, items):
    return {
        "id": f"resp_{book.seed}",
        "object": "response",
        "created_at": 1,
        "model": "m",
        "status": status,
        "output": items,
        "error": None,
        "incomplete_details": None,
    }


def _reasoning(book):
    item = {"type": "reasoning", "summary": []}
    names = "reasoning"
    if book.likes(0.8):
        texts = [book.text("reasoning", names=names) for _ in range(book.pick(1, 1, 2))]
        item["summary"] = [{"type": "summary_text", "text": text} for text in texts]
    elif book.likes(0.6, "reasoning_text"):
        item["content"] = [{"type": "reasoning_text", "text": book.text("reasoning", names=names)}]
    if book.likes(0.6):
        mark = item["encrypted_content"] = book.put("proof", names=names)
        # The opaque content holds the text too.
        own = [at for at, put in enumerate(book.puts) if put.kind == "reasoning" and put.mark in json.dumps(item)]
        for at in own:
            book.puts[at] = book.puts[at]._replace(about=mark)
    return item


def _message(book, *, refuses):
    parts = []
    if refuses:
        parts.append({"type": "refusal", "refusal": book.text("refusal")})
    for _ in range(0 if refuses else book.pick(1, 1, 2)):
        part = {"type": "output_text", "text": book.text(), "annotations": []}
        if book.likes(0.2, "annotations"):
            url = f"https://x.example/{book.put('citation', names='annotation|citation')}"
            part["annotations"] = [{"type": "url_citation", "url": url, "title": "t", "start_index": 0, "end_index": 1}]
        if book.likes(0.05, "logprobs"):
            part["logprobs"] = [
                {"token": book.put("field", names="logprobs"), "logprob": -1.0, "bytes": [], "top_logprobs": []}
            ]
        parts.append(part)
    item = {"type": "message", "role": "assistant", "status": "completed", "content": parts}
    if book.likes(0.1, "phase"):
        item["phase"] = book.pick("commentary", "final_answer")
        book.puts.append(_phase(item["phase"]))
    return item


def _phase(value):
    from .marks import Put

    return Put("field", value, names="phase")


def _call(book, call):
    _, call_id, name, said = call
    if name == "patch":
        return {"type": "custom_tool_call", "call_id": call_id, "name": name, "input": json.loads(said)["input"]}
    item = {"type": "function_call", "call_id": call_id, "name": name, "arguments": said, "status": "completed"}
    if not call_id:
        del item["call_id"]
    return item


def _hosted(book):
    kind = book.pick(
        "web_search_call", "image_generation_call", "tool_search_call", "code_interpreter_call", "mcp_call"
    )
    book.shapes.append(kind)
    mark = book.put("field", names=kind)
    return {
        "web_search_call": {"type": kind, "status": "completed", "action": {"type": "search", "query": mark}},
        "image_generation_call": {"type": kind, "status": "completed", "result": mark},
        "tool_search_call": {"type": kind, "status": "completed", "execution": "server", "arguments": {"query": mark}},
        "code_interpreter_call": {
            "type": kind,
            "status": "completed",
            "code": mark,
            "container_id": "c",
            "outputs": [],
        },
        "mcp_call": {"type": kind, "status": "completed", "name": "n", "server_label": "s", "arguments": mark},
    }[kind]


def _unknown(book):
    book.shapes.append("unknown item")
    return {"type": "hologram_call", "text": book.put("field", names="hologram_call")}


def _stream(book, items, whole):
    """The events of the items, in one of the ways in which servers number and announce them."""
    way = book.pick("right", "right", "right", "shared", "none", "only done", "only last", "no item id")
    book.shapes.append(f"stream {way}")
    start = {**_shell(book, "in_progress", []), "usage": None}
    events = [{"type": "response.created", "response": start}, {"type": "response.in_progress", "response": start}]
    if way != "only last":
        for at, item in enumerate(items):
            place = {"output_index": 0 if way == "shared" else at, "item_id": item["id"]}
            if way == "none":
                del place["output_index"]
            if way == "no item id":
                del place["item_id"]
            events += _item_events(book, item, place, only_done=way == "only done")
    kind = "response.incomplete" if whole["status"] == "incomplete" else "response.completed"
    events.append({"type": kind, "response": whole})
    for at, event in enumerate(events):
        event["sequence_number"] = at
    return frame(events, names=True, book=book)


def _item_events(book, item, place, *, only_done):
    outer = {key: value for key, value in place.items() if key != "item_id"}
    empty = {**item, "status": "in_progress"}
    for key, value in (("content", []), ("summary", []), ("arguments", ""), ("input", "")):
        if key in empty and isinstance(empty[key], type(value)):
            empty[key] = value
    empty.pop("encrypted_content", None)
    deltas = [] if only_done else [{**place, **one} for one in _deltas(book, item)]
    return [
        {"type": "response.output_item.added", **outer, "item": empty},
        *deltas,
        {"type": "response.output_item.done", **outer, "item": item},
    ]


def _deltas(book, item):
    kind = item["type"]
    if kind in ("function_call", "custom_tool_call"):
        field, name = (
            ("arguments", "function_call_arguments") if kind == "function_call" else ("input", "custom_tool_call_input")
        )
        found = [{"type": f"response.{name}.delta", "delta": one} for one in book.pieces(item[field])]
        return [*found, {"type": f"response.{name}.done", field: item[field]}]
    found = []
    for at, part in enumerate(item.get("summary") or ()):
        where = {"summary_index": at}
        found += [
            {"type": "response.reasoning_summary_text.delta", **where, "delta": one}
            for one in book.pieces(part["text"])
        ]
        found.append({"type": "response.reasoning_summary_text.done", **where, "text": part["text"]})
    content = item.get("content")
    for at, part in enumerate(content if isinstance(content, list) else ()):
        where = {"content_index": at}
        name, field = {
            "output_text": ("output_text", "text"),
            "refusal": ("refusal", "refusal"),
            "reasoning_text": ("reasoning_text", "text"),
        }[part["type"]]
        found.append({"type": "response.content_part.added", **where, "part": {**part, field: ""}})
        found += [{"type": f"response.{name}.delta", **where, "delta": one} for one in book.pieces(part[field])]
        if part.get("logprobs") and not book.likes(0.4, "logprobs only in done"):
            found[-1]["logprobs"] = part["logprobs"]
        for number, entry in enumerate(part.get("annotations") or ()):
            kind = "response.output_text.annotation.added"
            found.append({"type": kind, **where, "annotation_index": number, "annotation": entry})
        found.append({"type": f"response.{name}.done", **where, field: part[field]})
        found.append({"type": "response.content_part.done", **where, "part": part})
    return found
