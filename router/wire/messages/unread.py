"""Names what a Messages answer holds that no other protocol has a place for."""

from router.wire.messages.search_reader import RESULT, is_call
from router.wire.neutral.context import Context
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

# What is read, or says nothing about the answer: of a whole answer, of message_start's message, and of message_delta.
_ANSWER = frozenset(
    (
        *("type", "id", "role", "model", "content", "usage", "index"),
        *("stop_reason", "stop_sequence", "stop_details", "delta"),
    )
)
_EDITS = "context_management"
_DETAILS = frozenset(("type", "explanation"))
_BLOCKS = {
    "text": frozenset(("type", "text", "citations")),
    "thinking": frozenset(("type", "thinking", "signature")),
    "redacted_thinking": frozenset(("type", "data")),
    "tool_use": frozenset(("type", "id", "name", "input", "caller")),
    RESULT: frozenset(("type", "tool_use_id", "content", "caller")),
}


def note_answer(holder: Json, ctx: Context) -> None:
    """Note fields such as container, context_management, diagnostics."""
    ctx.note_unread(holder, _ANSWER)
    if holder.get(_EDITS) is not None:
        # It says that the context is managed, also where nothing had to be edited.
        ctx.note_dropped(_EDITS)


def note_details(holder: Json, ctx: Context) -> None:
    """Note what stop_details say beside the explanation."""
    ctx.note_unread(json_values.get_object(holder, "stop_details"), _DETAILS, "stop_details.")


def note_block(block: Json, ctx: Context) -> None:
    """Note a block of a type that has no counterpart, such as a call that the server ran itself, or its fields."""
    if is_call(block):
        return
    kind = str(block.get("type"))[:40]
    read = _BLOCKS.get(kind)
    if read is None:
        ctx.note_dropped(f"content block {kind}")
    else:
        ctx.note_unread(block, read, f"content block {kind}.")
    if json_values.get_object(block, "caller").get("type", "direct") != "direct":
        # The result of a call that the server's own code made goes to that code.
        ctx.note_dropped(f"content block {kind}.caller")
