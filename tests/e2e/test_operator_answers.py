"""What each of the operator's endpoints answers, to the names, the order and the types of its fields.

Clients and pages are written against these. operator_answers.json has the shapes; `FAIRLEAD_WRITE_GOLDEN=1` writes it
anew, which is right when a field was added on purpose, and wrong when one has gone.
"""

import json
import os
import sys
from pathlib import Path

import pytest

from ..patience import PATIENCE
from .budgets import BODY, PATH, answer, configured
from .pools import pooled
from .processes import Proxy, add_backend, until
from .wire import Client, ask, events, request

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="descriptors are not counted there")

GOLDEN = Path(__file__).with_name("operator_answers.json")
CONFIG = """
guard.day_tokens = 100
pool.accounts."box/a0".rpm = 1000
backends.box.rpm = 1000
backends.box.set_headers.X-Title = "t"
[aliases]
nick = "box:model-a"
[[routes]]
name = "none"
when = { model = "nothing-*" }
backend = "box"
"""
LIMITS = (
    (b"x-ratelimit-limit-requests", b"100"),
    (b"x-ratelimit-remaining-requests", b"40"),
    (b"x-ratelimit-reset-requests", b"60s"),
)


def shape(value):
    """The form of a JSON value: names in order, and types; a list is the different forms of its members."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        forms = {json.dumps(shape(inner)): shape(inner) for inner in value}
        return list(forms.values())
    return type(value).__name__


class Talk:
    """Asks a proxy, and notes what it says."""

    def __init__(self, proxy):
        self.proxy = proxy
        self.noted = {}

    def __call__(self, verb, path, fields=None, *, note="", lines=None, body=None):
        given = body if body is not None else None if fields is None else json.dumps(fields).encode()
        lines = (self.proxy.operator(),) if lines is None else lines
        found = ask(self.proxy.port, path, given, *lines, method=verb)
        heads = {name.decode().lower(): value.decode() for name, value in sorted(found.lines)}
        said = {"status": found.status, "headers": {name: self._plain(name, value) for name, value in heads.items()}}
        if heads.get("content-type") == "application/json" and found.body:
            said["body"] = found.json() if found.status >= 400 else shape(found.json())
        elif found.body:
            said["body"] = sorted(
                {line.split("{")[0].split(" ")[0] for line in found.body.decode().splitlines()} - {"#"}
            )
        key = f"{verb} {path}{note and f' ({note})'}"
        assert key not in self.noted
        self.noted[key] = said
        return found

    @staticmethod
    def _plain(name, value):
        changing = ("content-length", "x-fairlead-request-id", "x-fairlead-proof", "x-fairlead-process")
        return "..." if name in changing else value


def refused(talk):
    """What is asked wrongly: the errors, to the word."""
    talk("GET", "/status", lines=(), note="no token")
    talk("POST", "/status", {})
    talk("DELETE", "/admin/backends")
    talk("GET", "/admin/backends/box")
    talk("PUT", "/admin/accounts", {})
    talk("POST", "/admin/history/x", {})
    talk("GET", "/nothing")
    talk("GET", "/admin/accounts//x")
    talk("OPTIONS", "/status", lines=())
    talk("HEAD", "/analytics/stream")
    talk("GET", "/analytics?since=x")
    talk("GET", "/admin/history?limit=0")
    talk("GET", "/admin/history/req_nobody")
    talk("POST", "/admin/explain", {}, note="nothing asked")
    talk("POST", "/admin/explain", body=b"[]", note="no object")
    talk("POST", "/admin/explain", body=b"x", note="no JSON")
    talk("POST", "/admin/backends", {"name": "new"})
    talk("POST", "/admin/backends", {"name": "new", "host": "x"}, note="machine only")
    talk("POST", "/admin/backends", body=b"x", note="no JSON")
    talk("POST", "/admin/backends/box", {"enabled": 1}, note="wrong type")
    talk("POST", "/admin/accounts", {"backend": "nobody", "alias": "x", "key": "k"})
    talk("DELETE", "/admin/accounts/box/nobody")
    talk("DELETE", "/admin/backends/nobody")


def observed(talk):
    """The reading endpoints."""
    until(lambda: ask(talk.proxy.port, "/readyz").status == 200)
    open_paths = ("/", "/api/hello", "/livez", "/readyz", "/health")
    for path in (*open_paths, "/status", "/accounts", "/admin/accounts", "/admin/backends"):
        talk("GET", path)
        talk("HEAD", path)
    talk("GET", "/livez", lines=((b"x-fairlead-nonce", b"n"),), note="nonce")
    for path in ("/analytics", "/analytics?since=24h", "/metrics", "/admin/history", "/admin/history?limit=1"):
        talk("GET", path)
    talk("GET", "/admin/history/-")


def streamed(talk):
    """The first event of the live stream."""
    with Client(talk.proxy.port) as reader:
        reader.send(request("/analytics/stream", None, talk.proxy.operator()))
        seen = reader.read_until(b"\n\n")
    head, _, rest = seen.partition(b"\r\n\r\n")
    body = rest.partition(b"\r\n")[2]
    [(name, data), *_] = events(body[: body.index(b"\n\n") + 2])
    talk.noted["the stream"] = {"head": head.decode().split("\r\n"), "event": name, "data": shape(json.loads(data))}


def changed(talk, upstream):
    """What changes the configuration."""
    talk("POST", "/admin/explain", {"model": "nick"})
    talk("POST", "/admin/explain", {"model": "nothing-at-all"}, note="refused")
    added = {"name": "new", "base_url": upstream.root, "protocols": ["chat"], "key": "sk-new"}
    talk("POST", "/admin/backends", added, note="added")
    talk("POST", "/admin/backends", added, note="again")
    talk("POST", "/admin/accounts", {"backend": "new", "alias": "work", "key": "sk-work"}, note="added")
    talk("POST", "/admin/backends/new", {"enabled": False}, note="off")
    talk("GET", "/accounts", note="one is not used")
    talk("DELETE", "/admin/accounts/new/work")
    talk("POST", "/admin/backends/new", {"base_url": f"{upstream.root}/other"}, note="key dropped")
    talk("DELETE", "/admin/backends/new")
    talk("POST", "/admin/reload", {})


def halted(talk):
    """A guard whose budget is used up."""
    assert ask(talk.proxy.port, PATH, BODY).status == 402
    talk("GET", "/health", note="halted")
    talk("GET", "/status", note="halted")
    talk("POST", "/admin/resume", {}, note="halted")
    talk("POST", "/admin/resume", {}, note="nothing halted")


def test_answers_keep_their_form(tmp_path, up):
    """Names, order and types of fields, status codes, headers and error texts of every endpoint are as they were."""
    up.default = (answer(70, *LIMITS),)
    configured(tmp_path, CONFIG)
    box = pooled("box", up.root, vendor="openai", protocols=("chat",))
    with Proxy(tmp_path, backends=[box], settings={"FAIRLEAD_DEFAULT_BACKEND": "box"}) as proxy:
        proxy.settled("box")
        proxy.loaded()
        talk = Talk(proxy)
        name = ask(proxy.port, PATH, BODY).field(b"x-fairlead-request-id").decode()
        assert until(lambda: ask(proxy.port, f"/admin/history/{name}", None, proxy.operator()).status == 200)
        observed(talk)
        streamed(talk)
        refused(talk)
        changed(talk, up)
        add_backend(proxy.home, {"schema": 1, "name": "broken"})
        talk("POST", "/admin/reload", {}, note="with a problem")
        talk("GET", "/admin/backends", note="with a problem")
        ask(proxy.port, PATH, BODY)
        halted(talk)
        talk("POST", "/admin/stop", {})
        proxy.process.wait(PATIENCE)
    found = json.dumps(talk.noted, indent=1).replace(up.root, "UPSTREAM").replace(str(tmp_path), "FOLDER") + "\n"
    if os.environ.get("FAIRLEAD_WRITE_GOLDEN"):
        GOLDEN.write_text(found, "utf-8")
    assert found == GOLDEN.read_text("utf-8")
