"""Homes with client keys, and requests that carry one."""

import json
import os

from router.store.config import client_keys
from router.store.home.home import open_home
from router.store.home.processes import find_birth

from .processes import Threaded, backend, make_home, until
from .wire import ask

#: An answer of OpenAI Chat.
WHOLE = json.dumps(
    {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }
).encode()


def add(folder, name, **options):
    """Make a key in a home, and return it. options: with `_` for the dots of `budget`."""
    home = open_home({"FAIRLEAD_HOME": str(make_home(folder))})
    given = {key.replace("budget_", "budget."): value for key, value in options.items()}
    return client_keys.add(home, name, client_keys.read_options(given)).reveal().encode()


def configured(folder, text):
    """A home with this config.toml."""
    path = make_home(folder) / "config.toml"
    path.touch(mode=0o600)
    path.write_text(f"guard.notify = false\n{text}\n")


class Granted(Threaded):
    """A proxy in a thread of this process, in front of one scripted upstream under two names."""

    def __init__(self, folder, up, **options):
        self.folder = folder
        backends = options.pop("backends", None) or [backend("box", up.root), backend("other", up.root)]
        super().__init__(folder, backends=backends, default_backend="box", demo=None, **options)

    def ask(self, key, path="/v1/chat/completions", body=None, *more, header=b"x-fairlead-key", **options):
        """One request with a key; None for none."""
        lines = [(header, key)] if key is not None else []
        return ask(self.port, path, body, *lines, *more, **options)

    def chat(self, key, model="model-a", **fields):
        """A Chat request."""
        turn = {"model": model, "messages": [{"role": "user", "content": "hi"}], **fields}
        return self.ask(key, body=json.dumps(turn).encode())

    def operate(self, path, body=None, **options):
        """A request of an operator; what the answer holds."""
        token = (self.folder / "home" / "operator.token").read_bytes().strip()
        sent = None if body is None else json.dumps(body).encode()
        return ask(self.port, path, sent, (b"Authorization", b"Bearer " + token), **options)

    def latest(self):
        """The request that ended last, as the history has it."""
        return self.operate("/admin/history/-").json()["request"]


def child_of(process, **fields):
    """The body that asks for a key for a process."""
    return {"pid": process.pid, "pid_started": find_birth(process.pid), **fields}


class Here:
    """This process."""

    pid = os.getpid()


__all__ = ["WHOLE", "Granted", "Here", "add", "child_of", "configured", "until"]
