"""What translations keep and settle beyond one answer: carriers, second attempts, counts, limits, losses.

The upstream is scripted; the proxy is a process of its own.
"""

import json
import stat
import sys

import pytest

from .processes import Proxy, backend, until
from .samples import CHAT, MESSAGES
from .upstream import plain, stream
from .wire import ask, events

KEY = "sk-upstream-0123456789"
THINKING = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"x": 1}}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
CONFIG = """
[losses]
top_k = "silent"
[backends.counting]
profile = { counts = "messages" }
"""


def backends(root):
    return [
        backend("chat", root, protocols=["chat"], auth="key", key=KEY),
        backend("deep", root, protocols=["chat"], vendor="deepseek", auth="key", key=KEY),
        backend("counting", root, protocols=["chat"], auth="key", key=KEY),
        backend("claude", root, protocols=["messages"], vendor="anthropic", auth="key", key=KEY),
        backend("mine", root, protocols=["chat"], auth="client"),
    ]


def started(folder, root, **settings):
    home = folder / "home"
    home.mkdir(mode=0o700, exist_ok=True)
    (home / "config.toml").touch(mode=0o600)
    (home / "config.toml").write_text(CONFIG)
    proxy = Proxy(folder, "-v", backends=backends(root), settings=settings)
    proxy.settled("chat", "claude")
    return proxy


@pytest.fixture(scope="module")
def routed(tmp_path_factory, listening):
    with started(tmp_path_factory.mktemp("state"), listening.root) as proxy:
        yield proxy


def answer_of(*content):
    """A Messages answer that calls a tool."""
    return plain(
        json.dumps(
            {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": "m",
                "content": content,
                "stop_reason": "tool_use",
                "usage": {"input_tokens": 1, "output_tokens": 1},
            }
        ).encode()
    )


def chat(model, *messages, **fields):
    return json.dumps({"model": model, "messages": list(messages), "tools": [TOOL], **fields}).encode()


def claude(model, *messages, **fields):
    return json.dumps({"model": model, "max_tokens": 50, "messages": list(messages), **fields}).encode()


USER = {"role": "user", "content": "x"}


def first_round(proxy, upstream):
    """The message with the call, as a Chat client gets it."""
    upstream.script(answer_of(THINKING, CALL))
    answer = ask(proxy.port, CHAT.path, chat("claude:claude-opus-5", USER))
    assert answer.status == 200, answer.body
    return answer.json()["choices"][0]["message"]


def second_round(proxy, upstream, message):
    """What the upstream gets of it in the next round."""
    upstream.clear()
    upstream.script(plain(MESSAGES.whole))
    result = {"role": "tool", "tool_call_id": "toolu_1", "content": "r"}
    answer = ask(proxy.port, CHAT.path, chat("claude:claude-opus-5", USER, message, result))
    assert answer.status == 200, answer.body
    return json.loads(upstream.seen[-1].body)["messages"][1]["content"]


def test_reasoning_goes_back_though_the_client_dropped_it(routed, upstream):
    """A plain Chat client keeps the text and the calls of a message; the upstream gets its reasoning all the same."""
    message = first_round(routed, upstream)
    plain_one = {name: message[name] for name in ("role", "content", "tool_calls")}
    assert second_round(routed, upstream, plain_one) == [THINKING, CALL]


def test_carriers_outlive_the_proxy(tmp_path, upstream):
    """Their key is kept in the home, for its owner only: what a client holds is still known after a restart."""
    with started(tmp_path, upstream.root) as proxy:
        message = first_round(proxy, upstream)
    key = tmp_path / "home" / "carrier.key"
    if sys.platform != "win32":
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    with started(tmp_path, upstream.root) as proxy:
        assert second_round(proxy, upstream, message) == [THINKING, CALL]
        plain_one = {name: message[name] for name in ("role", "content", "tool_calls")}
        # The memory is not kept: without the carrier the round goes on without its reasoning.
        assert second_round(proxy, upstream, plain_one) == [CALL]
    key.unlink()
    with started(tmp_path, upstream.root) as proxy:
        assert second_round(proxy, upstream, message) == [CALL]


@pytest.mark.parametrize("secret", ["s" * 48, ""])
def test_replicas_of_a_team_read_each_other_s(tmp_path, upstream, secret):
    """With a secret of the team, what one replica sealed is known at the other; without one, it is foreign there."""
    settings = {"FAIRLEAD_SHARED_SECRET": secret} if secret else {}
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = (started(tmp_path / name, upstream.root, **settings) for name in ("one", "two"))
    with one, two:
        message = first_round(one, upstream)
        assert second_round(two, upstream, message) == ([THINKING, CALL] if secret else [CALL])
        assert (one.operator() == two.operator()) is bool(secret)
        assert ask(two.port, "/status", None, one.operator()).status == (200 if secret else 401)


REFUSAL = plain(
    json.dumps(
        {
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "message": "messages.1.content.0: Invalid `signature` in `thinking` block",
            },
        }
    ).encode(),
    b"400 Bad Request",
)


def test_a_refused_signature_in_a_translated_request(routed, upstream):
    """The request is sent once more, without any reasoning."""
    message = first_round(routed, upstream)
    upstream.clear()
    upstream.script(REFUSAL)
    upstream.script(plain(MESSAGES.whole))
    result = {"role": "tool", "tool_call_id": "toolu_1", "content": "r"}
    answer = ask(routed.port, CHAT.path, chat("claude:claude-opus-5", USER, message, result))
    assert answer.status == 200
    kinds = [[part["type"] for part in json.loads(seen.body)["messages"][1]["content"]] for seen in upstream.seen]
    assert kinds == [["thinking", "tool_use"], ["tool_use"]]
    assert b"messages[1].reasoning=dropped" in answer.field(b"x-fairlead-loss")
    assert answer.field(b"x-fairlead-attempts") == b"2"


@pytest.mark.parametrize("streamed", [False, True])
def test_a_refused_signature_that_another_upstream_left(routed, upstream, streamed):
    """A passed-through request is sent once more without the reasoning that a translated answer left in its history."""
    carrier = {"type": "thinking", "thinking": "hm", "signature": "rtr1.AAAA"}
    said = {"role": "assistant", "content": [carrier, {"type": "text", "text": "so"}]}
    upstream.script(REFUSAL)
    upstream.script(stream(MESSAGES.events) if streamed else plain(MESSAGES.whole))
    asked = claude("claude:claude-opus-5", USER, said, USER, **({"stream": True} if streamed else {}))
    answer = ask(routed.port, MESSAGES.path, asked)
    assert (answer.status, answer.whole) == (200, True)
    first, second = (json.loads(seen.body)["messages"][1]["content"] for seen in upstream.seen)
    assert (first, second) == ([carrier, {"type": "text", "text": "so"}], [{"type": "text", "text": "so"}])


def test_a_refusal_that_cannot_be_mended_is_passed_on(routed, upstream):
    """Word for word, and after one attempt."""
    upstream.script(REFUSAL)
    answer = ask(routed.port, MESSAGES.path, claude("claude:claude-opus-5", USER))
    assert answer.status == 400
    assert "Invalid `signature`" in answer.json()["error"]["message"]
    assert len(upstream.seen) == 1


COUNT = "/v1/messages/count_tokens"


def test_tokens_are_counted_by_the_backend_where_it_can(routed, upstream):
    """The answer is its own and carries no flag; the request is the caller's."""
    upstream.script(plain(b'{"input_tokens":  7}'))
    answer = ask(routed.port, COUNT, claude("counting:m", USER))
    assert (answer.status, answer.body) == (200, b'{"input_tokens":  7}')
    assert answer.field(b"x-fairlead-loss") is None
    [seen] = upstream.seen
    assert seen.line.split()[1] == COUNT.encode()
    assert json.loads(seen.body) == json.loads(claude("m", USER))


@pytest.mark.parametrize("status", [b"404 Not Found", b"500 Oops", b"200 OK"])
def test_tokens_are_estimated_where_the_backend_does_not_count(routed, upstream, status):
    """An old server answers something else: then it is an estimate, flagged, and never an error."""
    upstream.script(plain(b'{"detail":"Not Found"}', status))
    answer = ask(routed.port, COUNT, claude("counting:m", USER))
    assert answer.status == 200
    assert answer.json()["input_tokens"] > 0
    assert answer.field(b"x-fairlead-loss") == b"input_tokens=weakened"


@pytest.mark.parametrize("streamed", [False, True])
def test_limits_have_the_callers_names(routed, upstream, streamed):
    """A Chat client reads x-ratelimit, a Messages client anthropic-ratelimit."""
    field = (b"anthropic-ratelimit-requests-remaining", b"9")
    upstream.script(stream(MESSAGES.events, field) if streamed else plain(MESSAGES.whole, b"200 OK", field))
    asked = chat("claude:claude-opus-5", USER, **({"stream": True} if streamed else {}))
    answer = ask(routed.port, CHAT.path, asked)
    assert answer.field(b"x-ratelimit-remaining-requests") == b"9"
    assert answer.field(b"anthropic-ratelimit-requests-remaining") is None
    field = (b"x-ratelimit-limit-tokens", b"100")
    upstream.script(stream(CHAT.events, field) if streamed else plain(CHAT.whole, b"200 OK", field))
    asked = claude("chat:m", USER, **({"stream": True} if streamed else {}))
    assert ask(routed.port, MESSAGES.path, asked).field(b"anthropic-ratelimit-tokens-limit") == b"100"


def history(proxy, answer):
    """The history's row of an answer."""
    path = f"/admin/history/{answer.field(b'x-fairlead-request-id').decode()}"

    def row():
        found = ask(proxy.port, path, None, proxy.operator())
        return found.json()["request"] if found.status == 200 else None

    return until(row)


@pytest.mark.parametrize("streamed", [False, True])
def test_what_an_answer_loses_is_noted(routed, upstream, streamed):
    """In the log's note and in the history; in a stream, whose head is sent, as a comment too."""
    events_in = tuple(one for one in CHAT.events if b'"usage":{' not in one)
    whole = json.loads(CHAT.whole)
    del whole["usage"]
    upstream.script(stream(events_in) if streamed else plain(json.dumps(whole).encode()))
    answer = ask(routed.port, MESSAGES.path, claude("chat:m", USER, **({"stream": True} if streamed else {})))
    assert answer.status == 200
    if streamed:
        assert b": fairlead-loss usage=weakened" in answer.body
    else:
        assert b"usage=weakened" in answer.field(b"x-fairlead-loss")
    row = history(routed, answer)
    assert "usage=weakened" in row["losses"]
    lost = "usage=weakened" if streamed else "x_future=dropped, usage=weakened"
    assert f"answer lost {lost}" in row["notes"]


def test_a_field_of_its_own_policy(routed, upstream):
    """top_k is silent by configuration: it is not named to the client, but in the history. A field of the answer that
    the client's protocol lacks is named."""
    upstream.script(plain(CHAT.whole))
    answer = ask(routed.port, MESSAGES.path, claude("deep:m", USER, top_k=3, metadata={"user_id": "u"}))
    assert answer.field(b"x-fairlead-loss") == b"metadata.user_id=dropped, x_future=dropped"
    assert "top_k=dropped" in history(routed, answer)["losses"]


@pytest.mark.parametrize(("echo", "named"), [("on", "claude:model-b"), ("off", "model-a")])
def test_answers_name_the_model(tmp_path, upstream, echo, named):
    """As the client did, or, where that is turned off, as the upstream does: whole and streamed."""
    with started(tmp_path, upstream.root, FAIRLEAD_ECHO_MODEL=echo, FAIRLEAD_AUTO_CACHE=echo) as proxy:
        upstream.clear()
        upstream.script(plain(MESSAGES.whole))
        assert ask(proxy.port, CHAT.path, chat("claude:model-b", USER)).json()["model"] == named
        assert ("cache_control" in json.loads(upstream.seen[-1].body)) is (echo == "on")
        upstream.script(stream(MESSAGES.events))
        answer = ask(proxy.port, CHAT.path, chat("claude:model-b", USER, stream=True))
        assert json.loads(events(answer.body)[0][1])["model"] == named


@pytest.mark.parametrize(
    "fields",
    [
        [(b"authorization", b"Bearer sk-mine")],
        [(b"x-api-key", b"sk-mine")],
        [(b"x-api-key", b"sk-mine"), (b"authorization", b"Bearer sk-other")],
    ],
)
def test_104_a_login_is_not_translated(routed, upstream, fields):
    """However a caller sends its own key, it is for a protocol of that vendor alone, and the refusal says so."""
    answer = ask(routed.port, MESSAGES.path, claude("mine:m", USER), *fields)
    assert answer.status == 401
    assert "fairlead backend set mine --key-stdin" in answer.json()["error"]["message"]
    assert not [seen for seen in upstream.seen if b"sk-" in b"".join(value for _, value in seen.lines)]
