"""Compactions of a conversation: a request for one, and the items that stand for what was compacted.

An OpenAI client asks for one by a trigger as the last item of the input, or at an endpoint of its own
(https://platform.openai.com/docs/api-reference/responses/compact). It goes on with one sealed item in place of the
conversation. Where the backend makes none, its model is asked for a summary, and the item is that text, signed; on the
way back it is a user's message again, for whichever backend.
"""

from collections.abc import Collection
from typing import cast

import msgspec

from router.errors import BadRequest
from router.wire.conversation.sealed_state import SUMMARY_PREFIX, StateSealer
from router.wire.neutral.context import Context
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json
from router.wire.raw.json.top_level import Top

TRIGGER = "compaction_trigger"
#: Items that stand for the history before them, in a form that only their writer can read.
KINDS = ("compaction", "compaction_summary", "context_compaction")
#: In every body that holds such an item, and in every body with one of fairlead's.
MARK, OWN_MARK = b"compaction", SUMMARY_PREFIX.encode()
#: The output limit of a summary, in tokens. A conversation is compacted when its window is nearly full, so that a
#: higher one may not fit any more.
LIMIT = 8192
_SEALED = "encrypted_content"
# The trigger has few fields beside its type, and stands at the end.
_TAIL = 1024
_TRIGGER_TEXT = b'"' + TRIGGER.encode() + b'"'
_ASK = """\
The conversation so far is about to be removed, because it fills the space there is. Only what you write now is kept, \
and whoever continues the work will have read nothing else. Write that note:
- what the user wants, with every constraint and preference they stated;
- what was done and decided, and for what reason;
- how things stand: files, commands, results, names, numbers and identifiers that will be needed, exactly as they are;
- what was tried and failed, so that it is not tried again;
- what is left to do, and the next step.
Call no tool and answer no open question. Write the note alone, in the language of the conversation, complete and \
brief.\
"""
_SHOW = "The conversation before this point was removed to make room. This note was written to replace it:\n\n{}"
# Fields that a summary has no use for, or that would have the answer be something else.
_LEFT_OUT = ("parallel_tool_calls", "max_tool_calls", "context_management", "top_logprobs", "text")
# A summary needs little thought, and reasoning counts against the limit.
_EFFORTS = ("medium", "high", "xhigh", "max")
_items = msgspec.json.Decoder(list[msgspec.Raw])


def is_asked_at_end(top: Top) -> bool:
    """True for a request whose last item is the trigger. Reads the end of the input only."""
    tail = top.tail("input", _TAIL)
    at = tail.rfind(_TRIGGER_TEXT)
    if at < 0:
        return False
    item = json_values.decode_object(tail[tail.rfind(b"{", 0, at) : -1].rstrip())
    return item is not None and item.get("type") == TRIGGER


def has_trigger(data: Json) -> bool:
    """True for a request whose last item is the trigger."""
    items = data.get("input")
    last = cast("list[object]", items)[-1] if isinstance(items, list) and items else None
    return isinstance(last, dict) and cast("Json", last).get("type") == TRIGGER


def ask_for_summary(data: Json, ctx: Context, brings_tools: Collection[str]) -> Json:
    """The request as one for a summary: without the trigger, with a last message that asks for it, and without what
    would make the answer something else. Tools stay declared, since some servers refuse a history with calls without
    them, and since they stand in front of what is cached; none may be called. brings_tools: the types of items that
    declare tools. Raises BadRequest."""
    asked = {name: value for name, value in data.items() if name not in _LEFT_OUT}
    items = _list_items(data)
    asked["input"] = [*items, _make_message(_ASK)]
    limit = json_values.read_integer(data.get("max_output_tokens"), "max_output_tokens", 1)
    asked["max_output_tokens"] = min(limit or LIMIT, LIMIT)
    if data.get("tools") or any(item.get("type") in brings_tools for item in items):
        asked["tool_choice"] = "none"
    else:
        asked.pop("tool_choice", None)
    reasoning = json_values.read_object(data.get("reasoning"), "reasoning")
    if reasoning.get("effort") in _EFFORTS:
        asked["reasoning"] = {**reasoning, "effort": "low"}
    ctx.compaction = ctx.compaction or "item"
    if ctx.compaction == "object":
        if data.get("stream") is True:
            raise BadRequest("stream: a conversation is compacted in one answer here.")
        ctx.user_messages = [_complete_message(one, ctx) for one in items if _is_of_user(one)]
    return asked


def _list_items(data: Json) -> list[Json]:
    """The items of the input without the trigger."""
    found = data.get("input")
    if isinstance(found, str):
        return [_make_message(found)] if found else []
    items = json_values.read_objects(found, "input")
    return items[:-1] if has_trigger(data) else items


def _make_message(text: str) -> Json:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def _is_of_user(item: Json) -> bool:
    return item.get("type", "message") == "message" and item.get("role") == "user"


def _complete_message(item: Json, ctx: Context) -> Json:
    """A user's message as answers have it: with an id, a status and parts."""
    content = item.get("content")
    parts = [{"type": "input_text", "text": content}] if isinstance(content, str) else content
    return {"id": f"msg_{ctx.new_id()}", "status": "completed", **item, "type": "message", "content": parts}


def make_item(text: str, ctx: Context) -> Json:
    """The item that stands for a conversation with this summary."""
    return {"id": f"cmp_{ctx.new_id()}", "type": "compaction", _SEALED: ctx.sealer.seal_summary(text)}


def unseal_item(item: Json, path: str, sealer: StateSealer, backend: str) -> Json:
    """The user's message with the summary of one of fairlead's items. Raises BadRequest for one of another writer, and
    for one that was changed: without it the conversation would be another."""
    sealed = item.get(_SEALED)
    summary = sealer.unseal_summary(sealed) if isinstance(sealed, str) else None
    if summary is not None:
        return _make_message(_SHOW.format(summary))
    if isinstance(sealed, str) and sealed.startswith(SUMMARY_PREFIX):
        raise BadRequest(
            f"{path}: it holds the earlier conversation as fairlead sealed it, but it was changed since, or another "
            "installation sealed it, whose key is not known here. Start a new thread, or go on where it was written."
        )
    raise BadRequest(
        f"{path}: it holds the earlier conversation in a form that only the account that wrote it can read, and the "
        f"backend {backend} is not known to write such items. Start a new thread, or send this one to the backend that "
        "wrote it (NAME:MODEL as the model) and go on there. If this one does write them, say so: "
        f"`fairlead config set backends.{backend}.profile.compacts on`."
    )


def unseal_items(raw: bytes, sealer: StateSealer, backend: str, *, compacts: bool) -> bytes:
    """The input of a request that is passed through, with fairlead's items as messages; all others stay byte for byte,
    and an input without any is returned as it is. compacts: the backend writes such items itself, and reads its own.
    Raises BadRequest as `unseal_item`."""
    try:
        items = _items.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return raw
    parts: list[bytes] = []
    changed = False
    for at, one in enumerate(items):
        part = bytes(one)
        item = json_values.decode_object(part) if MARK in part else None
        if item is not None and item.get("type") in KINDS and _SEALED in item:
            own = str(item[_SEALED]).startswith(SUMMARY_PREFIX)
            if own or not compacts:
                part = msgspec.json.encode(unseal_item(item, f"input[{at}]", sealer, backend))
                changed = True
        parts.append(part)
    return b"[" + b",".join(parts) + b"]" if changed else raw
