"""The mock upstream of the client kit, and a proxy in front of it, for runs of real agents.

The kit is no part of the project: FAIRLEAD_CLIENT_KIT names the folder with its mock_upstream.py. Faults are its
directives, for instance `err-529-x6` (the first six requests) or `drop-mid-stream-x1`. Unlike by itself, the mock
counts all requests of a run together, and reads directives in an account's key too.
"""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

from ..e2e.processes import Proxy, backend, make_home, until
from ..patience import PATIENCE

KIT = Path(os.environ.get("FAIRLEAD_CLIENT_KIT") or Path(__file__).parents[3] / "shared" / "clients")
BACKENDS = {
    "all": ("messages", "chat", "responses"),
    "messages-only": ("messages",),
    "chat-only": ("chat",),
    "responses-only": ("responses",),
}
ANSWER = "MOCK-ANSWER-7431"
ROUND = "(tool:"
#: Seconds of silence that a mock's stall may take before the proxy ends it.
SHORT = {"FAIRLEAD_TIMEOUTS_FIRST_BYTE": "6s", "FAIRLEAD_TIMEOUTS_IDLE": "6s"}
_START = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("mock_upstream", sys.argv.pop(1))
mock = importlib.util.module_from_spec(spec)
spec.loader.exec_module(mock)

class Together(dict):
    def get(self, _, default=None):
        return super().get("run", default)
    def __getitem__(self, _):
        return super().__getitem__("run")
    def __setitem__(self, _, value):
        super().__setitem__("run", value)

mock.COUNTS = Together()
route = mock.Conn.route

def with_key(self, method, path, query, headers, *rest):
    told = " ".join(headers.get(name) or "" for name in ("x-mock", "authorization", "x-api-key"))
    return route(self, method, path, query, {**headers, "x-mock": told}, *rest)

mock.Conn.route = with_key
mock.main()
"""


class Mock:
    """A running mock. root: its address, without /v1."""

    def __init__(self, folder, directives="", *, stall=600):
        folder.mkdir(exist_ok=True)
        self._out = (folder / "mock.out").open("w+b")
        arguments = ["--port", "0", "--default", directives, "--stall", str(stall)]
        command = [sys.executable, "-c", _START, str(KIT / "mock_upstream.py"), *arguments]
        self._process = subprocess.Popen(command, stdout=self._out, stderr=subprocess.STDOUT)
        assert until(lambda: b"http://" in self._said()), self._said()
        self.root = "http://" + self._said().split(b"http://")[1].split()[0].decode()

    def _said(self):
        self._out.flush()
        return Path(self._out.name).read_bytes()

    def _posts(self):
        with urllib.request.urlopen(f"{self.root}/__mock/log", timeout=PATIENCE) as answer:
            found = json.load(answer)
        entries = found if isinstance(found, list) else found["log"]
        ended = {one["id"]: one.get("status") for one in entries if one["ev"] == "done"}
        posts = [one for one in entries if one["ev"] == "req" and one["method"] == "POST"]
        return [(one, ended.get(one["id"])) for one in posts if not one["path"].endswith("/count_tokens")]

    def asked(self):
        """The requests for generated text so far, each as path and status."""
        return [(one["path"], status) for one, status in self._posts()]

    def bodies(self):
        """The JSON bodies of these requests."""
        return [one["body"] for one, _ in self._posts()]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._out.close()


def proxied(folder, *mocks, protocols, keys=(), fallback=None, **settings):
    """A proxy in front of mocks: backends `up`, `vice`. keys: accounts of `up`. fallback: entries for every model."""
    entries = []
    for name, mock in zip(("up", "vice"), mocks, strict=False):
        entry = backend(name, f"{mock.root}/v1", protocols=protocols)
        if keys and name == "up":
            accounts = [{"alias": f"a{at}", "key": key} for at, key in enumerate(keys)]
            entry |= {"auth": "key", "accounts": accounts}
        entries.append(entry)
    if fallback:
        path = make_home(folder) / "config.toml"
        path.touch(mode=0o600)
        path.write_text(f'[fallback]\n"*" = {json.dumps(fallback)}\n')
    own = {"FAIRLEAD_DEFAULT_BACKEND": "up", "FAIRLEAD_DEMO": "off", **SHORT, **settings}
    return Proxy(folder, backends=entries, settings=own)
