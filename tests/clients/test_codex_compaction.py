"""Codex compacts a thread at backends that compact nothing, resumes it, and gets its answer.

A provider of the name OpenAI makes Codex ask for a compaction by a trigger; under a small window it does so soon. The
upstream is scripted, and keeps what it was asked.
"""

import json
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from router.wire.conversation.sealed_state import SUMMARY_PREFIX

from ..e2e.processes import Proxy, backend
from .agents import KEY, find

pytestmark = pytest.mark.slow
NOTE = "NOTE-5521: the user counts ships, three so far."
ANSWER = "ANSWER-7431"
#: Tokens that the upstream says a request had, so that the window is full after the first turn.
FULL, WINDOW = 90_000, 100_000
PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}


class Upstream(BaseHTTPRequestHandler):
    """Answers each request with a stream; the question for a note with a note."""

    protocol_version = "HTTP/1.1"
    asked = ()

    def log_message(self, *_):
        pass

    def do_GET(self):
        self._send(b'{"data":[],"has_more":false}', "application/json")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.asked.append(json.loads(body))
        text = NOTE if b"about to be removed" in body else ANSWER
        used = FULL if len(self.server.asked) == 1 else 500
        self._send(_streams[self.path](text, used), "text/event-stream")

    def _send(self, body, kind):
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _frames(*found):
    return b"".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in found)


def _chat(text, used):
    usage = {"prompt_tokens": used, "completion_tokens": 5, "total_tokens": used + 5}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "usage": usage}
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return f"data: {json.dumps({**chunk, 'choices': [choice]})}\n\ndata: [DONE]\n\n".encode()


def _messages(text, used):
    usage = {"input_tokens": used, "output_tokens": 5}
    message = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": usage}
    return _frames(
        {"type": "message_start", "message": {**message, "stop_reason": None, "stop_sequence": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
    )


def _responses(text, used):
    content = [{"type": "output_text", "text": text, "annotations": []}]
    item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}
    usage = {"input_tokens": used, "output_tokens": 5, "total_tokens": used + 5}
    response = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "output": []}
    return _frames(
        {"type": "response.created", "response": {**response, "status": "in_progress"}},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {
            "type": "response.completed",
            "response": {**response, "status": "completed", "output": [item], "usage": usage},
        },
    )


_streams = {PATHS["chat"]: _chat, PATHS["messages"]: _messages, PATHS["responses"]: _responses}


@pytest.fixture
def upstream():
    """A running upstream; `asked` are the bodies it got."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class Codex:
    """Codex on a home of its own."""

    def __init__(self, folder, root):
        self._home = folder / "codex"
        (self._home / "work").mkdir(parents=True)
        self._program = find("codex")
        (self._home / "config.toml").write_text(
            'model = "mock-model"\nmodel_provider = "gw"\napproval_policy = "never"\n'
            f'sandbox_mode = "danger-full-access"\nmodel_context_window = {WINDOW}\n'
            'check_for_update_on_startup = false\n[model_providers.gw]\nname = "OpenAI"\n'
            f'base_url = "{root}/v1"\nenv_key = "GW_KEY"\nwire_api = "responses"\n[analytics]\nenabled = false\n'
        )

    def run(self, *arguments):
        """Exit status and output of `codex exec`."""
        folder = os.environ.get("FAIRLEAD_CLIENT_PROGRAMS", "")
        path = os.pathsep.join(filter(None, (folder, os.environ.get("PATH", ""))))
        environ = {"PATH": path, "HOME": str(self._home), "CODEX_HOME": str(self._home), "GW_KEY": KEY}
        done = subprocess.run(
            [self._program, "exec", "--skip-git-repo-check", *arguments],
            cwd=self._home / "work",
            env={**environ, "NO_PROXY": "127.0.0.1", "TERM": "dumb", "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            check=False,
        )
        return done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace")


@pytest.mark.parametrize("protocol", ["messages", "chat", "responses"])
def test_a_thread_is_compacted_resumed_and_answers(tmp_path, upstream, protocol):
    """The second turn compacts first; it, and a third after a resume, get the note in place of the history."""
    if find("codex") is None:
        pytest.skip("codex is not installed")
    root = f"http://127.0.0.1:{upstream.server_port}/v1"
    settings = {"FAIRLEAD_DEFAULT_BACKEND": "up", "FAIRLEAD_DEMO": "off"}
    with Proxy(tmp_path, backends=[backend("up", root, protocols=[protocol])], settings=settings) as proxy:
        codex = Codex(tmp_path, f"http://127.0.0.1:{proxy.port}")
        said = [codex.run("Count the ships.")]
        said += [codex.run("resume", "--last", text) for text in ("And now?", "And then?")]
        print(*(text for _, text in said), sep="\n----\n")
        assert [(code, ANSWER in text) for code, text in said] == [(0, True)] * 3, said
        assert "Traceback" not in proxy.said()
    bodies = [json.dumps(body) for body in upstream.asked]
    questions = [at for at, body in enumerate(bodies) if "about to be removed" in body]
    assert len(questions) == 1, [body[:200] for body in bodies]
    assert questions[0] > 0
    for body in bodies[questions[0] + 1 :]:
        assert "NOTE-5521" in body
        assert "compaction_trigger" not in body
        assert SUMMARY_PREFIX not in body
