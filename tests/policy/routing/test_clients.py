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
        ({b"http-referer": b"https://cline.bot", b"x-title": b"Cline", b"x-client-type": b"cline-cli"}, "cline"),
        ({b"http-referer": b"https://cline.bot", b"x-title": b"Cline"}, "cline"),
        ({b"originator": b"cline", b"session_id": b"1", b"user-agent": b"Cline/1.0.0"}, "cline"),
        ({b"x-stainless-lang": b"js", b"user-agent": b"ls/JS 5.23.2"}, "continue"),
        ({b"http-referer": b"https://www.continue.dev/", b"x-openrouter-title": b"Continue"}, "continue"),
        ({b"x-stainless-lang": b"js", b"user-agent": b"QwenCode/0.15.10 (linux; x64)"}, "qwen-code"),
        (
            {
                b"x-stainless-lang": b"js",
                b"session_id": b"1",
                b"x-client-request-id": b"1",
                b"user-agent": b"OpenAI/JS 6.26.0",
            },
            "pi",
        ),
        ({b"x-stainless-lang": b"js", b"user-agent": b"pi/1.6.0 (linux; node/v24.19.0; x64)"}, "pi"),
        (
            {
                b"x-stainless-lang": b"js",
                b"anthropic-version": b"2023-06-01",
                b"user-agent": b"pi/1.6.0 (linux; node/v24.19.0; x64)",
            },
            "pi",
        ),
        ({b"content-type": b"application/json", b"user-agent": b"Mistral-Vibe/3.0.3"}, "vibe"),
        ({b"content-type": b"application/json", b"user-agent": b"mistral-client-python/Mistral-Vibe/3.0.3"}, "vibe"),
        (
            {
                b"x-goog-api-client": b"google-genai-sdk/1.30.0 gl-node/v20.20.2",
                b"user-agent": b"GeminiCLI-tui/0.61.0/gemini-3.8-flash (linux; x64; terminal)",
                b"sec-fetch-mode": b"cors",
                b"accept-language": b"*",
            },
            "gemini-cli",
        ),
        (
            {
                b"x-goog-api-client": b"google-genai-sdk/3.6.1 gl-python/3.11.2",
                b"user-agent": b"google-genai-sdk/3.6.1 gl-python/3.11.2",
            },
            "google-genai",
        ),
        ({b"user-agent": b"GeminiCLI-tui/0.61.0/gemini-3.8-flash (linux; x64; terminal)"}, ""),
        ({b"anthropic-version": b"2023-06-01", b"user-agent": b"litellm/1.81.10"}, "litellm"),
        (
            {
                b"accept-language": b"*",
                b"sec-fetch-mode": b"cors",
                b"user-agent": b"ai/6.0.326 ai-sdk/provider-utils/4.0.66 runtime/node.js/v20.20.2",
            },
            "ai-sdk",
        ),
        (
            {
                b"accept-language": b"de-DE,de;q=0.9",
                b"sec-fetch-mode": b"cors",
                b"user-agent": b"Mozilla/5.0 (X11; Linux x86_64)",
            },
            "",
        ),
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
