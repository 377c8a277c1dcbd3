"""Encodes whole answers of Gemini."""

from router.ir import Answer, CallBegan, Ended, Searched, Text, Thinking, ToolCall
from router.wire.gemini.answers.encode_stream import encode_call, encode_ending, name_answer
from router.wire.gemini.answers.grounding import Grounding
from router.wire.gemini.answers.held_thoughts import HeldThoughts
from router.wire.neutral.context import Context
from router.wire.raw.json.json_values import Json


def encode_answer(answer: Answer, ctx: Context) -> Json:
    """The answer in Gemini's form: one candidate."""
    writer, grounding = _PartWriter(ctx), Grounding(ctx)
    for block in answer.blocks:
        if type(block) is Text:
            writer.add_text(block.text)
            grounding.say(block.text)
            for citation in block.citations:
                grounding.cite(citation)
            grounding.end_block()
            if block.logprobs:
                ctx.note_dropped("logprobs")
        elif type(block) is ToolCall:
            writer.add_call(block)
        elif type(block) is Searched:
            grounding.search(block)
        else:
            writer.add_thinking(block)
    if answer.stop != "refusal":
        # A model that refuses in its own words just says them there.
        writer.add_text(answer.refusal)
    end = Ended(answer.stop, answer.usage, answer.stopped_by)
    ending = encode_ending(writer.finish(), end, answer.refusal, grounding.collect(), ctx)
    return ending | name_answer(answer.id, answer.model, ctx)


class _PartWriter:
    """The parts of one answer; neighbouring texts of a kind are one."""

    def __init__(self, ctx: Context):
        self._ctx = ctx
        self._thoughts = HeldThoughts(ctx)
        self._parts: list[Json] = []
        self._calls = 0
        # The texts of the part that is open, and whether it is a thought.
        self._texts: list[str] = []
        self._thought = False

    def add_text(self, text: str) -> None:
        """Add text of the answer."""
        self._thoughts.say(text)
        self._put(text, thought=False)

    def add_thinking(self, block: Thinking) -> None:
        """Add reasoning: as a part where the caller wants to read it, and to what the next signature carries."""
        if block.redacted:
            self._thoughts.redact(block.redacted)
            return
        self._thoughts.think(block.text)
        if block.signature:
            self._thoughts.sign(block.signature)
        self._thoughts.end_block()
        if self._ctx.shows_reasoning:
            self._put(block.text, thought=True)

    def add_call(self, block: ToolCall) -> None:
        """Add a call."""
        self._end_text()
        signature = self._thoughts.sign_call(block.id)
        began = CallBegan(self._calls, block.id, block.name)
        self._calls += 1
        self._parts.append(encode_call(began, block.arguments, signature, self._ctx))

    def finish(self) -> list[Json]:
        """All parts. The last one carries the reasoning that no call carried; an answer has at least one."""
        self._end_text()
        signature = self._thoughts.sign_text()
        if signature:
            self._parts.append({"text": "", "thoughtSignature": signature})
        return self._parts or [{"text": ""}]

    def _put(self, text: str, *, thought: bool) -> None:
        if not text:
            return
        if thought is not self._thought:
            self._end_text()
            self._thought = thought
        self._texts.append(text)

    def _end_text(self) -> None:
        if self._texts:
            part: Json = {"text": "".join(self._texts)}
            self._parts.append(part | {"thought": True} if self._thought else part)
            self._texts.clear()
