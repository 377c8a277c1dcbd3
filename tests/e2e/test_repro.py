"""A captured fault becomes a repro without content, and is run again with the same end."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest

from router.store.captures.format import decode, encode

from .processes import Proxy, backend, make_home, until
from .samples import CHAT, MESSAGES
from .upstream import Upstream, chunk, plain, reset, stream, stream_head
from .wire import JSON, ask

KEY = "sk-upstream-canary-0123456789"
WORD = "canaryword"
CLIENT_KEY = b"sk-ant-canary-0123456789abcdef"
ON = {"FAIRLEAD_HISTORY_CAPTURE": "on"}
TOOL = {
    "name": f"{WORD}_tool",
    "description": f"Reads {WORD}",
    "input_schema": {
        "type": "object",
        "properties": {f"{WORD}Path": {"type": "string", "enum": [WORD], "default": {WORD: 4111111111111111}}},
        "required": [f"{WORD}Path"],
    },
}
REQUEST = {
    "model": "model-a",
    "max_tokens": 64,
    "stream": True,
    "top_k": 5,
    "metadata": {"user_id": f"{WORD}@example.org"},
    "system": [{"type": "text", "text": f"You serve {WORD}.", "cache_control": {"type": "ephemeral"}}],
    "tools": [TOOL],
    "unknown_field": {WORD: WORD},
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": f"Look at /home/{WORD}/x, {WORD}"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": f"toolu_{WORD}", "name": TOOL["name"], "input": {f"{WORD}Path": f"/{WORD}"}}
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": f"toolu_{WORD}", "content": f"{WORD} \N{SNOWMAN}"}],
        },
    ],
}


def chat_event(delta, **more):
    """One event of a Chat stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": None, **more}
    body = {"id": f"chatcmpl-{WORD}", "object": "chat.completion.chunk", "created": 1, "model": "model-a"}
    return b"data: " + json.dumps({**body, "choices": [choice]}).encode() + b"\n\n"


CALL = {"index": 0, "id": f"call_{WORD}", "type": "function", "function": {"name": TOOL["name"], "arguments": ""}}
BEGUN = [
    chat_event({"role": "assistant", "content": f"so {WORD} "}),
    chat_event({"tool_calls": [CALL]}),
    chat_event({"tool_calls": [{"index": 0, "function": {"arguments": '{"canaryw'}}]}),
    chat_event({"tool_calls": [{"index": 0, "function": {"arguments": 'ordPath": "/x", "n": 12345678'}}]}),
]
REFUSED = {"error": {"message": f"Unsupported parameter: 'top_k' for {WORD}.", "type": "invalid_request_error"}}
FAULTS = {
    "cut": ((stream_head(), *[b"%x\r\n%b\r\n" % (len(event), event) for event in BEGUN], reset), 200),
    "ended early": ((stream(BEGUN),), 200),
    "page": ((plain(b"<html><body>" + WORD.encode() + b" is down</body></html>", b"502 Bad", kind=b"text/html"),), 502),
    "foreign": ((plain(b'{"detail":"%b is not here","code":17}' % WORD.encode(), b"422 No"),), 400),
    "refused field": ((plain(json.dumps(REFUSED).encode(), b"400 Bad"),), 400),
    "too long": (
        (plain(b'{"error":{"message":"prompt is too long: 210000 tokens > 200000 maximum"}}', b"400 Bad"),),
        400,
    ),
}


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    """A proxy that captures, before an upstream that speaks Chat alone."""
    up, other = Upstream(), Upstream(models=("model-b",))
    folder = tmp_path_factory.mktemp("repro")
    backends = [
        backend("gateway-of-canaryword", up.root, protocols=("chat",), auth="key", key=KEY),
        backend("other", other.root, protocols=("messages",)) | {"added": 1},
    ]
    with Proxy(folder, "--demo", "off", backends=backends, settings=ON) as proxy:
        proxy.settled("gateway-of-canaryword", "other")
        yield proxy, up, other
    up.stop()
    other.stop()


def run(proxy, *arguments, code=0, **environ):
    """What a fairlead command prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "router", *map(str, arguments)],
        env={"PATH": os.environ["PATH"], "FAIRLEAD_HOME": str(proxy.home), "HOME": str(proxy.home.parent), **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def capture(proxy, up, script, body=REQUEST, path=MESSAGES.path):
    """Send a request that the upstream answers by the script; its id, once the capture is written."""
    up.script(*script)
    answer = ask(proxy.port, path, json.dumps(body).encode(), JSON, (b"Authorization", b"Bearer " + CLIENT_KEY))
    name = answer.field(b"x-fairlead-request-id").decode()
    file = proxy.home / "captures" / f"{name}.jsonl"
    assert until(lambda: file.is_file() and file.read_bytes().endswith(b"}\n")), proxy.said()
    return name


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_becomes_a_repro(rig, tmp_path, fault):
    """The repro ends as the request did, and neither content nor key is in it; `demo --replay` shows the same, and
    leaves nothing among the user's own requests and captures."""
    proxy, up, _ = rig
    script, status = FAULTS[fault]
    name = capture(proxy, up, script)
    file = tmp_path / "bug" / "a.jsonl"
    said = run(proxy, "repro", name, "-o", file)
    found = decode(file.read_bytes())
    assert found.repro.reproduces == "yes", said
    assert (found.meta.status, found.meta.error != "") == (status, True)
    assert "unknown_field=dropped" in found.meta.losses
    text = file.read_text().lower()
    assert "canary" not in text
    assert "4111111111111111" not in text
    assert "unknown_field" in text
    captured = sorted(path.name for path in (proxy.home / "captures").iterdir())
    shown = run(proxy, "demo", "--replay", file.parent, "--once")
    assert "ok" in shown
    assert found.meta.error in shown
    assert name in run(proxy, "why", "-")
    assert sorted(path.name for path in (proxy.home / "captures").iterdir()) == captured


def test_a_port_that_is_taken(rig, tmp_path):
    """`demo --replay` takes another port, as the demo does, unless that one was asked for."""
    proxy, up, _ = rig
    name = capture(proxy, up, FAULTS["cut"][0])
    folder = proxy.home / "captures"
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        said = run(proxy, "demo", "--replay", folder, "--once", "--port", port, code=1)
        assert f"port {port} is taken by another program" in said
        said = run(proxy, "demo", "--replay", folder, "--once", FAIRLEAD_PORT=str(port))
    assert f"note: port {port} is taken by another program" in said
    assert f"ok  {name}.jsonl" in said


def test_today_translates_as_before(rig, tmp_path):
    """`replay --translate-only` finds nothing changed in what was just captured, and names what was edited since."""
    proxy, up, _ = rig
    names = [capture(proxy, up, FAULTS[fault][0]) for fault in ("cut", "foreign")]
    folder = tmp_path / "many"
    folder.mkdir()
    for name in names:
        data = (proxy.home / "captures" / f"{name}.jsonl").read_bytes()
        (folder / f"{name}.jsonl").write_bytes(data)
    assert "2 of 2 captures as before" in run(proxy, "replay", folder, "--translate-only")
    (folder / f"{names[0]}.jsonl").write_bytes(data.replace(b"unknown_field=dropped", b"other_field=dropped"))
    said = run(proxy, "replay", folder, "--translate-only", code=1)
    assert "more lost: unknown_field=dropped; less lost: other_field=dropped" in " ".join(said.split())
    assert "1 of 2 captures as before" in said


def test_at_another_backend(rig):
    """Without --send only the plan is shown; with it the answers are compared by what they say."""
    proxy, up, other = rig
    asked = {**REQUEST, "stream": False}
    name = capture(proxy, up, (plain(CHAT.whole),), asked)
    said = run(proxy, "replay", name, "--to", "other")
    assert "other (prefix)" in said
    assert "Nothing was sent" in said
    assert "not known: no price of the model is known, for " in " ".join(said.split())
    assert other.seen == []
    for key, dollars in (("input", 1), ("output", 50_000)):
        run(proxy, "config", "set", f"prices.model-b.{key}", dollars)
    said = " ".join(run(proxy, "replay", name, "--to", "other:model-b").split())
    used = decode((proxy.home / "captures" / f"{name}.jsonl").read_bytes()).meta
    tokens = f"{used.tokens_in + used.tokens_cached:,} tokens in and {used.tokens_out:,} out"
    assert f"about $0.05 for {tokens}, without a cache (prices of config.toml)" in said
    call = {"type": "tool_use", "id": "toolu_1", "name": TOOL["name"], "input": {"a": 1}}
    answer = {"id": "msg_1", "type": "message", "role": "assistant", "model": "model-a", "content": [call]}
    answer |= {"stop_reason": "tool_use", "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 2}}
    other.script(plain(json.dumps(answer).encode()))
    found = json.loads(run(proxy, "replay", name, "--to", "other", "--send", "--json", "--times"))
    for times in found["times"].values():
        assert 0 <= times["first_byte"] <= times["total"]
        assert times["chunks"] >= 1
    differences = {one["what"]: one for one in found["answer"]["differences"]}
    assert differences["call 1"]["after"].startswith(f'{TOOL["name"]}({{"a":1}}')
    assert differences["stop"]["after"] == "tool"
    [seen] = other.seen
    assert json.loads(seen.body)["model"] == "model-a"
    assert seen.field(b"user-agent").startswith(b"fairlead/")


CHAINED = """
[fallback]
"model-*" = ["second:model-b"]
"""


def test_all_attempts_are_played(tmp_path):
    """Two accounts and a chain to a backend of another protocol: each is asked again in the same order, in the repro
    and by `demo --replay`, and another order of the answers is told."""
    first, second = Upstream(), Upstream(models=("model-b",))
    keys = [{"alias": alias, "key": f"sk-{WORD}-{alias}-0123456789"} for alias in ("one", "two")]
    one = backend(f"first-{WORD}", first.root, protocols=("messages",), auth="key", key=KEY) | {"accounts": keys}
    other = backend("second", second.root, protocols=("chat",)) | {"added": 1}
    config = make_home(tmp_path) / "config.toml"
    config.touch(mode=0o600)
    config.write_text(CHAINED)
    with Proxy(tmp_path, "--demo", "off", backends=[one, other], settings=ON) as proxy:
        proxy.settled(f"first-{WORD}", "second")
        limited = json.dumps({"type": "error", "error": {"type": "rate_limit_error", "message": "Slow down."}}).encode()
        first.script(plain(limited, b"429 Slow"))
        first.script(plain(limited.replace(b"rate_limit", b"overloaded"), b"529 Busy"))
        name = capture(proxy, second, (plain(CHAT.whole),), {**REQUEST, "stream": False})
        found = decode((proxy.home / "captures" / f"{name}.jsonl").read_bytes())
        assert [one.answer.status for one in found.exchanges] == [429, 529, 200]
        assert len({one.account for one in found.exchanges[:2]}) == 2
        file = tmp_path / "bug" / "a.jsonl"
        said = run(proxy, "repro", name, "-o", file)
        assert "canary" not in file.read_text().lower()
        made = decode(file.read_bytes())
        assert made.repro.reproduces == "yes", said
        assert "ok" in run(proxy, "demo", "--replay", file.parent, "--once")
        made.exchanges[1].answer.status = 400
        file.write_bytes(encode(made))
        told = " ".join(run(proxy, "demo", "--replay", file.parent, "--once", code=1).split())
        assert "attempts (backend 1 account 1: 429, backend 1 account 2: 400), not (" in told
    first.stop()
    second.stop()


def test_a_body_that_was_cut(rig, tmp_path):
    """A repro of a request that is longer than what is captured says so, and how to capture more of the next one."""
    proxy, up, _ = rig
    name = capture(proxy, up, FAULTS["foreign"][0], {**REQUEST, "system": "word " * 60_000})
    made = tmp_path / "a.jsonl"
    said = " ".join(run(proxy, "repro", name, "-o", made, code=1).split())
    assert "cut the request, the request of exchange 1: the first 256 KiB of each are captured." in said
    assert "To capture up to 1 MiB of the next request: fairlead repro --next any" in said
    assert "not run: the request is longer than what is captured of it" in said
    text = run(proxy, "repro", name, "-o", made, "--markdown", code=1)
    assert "only the beginning is captured of the request, the request of exchange 1" in text


CONFIGURED = f"""
[[routes]]
name = "{WORD} rule"
when = {{ model = "own-*", tools = true }}
backend = "box"
model = "model-a"
fallback = ["{WORD}-other:{WORD}-2"]
set_fields = {{ "top_k" = 7, "{WORD}X.inner" = "{WORD}", "user" = "sk-proj-canaryword0123456789abcdefABCDEF" }}
remove_fields = ["unknown_field", "metadata"]
max_tokens = 32

[backends.box]
set_headers = {{ "X-{WORD}" = "{WORD}", "Accept" = "{WORD}/x" }}
effort = "high"
"""


@pytest.mark.parametrize("spoken", ["chat", "messages"])
def test_what_of_the_configuration_decided(tmp_path, spoken):
    """The rule and the edits stand in a repro in their form, and are made again when it is run: the upstream gets the
    same request. The capture itself holds no value of a header, and no key."""
    up = Upstream(models=("model-a",))
    backends = [backend("box", up.root, protocols=(spoken,))]
    config = make_home(tmp_path, backends) / "config.toml"
    config.touch(mode=0o600)
    config.write_text(CONFIGURED)
    with Proxy(tmp_path, "--demo", "off", backends=backends, settings=ON) as proxy:
        proxy.settled("box")
        asked = {**REQUEST, "model": "own-1", "stream": False}
        name = capture(proxy, up, FAULTS["foreign"][0], asked)
        stored = (proxy.home / "captures" / f"{name}.jsonl").read_bytes()
        assert b"sk-proj-" not in stored
        before = decode(stored).meta.decision
        assert (before.rule.name, before.rule.when) == (f"{WORD} rule", {"model": "own-*", "tools": True})
        assert [one.by for one in before.edits] == ["backend", "rule"]
        assert before.edits[0].set_headers == [f"X-{WORD}", "Accept"]
        said = run(proxy, "repro", name, "-o", tmp_path / "a.jsonl")
        text = (tmp_path / "a.jsonl").read_text()
        assert "canary" not in text.lower()
        made = decode(text.encode())
        assert made.repro.reproduces == "yes", said
        [ours, rule] = made.meta.decision.edits
        assert (ours.effort, rule.max_tokens, rule.remove_fields) == ("high", 32, ["unknown_field", "metadata"])
        assert rule.set_fields["top_k"] == 7
        assert len(rule.set_fields) == 3
        assert (made.meta.decision.rule.name, made.meta.decision.rule.backend) == ("rule-1", "backend-1")
        assert "1 of 1 capture as before" in run(proxy, "replay", name, "--translate-only")
        assert "1 of 1 capture as before" in run(proxy, "replay", tmp_path / "a.jsonl", "--translate-only")
    up.stop()


def test_the_times_of_answers(rig):
    """The table tells how the captured stream came, with its longest wait, and beside it how the new answer did."""
    proxy, up, other = rig

    def pause(_):
        time.sleep(0.3)

    script = (stream_head(), chunk(BEGUN[0]), pause, chunk(BEGUN[1]), *map(chunk, BEGUN[2:]), reset)
    name = capture(proxy, up, script)
    answer = decode((proxy.home / "captures" / f"{name}.jsonl").read_bytes()).answer
    asked = ("replay", name, "--to", "other", "--times")
    times = json.loads(run(proxy, *asked, "--json"))["times"]
    assert times["now"] is None
    assert times["captured"]["chunks"] == len(answer.body.chunks) > 1
    assert 200 <= times["captured"]["longest_gap"] <= times["captured"]["total"] - times["captured"]["first_byte"]
    shown = [line.split() for line in run(proxy, *asked).splitlines()]
    assert ["chunks", str(times["captured"]["chunks"])] in shown
    other.script(plain(MESSAGES.whole))
    shown = run(proxy, *asked, "--send").splitlines()
    [table] = [at for at, line in enumerate(shown) if line.split() == ["captured", "now"]]
    assert [line.split("  ")[1] for line in shown[table + 1 :]] == ["first byte", "chunks", "longest gap", "total"]
    assert shown[table + 2].split() == ["chunks", str(times["captured"]["chunks"]), "1"]


def test_a_text_for_an_issue(rig, tmp_path):
    """Markdown of a repro holds the file itself, which runs; that of a replay tells in what answers differ, and neither
    holds content, the names of backends or keys. With all bodies kept, the text still holds none."""
    proxy, up, other = rig
    name = capture(proxy, up, (plain(CHAT.whole),), {**REQUEST, "stream": False})
    text = run(proxy, "repro", name, "-o", tmp_path / "a.jsonl", "--markdown")
    block = text.partition("```json\n")[2].partition("```")[0]
    assert block == (tmp_path / "a.jsonl").read_text()
    rows = [line.split() for line in text.splitlines()]
    assert ["reproduces", "yes"] in rows
    assert ["translation", "messages", "->", "chat"] in rows
    full = run(proxy, "repro", name, "-o", tmp_path / "b.jsonl", "--markdown", "--bodies", "full")
    assert WORD in (tmp_path / "b.jsonl").read_text()
    call = {"type": "tool_use", "id": "toolu_1", "name": f"{WORD}_tool", "input": {f"{WORD}": WORD}}
    answer = {"id": "msg_1", "type": "message", "role": "assistant", "model": "model-a", "content": [call]}
    answer |= {"stop_reason": "tool_use", "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 2}}
    other.script(plain(json.dumps(answer).encode()))
    sent = run(proxy, "replay", name, "--to", "other", "--send", "--times", "--markdown")
    assert "calls was: 0 now: 1" in " ".join(sent.split())
    assert "longest gap" in sent
    plan = run(proxy, "replay", name, "--to", "gateway-of-canaryword:unheard-of-model", "--markdown")
    assert "unknown_field=dropped" in plan
    for one in (text, full, sent, plan):
        assert "canary" not in one.lower()
        assert "unheard-of" not in one
        assert name not in one
    run(proxy, "repro", name, "--markdown", "-o", "-", code=2)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "it is empty"),
        (b"not json\n", "line 1 is not a JSON object"),
        (b'{"line":"meta","schema":3,"id":"req_1"}\n', "it has the form 3"),
        (b'{"line":"meta","schema":2,"id":"req_1"}\n{"line":"answer","body":{"chunks":[[0,9]]}}\n', "do not fit it"),
        (b'{"line":"meta","schema":2,"id":"req_1"}\n{"line":"exchange","status":[]}\n{"line":"x"}\n', "line 3"),
        (b'{"schema":1,"id":"req_1","time":1,"request":5,"answer":""}', "it is damaged"),
    ],
)
def test_a_capture_that_was_edited(rig, tmp_path, data, said):
    """What is no capture of a form that is read is refused with the place, by each command."""
    proxy = rig[0]
    folder = tmp_path / "edited"
    folder.mkdir()
    file = folder / "a.jsonl"
    file.write_bytes(data)
    for words in (["repro", file], ["replay", file, "--to", "other"], ["demo", "--replay", folder, "--once"]):
        told = " ".join(run(proxy, *words, code=1).split())
        assert "is not a capture: " in told
        assert said in told


def test_what_an_older_fairlead_captured(rig, tmp_path):
    """Two bodies and no more: they are shaped, and why they are not run is said."""
    proxy = rig[0]
    file = tmp_path / "old.json"
    old = {"schema": 1, "id": "req_1", "time": 1.5, "request": json.dumps(REQUEST), "answer": '{"text":"canary"}'}
    file.write_text(json.dumps({**old, "request_cut": False, "answer_cut": False}))
    made = tmp_path / "new.jsonl"
    assert "not run: no backend was chosen for it" in run(proxy, "repro", file, "-o", made, code=1)
    assert "canary" not in made.read_text().lower()


def test_the_next_request_of_a_tool(tmp_path):
    """One request is captured though history.capture is off, whole where others would be cut; no other is."""
    up = Upstream()
    up.default = FAULTS["foreign"][0]
    with Proxy(tmp_path, "--demo", "off", backends=[backend("box", up.root, protocols=("chat",))]) as proxy:
        proxy.settled("box")
        file = tmp_path / "next.jsonl"
        command = [sys.executable, "-W", "error", "-m", "router", "repro", "--next", "openai-sdk", "-o", str(file)]
        environ = {"PATH": os.environ["PATH"], "FAIRLEAD_HOME": str(proxy.home), "HOME": str(tmp_path)}
        with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as waiting:
            assert "The next request of openai-sdk is captured" in waiting.stderr.readline()
            long = {**REQUEST, "system": "word " * 100_000}
            fields = ((b"X-Stainless-Lang", b"python"), (b"User-Agent", b"OpenAI/Python 3"))
            for more in ((), fields, fields):
                ask(proxy.port, MESSAGES.path, json.dumps(long).encode(), JSON, *more)
            assert waiting.wait(60) == 0
        found = decode(file.read_bytes())
        assert (found.meta.client, found.repro.reproduces) == ("openai-sdk", "yes")
        assert len(found.request.body.text) > 500_000
        assert len(list((proxy.home / "captures").iterdir())) == 1
        assert not (proxy.home / "capture.next").exists()
        run(proxy, "repro", "--next", "no-such-tool", code=2)
    up.stop()


def test_a_request_of_googles_api(rig, tmp_path):
    """Its repro ends as it did, with the model's name in the path, and holds no content; today translates it alike."""
    proxy, up, _ = rig
    declared = {
        "name": TOOL["name"],
        "parametersJsonSchema": {"type": "object", "properties": {WORD: {"type": "string"}}},
    }
    body = {
        "contents": [
            {"role": "user", "parts": [{"text": f"my {WORD} 4111111111111111"}]},
            {
                "role": "model",
                "parts": [{"functionCall": {"id": f"c-{WORD}", "name": TOOL["name"], "args": {WORD: WORD}}}],
            },
            {
                "role": "user",
                "parts": [
                    {"functionResponse": {"id": f"c-{WORD}", "name": TOOL["name"], "response": {WORD: "canary"}}},
                ],
            },
        ],
        "systemInstruction": {"parts": [{"text": f"Be {WORD}."}]},
        "tools": [{"functionDeclarations": [declared]}],
        "generationConfig": {"topK": 3},
    }
    path = f"/v1beta/models/model-a:streamGenerateContent?alt=sse&key={CLIENT_KEY.decode()}"
    name = capture(proxy, up, FAULTS["cut"][0], body, path)
    file = tmp_path / "bug" / "a.jsonl"
    said = run(proxy, "repro", name, "-o", file)
    found = decode(file.read_bytes())
    assert found.repro.reproduces == "yes", said
    assert (found.meta.status, found.meta.error != "") == (200, True)
    text = file.read_text()
    assert "canary" not in text.lower()
    assert "functionDeclarations" in text
    assert ":streamGenerateContent" in text
    assert "1 of 1 capture as before" in run(proxy, "replay", name, "--translate-only")
    assert "1 of 1 capture as before" in run(proxy, "replay", file, "--translate-only")
    assert "ok" in run(proxy, "demo", "--replay", file.parent, "--once")
