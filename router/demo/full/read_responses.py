"""Reads Responses requests to demo-full."""

from router.demo.body import Json, Object, as_object, as_text, objects
from router.demo.full.request import (
    Block,
    Request,
    Turn,
    check_temperature,
    read_content,
    read_effort,
    read_number,
)
from router.demo.full.seal import unseal
from router.demo.reply import Tool
from router.demo.responses import read_tools
from router.demo.script import wanted_format
from router.errors import BadRequest

_MOST = 1 << 20


def read_responses(body: Object, items: list[Object]) -> Request:
    """The request in a body of POST /v1/responses. items: its input, after what a stored response had. Raises
    BadRequest."""
    check_temperature(body, 2)
    tools, brought = objects(body.get("tools")), [item for item in items if item.get("type") == "additional_tools"]
    offered = [*tools, *(tool for item in brought for tool in objects(item.get("tools")))]
    instructions = as_text(body.get("instructions"))
    turns = [_read_item(item) for item in items]
    return Request(
        protocol="responses",
        turns=[*([Turn("system", instructions)] if instructions else []), *turns],
        blocks=[Block(one) for one in _list_blocks(tools, instructions, items)],
        tools=_list_tools(offered),
        choice=body.get("tool_choice"),
        parallel=body.get("parallel_tool_calls") is not False,
        thinks=read_effort(as_object(body.get("reasoning")).get("effort")),
        limit=read_number(body, "max_output_tokens", 1, _MOST),
        format=wanted_format(as_object(body.get("text")).get("format")),
        searches=any(as_text(tool.get("type")).startswith("web_search") for tool in offered),
        compacts=items[-1].get("type") == "compaction_trigger",
    )


def _list_blocks(tools: list[Object], instructions: str, items: list[Object]) -> list[Json]:
    return [*tools, instructions, *items]


def _list_tools(offered: list[Object]) -> list[Tool]:
    found = read_tools([*offered])
    for group in offered:
        if group.get("type") == "namespace":
            found += read_tools(group.get("tools"), as_text(group.get("name")))
    return found


def _read_item(item: Object) -> Turn:
    kind = as_text(item.get("type")) or "message"
    if kind == "message":
        role = as_text(item.get("role"))
        if role not in ("system", "developer", "user", "assistant"):
            raise BadRequest(f"input: the role '{role[:100]}' does not exist.")
        turn = Turn("system" if role == "developer" else role)
        read_content(turn, item.get("content"))
        return turn
    if kind.endswith("_call"):
        return Turn("assistant", calls=[as_text(item.get("call_id"))])
    if kind.endswith("_output"):
        turn = Turn("tool", results=[as_text(item.get("call_id"))])
        read_content(turn, item.get("output"))
        return turn
    sealed = item.get("encrypted_content")
    opened = unseal(as_text(sealed)) if sealed is not None else ""
    if opened is None:
        raise BadRequest(f"input: the encrypted_content of an item of type {kind[:100]} could not be verified.")
    return Turn("user" if kind == "compaction" else "assistant", opened if kind == "compaction" else "")
