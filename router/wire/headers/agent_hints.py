"""Reads what coding agents tell in the headers of a request: its class, and which of their agents makes it.

    x-claude-code-request-class                                  settings.tables.REQUEST_CLASSES, or a newer one
    x-claude-code-agent-type                                     general-purpose, Explore, custom, …
    x-claude-code-agent-id, -parent-agent-id, -prompt-id         opaque ids
    x-claude-code-context-compacted                              how, in the request that follows a compaction
    x-codex-turn-metadata                                        JSON: request_kind, agent_name, thread_source, …
    x-codex-window-id                                            THREAD:N; N grows with each compaction

Claude Code sends the class, the type and the prompt's id only with CLAUDE_CODE_GATEWAY_HINT_HEADERS=1 when its base URL
is not Anthropic's (https://code.claude.com/docs/en/llm-gateway-protocol); Codex always sends its metadata
(openai/codex, codex-rs/core). None of them holds text of a prompt.
"""

from collections.abc import Mapping

import msgspec

from router.redaction import is_like_key

_CLASS = b"x-claude-code-request-class"
_TYPE = b"x-claude-code-agent-type"
_AGENT = b"x-claude-code-agent-id"
_PARENT = b"x-claude-code-parent-agent-id"
_PROMPT = b"x-claude-code-prompt-id"
_TURN = b"x-codex-turn-metadata"
_COMPACTED = b"x-claude-code-context-compacted"
_COMPACTION, _DURATIONS = b"x-claude-code-compaction", b"x-claude-code-prev-tool-durations"
_WINDOW = b"x-codex-window-id"
#: Those of Claude Code, and those of Codex.
CLAUDE_CODE_HINTS = (_CLASS, _TYPE, _AGENT, _PARENT, _PROMPT, _COMPACTED, _COMPACTION, _DURATIONS)
CODEX_HINTS = (_TURN,)
_HINTS = (_CLASS, _TYPE, _AGENT, _PARENT, _PROMPT, *CODEX_HINTS)

#: Characters of a class, a name and an id; a longer value is cut, since agents' names are chosen by callers.
NAME_LIMIT = 64
# Codex's metadata has about 1 KB, more with many workspaces. What is longer is not read: JSON cannot be cut, and
# requests that wait to be recorded hold it.
_LENGTH = 8192
# The name of the agent that talks with the user.
_ROOT = "/root"
# Its request_kind -> the class, where that is not told by the agent.
_CLASSES = {"compaction": "compaction", "prewarm": "auxiliary"}


class AgentHints(msgspec.Struct, frozen=True, gc=False):
    """What the client says of a request and of its agents; '' and null for what it does not."""

    #: What kind of request it is: main, subagent, workflow, compaction, auxiliary, or a newer one.
    request_class: str = ""
    #: The type or the name of the agent.
    agent: str = ""
    #: The id of the agent.
    agent_id: str | None = None
    #: The agent that started it.
    parent_agent_id: str | None = None
    #: The same for all requests that one prompt of the user led to.
    prompt_id: str | None = None


class _TurnMetadata(msgspec.Struct, gc=False):
    """The members of Codex's metadata that are read; of any type, since a member that changes must not hide others."""

    request_kind: object = ""
    agent_name: object = ""
    thread_source: object = ""


NO_HINTS = AgentHints()
_NOTHING: Mapping[bytes, bytes] = {}
_decode_turn = msgspec.json.Decoder(_TurnMetadata).decode


def hint_headers(fields: Mapping[bytes, bytes]) -> Mapping[bytes, bytes]:
    """Of these headers (lower-case name -> value) those that `read_hints` reads, so that they can be read later without
    keeping all headers; empty when there are none."""
    if fields.keys().isdisjoint(_HINTS):
        return _NOTHING
    return {name: fields[name] for name in _HINTS if name in fields and len(fields[name]) <= _LENGTH}


def read_hints(fields: Mapping[bytes, bytes]) -> AgentHints:
    """The hints in these headers (lower-case name -> value); NO_HINTS when there are none."""
    if not fields:
        return NO_HINTS
    turn = fields.get(_TURN)
    if turn is not None and _CLASS not in fields:
        return _read_turn(turn)
    agent_id = _read_value(fields, _AGENT)
    # Without the optional headers the id still tells the requests of other agents from the conversation's own.
    request_class = _read_value(fields, _CLASS).lower() or ("subagent" if agent_id else "")
    return AgentHints(
        request_class,
        _read_value(fields, _TYPE),
        agent_id or None,
        _read_value(fields, _PARENT) or None,
        _read_value(fields, _PROMPT) or None,
    )


def tells_compaction(hints: Mapping[bytes, bytes]) -> bool:
    """True for a request that asks for a summary in place of the conversation. hints: of `hint_headers`."""
    if not hints:
        return False
    told = hints.get(_CLASS)
    if told is not None:
        return told.strip().lower() == b"compaction"
    turn = hints.get(_TURN)
    return turn is not None and b"compaction" in turn and _read_turn(turn).request_class == "compaction"


def tells_compacted(fields: Mapping[bytes, bytes]) -> bool:
    """True for a request that follows a compaction of its conversation, as its headers say."""
    return _COMPACTED in fields


def find_window(fields: Mapping[bytes, bytes]) -> int:
    """A hash of Codex's name of the conversation since its last compaction, which comes beside its other hints; 0 where
    it tells none."""
    window = fields.get(_WINDOW)
    return 0 if window is None else hash(window)


def _read_value(fields: Mapping[bytes, bytes], name: bytes) -> str:
    value = fields.get(name)
    return _tidy(value.strip()[:NAME_LIMIT].decode("latin-1")) if value else ""


def _tidy(text: str) -> str:
    """A name or an id, '' for a key that a caller put in its place: what is told is kept in the history."""
    return "" if is_like_key(text) else text


def _read_turn(value: bytes) -> AgentHints:
    try:
        turn = _decode_turn(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return NO_HINTS
    kind, agent, source = (
        _tidy(text.strip()[:NAME_LIMIT]) if isinstance(text, str) else ""
        for text in (turn.request_kind, turn.agent_name, turn.thread_source)
    )
    if not kind and not agent:
        return NO_HINTS
    others = source == "subagent" or agent not in ("", _ROOT)
    return AgentHints(_CLASSES.get(kind) or ("subagent" if others else "main"), agent)
