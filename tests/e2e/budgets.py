"""Homes with budgets, and an upstream whose answers cost what a test says."""

import contextlib
import json
import sqlite3

from .processes import Proxy, backend, make_home
from .upstream import plain

PRICES = '[prices."model-a"]\ninput = 1000\noutput = 1000\n'
BODY = json.dumps({"model": "model-a", "messages": [{"role": "user", "content": "hi"}]}).encode()
PATH = "/v1/chat/completions"


def answer(tokens, *fields, **counts):
    """A whole Chat answer that used this many tokens. counts: more of its usage."""
    usage = {"prompt_tokens": tokens - 1, "completion_tokens": 1, "total_tokens": tokens, **counts}
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    said = {"id": "c1", "object": "chat.completion", "created": 1, "model": "model-a", "choices": [choice]}
    return plain(json.dumps({**said, "usage": usage}).encode(), b"200 OK", *fields)


def configured(folder, text):
    """A home with this config.toml, without notifications, and prices for model-a."""
    path = make_home(folder) / "config.toml"
    path.touch(mode=0o600)
    path.write_text(f"guard.notify = false\n{text}\n{PRICES}")


#: The backend answers at /v1/responses/compact itself.
COMPACTS = "[backends.box]\nprofile = { compacts = true }"


def proxy(folder, up, **settings):
    """A proxy with that one backend."""
    return Proxy(folder, backends=[backend("box", up.root)], settings={"FAIRLEAD_DEFAULT_BACKEND": "box", **settings})


def query(folder, sql):
    """What history.db holds."""
    path = folder / "home" / "history.db"
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
        return db.execute(sql).fetchall()
