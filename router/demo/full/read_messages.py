"""Reads Messages requests to demo-full."""

from router.backends.profile import EFFORTS
from router.demo.body import Json, Object, as_object, as_text, conversation, objects
from router.demo.full.request import (
    Block,
    Request,
    Turn,
    check_temperature,
    read_content,
    read_effort,
    read_number,
    read_stops,
    require_objects,
)
from router.demo.full.seal import unseal
from router.demo.messages import read_tools
from router.demo.script import wanted_format
from router.errors import BadRequest

_MOST = 1 << 20
_LEAST_BUDGET = 1024
_NO_EFFORT = ("none", "minimal")


def read_messages(body: Object) -> Request:
    """The request in a body of POST /v1/messages. Raises BadRequest."""
    turns = require_objects(conversation(body, "messages"), "messages")
    check_temperature(body, 1)
    limit = read_number(body, "max_tokens", 1, _MOST)
    if limit is None:
        raise BadRequest("max_tokens: field required.")
    output = as_object(body.get("output_config"))
    read_effort(output.get("effort"), tuple(name for name in EFFORTS if name not in _NO_EFFORT))
    system = Turn("system")
    read_content(system, body.get("system"))
    found = [system] if system.text else []
    for turn in turns:
        found += _read_turn(turn)
    choice = as_object(body.get("tool_choice"))
    return Request(
        protocol="messages",
        turns=found,
        blocks=_list_blocks(body, turns),
        # Like Anthropic's, unless the whole request asks for it.
        marks_only=body.get("cache_control") is None,
        tools=read_tools(body.get("tools")),
        choice=body.get("tool_choice"),
        parallel=choice.get("disable_parallel_tool_use") is not True,
        thinks=_read_thinking(as_object(body.get("thinking")), limit),
        limit=limit,
        stops=read_stops(body.get("stop_sequences")),
        format=wanted_format(output.get("format") or body.get("output_format")),
        searches=any(as_text(tool.get("type")).startswith("web_search_") for tool in objects(body.get("tools"))),
    )


def _read_thinking(thinking: Object, limit: int) -> bool:
    kind = thinking.get("type")
    if kind == "enabled":
        budget = read_number(thinking, "budget_tokens", _LEAST_BUDGET, _MOST)
        if budget is None or budget >= limit:
            raise BadRequest("thinking.budget_tokens: required, and less than max_tokens.")
    elif kind not in (None, "adaptive", "disabled"):
        raise BadRequest("thinking.type: must be enabled, adaptive or disabled.")
    return kind in ("enabled", "adaptive")


def _read_turn(message: Object) -> list[Turn]:
    """The turn of a message, after one for the results of tools in it."""
    role = as_text(message.get("role"))
    if role not in ("user", "assistant", "system"):
        raise BadRequest(f"messages: the role '{role[:100]}' does not exist.")
    turn, results = Turn(role), Turn("tool")
    content = message.get("content")
    read_content(turn, content)
    for block in objects(content):
        kind = block.get("type")
        if kind == "tool_use":
            turn.calls.append(as_text(block.get("id")))
        elif kind == "tool_result":
            results.results.append(as_text(block.get("tool_use_id")))
            read_content(results, block.get("content"))
        elif kind == "thinking" and unseal(as_text(block.get("signature"))) != block.get("thinking"):
            raise BadRequest("messages: Invalid `signature` in `thinking` block.")
    found = [results] if results.results else []
    return [*found, turn] if turn.text or turn.seen or turn.calls or not found else found


def _list_blocks(body: Object, turns: list[Object]) -> list[Block]:
    system = body.get("system")
    parts: list[Json] = [*objects(body.get("tools")), *(system if isinstance(system, list) else [system or ""])]
    for turn in turns:
        content = turn.get("content")
        parts += content if isinstance(content, list) else [content]
    return [Block(part, isinstance(part, dict) and part.get("cache_control") is not None) for part in parts]
