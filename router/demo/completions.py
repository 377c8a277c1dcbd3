"""OpenAI's old text completions: one choice for each prompt, with the text of the prompt."""

from collections.abc import Iterator

from router.demo.body import Json, Object, weigh
from router.demo.chat import DONE, usage, wants_usage
from router.demo.reply import Event, Part, Reply
from router.demo.script import CREATED, Ask, decide, sse
from router.errors import BadRequest


class Completions:
    """One POST /v1/completions. Raises BadRequest without a prompt."""

    def __init__(self, body: Object, model: str, key: str):
        prompts = _read_prompts(body.get("prompt"))
        size = weigh([*prompts])
        asks = [Ask(model=model, stream=body.get("stream") is True, text=text, size=size) for text in prompts]
        self.ask = asks[0]
        self._replies = [decide(ask) for ask in asks]
        self._key = key
        self._wants_usage = wants_usage(body)

    def whole(self, reply: Reply) -> object:
        """The completion."""
        choices = [_make_choice(index, each.text, "stop") for index, each in enumerate(self._replies)]
        return {**self._make_frame(choices), "usage": self._make_usage()}

    def events(self, reply: Reply) -> Iterator[Event]:
        """Chunks, choice after choice, a usage chunk if it is asked for, and [DONE]."""
        for index, each in enumerate(self._replies):
            for piece in each.pieces():
                yield Event(self._make_chunk(_make_choice(index, piece, None)), piece=True)
            yield Event(self._make_chunk(_make_choice(index, "", "stop")))
        if self._wants_usage:
            yield Event(sse({**self._make_frame([]), "usage": self._make_usage()}))
        yield Event(DONE)

    def _make_chunk(self, choice: object) -> bytes:
        frame = self._make_frame([choice])
        return sse({**frame, "usage": None} if self._wants_usage else frame)

    def _make_frame(self, choices: list[object]) -> dict[str, object]:
        return {
            "id": f"cmpl-{self._key}",
            "object": "text_completion",
            "created": CREATED,
            "model": self.ask.model,
            "choices": choices,
        }

    def _make_usage(self) -> object:
        parts = tuple(Part(kind="text", text=reply.text) for reply in self._replies)
        return usage(self.ask.size, Reply(parts=parts))


def _make_choice(index: int, text: str, finish_reason: str | None) -> object:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": finish_reason}


def _read_prompts(value: Json) -> list[str]:
    """The texts of a prompt, a string or a list of strings; token arrays have no text."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not value:
        raise BadRequest("prompt: a string or a list is required.")
    texts = [text for text in value if isinstance(text, str)]
    return texts or [""]
