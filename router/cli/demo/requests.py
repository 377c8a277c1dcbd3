"""The demo's requests: one for each pair of a caller's protocol and a backend's, and a tool call; streamed over real
sockets, each answer checked."""

import json
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from router.net.control.calls import ControlError, clean, post_json
from router.settings import Secret
from router.wire.raw.sse import Event, parse_events

_CITY = "Turin"
_TOOL = {
    "name": "get_weather",
    "description": "The weather of a city.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string", "enum": [_CITY]}},
        "required": ["city"],
    },
}


class Outcome(NamedTuple):
    """The result of one request of the demo."""

    #: The protocols of the caller and of the backend; "" for the round with a tool.
    asked: str
    spoken: str
    ok: bool
    #: What is told of it beside its time: the tool that was called, or the error.
    said: str
    #: Seconds until the first byte of the answer.
    first_byte: float

    @property
    def label(self) -> str:
        """Its name for people."""
        if not self.asked:
            return "tools"
        return self.asked if self.asked == self.spoken else f"{self.asked} -> {self.spoken}"


class WrongAnswer(Exception):
    """An answer with an error, which the text names."""


# KeyError and TypeError: a field of the answer is missing or has another type.
_NONE: Mapping[str, str] = MappingProxyType({})
_ERRORS = (WrongAnswer, ControlError, KeyError, TypeError)


async def send_requests(
    url: str, key: Secret | None, restricted: Mapping[str, str] = _NONE, prefix: str = "demo:"
) -> list[Outcome]:
    """Send all requests to the proxy at `url`, one after the other. prefix: of the models of a demo backend with all
    protocols. restricted: protocol -> prefix of the models of one with that protocol only, so that requests in another
    protocol are translated."""
    found = [await _send_echo(url, key, spec, spec, f"{prefix}demo") for spec in _PROTOCOLS]
    for asked, spoken in pair_protocols(restricted):
        found.append(await _send_echo(url, key, asked, spoken, f"{restricted[spoken.label]}demo"))
    found.append(await _send_tool_call(url, key, f"{prefix}demo-tools"))
    return found


def pair_protocols(protocols: Collection[str]) -> list[tuple["_Protocol", "_Protocol"]]:
    """Every ordered pair of two of these protocols."""
    able = [spec for spec in _PROTOCOLS if spec.label in protocols]
    return [(asked, spoken) for asked in able for spoken in able if asked is not spoken]


async def _send_echo(url: str, key: Secret | None, asked: "_Protocol", spoken: "_Protocol", model: str) -> Outcome:
    same = asked is spoken
    text = f"Hello from fairlead, over {asked.title}" if same else f"Hello from {asked.title} to {spoken.title}"
    translation = "" if same else f"{asked.label}->{spoken.label}"
    first_byte = 0.0
    try:
        found, first_byte = await _send(url + asked.path.format(model), key, asked.build(model, text), translation)
        said = asked.read(found)
        if said != text:
            raise WrongAnswer(f'expected "{text}", got "{clean(said)}"')
    except _ERRORS as error:
        return Outcome(asked.label, spoken.label, False, str(error), first_byte)
    return Outcome(asked.label, spoken.label, True, "", first_byte)


async def _send_tool_call(url: str, key: Secret | None, model: str) -> Outcome:
    """Have the model call a tool, send the tool's result, and read the final answer."""
    turns: list[dict[str, Any]] = [{"role": "user", "content": f"What is the weather in {_CITY}?"}]
    first_byte = 0.0
    try:
        found, first_byte = await _send(f"{url}/v1/messages", key, _build_tool_request(model, turns))
        call = _read_tool_call(found)
        result = {"type": "tool_result", "tool_use_id": call["id"], "content": "Sunny, 24 degrees"}
        turns += [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
        after, _ = await _send(f"{url}/v1/messages", key, _build_tool_request(model, turns))
        if not _read_messages_text(after):
            raise WrongAnswer("no text came after the tool's result")
    except _ERRORS as error:
        return Outcome("", "", False, str(error), first_byte)
    arguments = ", ".join(f"{name}={json.dumps(value)}" for name, value in call["input"].items())
    return Outcome("", "", True, f"{call['name']}({arguments}), then an answer", first_byte)


def _build_messages(model: str, text: str) -> dict[str, Any]:
    return {"model": model, "stream": True, "max_tokens": 64, "messages": [{"role": "user", "content": text}]}


def _build_chat(model: str, text: str) -> dict[str, Any]:
    return {**_build_messages(model, text), "stream_options": {"include_usage": True}}


def _build_responses(model: str, text: str) -> dict[str, Any]:
    return {"model": model, "stream": True, "store": False, "input": text}


def _build_gemini(model: str, text: str) -> dict[str, Any]:
    """The model stands in the path."""
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], "generationConfig": {"maxOutputTokens": 64}}


def _build_tool_request(model: str, turns: list[dict[str, Any]]) -> dict[str, Any]:
    return {"model": model, "stream": True, "max_tokens": 64, "tools": [_TOOL], "messages": turns}


async def _send(
    url: str, key: Secret | None, body: Mapping[str, Any], translation: str = ""
) -> tuple[list[Event], float]:
    headers = {
        "authorization": f"Bearer {key.reveal() if key else 'fairlead'}",
        "anthropic-version": "2023-06-01",
        "accept": "text/event-stream",
    }
    answer = await post_json(url, headers, json.dumps(body).encode())
    if answer.status != 200:
        raise WrongAnswer(f"status {answer.status}, {clean(answer.body.decode('utf-8', 'replace'))}")
    if answer.headers.get("x-fairlead-translation", "") != translation:
        raise WrongAnswer("it was not translated" if translation else "it was translated")
    # A comment is an event without data.
    return [event for _, event in parse_events(answer.body) if event.data], answer.first_byte


def _decode_data(event: Event) -> dict[str, Any]:
    try:
        return json.loads(event.data)
    except ValueError:
        raise WrongAnswer(f"an event is not JSON: {clean(event.data.decode('utf-8', 'replace'), 80)}") from None


def _read_messages_text(found: list[Event]) -> str:
    if not found or found[-1].name != "message_stop":
        raise WrongAnswer("the stream has no message_stop at its end")
    deltas = [_decode_data(event)["delta"] for event in found if event.name == "content_block_delta"]
    return "".join(delta.get("text", "") for delta in deltas)


def _read_tool_call(found: list[Event]) -> dict[str, Any]:
    """The content block of the tool call, with its input."""
    _read_messages_text(found)
    starts = [_decode_data(event)["content_block"] for event in found if event.name == "content_block_start"]
    call = next((block for block in starts if block.get("type") == "tool_use"), None)
    if call is None or call.get("name") != _TOOL["name"]:
        raise WrongAnswer("the model did not call get_weather")
    deltas = [_decode_data(event)["delta"] for event in found if event.name == "content_block_delta"]
    given = "".join(delta.get("partial_json", "") for delta in deltas)
    try:
        arguments = json.loads(given)
    except ValueError:
        raise WrongAnswer(f"the tool's input is not JSON: {clean(given, 80)}") from None
    if arguments != {"city": _CITY}:
        raise WrongAnswer(f"the tool's input is {clean(given, 80)}")
    return {**call, "input": arguments}


def _read_chat_text(found: list[Event]) -> str:
    if not found or not found[-1].is_done:
        raise WrongAnswer("the stream has no [DONE] at its end")
    chunks = [_decode_data(event) for event in found[:-1]]
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    if not any(choice.get("finish_reason") == "stop" for choice in choices):
        raise WrongAnswer("no chunk has a finish_reason")
    if not any(chunk.get("usage") for chunk in chunks):
        raise WrongAnswer("no chunk has the usage that was asked for")
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def _read_responses_text(found: list[Event]) -> str:
    if not found or found[-1].name != "response.completed":
        raise WrongAnswer("the stream has no response.completed at its end")
    return "".join(_decode_data(event)["delta"] for event in found if event.name == "response.output_text.delta")


def _read_gemini_text(found: list[Event]) -> str:
    chunks = [_decode_data(event) for event in found]
    candidates = [candidate for chunk in chunks for candidate in chunk["candidates"]]
    if not candidates or candidates[-1].get("finishReason") != "STOP":
        raise WrongAnswer("the last chunk has no finishReason")
    if not chunks[-1].get("usageMetadata"):
        raise WrongAnswer("the last chunk has no usage")
    return "".join(part.get("text", "") for candidate in candidates for part in candidate["content"]["parts"])


class _Protocol(NamedTuple):
    label: str
    title: str
    #: {} stands for the model's name.
    path: str
    build: Callable[[str, str], dict[str, Any]]
    read: Callable[[list[Event]], str]


_PROTOCOLS = (
    _Protocol("messages", "Anthropic Messages", "/v1/messages", _build_messages, _read_messages_text),
    _Protocol("chat", "OpenAI Chat", "/v1/chat/completions", _build_chat, _read_chat_text),
    _Protocol("responses", "OpenAI Responses", "/v1/responses", _build_responses, _read_responses_text),
    _Protocol(
        "gemini",
        "Google Gemini",
        "/v1beta/models/{}:streamGenerateContent?alt=sse",
        _build_gemini,
        _read_gemini_text,
    ),
)
#: The protocols in the order in which they are shown.
PROTOCOLS = tuple(spec.label for spec in _PROTOCOLS)
