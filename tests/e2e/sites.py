"""A proxy whose configuration changes under it, and an upstream for each of its backends."""

import base64
import json
import os
import random
import shutil

from .processes import Threaded, add_backend, backend, until
from .upstream import Upstream, plain
from .wire import ask

CATALOGS = {
    "alpha": ("m", "shared", "claude-opus-4-8", "gpt-5"),
    "beta": ("shared", "claude-opus-5", "claude-sonnet-4-6[1m]", "llama3:8b"),
    "opus": ("m", "sonnet", "claude-sonnet-4-6", "vendor/claude-opus-4.6"),
    "gpt": ("gpt-5-mini", "gpt-5"),
}


class Site:
    """A proxy whose configuration changes under it, and an upstream for each of its backends."""

    def __init__(self, folder):
        self.upstreams = {name: Upstream(models=models) for name, models in CATALOGS.items()}
        self._log = folder / "access.log"
        self.folder = folder
        self._tables = {"demo": False}
        self.proxy = Threaded(folder, log_file=str(self._log), tables=self._tables)

    def stop(self):
        self.proxy.__exit__()
        for up in self.upstreams.values():
            up.stop()

    def configure(self, entries=(), **tables):
        """Let these backends and settings be the configuration, and wait until the catalogs are read."""
        runtime = self.proxy.serving.runtime
        folder = self.folder / "home" / "backends"
        shutil.rmtree(folder, ignore_errors=True)
        for entry in entries:
            add_backend(self.folder / "home", entry)
        for up in self.upstreams.values():
            up.seen.clear()
        if tables.get("default_backend") not in [entry["name"] for entry in entries]:
            tables["default_backend"] = None  # a default that is no backend is refused as a whole
        self._tables.clear()
        self._tables.update({"demo": False}, **tables)
        self.proxy.call(runtime.refuses_usage.clear)
        done = self.proxy.call(self.proxy.serving.reload)
        assert until(done.is_set)
        assert until(lambda: not runtime.catalogs.loading)
        assert not runtime.problems

    def entry(self, name, **fields):
        """A backend file for one of the upstreams."""
        return backend(name, self.upstreams[name].root, **fields)

    def explain(self, **question):
        """What the operator is told."""
        token = (self.folder / "home" / "operator.token").read_bytes().strip()
        question["body"] = base64.b64encode(question.get("body", b"")).decode()
        data = json.dumps(question).encode()
        answer = ask(self.proxy.port, "/admin/explain", data, (b"Authorization", b"Bearer " + token))
        assert answer.status == 200, answer.body
        return answer.json()

    def send(self, protocol, body, *headers, spoken=None):
        """A real request, answered by whichever upstream gets it; spoken: in which protocol, if not in the same."""
        for up in self.upstreams.values():
            up.default = (plain((spoken or protocol).whole),)
        random.seed(os.urandom(8))  # hypothesis seeds it, which would make request ids repeat
        return ask(self.proxy.port, protocol.path, body, *headers)

    def noted(self, answer):
        """The log line of an answer."""
        wanted = answer.field(b"x-fairlead-request-id").decode()

        def found():
            lines = self._log.read_bytes().split(b"\n")[-50:-1] if self._log.exists() else []
            return next((entry for entry in map(json.loads, lines) if entry["id"] == wanted), None)

        return until(found)
