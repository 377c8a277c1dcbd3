"""What is known of models, on real sockets: told to clients and operators, and used before a request is sent."""

import base64
import json

import anthropic
import openai
import pytest

from ..net.peers import scripted
from .processes import Proxy, backend, until
from .wire import ask

ANSWER = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}
LONG = "All work and no play makes Jack a dull boy, said the man. " * 2000  # some 26,000 tokens in 118 KB


def reply(document):
    return 200, {}, json.dumps(document).encode()


def serve_ollama(peer, loaded=()):
    """Answer as an Ollama server with the model `m`. loaded: what GET /api/ps says, a list that a test changes."""
    peer.answers["/v1/models"] = reply({"object": "list", "data": [{"id": "m", "owned_by": "library"}]})
    peer.answers["/api/ps"] = lambda headers: reply({"models": [*loaded]})
    shown = {"model_info": {"llama.context_length": 131_072}, "capabilities": ["completion", "vision"]}
    peer.answers["/api/show"] = reply(shown)
    peer.answers["/v1/chat/completions"] = reply(ANSWER)


def entry(window):
    return {"name": "m", "model": "m", "context_length": window}


def chat(text, model="m"):
    return json.dumps({"model": model, "messages": [{"role": "user", "content": text}]}).encode()


def known(proxy, name):
    """What the proxy says of one model to operators."""
    answer = ask(proxy.port, "/admin/models", json.dumps({"models": [name]}).encode(), proxy.operator())
    assert answer.status == 200
    return next(iter(answer.json()["models"]), None)


def sent(peer, path="/v1/chat/completions"):
    return [one for one in peer.seen if one[1] == path]


@pytest.fixture
def ollama(tmp_path):
    """A proxy in front of an Ollama server whose model is not loaded yet."""
    loaded = []
    with scripted() as peer:
        serve_ollama(peer, loaded)
        entries = [backend("box", peer.root, protocols=("chat",), vendor="ollama")]
        with Proxy(tmp_path, "--demo", "off", backends=entries) as proxy:
            proxy.settled("box")
            yield proxy, peer, loaded


def test_a_local_model_before_and_after_it_is_loaded(ollama):
    """Its window is not known until it is loaded; the first answer has the server asked again."""
    proxy, _, loaded = ollama
    assert until(lambda: known(proxy, "m")["facts"].get("trained_window")), proxy.said()
    found = known(proxy, "m")
    assert "window" not in found["facts"]
    day = found["facts"]["modalities"]["date"]
    assert found["summary"] == (
        f"window unknown until loaded (trained for 131,072); text+image (model list of box {day})"
    )
    loaded.append(entry(4096))
    assert ask(proxy.port, "/v1/chat/completions", chat("hi")).status == 200
    assert until(lambda: "window" in known(proxy, "m")["facts"]), proxy.said()
    assert known(proxy, "m")["facts"]["window"]["value"] == 4096
    assert known(proxy, "m")["facts"]["window"]["source"] == "allocated by the server"


def test_a_request_that_cannot_fit_is_refused_before_it_is_sent(tmp_path):
    """In the words of each API that clients shorten their conversation by; nothing is sent."""
    with scripted() as peer:
        serve_ollama(peer, [entry(4096)])
        entries = [backend("box", peer.root, protocols=("chat",), vendor="ollama")]
        with Proxy(tmp_path, "--demo", "off", backends=entries) as proxy:
            assert until(lambda: (known(proxy, "m") or {"facts": {}})["facts"].get("window")), proxy.said()
            answer = ask(proxy.port, "/v1/chat/completions", chat(LONG))
            error = answer.json()["error"]
            assert (answer.status, error["code"], error["type"]) == (
                400,
                "context_length_exceeded",
                "invalid_request_error",
            )
            assert error["message"].startswith("This model's maximum context length is 4096 tokens. However, ")
            assert answer.field(b"x-should-retry") == b"false"
            message = json.dumps({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": LONG}]})
            answer = ask(proxy.port, "/v1/messages", message.encode())
            assert answer.status == 400
            assert answer.json()["error"]["type"] == "invalid_request_error"
            assert answer.json()["error"]["message"].startswith("prompt is too long: ")
            assert answer.json()["error"]["message"].endswith(" tokens > 4096 maximum")
            assert sent(peer) == []
            assert ask(proxy.port, "/v1/chat/completions", chat("hi")).status == 200
            question = json.dumps({"body": base64.b64encode(chat(LONG)).decode()}).encode()
            told = ask(proxy.port, "/admin/explain", question, proxy.operator()).json()
            assert told["status"] == 400
            assert told["fits"].startswith("no: at least ")
            assert "4,096 (allocated by the server" in told["fits"]


def test_a_window_that_has_grown_is_asked_for_before_a_refusal(tmp_path):
    """A server that was started again with more room is not refused for what it had before."""
    loaded = [entry(4096)]
    with scripted() as peer:
        serve_ollama(peer, loaded)
        entries = [backend("box", peer.root, protocols=("chat",), vendor="ollama")]
        with Proxy(tmp_path, "--demo", "off", backends=entries) as proxy:
            assert until(lambda: (known(proxy, "m") or {"facts": {}})["facts"].get("window")), proxy.said()
            loaded[:] = [entry(131_072)]
            # What it said a moment ago counts; later it is asked again.
            assert until(lambda: ask(proxy.port, "/v1/chat/completions", chat(LONG)).status == 200), proxy.said()
            assert len(sent(peer)) == 1


def test_a_request_goes_along_the_chain_to_a_model_that_holds_it(tmp_path):
    """A link whose window is known to be too small, from whatever source, is passed over too; `why` says so."""
    with scripted() as small, scripted() as listed, scripted() as large:
        serve_ollama(small, [entry(4096)])
        for peer, window in ((listed, 8192), (large, 200_000)):
            peer.answers["/v1/models"] = reply({"data": [{"id": "m", "context_length": window}]})
            peer.answers["/v1/chat/completions"] = reply(ANSWER)
        entries = [
            backend(name, peer.root, protocols=("chat",), vendor=vendor)
            for name, peer, vendor in (("small", small, "ollama"), ("listed", listed, ""), ("large", large, ""))
        ]
        home = tmp_path / "home"
        home.mkdir(mode=0o700)
        (home / "config.toml").touch(mode=0o600)
        (home / "config.toml").write_text('[fallback]\n"m" = ["listed:m", "large:m"]\n')
        with Proxy(tmp_path, "--demo", "off", backends=entries) as proxy:
            proxy.settled("small", "listed", "large")
            for name in ("small:m", "listed:m", "large:m"):
                assert until(lambda name=name: "window" in known(proxy, name)["facts"]), proxy.said()
            answer = ask(proxy.port, "/v1/chat/completions", chat(LONG, "small:m"))
            assert (answer.status, answer.field(b"x-fairlead-backend")) == (200, b"large")
            assert (sent(small), sent(listed), len(sent(large))) == ([], [], 1)
            record = until(lambda: ask(proxy.port, "/admin/history/-", None, proxy.operator()).json())
            text = json.dumps(record)
            assert "small:m passed over: at least " in text
            assert "do not fit 4,096 (allocated by the server" in text
            assert "do not fit 8,192 (model list of listed" in text


def test_a_list_s_word_alone_refuses_nothing(tmp_path):
    """A request that is too long by what a list or the table says is sent: they may be wrong."""
    with scripted() as peer:
        peer.answers["/v1/models"] = reply({"data": [{"id": "m", "context_length": 4096}]})
        peer.answers["/v1/chat/completions"] = reply(ANSWER)
        with Proxy(tmp_path, "--demo", "off", backends=[backend("box", peer.root, protocols=("chat",))]) as proxy:
            proxy.settled("box")
            assert until(lambda: "window" in known(proxy, "m")["facts"]), proxy.said()
            assert ask(proxy.port, "/v1/chat/completions", chat(LONG)).status == 200
            assert len(sent(peer)) == 1


def test_lists_tell_clients_what_is_known(tmp_path):
    """Each in its API's own fields, by both SDKs; equal names are told apart, and Codex gets its own list."""
    with scripted() as one, scripted() as two:
        for peer in (one, two):
            said = {
                "id": "m",
                "name": "Model M",
                "context_length": 131_072,
                "top_provider": {"max_completion_tokens": 4096},
            }
            peer.answers["/v1/models"] = reply({"data": [{**said, "created": 1_754_000_000}]})
            peer.answers["/v1/models?limit=1000"] = peer.answers["/v1/models"]
        entries = [backend(name, peer.root, protocols=("chat",)) for name, peer in (("one", one), ("two", two))]
        home = tmp_path / "home"
        home.mkdir(mode=0o700)
        (home / "config.toml").touch(mode=0o600)
        (home / "config.toml").write_text('[models."two:m"]\nwindow = 8192\nefforts = ["low", "high"]\n')
        with Proxy(tmp_path, "--demo", "off", backends=entries) as proxy:
            proxy.settled("one", "two")
            assert until(lambda: "max_output" in known(proxy, "two:m")["facts"]), proxy.said()
            assert until(lambda: "window" in known(proxy, "m")["facts"]), proxy.said()
            options = {"api_key": "fairlead", "max_retries": 0}
            with anthropic.Anthropic(base_url=f"http://localhost:{proxy.port}", **options) as client:
                models = {model.id: model for model in client.models.list()}
                assert models["m"].display_name == "Model M (via one)"
                assert models["two:m"].display_name == "Model M (via two)"
                assert (models["m"].max_input_tokens, models["m"].max_tokens) == (131_072, 4096)
                assert models["two:m"].max_input_tokens == 8192
                assert models["m"].created_at.year == 2025
                assert (models["m"].lifecycle, models["m"].capabilities) == ("active", None)
                assert models["two:m"].capabilities.effort.high.supported
                assert models["two:m"].description == "two: m, 8,192 window, 4,096 out"
            with openai.OpenAI(base_url=f"http://localhost:{proxy.port}/v1", **options) as client:
                found = {model.id: model for model in client.models.list()}
                assert found["m"].context_length == found["m"].context_window == 131_072
                assert found["m"].max_output_tokens == 4096
                assert found["m"].created == 1_754_000_000
            assert "models" not in ask(proxy.port, "/v1/models").json()
            codex = ask(proxy.port, "/v1/models?client_version=0.171.0").json()
            assert [model["slug"] for model in codex["models"]] == [model["id"] for model in codex["data"]]
            second = codex["models"][1]
            assert (second["context_window"], second["display_name"]) == (8192, "Model M (via two)")
            assert [level["effort"] for level in second["supported_reasoning_levels"]] == ["low", "high"]
            assert second["base_instructions"]


def test_an_effort_that_the_model_does_not_take(tmp_path):
    """It becomes the nearest weaker one that it takes, which is named; for a model without any it is left out."""
    with scripted() as peer:
        peer.answers["/v1/models"] = reply({"data": [{"id": "gpt-oss-x"}, {"id": "gpt-oss-y"}]})
        peer.answers["/v1/chat/completions"] = reply(ANSWER)
        home = tmp_path / "home"
        home.mkdir(mode=0o700)
        (home / "config.toml").touch(mode=0o600)
        (home / "config.toml").write_text('[models]\ngpt-oss-x.efforts = ["low", "high"]\ngpt-oss-y.efforts = []\n')
        entries = [backend("box", peer.root, protocols=("chat",), vendor="groq")]
        with Proxy(tmp_path, "--demo", "off", backends=entries) as proxy:
            proxy.settled("box")
            for model, effort in (("gpt-oss-x", "low"), ("gpt-oss-y", None)):
                body = {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
                body |= {"thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"}}
                answer = ask(proxy.port, "/v1/messages", json.dumps(body).encode())
                assert answer.status == 200
                assert json.loads(sent(peer)[-1][3]).get("reasoning_effort") == effort
                assert b"=" in answer.field(b"x-fairlead-loss")
