"""A proxy and an upstream for sessions whose cache is judged: the upstream says how many tokens its cache gave, the
history says what was lost and why.

The proxy runs in a thread of the test, so that the time between two turns is set and not waited for.
"""

import contextlib
import json
import sqlite3

import msgspec

from .processes import Threaded, backend, make_home, until
from .upstream import Upstream, plain
from .wire import ask

MODEL = "claude-sonnet-4-6"
CONFIG = """
[prices."claude-sonnet-4-6"]
input = 3
output = 15
cache_read = 0.3
cache_write = 3.75
[backends.marking]
cache_marks = true
[[routes]]
when = { model = "claude-sonnet-4-6", tokens_over = 7000 }
backend = "one"
set_fields = { top_k = 5 }
[[routes]]
when = { model = "claude-sonnet-4-6" }
backend = "one"
[backends.short]
profile = { cache_minimum = 30000 }
"""
#: A word that stands in every part of a prompt, and in no name.
SECRET = "quibbleword"
PROSE = f"The {SECRET} relay reads each request and forwards it unchanged. " * 40
MARK = {"cache_control": {"type": "ephemeral"}}


def tool(name):
    return {"name": name, "description": PROSE, "input_schema": {"type": "object", "properties": {}}}


def block(text, **more):
    return {"type": "text", "text": text, **more}


def turns(count, last="list"):
    """A conversation as Claude Code sends it: the last message marked, as a list of one block, the others as texts."""
    found = []
    for number in range(count):
        found.append({"role": "user", "content": f"{number} {PROSE}"})
        found.append({"role": "assistant", "content": [block(f"answer {number} {PROSE}")]})
    text = f"{count} {PROSE}"
    found.append({"role": "user", "content": [block(text, **MARK)] if last == "list" else text})
    return found


def messages(count, **changes):
    """A request in Messages. changes: members in place of the usual ones, None for none."""
    body = {
        "model": MODEL,
        "max_tokens": 64,
        "system": [block("You are an agent."), block(PROSE, **MARK)],
        "tools": [tool("Bash"), tool("Edit"), tool("Read")],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "messages": turns(count),
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


def answered(new, read, written=0):
    """An answer in Messages that says what the cache gave."""
    usage = {"input_tokens": new, "cache_read_input_tokens": read, "cache_creation_input_tokens": written}
    return plain(
        json.dumps(
            {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": MODEL,
                "content": [block("Hi")],
                "stop_reason": "end_turn",
                "usage": {**usage, "output_tokens": 5},
            }
        ).encode()
    )


class Stand:
    """A proxy, and the one upstream of all its backends."""

    def __init__(self, folder):
        self.upstream = Upstream(models=(MODEL, "claude-opus-4-8", "model-a", "gpt-5"))
        config = make_home(folder) / "config.toml"
        config.touch(mode=0o600)
        config.write_text(CONFIG)
        names = ("one", "two", "marking", "short", "chatty")
        self.home = config.parent
        self.proxy = Threaded(folder, backends=[backend(name, self.upstream.root) for name in names])
        self.sessions = 0

    def stop(self):
        self.proxy.__exit__()
        self.upstream.stop()

    @property
    def runtime(self):
        return self.proxy.serving.runtime

    def session(self, *turns, path="/v1/messages", backend="one", idle=0):
        """Send turns (body, answer, and more headers) of one session; the history's row of the last. idle: seconds
        before the last."""
        self.sessions += 1
        header = (b"X-Claude-Code-Session-Id", b"session-%d" % self.sessions)
        for number, (body, answer, *more) in enumerate(turns):
            where = body.pop("to", backend)
            if where:
                body["model"] = f"{where}:{body['model']}"
            if idle and number == len(turns) - 1:
                self.proxy.call(lambda: self._age(idle))
            self.upstream.script(answer)
            got = ask(
                self.proxy.port, path, json.dumps(body).encode(), header, *(line for lines in more for line in lines)
            )
            assert got.status == 200, got.body
        return self.row(got.field(b"x-fairlead-request-id").decode())

    def _age(self, seconds):
        """Let the last turns of all sessions be older."""
        lines = self.runtime.prompt_sessions._lines
        for key, found in lines.items():
            lines[key] = tuple(msgspec.structs.replace(one, started=one.started - seconds) for one in found)

    def row(self, name):
        """What the history says of a request's cache: reason, tokens, idle seconds, more of the cause, what it cost,
        and what it would have cost to have it kept for longer."""
        self.runtime.ledger.flush()
        query = (
            "SELECT names.text, cache_lost, cache_idle, cache_text, cache_lost_cost, cache_longer_cost FROM "
            "requests "
            "LEFT JOIN names ON names.id = cache_reason WHERE requests.id = ?"
        )

        def found():
            with contextlib.closing(sqlite3.connect(self.home / "history.db")) as db:
                return db.execute(query, (name,)).fetchone()

        return until(found)


FIRST, HIT, MISS = answered(10, 0, 20_000), answered(10, 20_000, 500), answered(10, 0, 20_500)


def changed(**changes):
    """Two turns, of which the second lacks what the first left in the cache."""
    return [(messages(1), FIRST), (messages(2, **changes), MISS)]


def rewritten(conversation, at, content):
    """A conversation with other content in one message."""
    return [*conversation[:at], {**conversation[at], "content": content}, *conversation[at + 1 :]]
