"""Which tool sent a request: a table of header patterns, never of User-Agent alone.

User-Agent counts only beside a header of the tool's own: Qwen Code calls itself claude-cli there.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple


class Pattern(NamedTuple):
    """A tool and the headers that its requests have."""

    client: str
    #: Lower-case name, and what the value begins with (in any case; b"" is any value).
    headers: tuple[tuple[bytes, bytes], ...]


# The first that fits names the tool, so that a tool stands before the SDK it is made with.
PATTERNS = (
    Pattern("claude-code", ((b"x-claude-code-session-id", b""), (b"x-app", b"cli"))),
    Pattern("codex", ((b"originator", b"codex"), (b"session-id", b""))),
    Pattern("codex", ((b"x-codex-turn-metadata", b""),)),
    Pattern("opencode", ((b"x-session-affinity", b""), (b"user-agent", b"opencode/"))),
    # Cline names itself to its own service and to OpenRouter; to other servers it is the AI SDK.
    Pattern("cline", ((b"x-client-type", b"cline"),)),
    Pattern("cline", ((b"http-referer", b"https://cline.bot"),)),
    Pattern("cline", ((b"originator", b"cline"), (b"session_id", b""))),
    # Continue's bundle shortens the name of its OpenAI client, which is where the SDK takes its own name from.
    Pattern("continue", ((b"x-stainless-lang", b""), (b"user-agent", b"ls/js "))),
    Pattern("continue", ((b"http-referer", b"https://www.continue.dev"),)),
    Pattern("qwen-code", ((b"x-stainless-lang", b""), (b"user-agent", b"qwencode/"))),
    Pattern("pi", ((b"x-stainless-lang", b""), (b"user-agent", b"pi/"))),
    # Before 1.6.
    Pattern("pi", ((b"session_id", b""), (b"x-client-request-id", b""), (b"user-agent", b"openai/js"))),
    Pattern("vibe", ((b"content-type", b"application/json"), (b"user-agent", b"mistral-vibe/"))),
    Pattern("vibe", ((b"content-type", b"application/json"), (b"user-agent", b"mistral-client-python/mistral-vibe/"))),
    # aider and others that are made with it.
    Pattern("litellm", ((b"anthropic-version", b""), (b"user-agent", b"litellm/"))),
    Pattern("anthropic-sdk", ((b"x-stainless-lang", b""), (b"anthropic-version", b""))),
    Pattern("openai-sdk", ((b"x-stainless-lang", b""), (b"user-agent", b"openai/"))),
    Pattern("openai-sdk", ((b"x-stainless-lang", b""), (b"user-agent", b"asyncopenai/"))),
    # Gemini CLI is made with Google's SDK, which calls itself by one name in both headers.
    Pattern("gemini-cli", ((b"x-goog-api-client", b"google-genai-sdk/"), (b"user-agent", b"geminicli"))),
    Pattern("google-genai", ((b"x-goog-api-client", b"google-genai-sdk/"), (b"user-agent", b"google-genai-sdk/"))),
    # Of the AI SDK's own there is nothing but the name; the rest is Node's fetch.
    Pattern("ai-sdk", ((b"sec-fetch-mode", b"cors"), (b"accept-language", b"*"), (b"user-agent", b"ai/"))),
    Pattern("ai-sdk", ((b"sec-fetch-mode", b"cors"), (b"accept-language", b"*"), (b"user-agent", b"ai-sdk/"))),
)
NAMES = tuple(dict.fromkeys(pattern.client for pattern in PATTERNS))


def identify_client(fields: Mapping[bytes, bytes]) -> str:
    """The tool that sent these headers (lower-case name -> first value); '' for one the table does not know."""
    for client, starts in _list_candidates(tuple(fields)):
        for name, start in starts:
            if not fields[name].lower().startswith(start):
                break
        else:
            return client
    return ""


def make_headers(client: str) -> list[tuple[str, str]]:
    """Headers that a request of this tool has, by which it is recognised. Raises KeyError for one the table does not
    know."""
    for pattern in PATTERNS:
        if pattern.client == client:
            return [(name.decode(), start.decode() or "1") for name, start in pattern.headers]
    raise KeyError(client)


@lru_cache(maxsize=64)
def _list_candidates(names: tuple[bytes, ...]) -> tuple[Pattern, ...]:
    """The tools that requests with these headers can be from, with the headers whose value matters. Remembered, since a
    tool sends the same headers each time."""
    return tuple(
        Pattern(client, tuple((name, start) for name, start in headers if start))
        for client, headers in PATTERNS
        if all(name in names for name, _ in headers)
    )
