"""The whole card of backends that lie, hang, answer web pages or answer without an end: rows that say so, and no more
requests than it takes to see it."""

import json
import math
import time

import pytest
import trio

from router.conform.client import BODY_LIMIT
from router.conform.probes.table import PROBES, USUAL
from router.conform.run import make_card
from router.demo.listening import serve_on_loopback
from router.net.server.cancel_reason import CancelReason

from .benches import make_backend, make_plan

#: Rows that need no answer that makes sense: what is known of the way and the price.
_OF_THE_WAY = {"reach.tls", "reach.keep_alive", "money.price"}


class Backend:
    """Answers every request alike. respond: called with the connection."""

    def __init__(self, respond):
        self._respond = respond
        self.requests = 0

    async def serve(self, *, task_status):
        await serve_on_loopback(self, task_status=task_status)

    async def __call__(self, connection, request):
        await connection.read_body(64 << 20, lambda size: None)
        connection.set_deadline(math.inf, CancelReason.TOTAL)
        self.requests += 1
        await self._respond(connection)

    def format_refusal(self, error):
        return [], b""

    def report_crash(self, error):
        raise error


def run_bad(respond, **fields):
    """The backend after a whole card, and its rows."""
    backend = Backend(respond)

    async def run():
        async with trio.open_nursery() as nursery:
            root = await nursery.start(backend.serve)
            plan = make_plan(make_backend(f"{root}/v1"), **{"free": True, "probes": USUAL, "model": "m", **fields})
            found = await make_card(plan)
            nursery.cancel_scope.cancel()
        return found

    return backend, {row.id: row for row in trio.run(run).rows}


def answers(body, kind="application/json", status=200):
    """A whole answer."""

    async def respond(connection):
        await connection.respond(status, [(b"content-type", kind.encode())], body)

    return respond


def test_web_pages():
    """A web page is no answer, whatever its status: no row says yes, and each says that a page came."""
    _, rows = run_bad(answers(b"<!doctype html><title>Log in</title>" + b"x" * 9000, "text/html"))
    good = {name for name, row in rows.items() if row.verdict == "yes"}
    assert good <= _OF_THE_WAY
    assert "a web page" in rows["protocols.chat"].evidence
    assert all(row.evidence and len(row.evidence.encode()) <= 200 for row in rows.values())


def test_silence():
    """After two requests without an answer in time nothing more is sent, and the rest is unknown."""

    async def hang(connection):
        await trio.sleep_forever()

    backend, rows = run_bad(hang, seconds=0.2)
    assert backend.requests <= 2
    assert {row.verdict for name, row in rows.items() if name not in _OF_THE_WAY} <= {"unknown", "no"}
    assert "several requests in a row" in rows["tools.call"].evidence


def test_answers_without_an_end():
    """Of an answer a bounded part is read; the row says how much came."""

    async def pour(connection):
        await connection.write(connection.frame_head(200, [(b"content-type", b"application/json")]))
        piece = b" " * 65536
        for _ in range((64 << 20) // len(piece)):
            await connection.write(connection.frame_data(piece))
            if connection.client_gone:
                break
        connection.abort()

    began = time.monotonic()
    _, rows = run_bad(pour, probes=[PROBES[name] for name in ("protocols.chat", "stream.increments", "tools.call")])
    assert time.monotonic() - began < 30
    assert {row.verdict for row in rows.values()} <= {"no", "unknown"}
    assert all(f"more than {BODY_LIMIT >> 10} KiB" in row.evidence for row in rows.values())


LIES = (
    {},
    [],
    3,
    "ok",
    None,
    {"choices": 5, "content": 5, "output": 5, "data": 5, "usage": 5, "error": 5},
    {"choices": [None], "content": [None], "output": [None], "data": [None], "usage": [], "error": []},
    {"choices": [{}], "content": [{}], "output": [{}], "data": [{}], "usage": {}, "id": 3},
    {"choices": [{"message": 3, "logprobs": {"content": 3}}], "usage": {"prompt_tokens": "many", "input_tokens": -5}},
    {"choices": [{"message": {"content": 3, "tool_calls": [{"type": []}]}}], "usage": {"prompt_tokens": 1e300}},
    {"choices": [{"message": {"content": None, "tool_calls": 7, "reasoning_content": 7}}]},
    {"content": [{"type": "tool_use"}, {"type": []}], "role": "assistant", "type": "message", "stop_reason": 4},
    {"output": [{"type": "function_call"}, {"type": "message", "content": 3}], "object": "response", "id": []},
    {"data": [{"id": "m", "context_window": 10**400}], "input_tokens": True, "has_more": "no"},
    {"error": {"message": {"nested": []}, "type": 3, "code": []}},
)


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("lie", LIES, ids=lambda lie: json.dumps(lie)[:40])
def test_lies(lie, status):
    """JSON of any shape in place of an answer makes rows, none of which says that a model answered."""
    _, rows = run_bad(answers(json.dumps(lie).encode(), status=status), probes=[*PROBES.values()])
    assert set(rows) == set(PROBES)
    good = {name for name, row in rows.items() if row.verdict == "yes"}
    assert not {name for name in good if name.startswith(("protocols.", "tools.", "input.", "thinking.", "cache."))}


@pytest.mark.parametrize("event", [b"data: 3\n\n", b"data: {}\n\n", b"event: error\ndata: {\n\n", b"data: [DONE]\n\n"])
def test_lying_streams(event):
    """Streams in place of every answer make rows too."""
    _, rows = run_bad(answers(event * 3, "text/event-stream"))
    good = {name for name, row in rows.items() if row.verdict == "yes"}
    assert not {name for name in good if name.startswith(("protocols.", "tools.", "input.", "thinking.", "cache."))}
