"""What callers, upstreams and other users of the machine hide in names: of headers, parameters, files and processes.

Real sockets and real processes: what an upstream got is what fairlead sent.
"""

import gzip
import json
import os
import subprocess
import sys

import pytest

from tests.commands import run_in_home
from tests.e2e.processes import Proxy, backend
from tests.e2e.samples import CHAT, MESSAGES
from tests.e2e.upstream import plain, stream
from tests.e2e.wire import Client, ask

from .probe import Probe
from .two_upstreams import CHAT_BODY, OWN, SECRET, World

PROBES = {
    "underscored names": Probe("x_api_key, proxy_authorization, x_http_method_override", "none goes upstream"),
    "names with dots and tildes": Probe("x.api.key, x~token, X!Secret as header names", "none goes upstream"),
    "secret in a trailer": Probe("a chunked body with the trailer x-api-key", "no trailer goes upstream"),
    "connection lists the key": Probe("Connection: authorization, x-team-secret", "own key sent, caller's not"),
    "upload with secrets": Probe("multipart to /v1/files with upload-token and ?key=", "neither goes upstream"),
    "stream with secrets": Probe("a streamed call with eight names of keys", "none goes upstream"),
    "http 1.0 with secrets": Probe("HTTP/1.0 with x-gateway-pass and ?sig=", "neither goes upstream"),
    "gzip with an override": Probe("gzip body, X-HTTP-Method-Override: DELETE", "a POST without it"),
    "url overrides": Probe("X-Original-URL and X-Rewrite-URL to a closed path", "neither goes upstream"),
    "translated with a query": Probe("Messages to a Chat backend with ?beta=true&key=", "no query goes upstream"),
    "secrets in every attempt": Probe("two accounts, the first answers 503; ?k%2565y=", "sent twice, never with it"),
    "four encodings deep": Probe("?k%25252565y= and &amp;key= beside ?limit=", "the first dropped, the second 400"),
    "second separator": Probe("?limit=1;key=S", "400 before anything is sent"),
    "many parameters": Probe("501 parameters in a query", "400 before anything is sent"),
    "vendor parameters": Probe("?api-version=1&pageToken=t&metadata[a]=b", "goes on as it came"),
    "long numbers in queries": Probe("5,000 digits as limit or since, in all lists", "400 each, no internal error"),
    "long numbers in admin bodies": Probe(
        "JSON numbers of 5,000 digits to the operator API", "400, or not read; no internal error"
    ),
    "long numbers from an upstream": Probe("retry-after and index of 5,000 digits", "429 and a whole answer"),
    "log moved onto a link": Probe("reload with a log_file that is a link or a pipe", "refused, the old one stays"),
    "log through proc": Probe("log_file = /proc/self/fd/3", "refused at the start"),
    "erased beside a second proxy": Probe("history clear with two proxies on one home", "both forget the answer"),
    "process with escapes": Probe("a listener whose name is an escape sequence", "the error shows it escaped"),
    "passwords in set_headers": Probe("X-Org-Pass and X-Word in config show, get, export", "set, never the value"),
    "hidden letters in a model": Probe("config set model with U+200B, U+061C, U+E0041", "refused, shown escaped"),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    found = World(tmp_path_factory.mktemp("names"))
    yield found
    found.close()


def run(*arguments, home, **environ):
    """A command, in a process of its own."""
    return run_in_home(home, *arguments, **environ)


def named(*names):
    return [(name.encode(), SECRET) for name in names]


def underscored(world):
    assert world.send(CHAT.path, CHAT_BODY, *named("x_api_key", "proxy_authorization", "x_forwarded_for")).status == 200
    assert world.send(CHAT.path, CHAT_BODY, (b"X_Http_Method_Override", SECRET)).status == 200
    assert len(world.up.seen) == 2
    assert SECRET not in world.sent()


def dotted(world):
    assert world.send(CHAT.path, CHAT_BODY, *named("x.api.key", "x~token", "X!Secret", "x^pwd")).status == 200
    assert SECRET not in world.sent()


def trailer(world):
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with Client(world.proxy.port) as client:
        client.send(head + b"Transfer-Encoding: chunked\r\nTrailer: x-api-key\r\n\r\n")
        client.send(b"%x\r\n%b\r\n0\r\nx-api-key: %b\r\n\r\n" % (len(CHAT_BODY), CHAT_BODY, SECRET))
        assert client.answer().status == 200
    assert SECRET not in world.sent()


def connection(world):
    fields = [(b"Connection", b"authorization, x-team-secret, content-type"), *named("x-team-secret")]
    assert world.send(CHAT.path, CHAT_BODY, *fields).status == 200
    assert SECRET not in world.sent()
    assert world.up.seen[0].field(b"authorization") == b"Bearer " + OWN.encode()
    assert world.up.seen[0].field(b"content-type") == b"application/json"


def upload(world):
    part = b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--b--\r\n'
    kind = (b"Content-Type", b"multipart/form-data; boundary=b")
    path = f"/v1/files?purpose=batch&key={SECRET.decode()}"
    assert world.send(path, part, *named("upload-token"), kind=kind).status == 200
    assert world.lines() == ["POST /v1/files?purpose=batch HTTP/1.1"]
    assert SECRET not in world.sent()


def streamed(world):
    names = ["x-litellm-key", "dd-application-key", "modal-secret", "x-pat", "x-jwt", "xApiKey", "x-otp", "x-org-pass"]
    world.up.script(stream(CHAT.events))
    answer = world.send(CHAT.path, CHAT.body("box:model-a", stream=True), *named(*names))
    assert (answer.status, answer.whole) == (200, True)
    assert SECRET not in world.sent()


def old_version(world):
    head = b"POST /v1/chat/completions?beta=1&sig=%b HTTP/1.0\r\nHost: localhost\r\n" % SECRET
    head += b"X-Gateway-Pass: %b\r\n" % SECRET
    with Client(world.proxy.port) as client:
        client.send(head + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(CHAT_BODY) + CHAT_BODY)
        assert client.answer().status == 200
    assert world.lines() == ["POST /v1/chat/completions?beta=1 HTTP/1.1"]
    assert SECRET not in world.sent()


def coded(world):
    fields = [(b"Content-Encoding", b"gzip"), (b"X-HTTP-Method-Override", b"DELETE"), (b"X-Method-Override", b"DELETE")]
    assert world.send(CHAT.path, gzip.compress(CHAT_BODY), *fields).status == 200
    assert world.lines() == ["POST /v1/chat/completions HTTP/1.1"]
    assert b"delete" not in world.sent().lower()


def places(world):
    closed = b"/v1/organization/admin_api_keys"
    names = (b"X-Original-URL", b"X-Rewrite-URL", b"X-HTTP-Path-Override", b"X-Original-URI")
    fields = [(name, closed) for name in names]
    assert world.send(CHAT.path, CHAT_BODY, *fields).status == 200
    assert closed not in world.sent()


def translated(world):
    path = f"{MESSAGES.path}?beta=true&key={SECRET.decode()}"
    assert world.send(path, MESSAGES_BODY, *named("x-provider-key")).status == 200
    assert world.lines() == ["POST /v1/chat/completions HTTP/1.1"]
    assert SECRET not in world.sent()


def attempts(world):
    world.up.script(plain(b'{"error":{"message":"later"}}', b"503 Service Unavailable"))
    world.up.script(plain(CHAT.whole))
    answer = world.send(f"{CHAT.path}?alt=1&k%2565y={SECRET.decode()}", CHAT_BODY, *named("x-session-token"))
    assert answer.status == 200
    assert world.lines() == ["POST /v1/chat/completions?alt=1 HTTP/1.1"] * 2
    assert SECRET not in world.sent()


def deep(world):
    assert world.send(f"/v1/batches?limit=2&k%25252565y={SECRET.decode()}", None).status == 200
    assert world.lines() == ["GET /v1/batches?limit=2 HTTP/1.1"]
    assert world.send(f"/v1/batches?limit=2&amp;key={SECRET.decode()}", None).status == 400
    assert len(world.lines()) == 1


def separator(world):
    answer = world.send(f"/v1/batches?limit=1;key={SECRET.decode()}", None)
    assert (answer.status, world.lines()) == (400, [])
    assert b"%3B" in answer.body
    assert SECRET not in answer.body


def crowded(world):
    assert world.send("/v1/batches?" + "&".join(["a=1"] * 501), None).status == 400
    assert world.lines() == []


def vendors(world):
    query = "api-version=2024-10-21&pageToken=t&metadata[a]=b&include[]=x&flag&%zz=1"
    assert world.send(f"/v1/batches?{query}", None).status == 200
    assert world.lines() == [f"GET /v1/batches?{query} HTTP/1.1"]


def long_queries(world):
    operator = world.proxy.operator()
    vendor = (b"anthropic-version", b"2023-06-01")
    for digits in ("9" * 5000, "000000001" + "0" * 5000, "%D9%A1", "%C2%B2", "-1", "1e3", "NaN", "0x10", "1_0"):
        for path, fields in (
            (f"/v1/models?limit={digits}", [vendor]),
            (f"/admin/history?limit={digits}", [operator]),
            (f"/analytics?since={digits}", [operator]),
            (f"/analytics?since={digits}d", [operator]),
            (f"/analytics?since=2026-{digits}", [operator]),
        ):
            answer = world.send(path, None, *fields)
            assert answer.status == 400, (path[:60], answer.status, answer.body[:200])
    assert world.send(f"/admin/history?before={'9' * 5000}", None, operator).status == 200
    assert "internal" not in world.proxy.said()


def long_bodies(world):
    operator = world.proxy.operator()
    digits = "9" * 5000
    for path, body in (
        ("/admin/backends", f'{{"name":"x","base_url":{digits}}}'),
        ("/admin/backends/box", f'{{"enabled":{digits}}}'),
        ("/admin/accounts", f'{{"backend":"box","alias":"a","key":{digits}}}'),
        ("/admin/explain", f'{{"model":{digits}}}'),
        ("/admin/explain", f'{{"model":"m","tokens":{digits}}}'),
        ("/admin/explain", f'{{"model":"m","request":{{"model":"m","max_tokens":{digits}}}}}'),
    ):
        answer = world.send(path, body.encode(), operator)
        unread = "request" in body or "tokens" in body
        assert answer.status == (200 if unread else 400), (path, answer.status, answer.body[:200])
    assert "internal" not in world.proxy.said()


def long_answers(world):
    digits = b"9" * 5000
    refusal = b'{"error":{"message":"slow down"}}'
    head = b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nRetry-After: %b\r\n" % digits
    head += b"x-ratelimit-reset-requests: %b\r\nx-ratelimit-limit-requests: %b\r\n" % (digits, digits)
    world.other.default = (head + b"Content-Length: %d\r\n\r\n%b" % (len(refusal), refusal),)
    call = b'{"index":"%b","id":"call_1","type":"function","function":{"name":"f","arguments":"{}"}}' % digits
    delta = b'{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"tool_calls":[%b]}}]}' % call
    end = b'{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}'
    world.other.script(stream([b"data: %b\n\n" % one for one in (delta, end, b"[DONE]")]))
    answer = world.send(MESSAGES.path, _without_future(MESSAGES.body("chat:model-a", stream=True)))
    assert (answer.status, answer.whole) == (200, True)
    assert b"message_stop" in answer.body
    answer = world.send(MESSAGES.path, MESSAGES_BODY)
    assert answer.status == 429
    assert "internal" not in world.proxy.said()


def moved_log(world):
    """The log's file is a link, then a pipe, in a running proxy."""
    folder = world.folder / "logs"
    folder.mkdir()
    victim = folder / "victim"
    victim.write_text("his")
    (folder / "link.log").symlink_to(victim)
    os.mkfifo(folder / "pipe.log")
    config = world.proxy.home / "config.toml"
    config.touch(mode=0o600)
    try:
        for name, said in (("link.log", "is a link"), ("pipe.log", "is a pipe")):
            config.write_text(f"log_file = {json.dumps(str(folder / name))}\n")
            answer = world.send("/admin/reload", b"{}", world.proxy.operator())
            assert said in answer.json()["refused"]["message"]
            assert world.send(CHAT.path, CHAT_BODY).status == 200
        assert victim.read_text() == "his"
    finally:
        config.write_text("")
        assert world.send("/admin/reload", b"{}", world.proxy.operator()).json()["refused"] is None


def proc_log(world):
    home = world.folder / "second"
    home.mkdir(mode=0o700)
    done = run("proxy", "--port", "0", "--log-file", "/proc/self/fd/3", home=home)
    assert done.code != 0
    assert b"cannot be written" in done.err or b"no folder" in done.err


def erased(world):
    folder = world.folder / "shared"
    folder.mkdir()
    entry = backend("chat", world.other.root, protocols=["chat"])
    asked = {"model": "chat:model-a", "input": "one"}
    with Proxy(folder, backends=[entry]) as first, Proxy(folder, backends=[entry]) as second:
        names = []
        for proxy in (first, second):
            answer = ask(proxy.port, "/v1/responses", json.dumps(asked).encode())
            assert answer.status == 200
            names.append(answer.json()["id"])
        assert run("history", "clear", "--yes", home=first.home).code == 0
        before = len(world.other.seen)
        for proxy, name in ((first, names[0]), (second, names[1]), (first, names[1]), (second, names[0])):
            assert ask(proxy.port, f"/v1/responses/{name}", None).status == 404
            follows = json.dumps({**asked, "previous_response_id": name}).encode()
            assert ask(proxy.port, "/v1/responses", follows).status == 400
        assert len(world.other.seen) == before
        assert b"x-fairlead" not in world.sent()


LISTENER = """
import socket, sys, time
held = socket.create_server(("127.0.0.1", 0))
open("/proc/self/comm", "wb").write(b"\\x1b]0;pwned\\x07")
print(held.getsockname()[1], flush=True)
sys.stdin.read()
"""


def process(world):
    if sys.platform != "linux":
        pytest.skip("Linux's /proc")
    home = world.folder / "third"
    home.mkdir(mode=0o700)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", LISTENER], text=True, **pipes) as child:
        port = child.stdout.readline().strip()
        done = run("proxy", "--port", port, home=home)
        child.stdin.close()
    assert done.code == 1
    assert b"\\u001b]0;pwned\\u0007" in done.err
    assert b"\x1b" not in done.err + done.out


def passwords(world):
    home = world.folder / "fourth"
    home.mkdir(mode=0o700)
    (home / "config.toml").touch(mode=0o600)
    (home / "config.toml").write_text(
        '[backends.box.set_headers]\nX-Org-Pass = "hunter2hunter2"\nX-Word = "swordfish"\nX-Title = "My tool"\n'
        '[[routes]]\nmodel = "a*"\nbackend = "box"\nset_headers = { X-Gateway = "swordfish" }\n'
    )
    shown = b""
    for arguments in (
        ("config", "show"),
        ("config", "show", "--json"),
        ("config", "get", "backends"),
        ("config", "get", "backends.box.set_headers.X-Word"),
        ("config", "get", "routes", "--json"),
        ("config", "export"),
        ("config", "set", "backends.box.set_headers.X-Word", "swordfish"),
    ):
        done = run(*arguments, home=home)
        assert done.code == 0, done.err
        shown += done.out + done.err
    assert b"My tool" in shown
    assert b"swordfish" not in shown
    assert b"hunter2" not in shown


def hidden(world):
    home = world.folder / "fifth"
    home.mkdir(mode=0o700)
    for char in ("\u200b", "\u061c", "\U000e0041", "\u200d", "\ufeff", "\u2028"):
        done = run("config", "set", "model", f"gpt{char}-5", home=home)
        assert done.code != 0, ascii(char)
        assert char not in done.err.decode() + done.out.decode()
    assert not (home / "config.toml").exists() or b"gpt" not in (home / "config.toml").read_bytes()


def _without_future(body):
    """The body without a block that no translation knows."""
    return body.replace(b'{"type":"future_block","x":1.0e2},', b"")


MESSAGES_BODY = _without_future(MESSAGES.body("chat:model-a"))
_INNER = (
    *(underscored, dotted, trailer, connection, upload, streamed, old_version, coded, places, translated),
    *(attempts, deep, separator, crowded, vendors, long_queries, long_bodies, long_answers),
    *(moved_log, proc_log, erased, process, passwords, hidden),
)
RUNS = dict(zip(PROBES, _INNER, strict=True))


@pytest.mark.parametrize("name", PROBES)
def test_probe(world, name):
    """The attack gives what the table says."""
    world.clear()
    RUNS[name](world)
