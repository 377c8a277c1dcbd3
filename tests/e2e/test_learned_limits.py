"""A limit that an upstream's error told, on real sockets: the next request that is larger spares the way."""

import base64
import json
import time

import pytest

from ..net.peers import scripted
from .processes import Proxy, backend, make_home, until
from .test_model_facts import ANSWER, LONG, chat, known, reply, sent
from .wire import ask

SAID = (
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 26011 tokens. Please "
    "reduce the length of the messages."
)
TOO_LONG = 400, {}, json.dumps({"error": {"message": SAID, "code": "context_length_exceeded"}}).encode()
ASKS = {
    "/v1/messages": {"max_tokens": 9, "messages": [{"role": "user", "content": LONG}]},
    "/v1/chat/completions": {"messages": [{"role": "user", "content": LONG}]},
    "/v1/responses": {"input": LONG, "store": False},
}


def serve(peer, answer):
    peer.answers["/v1/models"] = reply({"data": [{"id": "m"}]})
    peer.answers["/v1/chat/completions"] = answer


def request(path, model):
    return json.dumps({"model": model, **ASKS[path]}).encode()


def refused(proxy):
    """The caller's own error by each API, with both numbers."""
    for path in ASKS:
        answer = ask(proxy.port, path, request(path, "box:m"))
        error = answer.json()["error"]
        assert (answer.status, error["type"]) == (400, "invalid_request_error"), path
        assert "8192" in error["message"], path
        if path == "/v1/messages":
            assert error["message"].startswith("prompt is too long: ")
            assert error["message"].endswith(" tokens > 8192 maximum")
        else:
            assert error["code"] == "context_length_exceeded", path


@pytest.fixture
def peer():
    with scripted() as peer:
        serve(peer, TOO_LONG)
        yield peer


def today():
    return time.strftime("%Y-%m-%d", time.gmtime())


def test_a_told_limit_refuses_the_next_request(tmp_path, peer):
    """Before anything is sent, in the caller's own words, also after a restart; a request that is shorter is sent.
    Operators see where the limit is from and of which day, and the lists of all three APIs have it."""
    entries = [backend("box", peer.root, protocols=("chat",))]
    days = {today()}
    with Proxy(tmp_path, "--demo", "off", backends=entries) as proxy:
        proxy.settled("box")
        assert "window" not in known(proxy, "m")["facts"]
        first = ask(proxy.port, "/v1/chat/completions", chat(LONG, "box:m"))
        assert (first.status, first.json()["error"]["message"]) == (400, SAID)
        serve(peer, reply(ANSWER))
        refused(proxy)
        assert len(sent(peer)) == 1
        assert ask(proxy.port, "/v1/chat/completions", chat("hi", "box:m")).status == 200
        days.add(today())
    before = len(sent(peer))
    with Proxy(tmp_path, "--demo", "off") as proxy:
        proxy.settled("box")
        assert until(lambda: "window" in known(proxy, "m")["facts"]), proxy.said()
        refused(proxy)
        assert len(sent(peer)) == before
        window = known(proxy, "m")["facts"]["window"]
        assert (window["value"], window["source"]) == (8192, "learned from an error")
        assert window["date"] in days
        assert known(proxy, "m")["summary"].startswith(f"8,192 window (learned from an error {window['date']})")
        question = json.dumps({"body": base64.b64encode(chat(LONG, "box:m")).decode()}).encode()
        told = ask(proxy.port, "/admin/explain", question, proxy.operator()).json()
        assert told["status"] == 400
        assert told["fits"].endswith(f" tokens do not fit 8,192 (learned from an error {window['date']})")
        version = (b"anthropic-version", b"2023-06-01")
        assert ask(proxy.port, "/v1/models", None, version).json()["data"][0]["max_input_tokens"] == 8192
        assert ask(proxy.port, "/v1/models").json()["data"][0]["context_length"] == 8192
        codex = ask(proxy.port, "/v1/models?client_version=0.171.0").json()
        assert codex["models"][0]["context_window"] == 8192


def test_a_told_limit_sends_the_next_request_along_the_chain(tmp_path, peer):
    """To the model that holds it; the first is not asked again, and `why` says so."""
    with scripted() as large:
        serve(large, reply(ANSWER))
        entries = [backend(name, one.root, protocols=("chat",)) for name, one in (("box", peer), ("large", large))]
        home = make_home(tmp_path, entries)
        (home / "config.toml").touch(mode=0o600)
        (home / "config.toml").write_text('[fallback]\n"m" = ["large:m"]\n')
        with Proxy(tmp_path, "--demo", "off") as proxy:
            proxy.settled("box", "large")
            assert ask(proxy.port, "/v1/chat/completions", chat(LONG, "box:m")).status == 400
            for path in ASKS:
                answer = ask(proxy.port, path, request(path, "box:m"))
                assert (answer.status, answer.field(b"x-fairlead-backend")) == (200, b"large"), path
            assert (len(sent(peer)), len(sent(large))) == (1, 3)
            record = json.dumps(ask(proxy.port, "/admin/history/-", None, proxy.operator()).json())
            assert "box:m passed over: at least " in record
            assert "do not fit 8,192 (learned from an error" in record


def test_a_tiny_limit_shuts_no_model_off(tmp_path, peer):
    """An upstream that tells nonsense is asked again: the error alone has its number."""
    serve(peer, (400, {}, TOO_LONG[2].replace(b"8192", b"128")))
    with Proxy(tmp_path, "--demo", "off", backends=[backend("box", peer.root, protocols=("chat",))]) as proxy:
        proxy.settled("box")
        assert ask(proxy.port, "/v1/chat/completions", chat(LONG, "box:m")).status == 400
        assert known(proxy, "m")["facts"]["window"]["value"] == 128
        serve(peer, reply(ANSWER))
        assert ask(proxy.port, "/v1/chat/completions", chat(LONG, "box:m")).status == 200


def test_a_long_session_never_lands_on_a_smaller_link(tmp_path):
    """300,000 tokens of logs in 690 KB, which their size alone would not tell: the session's last answer did. The link
    of the chain whose list gives it 200,000 is passed over when the first backend fails."""
    line = "2026-11-29T16:01:07.183Z 0x7f3a9c 10.4.118.93:52114 -> 9f1c2e7b 200 4417us\\n"
    grown = [json.dumps({"model": "box:m", "messages": [{"role": "user", "content": line * count}]}).encode()
             for count in (9000, 9200)]  # fmt: skip
    session = b"x-claude-code-session-id", b"2f6c1d9e-0b1a-4c55-9d0e-6f1c2b3a4d5e"
    with scripted() as first, scripted() as small, scripted() as large:
        used = {"prompt_tokens": 300_000, "completion_tokens": 1, "total_tokens": 300_001}
        serve(first, reply({**ANSWER, "usage": used}))
        for peer, window in ((small, 200_000), (large, 1_000_000)):
            serve(peer, reply(ANSWER))
            peer.answers["/v1/models"] = reply({"data": [{"id": "m", "context_length": window}]})
        pairs = (("box", first), ("small", small), ("large", large))
        home = make_home(tmp_path, [backend(name, one.root, protocols=("chat",)) for name, one in pairs])
        (home / "config.toml").touch(mode=0o600)
        (home / "config.toml").write_text('[fallback]\n"m" = ["small:m", "large:m"]\n')
        with Proxy(tmp_path, "--demo", "off") as proxy:
            proxy.settled("box", "small", "large")
            assert ask(proxy.port, "/v1/chat/completions", grown[0], session).status == 200
            serve(first, (503, {}, b"{}"))
            answer = ask(proxy.port, "/v1/chat/completions", grown[1], session)
            assert (answer.status, answer.field(b"x-fairlead-backend")) == (200, b"large")
            assert (sent(small), len(sent(large))) == ([], 1)
