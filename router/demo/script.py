"""Decides the replies of the demo models: a pure function from a request to a reply, independent of protocols."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import msgspec

from router.demo.body import Json, Object, as_object, as_text
from router.demo.reply import Event, Part, Reply, Tool
from router.demo.schema import arguments, example

#: The model that has every feature.
FULL = "demo-full"
#: Tokens of its prompts.
WINDOW = 65_536
MODELS: tuple[str, ...] = (
    "demo",
    "demo-tools",
    FULL,
    "demo-slow",
    "demo-429",
    "demo-500",
    "demo-529",
    "demo-cut",
    "demo-hang",
)

# 2026-01-01T00:00:00Z, a constant, so that answers are the same at any time.
CREATED = 1767225600

NO_TEXT = "The last user message has no text."
# The words of a tool's name: `list_files`, `NotebookRead`, `mcp__docs__search`.
_NAME_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_READS = frozenset(
    ("read", "get", "list", "ls", "view", "search", "find", "glob", "grep", "cat", "show", "lookup", "query", "count")
)
_CHANGES = frozenset(
    (
        *("write", "edit", "create", "update", "delete", "remove", "set", "put", "move", "rename", "patch", "apply"),
        *("send", "post", "kill", "stop", "bash", "shell", "exec", "execute", "run", "command", "computer", "stdin"),
    )
)
# Parts of the names of tools that start agents, or work that goes on by itself.
_STARTERS = (
    *("agent", "task", "workflow", "schedul", "cron", "wakeup", "spawn", "delegat", "dispatch", "handoff", "swarm"),
    *("team", "orchestrat", "collab", "fork", "remotetrigger", "sendmessage", "skill", "thread", "background"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request, in the terms that all protocols share."""

    #: The model's name as it was sent.
    model: str
    stream: bool
    #: The text of the last user turn.
    text: str
    #: Bytes of text in the prompt.
    size: int
    #: The tool to call, or None.
    tool: Tool | None = None
    #: Text of the tool results that the conversation ends with, None when it ends otherwise.
    result: str | None = None
    #: JSON schema of the required answer, None for prose.
    format: Object | None = None


class Dialect(Protocol):
    """A request of one protocol: decodes it to an Ask, and encodes the reply, whole or as a stream."""

    ask: Ask

    def whole(self, reply: Reply) -> object:
        """The answer as one JSON object."""
        ...

    def events(self, reply: Reply) -> Iterator[Event]:
        """The answer as events, from the first to the protocol's terminal one."""
        ...


def decide(ask: Ask) -> Reply:
    """The reply to a request."""
    if ask.model == "demo-tools":
        if ask.result is not None:
            return say(f"The tool returned: {ask.result}" if ask.result else "The tool returned nothing.")
        if ask.tool is not None:
            return Reply(parts=(call(ask.tool, ask.text),), finish="tool_calls")
    if ask.format is not None:
        return say(compact(example(ask.format)))
    return say(ask.text or NO_TEXT)


def say(text: str) -> Reply:
    """A reply of one text."""
    return Reply(parts=(Part(kind="text", text=text),))


def call(tool: Tool, text: str) -> Part:
    """A call of the tool. text: what the user said, which a custom tool gets."""
    return Part(kind="call", tool=tool, text=(text or "demo") if tool.custom else compact(arguments(tool.schema)))


def choose(tools: list[Tool], choice: Json) -> Tool | None:
    """The tool to call: the first of those that only read, else of all, unless the request's tool_choice names another;
    None when tool_choice forbids all. One that may start an agent is never called: the agent would get the same tools,
    and call them without an end."""
    named = as_object(choice)
    kind = as_text(named.get("type")) or as_text(choice)
    if kind == "none":
        return None
    name = named.get("name") or as_object(named.get(kind)).get("name")
    forced = [tool for tool in tools if tool.name == name]
    return next(iter(list_harmless(forced or tools)), None)


def list_harmless(tools: list[Tool]) -> list[Tool]:
    """Of the tools that may be called those of the least harmful kind: what only reads, then what does something else,
    then what changes something."""
    allowed = [tool for tool in tools if not _starts_work(tool.name)]
    least = min((_rank(tool.name) for tool in allowed), default=0)
    return [tool for tool in allowed if _rank(tool.name) == least]


def _starts_work(name: str) -> bool:
    """True for a tool that may start an agent, or work that goes on by itself, in any case and namespace."""
    letters = "".join(char for char in name.casefold() if char.isalpha())
    return any(stem in letters for stem in _STARTERS)


def _rank(name: str) -> int:
    """0 for a tool that only reads what is at hand, 2 for one that changes something or runs commands, 1 for others."""
    parts = {part.lower() for part in _NAME_PART.findall(name)}
    if parts & _CHANGES:
        return 2
    return 0 if parts & _READS and "web" not in parts else 1


def wanted_format(value: Json) -> Object | None:
    """The JSON schema in the format field of a request; {"type": "object"} for any JSON; None for prose."""
    field = as_object(value)
    if field.get("type") == "json_object":
        return {"type": "object"}
    if field.get("type") != "json_schema":
        return None
    return as_object(field.get("schema")) or as_object(as_object(field.get("json_schema")).get("schema"))


def compact(value: object) -> str:
    """The value as JSON text."""
    return msgspec.json.encode(value).decode()


def sse(payload: object, event: str = "") -> bytes:
    """One server-sent event."""
    name = f"event: {event}\n".encode() if event else b""
    return b"%bdata: %b\n\n" % (name, msgspec.json.encode(payload))
