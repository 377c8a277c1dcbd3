"""Google's generateContent: reads requests, and encodes replies."""

from collections.abc import Iterator

import msgspec

from router.demo.body import Object, number_id, tokens, weigh
from router.demo.gemini import fields
from router.demo.reply import PAGE, Event, Part, Reply
from router.demo.script import Ask, choose

_FINISH = {"stop": "STOP", "tool_calls": "STOP", "stop_sequence": "STOP", "length": "MAX_TOKENS"}


class Gemini:
    """One POST /v1beta/models/MODEL:generateContent or :streamGenerateContent. Raises BadRequest without contents.

    as_events: a stream is one of events, else an array in JSON.
    """

    def __init__(self, body: Object, model: str, key: str, *, stream: bool = False, as_events: bool = True):
        contents = fields.list_contents(body)
        self.ask = Ask(
            model=model,
            stream=stream,
            text=_find_text(contents),
            size=measure(body),
            tool=choose(fields.list_tools(body), fields.read_choice(body)),
            result=_read_result(contents),
            format=fields.read_format(body),
        )
        self._key = key
        self._as_events = as_events
        thinking = fields.get_object(fields.get(body, "generationConfig"), "thinkingConfig")
        self._shows_thoughts = fields.get(thinking, "includeThoughts") is True

    @property
    def content_type(self) -> bytes:
        """That of a stream."""
        return b"text/event-stream" if self._as_events else b"application/json; charset=UTF-8"

    def whole(self, reply: Reply) -> object:
        """The answer as a whole, with as many candidates as the reply has copies."""
        parts = [found for at, part in enumerate(reply.parts) for found in self._make_parts(part, part.text, at)]
        parts += _make_signature(reply)
        candidates = [self._make_candidate(parts, index, reply) for index in range(reply.copies)]
        return self._make_answer(candidates, reply, reply.tokens)

    def events(self, reply: Reply) -> Iterator[Event]:
        """Chunks, each with the usage up to it: a thought's and a text's words, calls as a whole, and a last one with
        the reason of the end."""
        first, size = True, 0
        for index in range(reply.copies):
            for at, part in enumerate(reply.parts):
                for piece in [part.text] if part.kind == "call" else part.pieces():
                    size += len(piece.encode())
                    parts = self._make_parts(part, piece, at)
                    if parts:
                        told = min(tokens(size), reply.tokens)
                        chunk = self._make_answer([_make_content(parts, index)], reply, told)
                        yield Event(self._frame(chunk, first=first), piece=True)
                        first = False
            last = self._make_candidate([*(_make_signature(reply) or [{"text": ""}])], index, reply)
            yield Event(self._frame(self._make_answer([last], reply, reply.tokens), first=first))
            first = False
        if not self._as_events:
            yield Event(b"]")

    def _frame(self, chunk: object, *, first: bool) -> bytes:
        data = msgspec.json.encode(chunk)
        if self._as_events:
            return b"data: %b\r\n\r\n" % data
        return (b"[" if first else b",\r\n") + data

    def _make_parts(self, part: Part, text: str, at: int) -> list[dict[str, object]]:
        """What a part, or a piece of it, looks like; nothing for a thought that is not to be shown."""
        if part.kind == "thought":
            return [{"text": text, "thought": True}] if self._shows_thoughts else []
        if part.kind == "search":
            return []
        if part.tool is None:
            return [{"text": text}]
        call = {
            "id": number_id("call", self._key, at),
            "name": part.tool.name,
            "args": msgspec.Raw(part.text.encode()),
        }
        return [{"functionCall": call, **({"thoughtSignature": part.proof} if part.proof else {})}]

    def _make_candidate(self, parts: list[dict[str, object]], index: int, reply: Reply) -> dict[str, object]:
        found = {**_make_content(parts, index), "finishReason": _FINISH[reply.finish]}
        searches = [part.text for part in reply.parts if part.kind == "search"]
        if searches:
            page = {"web": {"uri": PAGE.url, "title": PAGE.title}}
            found["groundingMetadata"] = {"webSearchQueries": searches, "groundingChunks": [page]}
        return found

    def _make_answer(self, candidates: list[dict[str, object]], reply: Reply, told: int) -> dict[str, object]:
        """told: tokens of the reply so far, of all candidates."""
        read, cached, _ = reply.count_input(self.ask.size)
        thought = min(told, tokens(len(reply.thought.encode())))
        usage = {"promptTokenCount": read, "candidatesTokenCount": told - thought, "totalTokenCount": read + told}
        if thought:
            usage["thoughtsTokenCount"] = thought
        if cached:
            usage["cachedContentTokenCount"] = cached
        return {
            "candidates": candidates,
            "usageMetadata": usage,
            "modelVersion": self.ask.model,
            "responseId": self._key,
        }


def measure(body: Object) -> int:
    """Bytes of text in the prompt."""
    return weigh(body.get("contents"), fields.get(body, "systemInstruction"), body.get("tools"))


def _make_content(parts: list[dict[str, object]], index: int) -> dict[str, object]:
    return {"content": {"role": "model", "parts": parts}, "index": index}


def _make_signature(reply: Reply) -> list[dict[str, object]]:
    """The part behind a text that holds the signature of what was thought before it; calls have their own."""
    proof = next((part.proof for part in reply.parts if part.kind == "thought"), "")
    return [{"text": "", "thoughtSignature": proof}] if proof and not reply.calls else []


def _find_text(contents: list[Object]) -> str:
    """The text of the user's last content that has any; '' when none has."""
    texts = (fields.join_texts(one) for one in reversed(contents) if fields.get_role(one) == "user")
    return next((text for text in texts if text.strip()), "")


def _read_result(contents: list[Object]) -> str | None:
    last = contents[-1] if contents else {}
    responses = [found for part in fields.list_parts(last) if (found := fields.get_object(part, "functionResponse"))]
    return "\n".join(map(fields.read_response, responses)) if responses else None
