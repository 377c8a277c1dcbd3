"""Decodes the contents of a Gemini request.

Contents of the model that follow each other are one turn, and texts in them that follow each other are one text: SDKs
keep each chunk of a stream as a content of its own. Reasoning comes back in signatures (carriers.py), and is put where
it stood: in front of the text, or of the call.
"""

from router.errors import BadRequest
from router.ir import Block, Document, Image, Text, Thinking, ToolCall, ToolResult, Turn
from router.wire.gemini import names
from router.wire.gemini.carriers import CarriedThought, TextBinding, bind_call, is_dummy, unpack
from router.wire.gemini.requests.call_ids import CallIds
from router.wire.gemini.requests.decode_parts import (
    decode_executed,
    decode_media,
    find_data,
    read_call,
    read_response,
)
from router.wire.neutral.context import Context
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

_ROLES = ("user", "model", "function")
_READ = frozenset(("role", "parts"))


def decode_contents(data: Json, ctx: Context) -> tuple[Turn, ...]:
    """The turns. Raises BadRequest with the path of what is wrong."""
    contents = json_values.read_objects(data.get("contents"), "contents")
    if not contents:
        raise BadRequest("contents: at least one content is required.")
    turns: list[Turn] = []
    ids = CallIds()
    answer: _Answer | None = None
    answers = 0
    for at, content in enumerate(contents):
        path = f"contents[{at}]"
        ctx.note_unread(content, _READ, f"{path}.")
        role = json_values.read_text(content.get("role"), f"{path}.role") or "user"
        if role not in _ROLES:
            raise BadRequest(f"{path}.role: expected user, model or function.")
        parts = json_values.read_objects(content.get("parts"), f"{path}.parts")
        if role == "model":
            if answer is None:
                answer = _Answer(path, ids, ctx)
            answer.add_content(parts, path, answers)
            answers += 1
            continue
        if answer is not None:
            turns += answer.finish()
            answer = None
        blocks = _decode_user(parts, path, ids, ctx)
        if blocks:
            turns.append(Turn("user", blocks, path))
    if answer is not None:
        turns += answer.finish()
    if not turns:
        raise BadRequest("contents: no content says anything.")
    return tuple(turns)


def _decode_user(parts: list[Json], path: str, ids: CallIds, ctx: Context) -> tuple[Block, ...]:
    if not parts:
        raise BadRequest(f"{path}.parts: a content of the user must have some parts.")
    blocks: list[Block] = []
    for at, part in enumerate(parts):
        here = f"{path}.parts[{at}]"
        kind = find_data(part, here, ctx)
        if kind == "functionResponse":
            call_id, name, result = read_response(part, here, ctx)
            found = ids.find_call(call_id, name) or name or "unknown"
            blocks.append(ToolResult(found, result.content, result.is_error))
        elif kind == "functionCall":
            raise BadRequest(f"{here}.functionCall: a call stands in a content with the role model.")
        elif kind in ("inlineData", "fileData"):
            _put_media(decode_media(part, kind, here, ctx), blocks)
        elif kind in ("", "text"):
            text = json_values.read_text(part.get("text"), f"{here}.text")
            for name in ("thought", "thoughtSignature"):
                if names.get(part, name):
                    ctx.note_dropped(f"{here}.{names.spell(part, name)}")
            if text:
                blocks.append(Text(text))
        else:
            blocks.append(decode_executed(part, kind, here, ctx))
    return tuple(blocks)


def _put_media(media: Text | Image | Document, blocks: list[Block]) -> None:
    """Put a file behind the blocks. Directly behind a response that holds none it is what that tool returned: Gemini
    CLI sends an image that was read so."""
    last = blocks[-1] if blocks else None
    if type(last) is ToolResult and not any(isinstance(one, Image | Document) for one in last.content):
        blocks[-1] = ToolResult(last.call_id, (*last.content, media), last.is_error)
    else:
        blocks.append(media)


class _Answer:
    """An answer of the model, in one or more contents."""

    def __init__(self, path: str, ids: CallIds, ctx: Context):
        self._path = path
        self._ids = ids
        self._ctx = ctx
        self._blocks: list[Block] = []
        # The pieces of the text that is being joined.
        self._text: list[str] = []
        # Since the last call, or the last signature that was opened: the place of the first block, all text, and the
        # signatures on texts that were not opened yet, with their paths.
        self._begin = 0
        self._said = TextBinding()
        self._signatures: list[tuple[str, str]] = []
        ids.begin_answer()

    def add_content(self, parts: list[Json], path: str, ordinal: int) -> None:
        """Add a content. ordinal: how many contents of the model stand before it."""
        for at, part in enumerate(parts):
            here = f"{path}.parts[{at}]"
            kind = find_data(part, here, self._ctx)
            if kind == "functionCall":
                self._add_call(part, here, (ordinal, at))
            elif kind in ("", "text"):
                self._add_text(part, here)
            elif kind == "functionResponse":
                raise BadRequest(f"{here}.functionResponse: a response stands in a content with the role user.")
            elif kind in ("inlineData", "fileData"):
                media = decode_media(part, kind, here, self._ctx)
                if type(media) is not Text:
                    raise self._ctx.refuse(here, "a file that a model made cannot be sent back")
                self._put(media)
            else:
                self._put(decode_executed(part, kind, here, self._ctx))

    def finish(self) -> list[Turn]:
        """The turn; none for an answer without any content."""
        self._end_segment()
        return [Turn("assistant", tuple(self._blocks), self._path)] if self._blocks else []

    def _add_text(self, part: Json, path: str) -> None:
        text = json_values.read_text(part.get("text"), f"{path}.text")
        if part.get("thought") is True:
            if text:
                self._put(Thinking(text))
        elif text:
            self._text.append(text)
            self._said.add(text)
        signature = self._read_signature(part, path)
        if not signature:
            return
        thoughts = unpack(signature, self._said.bind(), self._ctx.sealer)
        if thoughts is None:
            # Some clients put the signature on the first of several texts.
            self._signatures.append((signature, self._name_signature(part, path)))
        else:
            self._restore(thoughts)
            self._begin_segment()

    def _add_call(self, part: Json, path: str, place: tuple[int, int]) -> None:
        given, name, args = read_call(part, path, self._ctx)
        call_id = self._ids.add_call(given, name, args, place)
        self._end_segment()
        signature = self._read_signature(part, path)
        if signature:
            thoughts = unpack(signature, bind_call(call_id), self._ctx.sealer)
            if thoughts is None:
                self._ctx.note_dropped(self._name_signature(part, path))
            else:
                self._restore(thoughts)
        self._put(ToolCall(call_id, name, json_values.encode_json(args)))
        self._begin_segment()

    def _name_signature(self, part: Json, path: str) -> str:
        return f"{path}.{names.spell(part, 'thoughtSignature')}"

    def _read_signature(self, part: Json, path: str) -> str:
        """The signature on a part; '' for none, and for one that Google documents as none."""
        found = json_values.read_text(names.get(part, "thoughtSignature"), self._name_signature(part, path))
        return "" if is_dummy(found) else found

    def _put(self, block: Block) -> None:
        self._end_text()
        self._blocks.append(block)

    def _end_text(self) -> None:
        if self._text:
            self._blocks.append(Text("".join(self._text)))
            self._text.clear()

    def _end_segment(self) -> None:
        """Open a signature on a text that is bound to all text up to here; an answer has one."""
        self._end_text()
        opened = False
        for signature, path in self._signatures:
            thoughts = None if opened else unpack(signature, self._said.bind(), self._ctx.sealer)
            if thoughts is None:
                self._ctx.note_dropped(path)
            else:
                self._restore(thoughts)
                opened = True
        self._signatures.clear()

    def _begin_segment(self) -> None:
        self._end_text()
        self._begin = len(self._blocks)
        self._said = TextBinding()

    def _restore(self, thoughts: tuple[CarriedThought, ...]) -> None:
        """Put reasoning where it stood. It takes the place of the thoughts that the caller sent as text."""
        self._end_text()
        kept = [one for one in self._blocks[self._begin :] if not _is_plain_thought(one)]
        front = [one.seal(self._ctx.sealer) for one in thoughts if one.ahead]
        behind = [one.seal(self._ctx.sealer) for one in thoughts if not one.ahead]
        self._blocks[self._begin :] = [*front, *kept, *behind]


def _is_plain_thought(block: Block) -> bool:
    """True for reasoning that came as text alone."""
    return type(block) is Thinking and not (block.signature or block.redacted)
