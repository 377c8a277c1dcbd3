"""Converts between whole answers and streams of neutral events."""

from collections.abc import Iterable

from router.ir import (
    Answer,
    Began,
    BlockEnded,
    CallBegan,
    CallDelta,
    Ended,
    Event,
    Fault,
    Redacted,
    Signed,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolCall,
)


def split_answer(answer: Answer) -> Iterable[Event]:
    """The events of a stream that holds the same answer."""
    yield Began(answer.id, answer.model, answer.usage)
    calls = 0
    for block in answer.blocks:
        if isinstance(block, Text):
            yield TextDelta(block.text)
            yield BlockEnded()
        elif isinstance(block, ToolCall):
            yield CallBegan(calls, block.id, block.name)
            if block.arguments:
                yield CallDelta(calls, block.arguments)
            calls += 1
        elif block.redacted:
            yield Redacted(block.redacted)
        else:
            yield ThinkingDelta(block.text)
            if block.signature:
                yield Signed(block.signature)
            yield BlockEnded()
    yield Ended(answer.stop, answer.usage, answer.stopped_by, answer.refusal)


def assemble_answer(events: Iterable[Event]) -> Answer | Fault | None:
    """The whole answer of a stream; its error if it has one; None when the stream has no end."""
    began: Began | None = None
    blocks: list[tuple[str, list[str], CallBegan | str]] = []
    calls: dict[int, list[str]] = {}
    joined = False
    for event in events:
        if isinstance(event, Fault):
            return event
        if isinstance(event, Began):
            began = event
        elif isinstance(event, TextDelta | ThinkingDelta):
            kind = "text" if isinstance(event, TextDelta) else "thinking"
            if not (joined and blocks and blocks[-1][0] == kind):
                blocks.append((kind, [], ""))
            blocks[-1][1].append(event.text)
            joined = True
        elif isinstance(event, Signed):
            if not (joined and blocks and blocks[-1][0] == "thinking"):
                blocks.append(("thinking", [], ""))
                joined = True
            blocks[-1] = ("thinking", blocks[-1][1], event.signature)
        elif isinstance(event, CallBegan):
            calls[event.index] = []
            blocks.append(("call", calls[event.index], event))
        elif isinstance(event, CallDelta):
            calls[event.index].append(event.fragment)
        elif isinstance(event, Redacted):
            blocks.append(("redacted", [event.data], ""))
        elif isinstance(event, BlockEnded):
            joined = False
        elif isinstance(event, Ended):
            return _build_answer(began, blocks, event)
    return None


def _build_answer(began: Began | None, blocks: list[tuple[str, list[str], CallBegan | str]], end: Ended) -> Answer:
    return Answer(
        id=began.id if began else "",
        model=began.model if began else "",
        blocks=tuple(_build_block(kind, "".join(parts), extra) for kind, parts, extra in blocks),
        stop=end.stop,
        usage=end.usage,
        stopped_by=end.stopped_by,
        refusal=end.refusal,
    )


def _build_block(kind: str, said: str, extra: CallBegan | str) -> Text | Thinking | ToolCall:
    if isinstance(extra, CallBegan):
        return ToolCall(extra.id, extra.name, said)
    if kind == "text":
        return Text(said)
    return Thinking(redacted=said) if kind == "redacted" else Thinking(said, extra)
