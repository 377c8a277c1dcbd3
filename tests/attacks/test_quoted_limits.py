"""Errors that quote the request: what is learned of a model's limit counts for every caller, so that no caller may tell
it; and names that callers choose, which the history keeps."""

import json

import pytest

from tests.e2e.processes import until
from tests.e2e.samples import CHAT, MESSAGES
from tests.e2e.sites import Site
from tests.e2e.upstream import plain
from tests.e2e.wire import ask

from .probe import Probe

SAID = "This model's maximum context length is {} tokens. However, your messages resulted in 9001 tokens."
LIMIT = 300
#: What a caller writes into its request to have a limit of 300 tokens learned, as JSON.
WRITTEN = {
    "as it is": json.dumps(SAID.format(LIMIT)),
    "with a comma": json.dumps(SAID.format("100,000")),
    "with escaped digits": json.dumps(SAID.format(LIMIT)).replace("300", "\\u0033\\u0030\\u0030"),
    "with escaped letters": json.dumps(SAID.format(LIMIT)).replace("is 300", "\\u0069\\u0073 300"),
}
PROBES = {
    f"limit, {how}": Probe(
        f"a caller writes the error of a limit into its prompt, {how}, and the backend's error quotes it",
        "nothing is learned: the next caller's request is sent",
    )
    for how in WRITTEN
}
KEY_NAME = "sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789XY"
NAMED = {
    "agent type": ((b"x-claude-code-agent-type", KEY_NAME.encode()),),
    "agent id": ((b"x-claude-code-agent-id", KEY_NAME.encode()),),
    "agent name of turn metadata": (
        (b"x-codex-turn-metadata", json.dumps({"request_kind": "turn", "agent_name": KEY_NAME}).encode()),
    ),
}
PROBES |= {
    f"name, {place}": Probe(f"a key as the {place} of a request", "the history does not hold it") for place in NAMED
}
PROBES["name, tool"] = Probe(
    "a new tool whose name is a key makes the provider's cache useless", "why and the history say which by its number"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    found = Site(tmp_path_factory.mktemp("quoted"))
    yield found
    found.stop()


def body_of(text, **fields):
    """A request that every protocol here takes; text: JSON."""
    rest = json.dumps({"max_tokens": 9, **fields})[1:]
    return f'{{"model":"beta:m","messages":[{{"role":"user","content":{text}}}],{rest}'.encode()


def refuse(site, protocol, message):
    """Let the backend answer with an error in its own protocol."""
    error = {"error": {"type": "invalid_request_error", "message": message}}
    error |= {"type": "error"} if protocol == "messages" else {}
    site.upstreams["beta"].default = (plain(json.dumps(error).encode(), b"400 Bad Request"),)


@pytest.mark.parametrize(("protocol", "caller"), [("chat", MESSAGES), ("chat", CHAT), ("messages", MESSAGES)])
@pytest.mark.parametrize("how", WRITTEN)
def test_a_caller_tells_no_limit(site, how, protocol, caller):
    """An error that quotes the request teaches nothing: the next request, larger than the limit, reaches the backend;
    the same error about a request that does not say it is learned."""
    assert f"limit, {how}" in PROBES
    site.configure([site.entry("beta", protocols=(protocol,))])
    up = site.upstreams["beta"]
    limits = site.proxy.serving.runtime.learned_limits
    refuse(site, protocol, f"messages.0: Input should be a valid list, got '{json.loads(WRITTEN[how])}'")
    assert ask(site.proxy.port, caller.path, body_of(WRITTEN[how])).status == 400
    assert limits.learned("beta", "m") is None
    up.default = (plain({"chat": CHAT, "messages": MESSAGES}[protocol].whole),)
    before = len(up.seen)
    assert ask(site.proxy.port, caller.path, body_of(json.dumps("hello world. " * 500))).status == 200
    assert len(up.seen) == before + 1
    refuse(site, protocol, SAID.format(8192))
    assert ask(site.proxy.port, caller.path, body_of('"hello"')).status == 400
    assert limits.learned("beta", "m").window == 8192
    site.proxy.call(lambda: limits.note_taken("beta", "m", 9000))


def history_of(site):
    """The bytes of the history."""
    return b"".join(path.read_bytes() for path in (site.folder / "home").rglob("history.db*"))


@pytest.mark.parametrize("place", NAMED)
def test_a_key_is_no_name(site, place):
    """What is sent as a name beside a good one is kept without the key."""
    assert f"name, {place}" in PROBES
    site.configure([site.entry("beta", protocols=("chat",))])
    site.upstreams["beta"].default = (plain(CHAT.whole),)
    mark = f"marked-{place.replace(' ', '-')}"
    fields = (*NAMED[place], (b"user-agent", b"x"))
    assert ask(site.proxy.port, CHAT.path, body_of('"x"').replace(b"beta:m", f"beta:{mark}".encode()), *fields)
    assert until(lambda: mark.encode() in history_of(site))
    assert KEY_NAME.encode() not in history_of(site)


def answer(cached):
    """A Chat answer to a prompt of which so many tokens were cached."""
    usage = {"prompt_tokens": 9000, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": cached}}
    return plain(json.dumps({**json.loads(CHAT.whole), "usage": usage}).encode())


def test_a_tool_with_the_name_of_a_key(site):
    """The cause of the loss names the tool by its number."""
    assert "name, tool" in PROBES
    site.configure([site.entry("beta", protocols=("chat",))])
    tools = [{"type": "function", "function": {"name": name, "parameters": {}}} for name in (KEY_NAME, "look")]
    sent = {"prompt_cache_key": "s1"}
    for cached, offered in ((8500, tools[1:]), (0, tools)):
        site.upstreams["beta"].default = (answer(cached),)
        assert ask(site.proxy.port, CHAT.path, body_of(json.dumps("y" * 9000), **sent, tools=offered)).status == 200
    assert until(lambda: b"tools" in history_of(site) and b"tool 1" in history_of(site))
    assert KEY_NAME.encode() not in history_of(site)
