"""A proxy as Claude Code uses it: what the client sends on every request, and what is found of it."""

import json

from .processes import until
from .samples import MESSAGES
from .upstream import plain
from .wire import ask

KEY = b"client-key-0123456789-0123456789-01"
UPSTREAM_KEY = "sk-upstream-0123456789"
MODELS = ("claude-sonnet-4-5", "claude-opus-5")
CONFIG = """
default_backend = "anth"
[[routes]]
name = "helpers"
when = { class = "subagent", client = "claude-code" }
backend = "anth"
model = "claude-opus-5"
"""
#: What Claude Code 2.1.332 sends on every request.
SENT = (
    (b"anthropic-version", b"2023-06-01"),
    (b"anthropic-beta", b"claude-code-20250219,interleaved-thinking-2025-05-14"),
    (b"User-Agent", b"claude-cli/2.1.332 (external, cli)"),
    (b"x-app", b"cli"),
    (b"X-Claude-Code-Session-Id", b"3f9a0000-0000-4000-8000-000000000001"),
)
ROWS = {}


def row(name):
    """Enter a check as a row of the table. name: its number and what is required."""

    def enter(check):
        assert name not in ROWS
        ROWS[name] = check
        return check

    return enter


class Gateway:
    """A proxy as Claude Code uses it, with an upstream of its own protocol (anth) and one of another (other)."""

    def __init__(self, proxy, up):
        self.proxy, self.up = proxy, up

    def ask(self, path="/v1/messages?beta=true", body=None, *fields, **options):
        """One request with the headers that the client sends."""
        credential = options.pop("credential", (b"x-api-key", KEY))
        return ask(self.proxy.port, path, body, credential, *SENT, *fields, **options)

    def message(self, *fields, model="claude-sonnet-4-5", script=None, **more):
        """The answer to a message, and what the upstream got."""
        self.up.script(script or plain(MESSAGES.whole))
        answer = self.ask("/v1/messages?beta=true", message(model, **more), *fields)
        return answer, self.up.seen[-1]

    def recorded(self, answer):
        """The request in the history."""
        name = answer.field(b"x-fairlead-request-id").decode()

        def find():
            found = ask(self.proxy.port, f"/admin/history/{name}", None, self.proxy.operator())
            return found.json()["request"] if found.status == 200 else None

        return until(find)

    def usage(self):
        """The sums of the history."""
        return ask(self.proxy.port, "/analytics", None, self.proxy.operator()).json()


def message(model, **more):
    said = [{"role": "user", "content": "hi"}]
    return json.dumps({"model": model, "max_tokens": 64, "messages": said, **more}).encode()
