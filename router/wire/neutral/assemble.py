"""Converts between whole answers and streams of neutral events."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from router.ir import (
    Answer,
    AnswerBlock,
    Began,
    BlockEnded,
    CallBegan,
    CallDelta,
    Citation,
    Cited,
    Ended,
    Event,
    Fault,
    Redacted,
    RefusalDelta,
    Searched,
    Signed,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolCall,
)
from router.wire.neutral.context import Context

if TYPE_CHECKING:
    from router.wire.neutral.logprobs import Logprob


class NoAnswer(Exception):
    """What the upstream answered is an error for the client: it does not hold what was asked for."""

    def __init__(self, fault: Fault):
        super().__init__(fault.message)
        self.fault = fault


def split_answer(answer: Answer) -> Iterable[Event]:
    """The events of a stream that holds the same answer."""
    yield Began(answer.id, answer.model, answer.usage)
    calls = 0
    for block in answer.blocks:
        if type(block) is Text:
            yield TextDelta(block.text, block.logprobs)
            for citation in block.citations:
                yield Cited(citation)
            yield BlockEnded()
        elif type(block) is ToolCall:
            yield CallBegan(calls, block.id, block.name)
            if block.arguments:
                yield CallDelta(calls, block.arguments)
            calls += 1
        elif type(block) is Searched:
            yield block
        elif block.redacted:
            yield Redacted(block.redacted)
        else:
            if block.text:
                yield ThinkingDelta(block.text)
            if block.signature:
                yield Signed(block.signature)
            yield BlockEnded()
    if answer.refusal:
        yield RefusalDelta(answer.refusal)
    yield Ended(answer.stop, answer.usage, answer.stopped_by)


class _Block:
    """A block that is being put together."""

    __slots__ = ("began", "citations", "kind", "logprobs", "parts", "searched", "signature")

    def __init__(self, kind: str, began: CallBegan | None = None, searched: Searched | None = None):
        self.kind = kind
        self.began = began
        self.searched = searched
        self.parts: list[str] = []
        self.signature = ""
        self.citations: list[Citation] = []
        self.logprobs: list[Logprob] = []

    def build(self) -> AnswerBlock:
        if self.searched is not None:
            return self.searched
        said = "".join(self.parts)
        if self.began is not None:
            return ToolCall(self.began.id, self.began.name, said)
        if self.kind == "text":
            return Text(said, citations=tuple(self.citations), logprobs=tuple(self.logprobs))
        return Thinking(redacted=said) if self.kind == "redacted" else Thinking(said, self.signature)


class _Assembly:
    """The blocks of an answer so far."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self.began: Began | None = None
        self.refusal: list[str] = []
        self._blocks: list[_Block] = []
        self._calls: dict[int, _Block] = {}
        # True while more of the last block may come.
        self._open = False

    def add(self, event: Event) -> None:
        """Add what one event brings."""
        if type(event) is TextDelta:
            block = self._continue("text")
            block.parts.append(event.text)
            block.logprobs += event.logprobs
        elif type(event) is ThinkingDelta:
            self._continue("thinking").parts.append(event.text)
        elif type(event) is Signed:
            self._continue("thinking").signature = event.signature
        elif type(event) is CallDelta:
            self._calls[event.index].parts.append(event.fragment)
        elif type(event) is CallBegan:
            self._blocks.append(_Block("call", event))
            self._calls[event.index] = self._blocks[-1]
        elif type(event) is Redacted:
            self._blocks.append(_Block("redacted"))
            self._blocks[-1].parts.append(event.data)
        elif type(event) is Searched:
            self._blocks.append(_Block("search", searched=event))
        elif type(event) is Cited:
            if self._open and self._blocks and self._blocks[-1].kind == "text":
                self._blocks[-1].citations.append(event.citation)
            else:
                self._ctx.note_dropped("citations")
        elif type(event) is RefusalDelta:
            self.refusal.append(event.text)
        elif type(event) is BlockEnded:
            self._open = False
        elif type(event) is Began:
            self.began = event

    def _continue(self, kind: str) -> _Block:
        """The open block of this kind, or a new one."""
        if not (self._open and self._blocks and self._blocks[-1].kind == kind):
            self._blocks.append(_Block(kind))
            self._open = True
        return self._blocks[-1]

    def finish(self, end: Ended) -> Answer:
        """The whole answer."""
        return Answer(
            id=self.began.id if self.began else "",
            model=self.began.model if self.began else "",
            blocks=tuple(block.build() for block in self._blocks),
            stop=end.stop,
            usage=end.usage,
            stopped_by=end.stopped_by,
            refusal="".join(self.refusal),
        )


def assemble_answer(events: Iterable[Event], ctx: Context) -> Answer | Fault | None:
    """The whole answer of a stream; its error if it has one; None when the stream has no end."""
    assembly = _Assembly(ctx)
    for event in events:
        if type(event) is Fault:
            return event
        if type(event) is Ended:
            return assembly.finish(event)
        assembly.add(event)
    return None
