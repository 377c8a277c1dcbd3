"""A conversation that is too long for its model: the agents shorten it and go on, whatever words the backend has.

A selection of wordings runs by default; FAIRLEAD_CLIENT_RUNS=all runs all of them, which takes an hour.
"""

import json
import os

import pytest

from ..overflows import WORDINGS
from . import kit
from .agents import find, run
from .long_conversations import ANSWER, Upstream

pytestmark = pytest.mark.slow
EVERY = os.environ.get("FAIRLEAD_CLIENT_RUNS") == "all"
#: Wordings that Claude Code, or Codex, does not know by itself.
CHOSEN = ("ollama", "lm studio", "together, older", "gemini", "llama.cpp", "cerebras", "xai", "alibaba")
#: Errors whose input fits: Claude Code asks for less output instead.
SHORTER_OUTPUT = ("anthropic, output", "vllm, newest")
wordings = pytest.mark.parametrize("provider", [name for name in WORDINGS if EVERY or name in CHOSEN])


def refusal(provider, spoken):
    """The error as a backend of the protocol sends it."""
    status, body, _ = WORDINGS[provider]
    if spoken == "messages" and isinstance(body, dict) and isinstance(body.get("error"), dict):
        body = {"type": "error", **body}
    return status, body


@pytest.mark.parametrize("spoken", ["messages", "chat"])
@wordings
def test_claude_code_compacts_and_goes_on(tmp_path, provider, spoken):
    """After the error of a tool round the next request asks for a summary, and the work ends well."""
    if find("claude") is None:
        pytest.skip("claude-code is not installed")
    folder = tmp_path / "proxy"
    folder.mkdir()
    with Upstream(refusal(provider, spoken), tool="Bash") as upstream:
        with kit.proxied(folder, upstream, protocols=(spoken,)) as proxy:
            ran = run("claude-code", tmp_path, f"http://127.0.0.1:{proxy.port}", "messages", seconds=200)
        assert (ran.code, ANSWER in ran.said) == (0, True), (len(upstream.asked), ran.said[-2000:])
        assert upstream.refused is not None
        later = [json.loads(text) for text in upstream.later]
        asked = [json.dumps(body["messages"][-1]).lower() for body in later]
        if provider in SHORTER_OUTPUT:
            numbers = WORDINGS[provider].numbers
            assert [body.get("max_tokens") for body in later] == [numbers.window - numbers.input - 1000]
        else:
            assert "summary" in asked[0], asked[0][-600:]
            assert len(later) > 1


@pytest.mark.parametrize("spoken", ["chat", "messages", "responses"])
@wordings
def test_codex_compacts_at_the_next_turn(tmp_path, provider, spoken):
    """The turn ends with the error; the thread that is resumed asks for a summary first, and answers."""
    if find("codex") is None:
        pytest.skip("codex is not installed")
    folder = tmp_path / "proxy"
    folder.mkdir()
    with Upstream(refusal(provider, spoken)) as upstream:
        with kit.proxied(folder, upstream, protocols=(spoken,)) as proxy:
            root = f"http://127.0.0.1:{proxy.port}"
            ran = run("codex", tmp_path, root, "responses", seconds=120)
            assert "ran out of room" in ran.said, ran.said[-2000:]
            command = ["exec", "resume", "--last", "--skip-git-repo-check", "Go on."]
            ran = run("codex", tmp_path, root, "responses", seconds=200, command=command)
        assert (ran.code, ANSWER in ran.said) == (0, True), ran.said[-2000:]
        assert "summary" in upstream.later[0].lower()
        assert len(upstream.later) == 2
