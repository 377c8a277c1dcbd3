"""The real Claude Code's WebSearch returns links: on a backend that searches, and with a search engine on one that does
not. It is used where it is installed (see agents.py); the backend and the engine are scripted."""

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
