"""What `why` says of requests that a real proxy served or refused: the cause, who was asked, and what to do."""

import json

import pytest

from ..commands import run_in_home
from .budgets import PRICES
from .processes import Proxy, backend, make_home, until
from .upstream import Upstream, chunk, hang, plain, stream_head
from .wire import Client, ask, request

PATH = "/v1/chat/completions"
CONFIG = (
    """
guard.notify = false
guard.tags.day_usd.spent = 0.001
timeouts.total = "1s"
[aliases]
fast = "box:model-a"
[[routes]]
name = "cheap"
when = { model = "foo*" }
backend = "box"
model = "gpt-9"
[backends.narrow]
max_concurrent = 1
"""
    + PRICES
)
REFUSED = {"error": {"message": "Incorrect API key provided: sk-secret-of-the-box", "code": "invalid_api_key"}}
UNKNOWN = {"error": {"message": "The model `gpt-9` does not exist", "code": "model_not_found"}}
REGION = {"error": {"message": "Country, region, or territory not supported", "type": "request_forbidden"}}


def body(model, **more):
    return json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}], **more}).encode()


def told(status, value):
    """An error of an upstream."""
    return plain(json.dumps(value).encode(), b"%d Said" % status)


@pytest.fixture(scope="module")
def upstream():
    found = Upstream()
    yield found
    found.stop()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory, upstream):
    """A proxy with a backend that answers, one whose name does not resolve, and one where nothing listens."""
    folder = tmp_path_factory.mktemp("why")
    config = make_home(folder) / "config.toml"
    config.touch(mode=0o600)
    config.write_text(CONFIG)
    entries = [
        backend("box", upstream.root, auth="key", key="sk-secret-of-the-box"),
        backend("narrow", upstream.root),
        backend("lost", "https://name.invalid/v1"),
        backend("gone", "http://127.0.0.1:1/v1"),
    ]
    with Proxy(folder, backends=entries) as running:
        running.settled("box", "narrow")
        yield running


def why(proxy, name="-"):
    """What the command prints."""
    done = run_in_home(proxy.home, "why", name)
    assert done.code == 0, done.err
    return done.out.decode()


CASES = [
    pytest.param(
        "box:model-a",
        told(401, REFUSED),
        (
            "  asked      box/main   1 attempt",
            "error      Incorrect API key provided: [redacted]",
            "fairlead accounts remove box main, then fairlead accounts add box main --key-stdin",
        ),
        id="refused key",
    ),
    pytest.param(
        "box:model-a",
        told(403, REGION),
        ("error      Country, region, or territory not supported", "  next       the provider does not allow it"),
        id="region",
    ),
    pytest.param(
        "foo1",
        told(404, UNKNOWN),
        (
            '  route      rule "cheap"   sent as gpt-9',
            "error      The model `gpt-9` does not exist",
            "  next       the rule sends it as gpt-9; correct the rule: fairlead config edit",
        ),
        id="rule that renames",
    ),
    pytest.param(
        "lost:m",
        None,
        (
            "  asked      lost/none   1 attempt",
            "no answer",
            "The name name.invalid could not be resolved",
            "  next       check the network, the VPN and the base URL: fairlead backend test lost",
        ),
        id="DNS",
    ),
    pytest.param(
        "gone:m",
        None,
        (
            "127.0.0.1:1",
            "  next       start the server, or correct the base URL: fairlead backend test gone",
        ),
        id="nothing listens",
    ),
    pytest.param(
        "box:model-a",
        hang,
        ("(timeouts.total)", "  next       allow more time: fairlead config set timeouts.total 2s"),
        id="too slow",
    ),
    pytest.param(
        "nobody",
        None,
        (
            "  not sent: fairlead refused it",
            "error      No backend serves the model 'nobody'",
            "  next       choose a model that is served: fairlead models",
        ),
        id="unknown model",
    ),
]


@pytest.mark.parametrize(("model", "script", "said"), CASES)
def test_a_request_that_failed(proxy, upstream, model, script, said):
    """The text of the error, who was asked, and the command that helps; a key is never shown."""
    if script is not None:
        upstream.script(script)
    assert ask(proxy.port, PATH, body(model)).status >= 400
    found = why(proxy)
    for part in said:
        assert part in found, found
    assert "served by" not in found
    assert "sk-secret" not in found


def test_a_halt(proxy, upstream):
    """Which budget halted it, that it was not sent, and how to go on."""
    tag = (b"x-fairlead-tag", b"spent")
    usage = {"prompt_tokens": 1000, "completion_tokens": 1000, "total_tokens": 2000}
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    upstream.script(plain(json.dumps({"id": "c", "model": "model-a", "choices": [choice], "usage": usage}).encode()))
    assert ask(proxy.port, PATH, body("box:model-a"), tag).status == 200
    assert until(lambda: ask(proxy.port, PATH, body("box:model-a"), tag).status == 402)
    found = why(proxy)
    assert "  not sent: fairlead refused it" in found
    assert "budget" in found
    assert "tag spent" in found
    assert "fairlead resume" in found


def test_a_wait(proxy, upstream):
    """What it waited for is a note; who served it, by which alias, is said."""
    with Client(proxy.port) as first, Client(proxy.port) as second:
        upstream.script(stream_head(), chunk(b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'), hang)
        first.send(request(PATH, body("narrow:model-a", stream=True)))
        first.read_until(b"data:")
        second.send(request(PATH, body("narrow:model-a")))

        def both():
            found = proxy.status()["running"]
            return found if len(found) == 2 and found[1]["waits"] else None

        running = until(both)
        assert [one["backend"] for one in running] == ["narrow", "narrow"]
        assert (running[0]["tokens"], running[0]["waits"]) == (1, "")
        assert running[1]["waits"] == "a free place at narrow (max_concurrent 1)"
        assert running[0]["age_s"] >= running[1]["age_s"]
        first.abort()
        choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
        upstream.script(plain(json.dumps({"id": "c", "model": "model-a", "choices": [choice]}).encode()))
        assert second.answer().status == 200
    found = why(proxy)
    assert "  served by  narrow/none   1 attempt" in found
    assert until(lambda: proxy.status()["running_count"] == 0 and not proxy.status()["running"])


def test_an_alias(proxy, upstream):
    """The alias that was asked for is named as what chose."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    upstream.script(plain(json.dumps({"id": "c", "model": "model-a", "choices": [choice]}).encode()))
    assert ask(proxy.port, PATH, body("fast")).status == 200
    assert "  route      alias fast, prefix   sent as model-a" in why(proxy)
