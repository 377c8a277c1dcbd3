"""Decodes the items of a Responses request to turns.

Neighbouring items of the assistant form one turn, and so do neighbouring results; a result between two calls ends the
turn of the first call.
"""

from collections.abc import Collection
from typing import Literal, cast

import msgspec

from router.errors import BadRequest
from router.ir import Block, Document, Image, Text, Thinking, ToolResult, Turn
from router.wire.neutral.cache_marks import BREAKPOINT, read_part_lifetime
from router.wire.neutral.context import Context
from router.wire.openai import decode_document, parse_data_url
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json
from router.wire.responses import calls
from router.wire.responses.input import compaction, foreign_items, hosted_calls

_ROLES = ("user", "assistant", "system", "developer")
#: Items that bring tools of their own.
BRINGS_TOOLS = ("additional_tools", "tool_search_output")
# The fields that are read, or whose loss means nothing.
_OF_ALL = ("type", "id", "status", "internal_chat_message_metadata_passthrough")
_OF_CALLS = ("call_id", "name", "namespace", "arguments", "input", "action", "operation", "execution", "environment")
_OF_RESULTS = ("call_id", "name", "namespace", "output", "tools", "execution", "max_output_length")
_FIELDS = {
    "message": frozenset((*_OF_ALL, "role", "content")),
    "reasoning": frozenset((*_OF_ALL, "summary", "content", "encrypted_content")),
    **dict.fromkeys(calls.CALLS, frozenset((*_OF_ALL, *_OF_CALLS, "created_by", "parsed_arguments"))),
    **dict.fromkeys(calls.RESULTS, frozenset((*_OF_ALL, *_OF_RESULTS, "created_by"))),
}
_PART_FIELDS = frozenset(
    (
        *("type", "text", "annotations", "logprobs", "parsed", "refusal", "image_url", "detail", "file_id", "file_url"),
        *("file_data", "filename", "cache_control", "encrypted_content", BREAKPOINT),
    )
)


class TurnCollector:
    """Collects items into turns."""

    def __init__(self, ctx: Context, declared: Collection[str] = ()):
        """declared: the names of the request's tools."""
        self._ctx = ctx
        self._declared = declared
        # The ids of the calls so far.
        self._calls: set[str] = set()
        self._turns: list[Turn] = []
        self._blocks: list[Block] = []
        self._kind: Literal["", "assistant", "result"] = ""
        self._path = ""
        #: System messages in front of the first turn.
        self.system: list[Text] = []

    def add(self, item: Json, path: str) -> None:
        """Add one item. Raises BadRequest with the path of what is wrong."""
        kind = json_values.read_text(item.get("type"), f"{path}.type") or "message"
        self._ctx.note_unread(item, _FIELDS.get(kind, frozenset(item)), f"{path}.")
        if kind == "message":
            self._add_message(item, path)
        elif kind in ("tool_search_call", "tool_search_output") and hosted_calls.is_hosted_search(item):
            # What it found is declared with the other tools.
            self._ctx.note_weakened(path)
        elif kind in calls.CALLS:
            call = calls.decode_call(item, path, self._declared)
            self._calls.add(call.id)
            self._put("assistant", [call], path)
        elif kind in calls.RESULTS:
            self._add_result(item, kind, path)
        elif kind == "reasoning":
            self._put("assistant", [_decode_reasoning(item, path, self._ctx)], path)
        elif kind in hosted_calls.HOSTED:
            self._ctx.note_weakened(path)
            said = hosted_calls.summarize_call(item, kind)
            self._put("assistant", [Text(said)] if said else [], path)
        elif kind in ("additional_tools", "configuration_update"):
            self._ctx.note_weakened(path)
        else:
            self._add_foreign(item, kind, path)

    def _add_foreign(self, item: Json, kind: str, path: str) -> None:
        """Add an item that no other protocol has, as text."""
        if kind in compaction.KINDS and (item.get("encrypted_content") or kind != "context_compaction"):
            self._add_message(compaction.unseal_item(item, path, self._ctx.sealer, self._ctx.upstream), path)
            return
        if kind == compaction.TRIGGER:
            raise BadRequest(f"{path}: {kind} must be the last item of input.")
        self._ctx.note_weakened(path)
        role, text = foreign_items.tell_item(item, kind)
        if role == "assistant":
            self._put("assistant", [Text(text)], path)
        else:
            self._close()
            self._turns.append(Turn("user", (Text(text),), path))

    def _add_result(self, item: Json, kind: str, path: str) -> None:
        """Add a result. One that names no call is the user's text, for it cannot be paired."""
        call_id = json_values.read_text(item.get("call_id"), f"{path}.call_id")
        own = json_values.read_text(item.get("id"), f"{path}.id")
        if not call_id and own in self._calls:
            call_id = own
        result = _decode_result(item, kind, call_id, path, self._ctx)
        if call_id:
            self._put("result", [result], path)
            return
        self._ctx.note_weakened(f"{path}.call_id")
        self._close()
        name = json_values.read_text(item.get("name"), f"{path}.name")
        head = Text(f"[output of the tool {name}]" if name else "[output of a tool]")
        self._turns.append(Turn("user", (head, *result.content), path))

    def finish(self) -> tuple[Turn, ...]:
        """End the last turn; all turns."""
        self._close()
        return tuple(self._turns)

    def _add_message(self, item: Json, path: str) -> None:
        role = item.get("role")
        if role not in _ROLES:
            raise BadRequest(f"{path}.role: expected one of {', '.join(_ROLES)}.")
        parts = decode_parts(item.get("content"), f"{path}.content", self._ctx)
        if role == "assistant":
            self._put("assistant", list(parts), path)
            return
        self._close()
        if role == "user":
            self._turns.append(Turn("user", parts or (Text(""),), path))
            return
        texts = tuple(part for part in parts if type(part) is Text)
        if not self._turns:
            self.system += texts
        elif texts:
            self._turns.append(Turn("system", texts, path))

    def _put(self, kind: Literal["assistant", "result"], blocks: list[Block], path: str) -> None:
        if kind != self._kind:
            self._close()
            self._kind, self._path = kind, path
        self._blocks += blocks

    def _close(self) -> None:
        if self._blocks:
            role = "assistant" if self._kind == "assistant" else "user"
            self._turns.append(Turn(role, tuple(self._blocks), self._path))
        self._blocks, self._kind = [], ""


def _decode_result(item: Json, kind: str, call_id: str, path: str, ctx: Context) -> ToolResult:
    if kind == "tool_search_output":
        names = ", ".join(_find_names(item, path)) or "none"
        return ToolResult(call_id, (Text(f"[tools available: {names}]"),))
    failed = item.get("status") == "failed"
    output = item.get("output")
    if kind == "shell_call_output" and isinstance(output, list):
        return ToolResult(call_id, (Text(json_values.encode_json(cast("list[object]", output))),))
    return ToolResult(call_id, decode_parts(output, f"{path}.output", ctx), is_error=failed)


def _find_names(item: Json, path: str) -> list[str]:
    """The names of the tools that a search has found."""
    names: list[str] = []
    for at, tool in enumerate(json_values.read_objects(item.get("tools"), f"{path}.tools")):
        inner = json_values.read_objects(tool.get("tools"), f"{path}.tools[{at}].tools")
        space = str(tool.get("name") or "")
        names += [calls.to_neutral_name(str(one.get("name")), space) for one in inner]
        names += [space] if space and not inner else []
    return names


def _decode_reasoning(item: Json, path: str, ctx: Context) -> Thinking:
    """Reasoning with its sealed state, which may hold the text that the caller left out."""
    parts = json_values.read_objects(item.get("summary"), f"{path}.summary")
    content = json_values.read_objects(item.get("content"), f"{path}.content")
    said = "\n\n".join(json_values.read_text(part.get("text"), path) for part in parts) or "".join(
        json_values.read_text(part.get("text"), path) for part in content
    )
    proof = json_values.read_text(item.get("encrypted_content"), f"{path}.encrypted_content")
    carried = ctx.sealer.unseal(proof, "")
    if carried is not None and carried.kind == "redacted":
        return Thinking(redacted=proof)
    if carried is not None and carried.kind == "text":
        return Thinking(carried.data, ctx.sealer.seal("text", "", carried.data))
    return Thinking(said, proof)


def decode_parts(content: object, path: str, ctx: Context) -> tuple[Text | Image | Document, ...]:
    """A string or a list of content parts."""
    if content is None or isinstance(content, str):
        return (Text(content),) if content else ()
    parts: list[Text | Image | Document] = []
    for at, part in enumerate(json_values.read_objects(content, path)):
        found = _decode_part(part, f"{path}[{at}]", ctx)
        parts += [] if type(found) is Text and not found.text else [found]
    return tuple(parts)


def _decode_part(part: Json, path: str, ctx: Context) -> Text | Image | Document:
    kind = part.get("type")
    cache = read_part_lifetime(part)
    ctx.note_unread(part, _PART_FIELDS, f"{path}.")
    if kind in ("input_text", "output_text", "text"):
        if part.get("annotations"):
            ctx.note_dropped(f"{path}.annotations")
        return Text(json_values.read_text(part.get("text"), f"{path}.text"), cache)
    if kind == "refusal":
        ctx.note_weakened(path)
        return Text(json_values.read_text(part.get("refusal"), f"{path}.refusal"), cache)
    if part.get("file_id"):
        raise ctx.refuse(f"{path}.file_id", "a file's id is known to the account it was uploaded with only")
    if kind == "input_image":
        return _decode_image(part, path, cache)
    if kind == "input_file":
        url = json_values.read_text(part.get("file_url"), f"{path}.file_url")
        data = json_values.read_text(part.get("file_data"), f"{path}.file_data")
        if not url and data.startswith(("http://", "https://")):
            # Gateways take a URL there too.
            url = data
        title = json_values.read_text(part.get("filename"), f"{path}.filename")
        if url:
            return Document(url=url, title=title, cache=cache)
        found = decode_document(json_values.require_text(part, "file_data", path), title, f"{path}.file_data", ctx)
        return msgspec.structs.replace(found, cache=cache)
    if kind == "encrypted_content":
        ctx.note_weakened(path)
        return Text("[encrypted content]", cache)
    if isinstance(part.get("text"), str):
        ctx.note_weakened(path)
        return Text(json_values.read_text(part["text"], f"{path}.text"), cache)
    raise ctx.refuse(path, f"a part of type {kind!s} has no counterpart")


def _decode_image(part: Json, path: str, cache: str) -> Image:
    url = json_values.require_text(part, "image_url", path)
    detail = json_values.read_text(part.get("detail"), f"{path}.detail")
    detail = "" if detail == "auto" else detail
    if url.startswith(("http://", "https://")):
        return Image(url=url, cache=cache, detail=detail)
    media, data = parse_data_url(url, f"{path}.image_url")
    return Image(media, data, cache=cache, detail=detail)
