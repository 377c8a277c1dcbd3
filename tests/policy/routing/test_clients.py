"""Tools are identified by headers of their own, never by User-Agent alone."""

import pytest

from router.policy.routing.clients import NAMES, PATTERNS, identify_client, make_headers

CLAUDE_CODE = {
    b"x-app": b"cli",
    b"x-claude-code-session-id": b"3f9a",
    b"user-agent": b"claude-cli/2.1.328 (external, cli)",
    b"anthropic-version": b"2023-06-01",
    b"x-stainless-lang": b"js",
}
CODEX = {b"originator": b"codex_exec", b"session-id": b"1", b"thread-id": b"2", b"x-codex-turn-metadata": b"{}"}


@pytest.mark.parametrize(
    ("fields", "client"),
    [
        (CLAUDE_CODE, "claude-code"),
        (CODEX, "codex"),
        ({b"originator": b"Codex_CLI_rs", b"session-id": b"1"}, "codex"),
        ({b"x-session-affinity": b"a", b"user-agent": b"opencode/1.18.33 ai-sdk/7"}, "opencode"),
        ({b"x-stainless-lang": b"python", b"anthropic-version": b"2026-10-21"}, "anthropic-sdk"),
        ({b"x-stainless-lang": b"python", b"user-agent": b"OpenAI/Python 3.51.0"}, "openai-sdk"),
        ({b"x-stainless-lang": b"python", b"user-agent": b"AsyncOpenAI/Python 3.51.0"}, "openai-sdk"),
        # Qwen Code borrows the name and x-app; it has no session of Claude Code.
        ({b"x-app": b"cli", b"user-agent": b"claude-cli/0.24.4"}, ""),
        ({b"user-agent": b"claude-cli/2.1.328"}, ""),
        ({b"user-agent": b"OpenAI/Python 3.51.0"}, ""),
        ({b"originator": b"other", b"session-id": b"1"}, ""),
        ({}, ""),
    ],
)
def test_who_sent_it(fields, client):
    """Every header of a pattern must be there, and begin as it says."""
    assert identify_client(fields) == client


def test_no_pattern_is_user_agent_alone():
    """Anyone may write anything there."""
    for pattern in PATTERNS:
        assert {name for name, _ in pattern.headers} - {b"user-agent"}, pattern
        assert all(name == name.lower() and start == start.lower() for name, start in pattern.headers)
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("client", NAMES)
def test_a_client_can_be_played(client):
    """The headers that are made for a tool are those by which it is recognised."""
    assert identify_client({name.encode(): value.encode() for name, value in make_headers(client)}) == client
