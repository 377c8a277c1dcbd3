"""Decodes the reasoning of an assistant message in a Chat history.

Chat itself has no reasoning. Clients send back what they were given, in the fields of the servers they know:
`reasoning_content`, `reasoning` or `reasoning_text` with a text; `reasoning_details` (OpenRouter), whose entries carry
text, signatures and opaque data; `thinking_blocks` (LiteLLM); parts of type `thinking` in the content (Mistral).
"""

from typing import cast

from router.ir import Thinking
from router.wire.neutral.context import Context
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

#: The fields of a message that hold reasoning.
FIELDS = ("reasoning_content", "reasoning", "reasoning_text", "reasoning_details", "thinking_blocks")
_PLAIN = FIELDS[:3]
_NAMES = frozenset(FIELDS)
#: The types of content parts that hold reasoning.
PARTS = ("thinking", "reasoning", "redacted_thinking")


def decode_reasoning(entry: Json, path: str, ctx: Context) -> list[Thinking]:
    """The reasoning in the fields of a message: with its signature or data where the client kept them, else as text.

    The same text in several fields is read once.
    """
    if _NAMES.isdisjoint(entry):
        return []
    plain = _read_plain(entry, path, ctx)
    details = _read_entries(entry, "reasoning_details", path, ctx)
    if details:
        return _decode_details(details, plain, f"{path}.reasoning_details", ctx)
    blocks = [
        found
        for at, one in enumerate(_read_entries(entry, "thinking_blocks", path, ctx))
        for found in decode_thinking_part(one, f"{path}.thinking_blocks[{at}]", ctx)
    ]
    return blocks or ([Thinking(plain)] if plain else [])


def decode_thinking_part(part: Json, path: str, ctx: Context) -> list[Thinking]:
    """A content part that holds reasoning: a text, or a list of text parts; or opaque data."""
    if part.get("type") == "redacted_thinking":
        data = json_values.read_text(part.get("data"), f"{path}.data")
        return [Thinking(redacted=data)] if data else []
    name = "thinking" if part.get("thinking") is not None else "text"
    found = part.get(name)
    if isinstance(found, list):
        inner = json_values.read_objects(cast("list[object]", found), f"{path}.{name}")
        if any(one.get("type") != "text" for one in inner):
            ctx.note_dropped(f"{path}.{name}")
        text = "".join(json_values.read_text(one.get("text"), f"{path}.{name}") for one in inner)
    else:
        text = json_values.read_text(found, f"{path}.{name}")
    signature = json_values.read_text(part.get("signature"), f"{path}.signature")
    return [Thinking(text, signature)] if text or signature else []


def _read_plain(entry: Json, path: str, ctx: Context) -> str:
    """The text of the first field that has any: the others repeat it."""
    for name in _PLAIN:
        value = entry.get(name)
        if isinstance(value, str) and value:
            return value
        if value not in (None, "", [], {}):
            ctx.note_dropped(f"{path}.{name}")
    return ""


def _read_entries(entry: Json, name: str, path: str, ctx: Context) -> list[Json]:
    found = entry.get(name)
    if found is None or found == "":
        return []
    if not isinstance(found, list):
        ctx.note_dropped(f"{path}.{name}")
        return []
    return json_values.read_objects(cast("list[object]", found), f"{path}.{name}")


def _decode_details(entries: list[Json], plain: str, path: str, ctx: Context) -> list[Thinking]:
    """The entries of reasoning_details. A client may have put the pieces of a stream together, or list each of them,
    or keep the last, which has the signature and no text."""
    blocks: list[Thinking] = []
    pieces: list[str] = []
    texts = False
    for at, one in enumerate(entries):
        kind = one.get("type")
        if kind == "reasoning.encrypted":
            _end_text(blocks, pieces)
            data = one.get("data")
            blocks += [Thinking(redacted=data)] if isinstance(data, str) and data else []
            continue
        if kind not in ("reasoning.text", "reasoning.summary"):
            ctx.note_dropped(f"{path}[{at}]")
            continue
        found = one.get("text") or one.get("summary")
        text = found if isinstance(found, str) else ""
        texts = texts or bool(text)
        signature = one.get("signature")
        if isinstance(signature, str) and signature:
            blocks += _sign(pieces, text, plain, signature, ctx)
            pieces = []
        elif text:
            pieces.append(text)
    _end_text(blocks, pieces)
    if plain and not texts and not any(block.text for block in blocks):
        blocks.insert(0, Thinking(plain))
    return blocks


def _sign(pieces: list[str], text: str, plain: str, signature: str, ctx: Context) -> list[Thinking]:
    """The reasoning of a signature: its own text, or that of the entries in front of it, or that of the message."""
    whole = "".join(pieces) + text
    for signed, rest in ((whole, ""), (text, "".join(pieces)) if whole else (plain, "")):
        if ctx.sealer.unseal(signature, signed) is not None:
            return [*([Thinking(rest)] if rest else []), Thinking(signed, signature)]
    return [Thinking(whole, signature)]


def _end_text(blocks: list[Thinking], pieces: list[str]) -> None:
    """End a text that has no signature."""
    if pieces:
        blocks.append(Thinking("".join(pieces)))
        pieces.clear()
