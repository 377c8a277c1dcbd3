"""The demo with one defect, over real sockets: each request is passed on to a demo, and what one probe looks at is
spoiled in the request or its answer."""

import json
import math
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import trio

from router.backends.key_forms import WRONG_KEY
from router.demo import Demo
from router.demo.listening import serve_on_loopback
from router.errors import RouterError
from router.net.server.cancel_reason import CancelReason
from router.net.server.connection import Connection, Request

from ..patience import PATIENCE

_BODY_LIMIT = 8 << 20
# Seconds between the events of a stream.
_GAP = 0.001
# To read those of the system takes a quarter of a card's time, and nothing here speaks TLS.
_NO_ROOTS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_NOT_FORWARDED = ("host", "content-length", "connection", "transfer-encoding")
_FACTS = ("context_window", "max_input_tokens", "max_tokens", "max_output_tokens", "input_modalities")


@dataclass
class Asked:
    """A request."""

    method: str
    path: str
    fields: dict[str, str]
    #: {} for a GET.
    body: dict[str, Any]
    query: str = ""

    @property
    def turns(self) -> list[dict[str, Any]]:
        """Its conversation."""
        turns = self.body.get("input" if self.path == "/v1/responses" else "messages", [])
        return turns if isinstance(turns, list) else []

    @property
    def is_chat(self) -> bool:
        return self.path == "/v1/chat/completions"

    @property
    def is_messages(self) -> bool:
        return self.path == "/v1/messages"

    @property
    def is_responses(self) -> bool:
        return self.path == "/v1/responses"

    @property
    def is_gemini(self) -> bool:
        return self.path.endswith(("enerateContent", "treamGenerateContent"))


@dataclass
class Answered:
    """An answer."""

    status: int
    fields: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    #: The stream comes in one piece, after a while.
    held: bool = False

    @property
    def events(self) -> list[bytes]:
        """The events of a stream, [] for others."""
        if not self.fields.get("content-type", "").startswith("text/event-stream"):
            return []
        end = b"\r\n\r\n" if b"\r\n\r\n" in self.body else b"\n\n"
        return [part + end for part in self.body.split(end) if part]

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


Send = Callable[[Asked], Awaitable[Answered]]
Defect = Callable[[Asked, Send], Awaitable[Answered]]


class Defective:
    """An application that serves a demo with a defect."""

    def __init__(self, defect: Defect) -> None:
        self._defect = defect

    async def serve(self, *, task_status: trio.TaskStatus[str]) -> None:
        """As `serve_on_loopback`."""
        async with trio.open_nursery() as nursery:
            root = await nursery.start(Demo(word_delay=0).serve)
            async with httpx.AsyncClient(base_url=root, timeout=PATIENCE, verify=_NO_ROOTS) as self._http:
                await serve_on_loopback(self, task_status=task_status)

    async def __call__(self, connection: Connection, request: Request) -> None:
        raw = await connection.read_body(_BODY_LIMIT, lambda size: None)
        connection.set_deadline(math.inf, CancelReason.TOTAL)
        fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.fields.items()}
        asked = Asked(request.method, request.path, fields, json.loads(raw or b"{}"), request.query)
        answered = await self._defect(asked, self._send)
        headers = [(name.encode(), value.encode()) for name, value in answered.fields.items()]
        if not answered.events:
            await connection.respond(answered.status, headers, answered.body)
            return
        await connection.write(connection.frame_head(answered.status, headers))
        if answered.held:
            await trio.sleep(0.3)
        for piece in [answered.body] if answered.held else answered.events:
            await trio.sleep(_GAP)
            await connection.write(connection.frame_data(piece))
        await connection.write(connection.frame_end())

    async def _send(self, asked: Asked) -> Answered:
        fields = {name: value for name, value in asked.fields.items() if name not in _NOT_FORWARDED}
        fields.setdefault("accept-encoding", "identity")
        content = json.dumps(asked.body).encode() if asked.method == "POST" else None
        place = f"{asked.path}?{asked.query}" if asked.query else asked.path
        answer = await self._http.request(asked.method, place, headers=fields, content=content)
        kept = {
            name: value for name, value in answer.headers.items() if name not in (*_NOT_FORWARDED, "content-encoding")
        }
        return Answered(answer.status_code, kept, answer.content)

    def format_refusal(self, error: RouterError) -> tuple[list[tuple[bytes, bytes]], bytes]:
        return [], error.message.encode()

    def report_crash(self, error: Exception) -> None:
        raise error


# What defects are made of


def refusing(wrong: Callable[[Asked], object], message: str = "This is not supported.", status: int = 400) -> Defect:
    """What fits is refused."""

    async def run(asked: Asked, send: Send) -> Answered:
        return refuse(message, status) if wrong(asked) else await send(asked)

    return run


def refuse(message: str, status: int = 400) -> Answered:
    """A refusal in the form of all protocols."""
    error = {"type": "invalid_request_error", "message": message, "param": None, "code": None}
    return Answered(
        status, {"content-type": "application/json"}, json.dumps({"type": "error", "error": error}).encode()
    )


def asking(change: Callable[[Asked], object]) -> Defect:
    """Requests are changed before they are looked at, as if they asked for something else."""

    async def run(asked: Asked, send: Send) -> Answered:
        change(asked)
        return await send(asked)

    return run


def dropping(*names: str, where: Callable[[Asked], object] = lambda asked: True) -> Defect:
    """Members of the body are not looked at."""
    return asking(lambda asked: [asked.body.pop(name, None) for name in names] if where(asked) else None)


def answering(change: Callable[[Asked, Any], object]) -> Defect:
    """Answers that are JSON are changed."""

    async def run(asked: Asked, send: Send) -> Answered:
        answered = await send(asked)
        if answered.status != 200 or answered.events:
            return answered
        document = answered.document
        change(asked, document)
        return replace(answered, body=json.dumps(document).encode())

    return run


def streaming(change: Callable[[Asked, list[bytes]], list[bytes]]) -> Defect:
    """The events of streams are changed."""

    async def run(asked: Asked, send: Send) -> Answered:
        answered = await send(asked)
        events = answered.events
        return replace(answered, body=b"".join(change(asked, events))) if events else answered

    return run


# Where a defect needs more than a line


def _take_wrong_key(asked: Asked) -> None:
    for name in [name for name, value in asked.fields.items() if WRONG_KEY in value]:
        del asked.fields[name]


def _hide_facts(asked: Asked, document: Any) -> None:
    for entry in document.get("data", [document]):
        if isinstance(entry, dict):
            for name in _FACTS:
                entry.pop(name, None)


def _hide_model(asked: Asked, document: Any) -> None:
    if asked.path == "/v1/models":
        document["data"] = [entry for entry in document["data"] if entry["id"] != "demo-full"]


async def _close_each(asked: Asked, send: Send) -> Answered:
    answered = await send(asked)
    answered.fields["connection"] = "close"
    return answered


async def _hold_stream(asked: Asked, send: Send) -> Answered:
    return replace(await send(asked), held=not asked.is_gemini)


def _drop_usage(asked: Asked, events: list[bytes]) -> list[bytes]:
    return [event.replace(b'"usage"', b'"used"') for event in events] if not asked.is_chat else events


async def _fail_inside(asked: Asked, send: Send) -> Answered:
    answered = await send(asked)
    if not asked.body.get("stream") or answered.status != 400:
        return answered
    return Answered(200, {"content-type": "text/event-stream"}, b"event: error\ndata: " + answered.body + b"\n\n")


async def _code_wrongly(asked: Asked, send: Send) -> Answered:
    answered = await send(asked)
    if "gzip" in asked.fields.get("accept-encoding", ""):
        answered.fields["content-encoding"] = "gzip"
    return answered


def _miscount(asked: Asked, document: Any) -> None:
    usage = document.get("usage", {})
    for name in ("prompt_tokens", "input_tokens"):
        details = usage.get(f"{name}_details") or {}
        if name in usage and not details.get("cached_tokens") and not details.get("cache_write_tokens"):
            usage[name] = 1


def _roles(asked: Asked) -> list[str]:
    return [str(turn.get("role")) for turn in asked.turns]


def _has_late_system(asked: Asked) -> bool:
    roles = _roles(asked)
    return "system" in roles[1:] and roles[:1] == ["user"]


def _forget_prefill(asked: Asked) -> None:
    if asked.turns and asked.turns[-1].get("role") == "assistant":
        asked.turns.pop()


_seeds: list[int] = []


def _vary(asked: Asked, document: Any) -> None:
    if "seed" in asked.body:
        _seeds.append(1)
        document["choices"][0]["message"]["content"] += f" {len(_seeds)}"


def _limits_of(asked: Asked) -> list[str]:
    return [name for name in ("max_tokens", "max_completion_tokens") if asked.is_chat and name in asked.body]


def _call_another(asked: Asked) -> None:
    choice, tools = asked.body.get("tool_choice"), asked.body.get("tools", [])
    if asked.is_chat and isinstance(choice, dict) and len(tools) > 1:
        choice["function"]["name"] = tools[0]["function"]["name"]


def _call_none(asked: Asked) -> None:
    results = asked.turns and asked.turns[-1].get("role") == "tool"
    if asked.is_chat and asked.body.get("tools") and "tool_choice" not in asked.body and not results:
        asked.body["tool_choice"] = "none"


def _break_schema(asked: Asked, document: Any) -> None:
    if asked.is_chat and any(tool["function"].get("strict") for tool in asked.body.get("tools", [])):
        for call in document["choices"][0]["message"].get("tool_calls", []):
            call["function"]["arguments"] = '{"colour":"purple"}'


def _break_grammar(asked: Asked, document: Any) -> None:
    for item in document.get("output", []):
        if item.get("type") == "custom_tool_call":
            item["input"] = "upwards"


def _forget_namespace(asked: Asked, document: Any) -> None:
    for item in document.get("output", []):
        item.pop("namespace", None)


def _keep_first_text(asked: Asked) -> None:
    for turn in asked.turns:
        content = turn.get("content")
        if turn.get("role") == "tool" and isinstance(content, list):
            texts = [part for part in content if part["type"] == "text"]
            turn["content"] = [part for part in content if part["type"] != "text"] + texts[:1]


def _drop_parts(role: str, *kinds: str, only: str = "") -> Callable[[Asked], None]:
    """Parts of these kinds in turns of a role are not seen. only: text that they have."""

    def change(asked: Asked) -> None:
        for turn in asked.turns:
            content = turn.get("content")
            if turn.get("role") == role and isinstance(content, list):
                turn["content"] = [
                    part for part in content if part["type"] not in kinds or only not in json.dumps(part)
                ]

    return change


def _has_part(asked: Asked, kind: str, text: str) -> bool:
    parts = [part for turn in asked.turns if isinstance(turn.get("content"), list) for part in turn["content"]]
    return any(part["type"] == kind and text in json.dumps(part) for part in parts)


def _names_of(asked: Asked) -> list[str]:
    return [tool.get("function", tool).get("name", "") for tool in asked.body.get("tools", [])]


def _forget_thinking(asked: Asked) -> None:
    if asked.body.get("thinking", {}).get("type") == "enabled":
        del asked.body["thinking"]


def _hide_reasoning(asked: Asked, document: Any) -> None:
    if asked.is_chat and not asked.body.get("tools"):
        for choice in document["choices"]:
            choice["message"].pop("reasoning_content", None)
            document["usage"]["completion_tokens_details"]["reasoning_tokens"] = 0


def _tell_no_cache(asked: Asked, document: Any) -> None:
    if asked.is_chat:
        document["usage"]["prompt_tokens_details"]["cached_tokens"] = 0


async def _refuse_without_words(asked: Asked, send: Send) -> Answered:
    answered = await send(asked)
    return refuse("Bad request.") if b"context_length_exceeded" in answered.body else answered


def _tool_ids(asked: Asked) -> list[str]:
    return [str(turn["tool_call_id"]) for turn in asked.turns if "tool_call_id" in turn]


#: Probe -> the demo's defect that flips it.
def _list_gemini_parts(asked: Asked, role: str) -> list[dict[str, Any]]:
    contents = asked.body.get("contents", []) if asked.is_gemini else []
    return [part for content in contents if content.get("role") == role for part in content["parts"]]


def _lose_results(asked: Asked) -> None:
    for part in _list_gemini_parts(asked, "user"):
        if "functionResponse" in part:
            part["functionResponse"]["response"] = {"output": "nothing"}


def _take_without_signatures(asked: Asked) -> None:
    for part in _list_gemini_parts(asked, "model"):
        part["thoughtSignature"] = "skip_thought_signature_validator"


DEFECTS: dict[str, Defect] = {
    "reach.models": answering(_hide_model),
    "reach.model_facts": answering(
        lambda asked, document: _hide_facts(asked, document) if asked.method == "GET" else 0
    ),
    "reach.key": asking(_take_wrong_key),
    "reach.keep_alive": _close_each,
    "protocols.messages": refusing(lambda asked: asked.is_messages, "No such path.", 404),
    "protocols.chat": refusing(lambda asked: asked.is_chat, "No such path.", 404),
    "protocols.responses": refusing(lambda asked: asked.is_responses, "No such path.", 404),
    "protocols.gemini": refusing(lambda asked: asked.is_gemini, "No such path.", 404),
    "protocols.gemini_count": refusing(lambda asked: asked.path.endswith(":countTokens"), "No such path.", 404),
    "gemini.stream": streaming(lambda asked, events: [*events, b"data: [DONE]\n\n"] if asked.is_gemini else events),
    "gemini.tools": asking(_lose_results),
    "gemini.signature": asking(_take_without_signatures),
    "gemini.thinking": asking(lambda asked: asked.body.get("generationConfig", {}).pop("thinkingConfig", None)),
    "protocols.count_tokens": refusing(lambda asked: asked.path == "/v1/messages/count_tokens", "No such path.", 404),
    "protocols.input_tokens": refusing(lambda asked: asked.path == "/v1/responses/input_tokens", "No such path.", 404),
    "protocols.embeddings": refusing(lambda asked: asked.path == "/v1/embeddings", "No such path.", 404),
    "money.usage": answering(_miscount),
    "stream.increments": _hold_stream,
    "stream.terminal": streaming(lambda asked, events: events[:-1] if asked.is_chat else events),
    "stream.usage": streaming(_drop_usage),
    "stream.usage_asked": dropping("stream_options"),
    "stream.usage_unasked": asking(
        lambda asked: asked.body.update(stream_options={"include_usage": True}) if asked.is_chat else None
    ),
    "stream.error": _fail_inside,
    "stream.pings": streaming(lambda asked, events: [b"data: still here\n\n", *events] if asked.is_chat else events),
    "stream.coding": _code_wrongly,
    "roles.developer": refusing(lambda asked: "developer" in _roles(asked) and "tools" not in json.dumps(asked.turns)),
    "roles.mid_system": refusing(_has_late_system),
    "roles.two_systems": refusing(lambda asked: _roles(asked)[:2] == ["system", "system"]),
    "roles.same_role": refusing(lambda asked: _roles(asked)[:2] == ["user", "user"]),
    "roles.empty_text": refusing(lambda asked: any(turn.get("content") == "" for turn in asked.turns)),
    "roles.prefill": asking(_forget_prefill),
    "output.json_schema": dropping(
        "response_format", where=lambda asked: "json_schema" in json.dumps(asked.body.get("response_format"))
    ),
    "output.json_object": dropping(
        "response_format", where=lambda asked: "json_object" in json.dumps(asked.body.get("response_format"))
    ),
    "output.stop": dropping("stop"),
    "output.limit": asking(lambda asked: [asked.body.pop(name) for name in _limits_of(asked)]),
    "output.choices": dropping("n"),
    "output.logprobs": dropping("logprobs", "top_logprobs"),
    "output.seed": answering(_vary),
    "tools.call": asking(_call_none),
    "tools.required": asking(
        lambda asked: asked.body.update(tool_choice="none") if asked.body.get("tool_choice") == "required" else None
    ),
    "tools.named": asking(_call_another),
    "tools.none": dropping("tool_choice", where=lambda asked: asked.body.get("tool_choice") == "none"),
    "tools.parallel": dropping("parallel_tool_calls"),
    "tools.strict": answering(_break_schema),
    "tools.array_result": asking(_keep_first_text),
    "tools.image_result": asking(_drop_parts("tool", "image_url")),
    "tools.ids": refusing(lambda asked: any("-" in name for name in _tool_ids(asked))),
    "tools.two_rounds": refusing(lambda asked: len(_tool_ids(asked)) > 1),
    "tools.long_name": refusing(lambda asked: any(len(name) > 64 for name in _names_of(asked))),
    "tools.custom": answering(_break_grammar),
    "tools.namespace": answering(_forget_namespace),
    "input.image": asking(_drop_parts("user", "image_url", only="data:")),
    "input.image_url": refusing(lambda asked: _has_part(asked, "image_url", "https:"), "Images must be base64."),
    "input.pdf": asking(_drop_parts("user", "file")),
    "input.audio": refusing(lambda asked: _has_part(asked, "input_audio", "")),
    "thinking.efforts": refusing(lambda asked: asked.body.get("reasoning_effort") in ("xhigh", "max")),
    "thinking.returned": answering(_hide_reasoning),
    "thinking.replay": refusing(lambda asked: any("reasoning_content" in turn for turn in asked.turns)),
    "thinking.adaptive": refusing(lambda asked: asked.body.get("thinking", {}).get("type") == "adaptive"),
    "thinking.budget": asking(_forget_thinking),
    "thinking.signature": asking(_drop_parts("assistant", "thinking")),
    "cache.marks": refusing(lambda asked: asked.is_chat and "cache_control" in json.dumps(asked.turns)),
    "cache.reported": answering(_tell_no_cache),
    "server_tools.compaction": refusing(lambda asked: "compaction_trigger" in json.dumps(asked.turns)),
    "server_tools.previous_response": dropping("previous_response_id"),
    "server_tools.web_search": dropping(
        "tools", where=lambda asked: "web_search" in json.dumps(asked.body.get("tools"))
    ),
    "limits.overflow": _refuse_without_words,
}
