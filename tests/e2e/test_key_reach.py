"""What a client key reaches: its models, backends and paths, by whatever name they are asked for."""

import json

from router.store.home.home import open_home
from router.store.keys.client_keys import make_tool_key

from .granted import WHOLE, Granted, add, configured
from .processes import backend
from .upstream import plain

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
