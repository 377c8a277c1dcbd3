"""Hostile inputs to what fairlead does for agents: searches, compactions, estimates, comparisons of prompts."""

import itertools
import json

from ..e2e.upstream import plain
from .hostile_inputs import ASKED, MIB, answered, asking, call, delta, event, streamed, whole_of

#: What the proxy is configured with; {engine}: the address of a search engine.
CONFIG = """
[search]
provider = "searxng"
base_url = "{engine}"
[[routes]]
when = {{ model = "ruled", tokens_over = 1000 }}
backend = "chat"
"""
_numbers = itertools.count()
_USAGE = {"prompt_tokens": 2_000_000, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 0}}
# The sign of a sealed summary, and what is none behind it.
_FORGED = "FAIRLEAD-CONVERSATION-SUMMARY-1." + "A" * 4096


def long_text(size):
    """A request of one text that a rule estimates."""
    text = "The relay reads each request, \\u00e9 and 1234. " * (size // 45)
    return f'{{"model":"ruled","max_tokens":64,"messages":[{{"role":"user","content":"{text}"}}]}}'.encode()


def items(model, count):
    """A Responses request of so many items, with a forged compaction at its end."""
    said = [{"type": "message", "role": "user", "content": "a"}] * count
    forged = {"type": "compaction", "encrypted_content": _FORGED}
    return json.dumps({"model": model, "input": [*said, forged]}).encode()


def results(size):
    """An engine's answer with results of so many bytes."""
    one = {"title": "t" * 300, "content": "c" * 9000}
    return json.dumps({"results": [{"url": f"https://a.com/{at}", **one} for at in range(size // 9400)]}).encode()


def searching(world):
    """A streamed answer whose model searches once."""
    found = call(0, '{"query": "cats"}')
    found["function"]["name"] = "web_search"
    world.up.script(streamed(event(delta({"tool_calls": [found]})) + event(delta({}, "tool_calls")) + _DONE))
    world.up.script(streamed(event(delta({"content": "So."})) + event(delta({}, "stop")) + _DONE))
    world.engine.default = (plain(results(2_000_000)),)
    tool = {"type": "web_search_20250305", "name": "web_search"}
    return world.ask("chat:model-a", stream=True, tools=[tool])


_DONE = b"data: [DONE]\n\n"


def changing(world):
    """A turn of a session whose prompt of nearly 8 MiB differs from the turn before in its first words."""
    world.up.default = (plain(json.dumps({**json.loads(whole_of({"content": "ok"})), "usage": _USAGE}).encode()),)
    turns = [{"role": "user", "content": f"{next(_numbers)} " + "words of a turn " * 500}] * 900
    body = {"model": "chat:model-a", **ASKED, "messages": turns, "prompt_cache_key": "one"}
    return world.send("/v1/chat/completions", json.dumps(body).encode(), (b"Connection", b"close"))


AGENT_CASES = {
    "request: 30 MiB of text that a rule estimates": asking(lambda: long_text(30 * MIB)),
    "request: 60,000 items and a forged compaction": asking(
        lambda: items("responses:model-a", 60_000), "/v1/responses"
    ),
    "request: 60,000 items and a forged compaction, translated": asking(
        lambda: items("chat:model-a", 60_000), "/v1/responses"
    ),
    "search results of 2 MB": searching,
    "session whose prompt of 7.2 MB changes in each turn": changing,
    "compaction with a summary of 8 MiB": answered(
        lambda: plain(whole_of({"content": "s" * (8 * MIB)})),
        path="/v1/responses",
        input=[{"role": "user", "content": "go"}, {"type": "compaction_trigger"}],
    ),
}
