"""Reads Chat requests to demo-full."""

from router.demo.body import Object, as_object, as_text, conversation, objects
from router.demo.chat import read_tools
from router.demo.full.request import (
    Block,
    Request,
    Turn,
    check_temperature,
    read_content,
    read_copies,
    read_effort,
    read_logprobs,
    read_number,
    read_stops,
    require_objects,
)
from router.demo.script import wanted_format
from router.errors import BadRequest

_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_MOST = 1 << 20


def read_chat(body: Object) -> Request:
    """The request in a body of POST /v1/chat/completions. Raises BadRequest."""
    turns = require_objects(conversation(body, "messages"), "messages")
    check_temperature(body, 2)
    read_number(body, "seed", -(2**63), 2**63 - 1)
    old, new = (read_number(body, name, 1, _MOST) for name in ("max_tokens", "max_completion_tokens"))
    return Request(
        protocol="chat",
        turns=[_read_turn(turn) for turn in turns],
        blocks=[Block(one) for one in (*objects(body.get("tools")), *turns)],
        tools=read_tools(body.get("tools")),
        choice=body.get("tool_choice"),
        parallel=body.get("parallel_tool_calls") is not False,
        thinks=read_effort(body.get("reasoning_effort")),
        limit=new or old,
        stops=read_stops(body.get("stop")),
        format=wanted_format(body.get("response_format")),
        copies=read_copies(body),
        logprobs=read_logprobs(body),
        searches=body.get("web_search_options") is not None,
    )


def _read_turn(message: Object) -> Turn:
    role = as_text(message.get("role"))
    if role not in _ROLES:
        raise BadRequest(f"messages: the role '{role[:100]}' does not exist.")
    turn = Turn({"developer": "system", "function": "tool"}.get(role, role))
    read_content(turn, message.get("content"))
    turn.calls = [as_text(call.get("id")) for call in objects(message.get("tool_calls"))]
    if role == "tool":
        turn.results.append(as_text(message.get("tool_call_id")))
    for call in objects(message.get("tool_calls")):
        if not as_text(as_object(call.get(as_text(call.get("type")))).get("name")):
            raise BadRequest("tool_calls: a call needs a type and a name.")
    return turn
