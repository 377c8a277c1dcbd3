"""Decodes and encodes whole answers of Messages."""

from router.ir import Answer, AnswerBlock, Searched, Text, Thinking, ToolCall, Usage
from router.wire.conversation.identifiers import AnswerCallIds, to_messages_id
from router.wire.messages import usage
from router.wire.messages.citations import decode_citations
from router.wire.messages.decode_stream import decode_refusal, decode_stop
from router.wire.messages.encode_stream import STOP_REASONS, encode_refusal, resolve_stop
from router.wire.messages.search_reader import RESULT, SearchReader, is_call
from router.wire.messages.searches import SearchWriter
from router.wire.messages.unread import note_answer, note_block, note_details
from router.wire.neutral.answer_bounds import CALLS, ITEMS, AnswerCounts
from router.wire.neutral.context import Context
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json


def decode_answer(data: Json, ctx: Context) -> Answer | None:
    """The neutral answer; None for JSON that is no answer of this protocol. Raises TooMany."""
    content = data.get("content")
    if not isinstance(content, list):
        return None
    blocks: list[AnswerBlock] = []
    ids, counts = AnswerCallIds(ctx.call_ids, ctx.new_id), AnswerCounts()
    searches = SearchReader(ctx, counts)
    for block in content:  # pyright: ignore[reportUnknownVariableType]
        if isinstance(block, dict):
            counts.add(ITEMS)
            blocks += _decode_block(block, ids, counts, searches, ctx)  # pyright: ignore[reportUnknownArgumentType]
    blocks += searches.finish()
    note_answer(data, ctx)
    note_details(data, ctx)
    found = data.get("stop_sequence")
    return Answer(
        id=str(data.get("id") or ""),
        model=str(data.get("model") or ""),
        blocks=tuple(blocks),
        stop=decode_stop(data.get("stop_reason"), ctx),
        usage=usage.decode_usage(json_values.get_object(data, "usage"), Usage(), ctx.profile),
        stopped_by=found if isinstance(found, str) else "",
        refusal=decode_refusal(data),
    )


def _decode_block(
    block: Json, ids: AnswerCallIds, counts: AnswerCounts, searches: SearchReader, ctx: Context
) -> list[AnswerBlock]:
    note_block(block, ctx)
    kind = block.get("type")
    if kind == "text":
        cited = decode_citations(block.get("citations"), counts, ctx)
        return [Text(str(block.get("text") or ""), citations=cited)] if block.get("text") else []
    if kind == "thinking":
        return [Thinking(str(block.get("thinking") or ""), str(block.get("signature") or ""))]
    if kind == "redacted_thinking":
        return [Thinking(redacted=str(block.get("data") or ""))]
    if kind == "tool_use":
        counts.add(CALLS)
        given = block.get("input")
        call_id = ids.give(str(block.get("id") or "") or f"toolu_{ctx.new_id()}")
        name = ctx.names.decode(str(block.get("name") or ""))
        return [ToolCall(call_id, name, json_values.encode_json(given) if given else "")]
    if is_call(block):
        searches.end(searches.begin(block))
    return [searches.read_result(block)] if kind == RESULT else []


def encode_answer(answer: Answer, ctx: Context) -> Json:
    """The answer in the form of Messages."""
    stop = resolve_stop(answer.stop, answer.refusal)
    searches = SearchWriter(ctx)
    content = _encode_blocks(answer.blocks, searches, ctx)
    if answer.refusal:
        content.append({"type": "text", "text": answer.refusal})
    body: Json = {
        "id": answer.id if answer.id.startswith("msg_") else f"msg_{ctx.new_id()}",
        "type": "message",
        "role": "assistant",
        "model": ctx.name_model(answer.model),
        "content": content,
        "stop_reason": STOP_REASONS[stop],
        "stop_sequence": answer.stopped_by or None,
    }
    if stop == "refusal":
        body["stop_details"] = encode_refusal(answer.refusal)
    body["usage"] = usage.encode_usage(answer.usage, searches.count)
    return body


def _encode_blocks(blocks: tuple[AnswerBlock, ...], searches: SearchWriter, ctx: Context) -> list[Json]:
    content: list[Json] = []
    for block in blocks:
        if type(block) is Searched:
            content += searches.write(block)
            continue
        if type(block) is ToolCall:
            content += searches.finish()
        elif type(block) is Text:
            for citation in block.citations:
                searches.cite(citation)
        content.append(_encode_block(block, ctx))
    return content + searches.finish()


def _encode_block(block: Text | Thinking | ToolCall, ctx: Context) -> Json:
    if type(block) is Text:
        if block.logprobs:
            ctx.note_dropped("logprobs")
        return {"type": "text", "text": block.text}
    if type(block) is ToolCall:
        arguments: object = json_values.as_raw_object(block.arguments)
        if arguments is None:
            ctx.note_weakened(f"tool call {block.name}")
            arguments = {"_raw_arguments": block.arguments}
        return {"type": "tool_use", "id": to_messages_id(block.id), "name": block.name, "input": arguments}
    if block.redacted:
        return {"type": "redacted_thinking", "data": ctx.sealer.seal("redacted", block.redacted, "")}
    sealed = ctx.sealer.seal("signature" if block.signature else "text", block.signature, block.text)
    return {"type": "thinking", "thinking": block.text, "signature": sealed}
