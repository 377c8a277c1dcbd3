"""The real Claude Code's WebSearch returns links: on a backend that searches, and with a search engine on one that does
not; and the real Codex is told of the searches of a backend that speaks Messages. They are used where they are
installed (see agents.py); the backends and the engine are scripted."""

import json

import pytest

from ..e2e.processes import Proxy, backend, make_home
from ..e2e.upstream import Upstream, plain
from . import model
from .agents import AGENTS, KEY, Setup, find, run

pytestmark = pytest.mark.slow
PAGE = {"url": "https://a.com/found", "title": "What was found", "content": "said there"}
QUERY = "how cats purr"


def searching(home, root, name, wire):
    """Claude Code, allowed to search."""
    environ = {
        "ANTHROPIC_BASE_URL": root,
        "ANTHROPIC_API_KEY": KEY,
        "DISABLE_AUTOUPDATER": "1",
        "IS_SANDBOX": "1",
        "ENABLE_TOOL_SEARCH": "false",
    }
    return Setup(
        ["-p", f"Search the web for {QUERY}", "--model", name, "--tools", "WebSearch", "--allowedTools", "WebSearch"],
        environ,
    )


def answer_responses(asking, asked):
    """As the scripted model, which also searches where it is asked to."""
    if not any(tool["type"] == "web_search" for tool in asked.get("tools") or ()):
        yield from _PLAIN(asking, asked)
        return
    head = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m"}
    call = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    call["action"] = {"type": "search", "query": QUERY}
    cited = {"type": "url_citation", "url": PAGE["url"], "title": PAGE["title"], "start_index": 0, "end_index": 3}
    part = {"type": "output_text", "text": "So.", "annotations": [cited]}
    message = {"type": "message", "id": "m1", "role": "assistant", "status": "completed", "content": [part]}
    usage = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}
    yield {"type": "response.created", "response": {**head, "status": "in_progress", "output": []}}
    yield {"type": "response.output_item.done", "output_index": 0, "item": call}
    yield {"type": "response.output_item.done", "output_index": 1, "item": message}
    whole = {**head, "status": "completed", "output": [call, message], "usage": usage}
    yield {"type": "response.completed", "response": whole}


_PLAIN = model._ANSWERS["responses"]


@pytest.mark.parametrize("protocol", ["responses", "chat"])
def test_links_come_back(tmp_path, monkeypatch, protocol):
    """The main model gets the address and the title of what was found."""
    if find(AGENTS["claude-code"].program) is None:
        pytest.skip("Claude Code is not installed")
    monkeypatch.setitem(AGENTS, "claude-code", AGENTS["claude-code"]._replace(prepare=searching))
    monkeypatch.setitem(model._ANSWERS, "responses", answer_responses)
    engine = Upstream()
    engine.default = (plain(json.dumps({"results": [PAGE]}).encode()),)
    config = f'[search]\nprovider = "searxng"\nbase_url = "{engine.root.removesuffix("/v1")}"\n'
    if protocol == "responses":
        config = '[backends.up.profile]\nsearch_tool = "responses"\n'
    path = make_home(tmp_path) / "config.toml"
    path.touch(mode=0o600)
    path.write_text(config)
    own = {"FAIRLEAD_DEFAULT_BACKEND": "up", "FAIRLEAD_DEMO": "off"}
    try:
        with (
            model.Model(protocol, "WebSearch", {"query": QUERY}) as scripted,
            Proxy(tmp_path, backends=[backend("up", scripted.root, protocols=[protocol])], settings=own) as proxy,
        ):
            ran = run("claude-code", tmp_path, f"http://127.0.0.1:{proxy.port}", "messages", model="claude-sonnet-5")
            results = [json.dumps(asked.get("messages") or asked["input"]) for asked in scripted.seen]
        assert model.DONE in ran.said
        link = json.dumps(json.dumps({"title": PAGE["title"], "url": PAGE["url"]}, separators=(",", ":")))[1:-1]
        assert any(link in text for text in results), results[-1][-2000:]
        assert len(engine.seen) == (protocol == "chat")
    finally:
        engine.stop()


def answer_messages(asking, asked):
    """The scripted model, which has searched where it may."""
    if not any(str(tool.get("type")).startswith("web_search_") for tool in asked.get("tools") or ()):
        yield from _PLAIN_MESSAGES(asking, asked)
        return
    usage = {"input_tokens": 10, "output_tokens": 5, "server_tool_use": {"web_search_requests": 1}}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": usage}
    yield {"type": "message_start", "message": message}
    call = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": QUERY}}
    page = {"type": "web_search_result", "url": PAGE["url"], "title": PAGE["title"], "encrypted_content": "sealed"}
    result = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [page]}
    for at, block in enumerate((call, result, {"type": "text", "text": model.DONE})):
        yield {"type": "content_block_start", "index": at, "content_block": block}
        yield {"type": "content_block_stop", "index": at}
    yield {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage}
    yield {"type": "message_stop"}


_PLAIN_MESSAGES = model._ANSWERS["messages"]


def test_codex_is_told_of_a_search(tmp_path, monkeypatch):
    """It shows the search that a backend of Anthropic's protocol has made for its request, with the query."""
    if find(AGENTS["codex"].program) is None:
        pytest.skip("codex is not installed")
    monkeypatch.setitem(model._ANSWERS, "messages", answer_messages)
    path = make_home(tmp_path) / "config.toml"
    path.touch(mode=0o600)
    path.write_text("[backends.up.profile]\noffered_search = true\n")
    own = {"FAIRLEAD_DEFAULT_BACKEND": "up", "FAIRLEAD_DEMO": "off"}
    with model.Model("messages", "none", {}) as scripted:
        entry = backend("up", scripted.root, protocols=["messages"], vendor="anthropic")
        with Proxy(tmp_path, backends=[entry], settings=own) as proxy:
            command = ["exec", "--json", "--skip-git-repo-check", "-c", 'web_search="live"', f"Search for {QUERY}."]
            ran = run("codex", tmp_path, f"http://127.0.0.1:{proxy.port}", "responses", command=command)
    events = [json.loads(line) for line in ran.said.splitlines() if line.startswith("{")]
    items = [event["item"] for event in events if event["type"] == "item.completed"]
    searches = [item for item in items if item["type"] == "web_search"]
    assert (ran.code, [one["query"] for one in searches]) == (0, [QUERY]), ran.said[-3000:]
    assert any(model.DONE in item.get("text", "") for item in items), ran.said[-3000:]
