"""Streams, answers and errors full of half characters, NaN and errors outside the form: never a crash, always JSON."""

import itertools
import json
import random

import pytest

from router.wire import translate, translate_errors
from router.wire.protocols import BY_NAME

from .translations import DONE, context

TEXTS = ("a", "\ud83d", "\ude00", "\ud83d\ude00", "x\ud83d", "\ude00y", "", "\x01\n", '{"a":"', '"}', "\\ud83d")
ROUNDS = 400


class Speaker:
    """Makes events of each protocol at random."""

    def __init__(self, seed):
        self.rng = random.Random(seed)

    def text(self):
        return "".join(self.rng.choice(TEXTS) for _ in range(self.rng.randint(0, 3)))

    def number(self):
        return self.rng.choice((float("nan"), float("inf"), 1, 0.5, -1, None))

    def arguments(self):
        return self.rng.choice((self.text(), {"a": self.text(), "content": self.text(), "n": self.number()}))

    def error(self):
        inner = self.rng.choice((self.text(), {"error": self.text()}))
        code = self.rng.choice((self.text(), "overloaded", self.number()))
        return self.rng.choice((self.text(), {"message": self.text(), "code": code, "metadata": {"raw": inner}}))

    def chat(self):
        call = {"name": self.rng.choice((None, "look", self.text())), "arguments": self.arguments()}
        delta = self.rng.choice(
            (
                {"content": self.text()},
                {"reasoning_content": self.text()},
                {"content": [{"type": "text", "text": self.text()}, {"type": "thinking", "thinking": []}]},
                {"tool_calls": [{"index": self.rng.randint(0, 2), "id": self.text(), "function": call}]},
                {"refusal": self.text(), "reasoning_details": [{"text": self.text(), "signature": self.text()}]},
            )
        )
        finish = self.rng.choice((*[None] * 8, "stop", "tool_calls", self.text()))
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": {"x": self.number()}}
        made = {"id": self.text(), "model": self.text(), "choices": [choice]}
        if self.rng.random() < 0.05:
            made["error"] = self.error()
        return made

    def messages(self):
        block = self.rng.choice(
            (
                {"type": "text", "text": self.text()},
                {"type": "tool_use", "id": self.text(), "name": self.text(), "input": {"text": self.text()}},
                {"type": "thinking", "thinking": self.text()},
                {"type": "redacted_thinking", "data": self.text()},
            )
        )
        delta = self.rng.choice(
            (
                {"type": "text_delta", "text": self.text()},
                {"type": "input_json_delta", "partial_json": self.text()},
                {"type": "thinking_delta", "thinking": self.text()},
                {"type": "signature_delta", "signature": self.text()},
            )
        )
        kind = self.rng.choice(
            ("message_start", "content_block_start", *["content_block_delta"] * 5, "content_block_stop", "error")
        )
        return {
            "type": kind,
            "index": self.rng.randint(0, 2),
            "content_block": block,
            "delta": delta,
            "message": {"id": self.text(), "usage": {"input_tokens": self.number()}},
            **({"error": self.error()} if kind == "error" else {}),
        }

    def responses(self):
        item = self.rng.choice(
            (
                {"type": "message", "content": [{"text": self.text()}, {"refusal": self.text()}]},
                {"type": "function_call", "name": "look", "call_id": self.text(), "arguments": self.arguments()},
                {"type": "custom_tool_call", "name": "c", "call_id": "x", "input": self.text()},
                {"type": "reasoning", "summary": [{"text": self.text()}], "encrypted_content": self.text()},
            )
        )
        kinds = (
            "output_text",
            "refusal",
            "function_call_arguments",
            "custom_tool_call_input",
            "reasoning_summary_text",
        )
        deltas = [f"response.{kind}.delta" for kind in kinds]
        ends = ("response.completed", "response.failed", "error")
        steps = ("response.created", "response.output_item.added", "response.output_item.done")
        response = {
            "id": self.text(),
            "output": [item],
            "usage": {"input_tokens": self.number()},
            "error": self.error(),
        }
        return {
            "type": self.rng.choice((*deltas * 2, *steps, *ends)),
            "delta": self.text(),
            "output_index": self.rng.randint(0, 2),
            "item": item,
            "response": response,
            "message": self.text(),
        }

    def gemini(self):
        part = self.rng.choice(
            (
                {"text": self.text()},
                {"text": self.text(), "thought": True, "thoughtSignature": self.text()},
                {"functionCall": {"id": self.text(), "name": self.text(), "args": {"a": self.arguments()}}},
                {"functionCall": self.text(), "inlineData": {"data": self.text()}},
            )
        )
        finish = self.rng.choice((*[None] * 8, "STOP", "MAX_TOKENS", self.text()))
        candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": finish, "index": self.number()}
        made = {"candidates": [candidate], "usageMetadata": {"promptTokenCount": self.number()}}
        if self.rng.random() < 0.05:
            made["error"] = self.error()
        return made

    def encode(self, value):
        """JSON with halves as escapes, and at times with control characters as they are."""
        text = json.dumps(value)
        return (text.replace("\\u0001", "\x01") if self.rng.random() < 0.3 else text).encode()

    def frame(self, value):
        name = b"event: error\n" if self.rng.random() < 0.02 else b""
        return name + (b"error: " if self.rng.random() < 0.03 else b"data: ") + self.encode(value) + b"\n\n"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("source", "target"), list(itertools.permutations(BY_NAME, 2)))
def test_any_halves(source, target, seed):
    """Each event that is sent is JSON in UTF-8, nothing follows an error, and nothing but RouterError is raised."""
    speaker = Speaker(f"{source} {target} {seed}")
    make = getattr(speaker, source)
    for _ in range(ROUNDS):
        stream = translate.Stream(source, target, context(speaker.rng.choice(("", "openai", "mistral", "ollama"))))
        values = [make() for _ in range(speaker.rng.randint(1, 8))]
        out = b"".join(stream.feed(event) for event in (*map(speaker.frame, values), DONE) if not stream.failed)
        out += b"" if stream.failed else stream.end()
        json.dumps(stream.collect_response())
        sent = [json.loads(payload) for _, payload in translate.payloads(out) if payload != b"[DONE]"]
        named = target not in ("chat", "gemini")
        kinds = [one.get("type") if named else "error" if one.get("error") else "" for one in sent]
        if "error" in kinds:
            behind = kinds[kinds.index("error") + 1 :]
            assert behind == (["response.failed"] if target == "responses" else [])
        translate.answer(speaker.encode(values[0]), source, target, context(), stream=speaker.rng.random() < 0.5)
        translate_errors.failure(speaker.encode(values[0]), 400, source, target)
