"""An upstream that refuses one request of each of its models as too long, in the words of that model's error, and
answers all others."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from ..overflows import WORDINGS
from . import model

ANSWER = "MOCK-ANSWER-7431"
#: No agent's own first request is as long, so that only what the upstream says makes it too long.
LEAST_LIMIT = 200_000
_COMMAND = json.dumps({"command": "echo mock-tool-ran"})
_NUMBER = re.compile(r"[0-9]+(?:,[0-9]{3})*")


class Refusal(NamedTuple):
    """An error, and what its numbers are. body: as it is sent."""

    status: int
    body: bytes
    numbers: dict


def name_model(provider):
    """The model that refuses in the words of a provider."""
    return "mock-" + re.sub("[^a-z0-9]+", "-", provider)


def refusals(spoken):
    """Model -> its error as a backend of the protocol sends it, with limits that agents' requests do not reach."""
    return {name_model(provider): _make_refusal(wording, spoken) for provider, wording in WORDINGS.items()}


def _make_refusal(wording, spoken):
    status, body, told = wording
    if spoken == "messages" and isinstance(body, dict) and isinstance(body.get("error"), dict):
        body = {"type": "error", **body}
    factor = -(-LEAST_LIMIT // told.limit) if told.limit else 1
    numbers = {name: number * factor for name in told.__struct_fields__ if (number := getattr(told, name))}
    plain = {number // factor for number in numbers.values()}

    def enlarge(found):
        number = int(found[0].replace(",", ""))
        if number not in plain:
            return found[0]
        return format(number * factor, "," if "," in found[0] else "")

    return Refusal(status, _NUMBER.sub(enlarge, json.dumps(body)).encode(), numbers)


class Upstream:
    """A server of the three protocols. refusals: model -> its Refusal. tool: what is called before it, None to refuse
    the first request that declares tools. root: its address, without /v1."""

    def __init__(self, refusals, *, tool=None):
        self._refusals, self._tool = refusals, tool
        #: The bodies of the requests for text, as they came.
        self.asked = []
        #: Model -> how many had come when one of it was refused.
        self.refused = {}
        self._called = set()
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                self._send(*outer._answer(self.path.partition("?")[0], body))

            def do_GET(self):
                self._send(404, "application/json", b'{"error":{"message":"no"}}')

            def _send(self, status, kind, body):
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.root = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _answer(self, path, body):
        """Status, type and body of the answer to a request."""
        if path.endswith("count_tokens"):
            return 404, "application/json", b'{"error":{"message":"no such path"}}'
        name, tool = body["model"], None
        with self._lock:
            self.asked.append(body)
            if name in self._refusals and name not in self.refused and body.get("tools"):
                if self._tool is None or name in self._called:
                    self.refused[name] = len(self.asked)
                    refusal = self._refusals[name]
                    return refusal.status, "application/json", refusal.body
                self._called.add(name)
                tool = self._tool
        spoken = path.rpartition("/v1/")[2]
        if not body.get("stream"):
            return 200, "application/json", json.dumps(_WHOLE[spoken]).encode()
        made = _WRITERS[spoken](tool)
        return 200, "text/event-stream", b"".join(made)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


def _event(payload):
    named = f"event: {payload['type']}\n" if "type" in payload else ""
    return f"{named}data: {json.dumps(payload)}\n\n".encode()


def _write_chat(tool):
    shell = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": tool, "arguments": _COMMAND}}
    delta = {"role": "assistant", "content": ANSWER} if tool is None else {"role": "assistant", "tool_calls": [call]}
    yield _event({**shell, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    ending = {"index": 0, "delta": {}, "finish_reason": "stop" if tool is None else "tool_calls"}
    usage = {"prompt_tokens": 900, "completion_tokens": 9, "total_tokens": 909}
    yield _event({**shell, "choices": [ending], "usage": usage})
    yield b"data: [DONE]\n\n"


def _write_messages(tool):
    usage = {"input_tokens": 900, "output_tokens": 1}
    shell = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": usage}
    yield _event({"type": "message_start", "message": {**shell, "stop_reason": None, "stop_sequence": None}})
    if tool is None:
        block, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": ANSWER}
    else:
        block = {"type": "tool_use", "id": "toolu_1", "name": tool, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": _COMMAND}
    yield _event({"type": "content_block_start", "index": 0, "content_block": block})
    yield _event({"type": "content_block_delta", "index": 0, "delta": delta})
    yield _event({"type": "content_block_stop", "index": 0})
    ending = {"stop_reason": "end_turn" if tool is None else "tool_use", "stop_sequence": None}
    yield _event({"type": "message_delta", "delta": ending, "usage": {"output_tokens": 9}})
    yield _event({"type": "message_stop"})


def _write_responses(_):
    part = {"type": "output_text", "text": ANSWER, "annotations": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    usage = {"input_tokens": 900, "output_tokens": 9, "total_tokens": 909, **details}
    shell = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "output": [], "error": None}
    yield _event({"type": "response.created", "response": {**shell, "status": "in_progress"}})
    yield _event({"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}})
    yield _event({"type": "response.output_item.done", "output_index": 0, "item": item})
    done = {**shell, "status": "completed", "output": [item], "usage": usage}
    yield _event({"type": "response.completed", "response": done})


_WRITERS = {"chat/completions": _write_chat, "messages": _write_messages, "responses": _write_responses}
#: The answers to Claude Code's check of a model's name.
_WHOLE = {"chat/completions": model._WHOLE["chat"], "messages": model._WHOLE["messages"]}
