"""Claude Code's contract with a gateway, row by row, over real sockets against an upstream that records what it gets.

The rows are those of the protocol's documentation (https://code.claude.com/docs/en/llm-gateway-protocol) and of what
Claude Code 2.1.332 sends; tests/clients/contract.py checks the client's side of them against the newest client. Left
out are the rows of a sign-in to the gateway (spending caps, usage, telemetry), which fairlead does not offer.
"""

import gzip
import json
import random
import string
import threading

import pytest

from ..commands import run_in_home
from .claude_gateway import CONFIG, KEY, MODELS, ROWS, SENT, UPSTREAM_KEY, Gateway, message, row
from .processes import Proxy, backend, make_home
from .samples import CHAT, MESSAGES
from .upstream import Upstream, chunk, plain, stream_head, wait_for
from .wire import JSON, Client, request


@pytest.fixture(scope="module")
def upstream():
    found = Upstream(models=MODELS)
    yield found
    found.stop()


@pytest.fixture(scope="module")
def running(tmp_path_factory, upstream):
    folder = tmp_path_factory.mktemp("contract")
    config = make_home(folder) / "config.toml"
    config.touch(mode=0o600)
    config.write_text(CONFIG)
    entries = [
        backend("anth", upstream.root, protocols=["messages"], vendor="anthropic", auth="key", key=UPSTREAM_KEY),
        backend("other", upstream.root, protocols=["chat"], auth="key", key=UPSTREAM_KEY),
    ]
    settings = {"FAIRLEAD_API_KEY": KEY.decode(), "FAIRLEAD_REQUIRE_KEY": "on", "FAIRLEAD_DEMO": "off"}
    with Proxy(folder, backends=entries, settings=settings) as proxy:
        proxy.settled("anth", "other")
        yield Gateway(proxy, upstream)


@pytest.fixture
def gateway(running):
    running.up.clear()
    return running


@row("1 the path with its query")
def _(gateway):
    _, seen = gateway.message()
    assert seen.line == b"POST /v1/messages?beta=true HTTP/1.1"


@row("2 count_tokens is answered where the backend has none")
def _(gateway):
    body = message("claude-sonnet-4-5")
    gateway.up.script(plain(b'{"input_tokens": 7}'))
    assert gateway.ask("/v1/messages/count_tokens?beta=true", body).json() == {"input_tokens": 7}
    gateway.up.script(plain(b'{"type":"error","error":{"type":"not_found_error","message":"no"}}', b"404 Not Found"))
    for asked in (body, message("other:model-a")):
        answer = gateway.ask("/v1/messages/count_tokens?beta=true", asked)
        assert answer.status == 200
        assert answer.json()["input_tokens"] > 0
        assert gateway.recorded(answer)["estimated"]


@row("3 HEAD / and HEAD /api/hello get a status")
def _(gateway):
    for path in ("/", "/api/hello"):
        answer = gateway.ask(path, method="HEAD")
        assert answer.status == 200
    assert gateway.up.seen == []


@row("4 headers and fields that nobody knows yet are passed on")
def _(gateway):
    chance = random.Random(4)
    invented = ["".join(chance.choices(string.ascii_lowercase, k=9)) for _ in range(20)]
    for name in invented:
        prefix = chance.choice(("anthropic-", "x-claude-code-"))
        header = (prefix + name).encode(), name[::-1].encode()
        body = message("claude-sonnet-4-5", **{name: {"type": name, "at": [1.5, None]}})
        gateway.up.script(plain(MESSAGES.whole))
        beta = b"anthropic-beta", b"%b-2026-12-01" % name.encode()
        assert gateway.ask("/v1/messages?beta=true", body, header, beta).status == 200
        seen = gateway.up.seen[-1]
        assert seen.body == body
        assert seen.field(header[0]) == header[1]
        assert beta in seen.lines
        assert (b"anthropic-version", b"2023-06-01") in seen.lines


@row("5 unknown headers and fields are never refused")
def _(gateway):
    new = {"new_field": {"a": 1}}
    assert gateway.message((b"x-claude-code-new", b"1"), thinking={"type": "tomorrow"}, **new)[0].status == 200
    answer, seen = gateway.message((b"x-claude-code-new", b"1"), model="other:model-a", script=plain(CHAT.whole), **new)
    assert answer.status == 200
    assert b"new_field=dropped" in answer.field(b"x-fairlead-loss")
    assert "new_field" not in json.loads(seen.body)
    assert seen.field(b"x-claude-code-new") is None


@row("6 error bodies are passed on unchanged")
def _(gateway):
    for status in (b"400 Bad Request", b"404 Not Found", b"413 Too Large", b"529 Overloaded"):
        body = b'{ "type":"error", "error":{"type":"odd_error","message":"exactly \\u0061s it was" }, "x":1e2}\n'
        answer, _ = gateway.message(script=plain(body, status, (b"x-should-retry", b"false")))
        assert answer.line == b"HTTP/1.1 " + status
        assert answer.body == body
        assert answer.field(b"x-should-retry") == b"false"


@row("7 an error of another protocol is told in Anthropic's envelope")
def _(gateway):
    for status, text in ((b"400 Bad Request", "The field is odd."), (b"413 Too Large", "Input is too long.")):
        told = {"error": {"message": text, "type": "invalid_request_error", "code": None}}
        answer, _ = gateway.message(model="other:model-a", script=plain(json.dumps(told).encode(), status))
        # A prompt that is too long has the status at which the client compacts.
        kinds = {400: "invalid_request_error", 413: "request_too_large"}
        assert answer.json()["type"] == "error"
        assert answer.json()["error"]["type"] == kinds[answer.status]
        assert text in answer.json()["error"]["message"]


@row("8 a stream is passed on event by event")
def _(gateway):
    read = threading.Event()
    # What comes before the first words is held back, so that an error in place of them can still be met.
    first, rest = (b"".join(part) for part in (MESSAGES.events[: MESSAGES.begun], MESSAGES.events[MESSAGES.begun :]))
    gateway.up.script(stream_head() + chunk(first), wait_for(read), chunk(rest) + b"0\r\n\r\n")
    with Client(gateway.proxy.port) as client:
        body = message("claude-sonnet-4-5", stream=True)
        client.send(request("/v1/messages?beta=true", body, (b"x-api-key", KEY), *SENT))
        client.read_until(b"text_delta")
        # The upstream says nothing more until then.
        read.set()
        answer = client.answer()
    assert answer.field(b"content-type").startswith(b"text/event-stream")
    assert answer.body == first + rest


@row("9 the system prompt stays as it is, with its billing line")
def _(gateway):
    line = "x-anthropic-billing-header: cc_version=2.1.332.abc; cc_entrypoint=cli; cch=00000;"
    system = [
        {"type": "text", "text": line},
        {"type": "text", "text": "You are.", "cache_control": {"type": "ephemeral"}},
    ]
    _, seen = gateway.message(system=system)
    assert json.loads(seen.body)["system"] == system
    _, seen = gateway.message(model="other:model-a", script=plain(CHAT.whole), system=system)
    assert b"x-anthropic-billing-header" not in seen.body


@row("10 safeguards and their results are passed on")
def _(gateway):
    results = b'"safeguard_results":[{"type":"dangerous_tool_use","status":{"type":"available","tool_uses":{}}}]'
    script = plain(MESSAGES.whole.replace(b'"future"', results + b',"future"'))
    beta = b"anthropic-beta", b"dangerous-tool-use-2026-09-03,afk-mode-2026-01-31"
    asked = [{"type": "dangerous_tool_use", "classifier_context": {"cwd": "/work"}}]
    answer, seen = gateway.message(beta, script=script, safeguards=asked)
    assert json.loads(seen.body)["safeguards"] == asked
    assert beta in seen.lines
    assert answer.body == MESSAGES.whole.replace(b'"future"', results + b',"future"')


@row("10 safeguards that cannot be answered are refused by name")
def _(gateway):
    asked = [{"type": "dangerous_tool_use", "classifier_context": {}}]
    gateway.up.script(plain(CHAT.whole))
    answer = gateway.ask("/v1/messages?beta=true", message("other:model-a", safeguards=asked))
    assert answer.status == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert "safeguards" in answer.json()["error"]["message"]
    assert gateway.up.seen == []


@row("11 tags are passed to Anthropic alone")
def _(gateway):
    tags, beta = {"team": "a"}, (b"anthropic-beta", b"request-tags-2026-08-21")
    _, seen = gateway.message(beta, tags=tags)
    assert json.loads(seen.body)["tags"] == tags
    answer, seen = gateway.message(beta, model="other:model-a", script=plain(CHAT.whole), tags=tags)
    assert "tags" not in json.loads(seen.body)
    assert b"tags=dropped" in answer.field(b"x-fairlead-loss")


def discover(gateway, credential):
    return gateway.ask("/v1/models?limit=1000", credential=credential)


@row("12 models are listed for either credential")
def _(gateway):
    for credential in ((b"x-api-key", KEY), (b"Authorization", b"Bearer " + KEY)):
        answer = discover(gateway, credential)
        assert answer.status == 200
        listed = answer.json()
        assert {*MODELS} <= {one["id"] for one in listed["data"]}
        assert all(one["type"] == "model" and one["display_name"] for one in listed["data"])
        assert listed["has_more"] is False


@row("12b labels tell models of equal names apart")
def _(gateway):
    found = [one for one in discover(gateway, (b"x-api-key", KEY)).json()["data"] if MODELS[0] in one["id"]]
    assert len(found) > 1
    assert len({one["display_name"] for one in found}) == len(found)
    assert all(one["description"] for one in found)


@row("13 a wrong key is final")
def _(gateway):
    answer = gateway.ask("/v1/messages?beta=true", message("claude-sonnet-4-5"), credential=(b"x-api-key", b"wrong"))
    assert answer.status == 401
    assert answer.json()["error"]["type"] == "authentication_error"
    assert answer.field(b"x-should-retry") == b"false"


@row("14 refusals have Anthropic's types")
def _(gateway):
    too_large = [(b"Content-Length", b"99999999999"), JSON]
    with Client(gateway.proxy.port) as client:
        client.send(request("/v1/messages?beta=true", None, (b"x-api-key", KEY), *SENT, *too_large, method="POST"))
        answer = client.answer()
    assert (answer.status, answer.json()["error"]["type"]) == (413, "request_too_large")
    answer = gateway.ask("/v1/organizations/me")
    assert (answer.status, answer.json()["error"]["type"]) == (403, "permission_error")
    answer = gateway.ask("/v1/messages", message("other:"))
    assert (answer.status, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    overloaded = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    answer, _ = gateway.message(script=plain(overloaded, b"529 Overloaded", (b"retry-after", b"900")))
    assert (answer.status, answer.json()["error"]["type"]) == (529, "overloaded_error")


@row("19 the ids of agents are recorded")
def _(gateway):
    told = ((b"x-claude-code-agent-id", b"a-2"), (b"x-claude-code-parent-agent-id", b"a-1"))
    answer, seen = gateway.message(*told)
    assert {*told} <= {*seen.lines}
    found = gateway.recorded(answer)
    assert (found["agent_id"], found["parent_agent_id"]) == ("a-2", "a-1")
    assert found["request_class"] == "subagent"


HINTS = (
    (b"x-claude-code-request-class", b"auxiliary"),
    (b"x-claude-code-agent-type", b"Explore"),
    (b"x-claude-code-prompt-id", b"p-1"),
    (b"x-claude-code-prev-tool-durations", b"Bash=394"),
    (b"x-claude-code-context-compacted", b"auto"),
)


@row("20 hints are passed on, recorded and summed")
def _(gateway):
    answer, seen = gateway.message(*HINTS)
    assert {*HINTS} <= {*seen.lines}
    found = gateway.recorded(answer)
    assert (found["request_class"], found["agent"], found["prompt_id"]) == ("auxiliary", "Explore", "p-1")
    sums = gateway.usage()
    assert "auxiliary" in [one["name"] for one in sums["classes"]]
    assert "Explore" in [one["name"] for one in sums["agents"]]


@row("20 hints go to no upstream of another protocol")
def _(gateway):
    _, seen = gateway.message(*HINTS, model="other:model-a", script=plain(CHAT.whole))
    assert not [name for name, _ in seen.lines if name.lower().startswith((b"x-claude-code-", b"anthropic-"))]
    # Also of one that is asked in the protocol it speaks.
    gateway.up.script(plain(CHAT.whole))
    gateway.ask(CHAT.path, CHAT.body("other:model-a"), *HINTS)
    told = {name for name, _ in HINTS}
    assert not told & {name.lower() for name, _ in gateway.up.seen[-1].lines}


@row("20 a rule may ask for the class")
def _(gateway):
    answer, seen = gateway.message((b"x-claude-code-request-class", b"subagent"))
    assert json.loads(seen.body)["model"] == "claude-opus-5"
    assert answer.status == 200
    assert 'rule "helpers"' in gateway.recorded(answer)["route"]
    _, seen = gateway.message((b"x-claude-code-request-class", b"main"))
    assert json.loads(seen.body)["model"] == "claude-sonnet-4-5"


@row("21 models that nobody configured are served")
def _(gateway):
    for name in ("claude-sonnet-5", "claude-haiku-9"):
        _, seen = gateway.message((b"x-claude-code-request-class", b"auxiliary"), model=name)
        assert json.loads(seen.body)["model"] == name


@row("22 env points the client here, and says what has precedence")
def _(gateway):
    done = run_in_home(gateway.proxy.home, "env", "--tool", "claude", "--json")
    assert done.code == 0, done.err
    variables = json.loads(done.out)["variables"]
    assert variables["ANTHROPIC_BASE_URL"].endswith(f":{gateway.proxy.port}")
    assert variables["CLAUDE_CODE_GATEWAY_HINT_HEADERS"] == "1"
    assert b"settings.json" in done.err


@row("23 lengths are kept and redirects neither followed nor sent")
def _(gateway):
    _, seen = gateway.message()
    assert seen.field(b"transfer-encoding") is None
    assert seen.field(b"content-length") == b"%d" % len(seen.body)
    for path in ("/v1/messages/?beta=true", "//v1/messages"):
        gateway.up.script(plain(MESSAGES.whole))
        assert not 300 <= gateway.ask(path, message("claude-sonnet-4-5")).status < 400
    before = len(gateway.up.seen)
    elsewhere = (b"Location", f"{gateway.up.root}/elsewhere".encode())
    answer, _ = gateway.message(script=plain(b"", b"307 Temporary Redirect", elsewhere))
    assert (answer.status, len(gateway.up.seen)) == (502, before + 1)


@row("24 a model that is retired soon is asked for as it is")
def _(gateway):
    # The client itself tells its user of the date.
    answer, seen = gateway.message(model="claude-sonnet-4-5")
    assert (answer.status, json.loads(seen.body)["model"]) == (200, "claude-sonnet-4-5")


@row("25 request bodies may be compressed")
def _(gateway):
    body = message("claude-sonnet-4-5")
    gateway.up.script(plain(MESSAGES.whole))
    assert gateway.ask("/v1/messages?beta=true", gzip.compress(body), (b"Content-Encoding", b"gzip")).status == 200
    seen = gateway.up.seen[-1]
    assert (seen.body, seen.field(b"content-encoding")) == (body, None)


@pytest.mark.parametrize("name", ROWS)
def test_row(gateway, name):
    """What the row names holds."""
    ROWS[name](gateway)
