"""Client keys as named grants: who is let in, and what each key reaches."""

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from router.policy.grants.key_form import format_key
from router.store.home.home import open_home
from router.store.home.processes import find_birth
from router.store.keys.client_keys import make_tool_key

from ..patience import PATIENCE
from .budgets import PRICES
from .budgets import answer as costing
from .granted import Granted, add, configured, until
from .processes import backend
from .upstream import plain, stream

WHOLE = json.dumps(
    {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }
).encode()
UNKNOWN = b"flk_" + b"a" * 28


def test_who_is_let_in(tmp_path, up):
    """A key is known in each of the three headers, and is the request's identity; one that is not known is refused for
    good, also where none is needed, unless the request carries one that is. No upstream gets any of them."""
    up.default = (plain(WHOLE),)
    key = add(tmp_path, "laptop")
    with Granted(tmp_path, up) as one:
        for header, value in (("x-fairlead-key", key), ("x-api-key", key), ("Authorization", b"Bearer " + key)):
            body = b'{"model":"model-a","messages":[]}'
            assert one.ask(value, body=body, header=header.encode()).status == 200
            assert one.latest()["key"] == "laptop"
        for unknown in (UNKNOWN, key[:-1] + (b"a" if key[-1:] != b"a" else b"b"), key[:-3]):
            refused = one.chat(unknown)
            assert (refused.status, refused.field(b"x-should-retry")) == (401, b"false")
        assert one.chat(None).status == 200
        assert one.latest()["key"] is None
        both = one.ask(key, "/v1/chat/completions", b'{"model":"model-a","messages":[]}', (b"x-api-key", UNKNOWN))
        assert both.status == 200
    sent = b"".join(name + value for seen in up.seen for name, value in seen.lines)
    assert b"flk_" not in sent


def test_a_flood_of_unknown_keys(tmp_path, up):
    """Each is refused for good and counted, a bounded number is recorded, and who has a key is served meanwhile. None
    is answered late: that would hold the connections, of which there are few, for as long."""
    up.default = (plain(WHOLE),)
    key, ended = add(tmp_path, "laptop"), threading.Event()
    with Granted(tmp_path, up) as one, ThreadPoolExecutor(4) as pool:

        def flood(_):
            sent = 0
            while not ended.is_set() and sent < 300:
                assert one.chat(format_key(os.urandom(16)).encode()).status == 401
                sent += 1
            return sent

        floods = [pool.submit(flood, number) for number in range(4)]
        assert [one.chat(key).status for _ in range(20)] == [200] * 20
        ended.set()
        sent = sum(each.result() for each in floods)
        assert sent > 10
        assert one.operate("/status").json()["refused"] == {"wrong key": sent}
        assert until(lambda: one.operate("/analytics").json()["total"]["requests"] >= 30)
        rows = one.operate("/admin/history?limit=1000").json()["requests"]
        # A minute may have ended between.
        assert sum(row["status"] == 401 for row in rows) in range(10, 21)
        assert not one.operate("/analytics").json()["total"]["cost_usd"]


def test_the_default_key_stays(tmp_path, up):
    """api_key has no limits, and is the key `default`; where it is needed, a named key does as well, and none does
    not."""
    up.default = (plain(WHOLE),)
    key, secret = add(tmp_path, "laptop", models="model-b"), b"chosen-0123456789-0123456789-0123456789"
    with Granted(tmp_path, up, api_key=secret.decode(), require_key="on") as one:
        assert [one.chat(secret).status, one.latest()["key"]] == [200, "default"]
        assert [one.chat(key, "model-b").status, one.chat(key).status] == [200, 403]
        assert [one.chat(None).status, one.chat(b"other").status, one.chat(UNKNOWN).status] == [401] * 3


RULES = """
model = "FORCED"
[aliases]
fast = "model-a"
cheap = "model-b"
[[routes]]
name = "away"
when = { model = "model-c" }
backend = "other"
model = "model-b"
[fallback]
"model-a" = ["other:model-b"]
"""


def test_no_way_around_a_list_of_models(tmp_path, up):
    """Neither an alias, a prefix, a rule, the forced model, a field with further models, a call without a model nor a
    batch leads to a model that the key may not use; what is allowed is served."""
    up.default = (plain(WHOLE),)
    configured(tmp_path, RULES.replace('model = "FORCED"', ""))
    key = add(tmp_path, "laptop", models="model-a,fast,model-c", paths="all")
    with Granted(tmp_path, up) as one:
        asked = ("model-a", "fast", "box:model-a", "MODEL-A", "model-b", "cheap", "other:model-b", "model-c")
        assert [one.chat(key, model).status for model in asked] == [200] * 4 + [403] * 4
        text = one.chat(key, "cheap").json()["error"]
        assert text["code"] == "permission_denied"
        assert "The key laptop may not use the model 'cheap' (it goes to box:model-b)" in text["message"]
        said = one.ask(key, "/v1/messages", b'{"model":"model-b","max_tokens":9,"messages":[]}')
        assert (said.status, said.json()["error"]["type"]) == (400, "invalid_request_error")
        assert one.chat(key, models=["model-b"]).status == 403
        for path in ("/v1/batches", "/v1/messages/batches", "/v1/fine_tuning/jobs", "/v1/threads/runs"):
            assert one.ask(key, path, b'{"input_file_id":"x"}').status in (403, 404), path
        before = len(up.seen)
        up.script(plain(b"{}", b"503 Unavailable"))
        assert one.chat(key, "model-a").status == 503
        assert len(up.seen) == before + 1
        listed = [entry["id"] for entry in one.ask(key, "/v1/models").json()["data"]]
        assert set(listed) <= {"model-a", "fast", "other:model-a", "box:model-a"}
        assert "model-a" in listed
        assert one.ask(key, "/v1/models/model-b").status == 404
        assert one.ask(key, "/v1/models/model-a").status == 200


def test_the_forced_model_opens_nothing(tmp_path, up):
    """What a key may use is judged by the model that is sent, not by the one that was asked for."""
    up.default = (plain(WHOLE),)
    configured(tmp_path, 'model = "model-b"')
    key = add(tmp_path, "laptop", models="model-a")
    with Granted(tmp_path, up) as one:
        assert one.chat(key, "model-a").status == 403
    assert not [seen for seen in up.seen if seen.path.endswith(b"/chat/completions")]


def test_backends_and_paths(tmp_path, up):
    """A key is held to its backends and its paths; by default to what a model answers."""
    up.default = (plain(WHOLE),)
    held, lists, whole = (
        add(tmp_path, "held", backends="box"),
        add(tmp_path, "lists", paths="models"),
        add(tmp_path, "all", paths="all"),
    )
    with Granted(tmp_path, up) as one:
        assert [one.chat(held, model).status for model in ("box:model-a", "other:model-a")] == [200, 403]
        assert [one.ask(lists, "/v1/models").status, one.chat(lists).status] == [200, 403]
        files = "/v1/files/file-1"
        assert [
            one.ask(held, files).status,
            one.ask(held, "/v1/embeddings", b'{"model":"model-a","input":"x"}').status,
        ] == [403, 200]
        # Of the whole key it is not known that the file is its own; a list would show those of others.
        assert [one.ask(whole, files).status, one.ask(whole, "/v1/files").status] == [404, 403]


def test_ids_belong_to_the_key_that_made_them(tmp_path, up):
    """A response, also one that fairlead stores itself, and a file are not there for another key, nor for callers
    without one; also after a restart. A ninth id in a body is looked at too."""
    first, second = add(tmp_path, "first", paths="all"), add(tmp_path, "second", paths="all")
    up.default = (plain(json.dumps({"id": "resp_1", "object": "response", "output": []}).encode()),)
    turn = {"model": "model-a", "input": "hi", "store": True}
    for start in range(2):
        with Granted(tmp_path, up) as one:
            if not start:
                assert one.ask(first, "/v1/responses", json.dumps(turn).encode()).status == 200
                up.default = (plain(b'{"id":"file-1","object":"file"}'),)
                upload = b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n--x--\r\n'
                kind = (b"Content-Type", b"multipart/form-data; boundary=x")
                assert one.ask(first, "/v1/files", upload, kind).status == 200
                up.default = (plain(b'{"id":"resp_2","object":"response","output":[]}'),)
            for key, status in ((second, 404), (None, 404), (first, 200)):
                asked = [
                    one.ask(key, "/v1/responses/resp_1").status,
                    one.ask(key, "/v1/files/file-1").status,
                    one.ask(
                        key, "/v1/responses", json.dumps({**turn, "previous_response_id": "resp_1"}).encode()
                    ).status,
                ]
                assert asked == [status] * 3, (start, key)
            many = [{"type": "input_file", "file_id": name} for name in ["file-1"] * 9]
            inner = {**turn, "input": [{"role": "user", "content": many}]}
            assert one.ask(second, "/v1/responses", json.dumps(inner).encode()).status == 404


ITEMS = [
    {"type": "reasoning", "id": "rs_1", "summary": []},
    {"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]},
]


def answer_with_items(kind):
    """An answer of Responses that issues ITEMS: whole, as a stream, or when it is fetched later."""
    whole = {"id": "resp_1", "object": "response", "status": "completed", "output": ITEMS}
    if kind != "stream":
        return plain(json.dumps(whole).encode())
    begun = {"type": "response.created", "response": {"id": "resp_1", "object": "response", "output": []}}
    events = [begun, {"type": "response.completed", "response": whole}]
    return stream([f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in events])


@pytest.mark.parametrize("kind", ["whole", "stream", "later"])
def test_parts_of_an_answer_belong_to_its_key(tmp_path, up, kind):
    """A part that a request names by its id alone is there for the key whose answer it was in, also right after that
    answer; not for another key, nor for callers without one, however it is named. What is sent whole is looked up by
    nobody. Parts of answers to callers without a key are not there for keys with names."""
    first, second = add(tmp_path, "first"), add(tmp_path, "second")
    up.default = (plain(b'{"id":"resp_9","object":"response","output":[]}'),)
    turn = {"model": "model-a", "input": "hi", "stream": kind == "stream"}
    with Granted(tmp_path, up, backends=[backend("box", up.root, protocols=("responses",))]) as one:
        if kind == "later":
            up.script(plain(b'{"id":"resp_1","object":"response","status":"queued","output":[]}'))
            assert one.ask(first, "/v1/responses", json.dumps({**turn, "background": True}).encode()).status == 200
        up.script(answer_with_items(kind))
        asked = ("/v1/responses/resp_1",) if kind == "later" else ("/v1/responses", json.dumps(turn).encode())
        assert one.ask(first, *asked).status == 200

        def name(key, *items):
            body = {"model": "model-a", "input": [{"role": "user", "content": "on"}, *items]}
            return one.ask(key, "/v1/responses", json.dumps(body).encode()).status

        ways = [
            {"type": "item_reference", "id": "msg_1"},
            {"id": "msg_1"},
            {"id": "msg_1", "type": None, "x": 1},
            {"type": "reasoning", "id": "rs_1", "summary": []},
        ]
        for way in ways:
            assert [name(key, way) for key in (first, second, None)] == [200, 404, 404], way
        assert name(second, ITEMS[1], {"type": "reasoning", "id": "rs_1", "encrypted_content": "x"}) == 200
        up.script(plain(json.dumps({"id": "resp_2", "object": "response", "output": [{"id": "msg_2"}]}).encode()))
        assert name(None) == 200
        assert [name(key, {"type": "item_reference", "id": "msg_2"}) for key in (second, None)] == [404, 200]


def test_ids_that_are_written_as_escapes(tmp_path, up):
    """A key or an id whose letters are escapes of JSON is the same one to a provider, and to fairlead."""
    key = add(tmp_path, "laptop")
    up.default = (plain(WHOLE),)
    with Granted(tmp_path, up) as one:
        body = json.dumps({"model": "model-a", "messages": [{"role": "user", "content": [{"file_id": "file-1"}]}]})
        ways = [body, body.replace("file_id", "f\\u0069le_id"), body.replace("file_id", "file\\u005Fid")]
        assert [one.ask(key, body=way.encode()).status for way in ways] == [404] * 3
        quoted = body.replace('{"file_id": "file-1"}', '{"text": "\\u0022file_id\\u0022: \\u0022file-1\\u0022"}')
        assert one.ask(key, body=quoted.encode()).status == 200


def test_a_tool_names_no_model_beside_the_list(tmp_path, up):
    """A model that the provider would use for a tool of the request is one that the key must be allowed."""
    key, free = add(tmp_path, "held", models="model-a,gpt-image-*"), add(tmp_path, "free")
    up.default = (plain(WHOLE),)
    with Granted(tmp_path, up) as one:
        for model, status in (("gpt-image-1", 200), ("model-a", 200), ("other-image", 403)):
            tools = [{"type": "function"}, "x", {"type": "image_generation", "model": model}]
            assert one.chat(key, tools=tools).status == status
            assert one.chat(free, tools=tools).status == 200
        asked = {"model": "model-a", "max_tokens": 9, "messages": [], "tools": [{"type": "advisor", "model": "big"}]}
        said = one.ask(key, "/v1/messages", json.dumps(asked).encode())
        assert said.status == 400
        assert "'big', which a tool of the request names" in said.json()["error"]["message"]


def test_another_backend_of_the_same_model(tmp_path, up):
    """A model that several backends list goes to one that the key may use, which its list of models shows too; a prefix
    is for the backend that it names."""
    configured(tmp_path, '[aliases]\nfast = "model-a"\npinned = "box:model-a"')
    key, none = add(tmp_path, "held", backends="other"), add(tmp_path, "none", backends="nowhere")
    up.default = (plain(WHOLE),)
    with Granted(tmp_path, up) as one:
        assert one.chat(None).status == 200
        assert one.latest()["backend"] == "box"
        assert [one.chat(key, model).status for model in ("model-a", "fast", "other:model-a")] == [200] * 3
        assert [one.chat(key, model).status for model in ("box:model-a", "pinned")] == [403] * 2
        assert one.chat(none).status == 403
        one.chat(key)
        latest = one.latest()
        assert (latest["backend"], "box serves it too" in json.dumps(latest)) == ("other", True)
        listed = {entry["id"] for entry in one.ask(key, "/v1/models").json()["data"]}
        assert {"model-a", "fast", "other:model-a"} <= listed
        assert "pinned" not in listed
        assert one.ask(key, "/v1/models/model-a").status == 200


def test_backends_of_the_callers_own_login(tmp_path, up):
    """A key with a name may use them where that is set, as the contract of a shared proxy: its caller's login would go
    along. One that was made for a tool of this machine may."""
    plain_key, allowed = add(tmp_path, "laptop"), add(tmp_path, "wide", auth_client="on")
    home = open_home({"FAIRLEAD_HOME": str(tmp_path / "home")})
    tool = make_tool_key(home, "codex").reveal().encode()
    up.default = (plain(WHOLE),)
    with Granted(tmp_path, up, backends=[backend("box", up.root, auth="client")]) as one:
        assert [one.chat(key).status for key in (plain_key, allowed, tool, None)] == [403, 200, 200, 200]
        assert "fairlead keys set laptop --auth-client on" in one.chat(plain_key).json()["error"]["message"]


def test_answers_that_fairlead_stores_belong_to_their_key(tmp_path, up):
    """A translated answer can be read, continued and deleted by its own key alone."""
    up.default = (plain(WHOLE),)
    first, second = add(tmp_path, "first"), add(tmp_path, "second")
    with Granted(tmp_path, up, backends=[backend("box", up.root, protocols=("chat",))]) as one:
        made = one.ask(first, "/v1/responses", b'{"model":"model-a","input":"hi"}').json()["id"]
        for key, status in ((second, 404), (None, 404), (first, 200)):
            assert one.ask(key, f"/v1/responses/{made}").status == status
            assert one.ask(key, f"/v1/responses/{made}/input_items").status == status
            again = json.dumps({"model": "model-a", "input": "on", "previous_response_id": made}).encode()
            assert one.ask(key, "/v1/responses", again).status == (200 if status == 200 else 400)
        assert one.ask(second, f"/v1/responses/{made}", method="DELETE").status == 404
        assert one.ask(first, f"/v1/responses/{made}", method="DELETE").status == 200


def test_limits_a_minute(tmp_path, up):
    """Beyond rpm a request waits, and gets 429 with retry-after where that takes longer than queue.timeout; the count
    goes on after a restart. Other keys are not held up."""
    up.default = (plain(WHOLE),)
    slow, other = add(tmp_path, "slow", rpm="2"), add(tmp_path, "other")
    with Granted(tmp_path, up, queue_timeout="1s") as one:
        assert [one.chat(slow).status for _ in range(2)] == [200, 200]
        late = one.chat(slow)
        assert (late.status, late.json()["error"]["code"]) == (429, "rate_limit_exceeded")
        assert 0 < int(late.field(b"retry-after")) <= 62
        assert "The key slow is at its limit (rpm = 2)" in late.json()["error"]["message"]
        assert one.chat(other).status == 200
        assert until(lambda: one.operate("/analytics").json()["total"]["requests"] == 4)
    with Granted(tmp_path, up, queue_timeout="1s") as one:
        assert [one.chat(slow).status, one.chat(other).status] == [429, 200]


def test_a_place_at_a_time(tmp_path, up):
    """max_concurrent holds while an answer is awaited: the next request is refused once queue.timeout is over, and goes
    as soon as there is a place."""
    up.default = (plain(WHOLE),)
    key, held = add(tmp_path, "one", max_concurrent="1"), threading.Event()
    with Granted(tmp_path, up, queue_timeout="1s") as one:
        up.script(lambda _: held.wait(PATIENCE), plain(WHOLE))
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(one.chat, key)
            assert until(lambda: len(up.seen) == 1)
            late = one.chat(key)
            held.set()
            assert (first.result().status, late.status, late.field(b"retry-after")) == (200, 429, b"1")
        assert one.chat(key).status == 200


def test_a_budget_of_a_key(tmp_path, up):
    """It ends the traffic of that key alone, in the caller's form, and goes on after a restart."""
    configured(tmp_path, PRICES)
    spender, other = add(tmp_path, "spender", budget_day_usd="0.2"), add(tmp_path, "other")
    up.default = [costing(100)]
    with Granted(tmp_path, up) as one:
        assert [one.chat(spender).status for _ in range(3)] == [200, 200, 402]
        text = one.chat(spender).json()["error"]["message"]
        assert "the daily budget of $0.20 for key spender is used up ($0.20 spent)" in text
        assert one.ask(spender, "/v1/responses", b'{"model":"model-a","input":"x"}').status == 429
        assert one.chat(other).status == 200
        assert one.operate("/status").json()["guard"]["scope"] == "key spender"
    with Granted(tmp_path, up) as one:
        assert [one.chat(spender).status, one.chat(other).status] == [402, 200]
        keys = {sums["name"]: sums for sums in one.operate("/analytics?since=7d").json()["keys"]}
        assert keys["spender"]["cost_usd"] == 0.2


@pytest.fixture
def process():
    """A process that waits."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield child
    child.kill()
    child.communicate()


def child_of(process, **fields):
    """The body that asks for a key for a process."""
    return {"pid": process.pid, "pid_started": find_birth(process.pid), **fields}


class Here:
    """This process."""

    pid = os.getpid()


def test_a_key_for_a_process(tmp_path, up, process):
    """It has the tag, the models and the budget that were asked for, those of its parent too, and ends with its
    process; what it used is told, and its parent spends it."""
    configured(tmp_path, PRICES)
    add(tmp_path, "laptop", budget_day_usd="0.5", tag="team")
    up.default = [costing(100)]
    with Granted(tmp_path, up) as one:
        asked = child_of(process, name="claude", parent="laptop", budget_usd=0.2, tag="mine", models=["model-a"])
        made = one.operate("/admin/keys/child", asked)
        assert made.status == 201
        key, name = made.json()["key"].encode(), made.json()["name"]
        assert name.startswith("laptop.claude-")
        assert [one.chat(key, "model-b").status, *(one.chat(key).status for _ in range(3))] == [403, 200, 200, 402]
        assert one.ask(key, "/v1/files/file-1").status == 403
        seen = one.operate("/admin/history?limit=2").json()["requests"][1]
        assert (seen["key"], seen["tag"]) == (name, "team")
        inner = one.operate("/admin/keys/child", child_of(Here, name="inner", parent=key.decode())).json()
        assert inner["name"].startswith(f"{name}.inner-")
        assert one.chat(inner["key"].encode()).status == 402
        assert one.operate(f"/admin/keys/child/{name}", {}).status == 200
        process.kill()
        process.wait()
        assert until(lambda: one.chat(key).status == 401)
        assert one.chat(inner["key"].encode()).status == 401
        second = one.operate("/admin/keys/child", child_of(Here, parent="laptop")).json()
        assert [one.chat(second["key"].encode()).status for _ in range(2)] == [200, 200]
        ended = one.operate(f"/admin/keys/child/{second['name']}", method="DELETE").json()
        assert (ended["book"]["requests"], ended["book"]["cost_usd"], ended["book"]["errors"]) == (2, 0.2, 0)
        assert one.chat(second["key"].encode()).status == 401
    with Granted(tmp_path, up) as one:
        # As a launcher does whose proxy was started again.
        again = child_of(Here, name=second["name"], parent="laptop", key=second["key"])
        assert one.operate("/admin/keys/child", again).json()["name"] == second["name"]
        assert one.chat(second["key"].encode()).status == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"pid": 1 << 30, "pid_started": "x"},
        {"pid_started": "then"},
        {"name": "a.b"},
        {"name": "A b"},
        {"budget_usd": -1},
        {"models": ["a\n"]},
        {"tag": "two words"},
        {"ttl_s": 1e9},
        {"key": "flk_short"},
        {"parent": "nobody"},
        {"pid": "x"},
    ],
    ids=str,
)
def test_what_makes_no_key_for_a_process(tmp_path, up, fields):
    """Each wrong field is refused with what was expected, and no key is made."""
    with Granted(tmp_path, up) as one:
        answer = one.operate("/admin/keys/child", {**child_of(Here), **fields})
        assert answer.status in (400, 404), answer.body
        assert one.operate("/admin/keys").json()["children"] == []


def test_a_key_for_a_process_needs_the_operator(tmp_path, up):
    """Neither a caller without the token nor one with a client key can make one."""
    key = add(tmp_path, "laptop", paths="all")
    with Granted(tmp_path, up) as one:
        body = json.dumps(child_of(Here)).encode()
        assert [one.ask(sent, "/admin/keys/child", body).status for sent in (None, key)] == [401, 401]
        assert one.ask(b"Bearer " + key, "/admin/keys", header=b"Authorization").status == 401


def test_operators_do_what_commands_do(tmp_path, up):
    """Add, list, change, rotate with grace, revoke: each holds for the next request."""
    up.default = (plain(WHOLE),)
    with Granted(tmp_path, up) as one:
        made = one.operate("/admin/keys", {"name": "ci", "options": {"models": ["model-a"], "rpm": 600}})
        key = made.json()["key"].encode()
        assert (made.status, one.chat(key).status, one.chat(key, "model-b").status) == (201, 200, 403)
        assert one.operate("/admin/keys", {"name": "ci"}).status == 409
        assert one.operate("/admin/keys/ci", {"options": {"models": None}}).status == 200
        assert one.chat(key, "model-b").status == 200
        new = one.operate("/admin/keys/ci/rotate", {"grace_s": 3600}).json()["key"].encode()
        assert [one.chat(key).status, one.chat(new).status] == [200, 200]
        newest = one.operate("/admin/keys/ci/rotate", {}).json()["key"].encode()
        assert [one.chat(new).status, one.chat(newest).status] == [401, 200]
        [listed] = one.operate("/admin/keys").json()["keys"]
        assert (listed["name"], listed["options"], listed["last4"]) == ("ci", {"rpm": 600}, newest[-4:].decode())
        assert one.operate("/admin/keys/ci", {"options": {"colour": 1}}).status == 400
        assert one.operate("/admin/keys/ci", {"options": {"expires": "2020-01-01"}}).status == 200
        ended = one.chat(newest)
        assert (ended.status, "expired after 2020-01-01" in ended.json()["error"]["message"]) == (401, True)
        assert one.operate("/admin/keys/ci", method="DELETE").status == 200
        assert [one.chat(newest).status, one.operate("/admin/keys/ci", method="DELETE").status] == [401, 404]


def test_no_secret_is_kept(tmp_path, up):
    """Of keys nothing but digests is in the home, its history, its log and the captures."""
    up.default = (plain(WHOLE),)
    named = add(tmp_path, "laptop")
    log = tmp_path / "access.log"
    with Granted(tmp_path, up, log_file=str(log), history_capture="on", verbose="2") as one:
        child = one.operate("/admin/keys/child", child_of(Here)).json()["key"].encode()
        for key in (named, child):
            told = json.dumps({"model": "model-a", "messages": [{"role": "user", "content": f"see {key.decode()}"}]})
            assert one.ask(key, body=told.encode()).status == 200
        assert one.chat(named[:-1] + b"!").status == 401
        assert until(lambda: one.operate("/analytics").json()["total"]["requests"] >= 2)
        one.operate("/status")
    kept = [path for path in (tmp_path).rglob("*") if path.is_file()]
    assert log in kept
    for path in kept:
        data = path.read_bytes()
        assert not [key for key in (named, child, named[:-1]) if key in data], path
